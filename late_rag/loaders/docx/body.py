"""WordprocessingML made plain: what mammoth does not know is put into words that it does.

Text boxes, charts and diagrams become paragraphs behind the one in which they stand; equations, ruby, form fields and
descriptions of pictures become text; wrappers such as content controls, links and smart tags are taken away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, zip_longest
from typing import Any

from late_rag.errors import LoadError
from late_rag.loaders.charts import TOO_LONG, chart_table, chart_texts, outermost
from late_rag.loaders.docx.math import equation
from late_rag.loaders.docx.package import WordPackage, child

_AS_THEY_ARE = frozenset(("w:trPr", "w:tab", "w:noBreakHyphen", "w:softHyphen"))
_PROPERTIES = {
    "w:pPr": frozenset(("w:pStyle", "w:numPr", "w:rPr")),
    "w:rPr": frozenset(("w:rStyle", "w:b", "w:i", "w:strike", "w:vertAlign", "w:del")),
}
"""Those that change the HTML; without the others, mammoth needs half the time and memory."""

_ATTRIBUTES = frozenset(("w:id", "w:type", "w:author", "w:initials"))
_LEFT_OUT = frozenset(
    (
        *(
            "w:del",
            "w:moveFrom",
            "w:delText",
            "w:instrText",
            "w:delInstrText",
            "w:rt",
            "w:tblPr",
            "w:sectPr",
            "wp:docPr",
        ),
        *("w:sdtPr", "w:sdtEndPr", "w:smartTagPr", "w:customXmlPr", "w:tblGrid", "w:ffData", "w:fldData", "w:tblPrEx"),
    )
)
_PARTS = frozenset(("w:document", "w:footnotes", "w:endnotes", "w:comments"))
_OF_BLOCKS = frozenset(("w:body", "w:tc", "w:footnote", "w:endnote", "w:comment", "w:hdr", "w:ftr"))
_BLOCKS = frozenset(("w:p", "w:tbl"))
_MOST_COLUMNS = 63
"""Of a table, as in Word."""


class Body:
    """Makes one part of a document plain.

    Args:
        package: the document, for what relations of the part lead to.
        references: kinds and ids of the notes and comments that may be referred to.
        left_out: counts what cannot be read.
    """

    def __init__(self, package: WordPackage, references: frozenset[tuple[str, str]], left_out: Counter[str]) -> None:
        self._package, self._references, self._left_out = package, references, left_out
        self._drawn: set[str | None] = set()
        self._fields: list[bool] = []
        self._whole_fields: frozenset[int] = frozenset()
        self._handlers: dict[str, Callable[[Any], list[Any]]] = {
            "w:t": self._text,
            "w:p": self._with_children,
            "w:r": self._with_children,
            "w:tbl": lambda table: self._only(table, ("w:tr",)),
            "w:tr": self._row,
            "w:tcPr": self._cell_properties,
            "w:br": lambda element: [element],
            "w:cr": lambda _: [make("w:br")],
            "w:ptab": lambda _: [make("w:tab")],
            "w:sym": self._symbol,
            "w:fldChar": self._field,
            "w:ruby": self._ruby,
            "w:drawing": self._drawing,
            "w:pict": self._drawing,
            "w:object": self._drawing,
            "mc:AlternateContent": self._alternatives,
            "m:oMath": lambda element: [text_run(equation(element))],
            "m:oMathPara": self._equations,
            "a:p": lambda paragraph: [text_paragraph("".join(node.text or "" for node in paragraph.iter("a:t")))],
            "v:textpath": lambda element: [text_paragraph(element.get("string", ""))],
            "c:chart": self._chart,
            "cx:chart": self._chart,
            "dgm:relIds": self._diagram,
            "o:OLEObject": lambda element: self._miss(f"embedded object ({element.get('ProgID', 'unknown')})"),
            "w:altChunk": lambda _: self._miss("imported file"),
            "w:subDoc": lambda _: self._miss("other document that is part of this"),
            **dict.fromkeys(("w:footnoteReference", "w:endnoteReference", "w:commentReference"), self._reference),
        }

    def plain(self, root: Any) -> Any:
        """The root of the part, anew."""
        self._fields, self._whole_fields = [], _whole_fields(root)
        (plain,) = self._with_children(root)
        return plain

    def _read(self, element: Any) -> list[Any]:
        name = element.tag
        if name in _LEFT_OUT:
            return []
        if name in _AS_THEY_ARE:
            return [element]
        if name in _PROPERTIES:
            return [_properties(element)]
        handler = self._handlers.get(name)
        if handler:
            return handler(element)
        return self._with_children(element) if name in _PARTS or name in _OF_BLOCKS else self._children(element)

    def _children(self, element: Any) -> list[Any]:
        return [plain for item in element for plain in self._read(item)]

    def _with_children(self, element: Any) -> list[Any]:
        children = self._children(element)
        children = _blocks(children) if element.tag in _OF_BLOCKS else list(_joined(children))
        attributes = {name: value for name, value in element.attrib.items() if name in _ATTRIBUTES}
        return [make(element.tag, children, attributes)]

    def _only(self, element: Any, names: Iterable[str]) -> list[Any]:
        return [make(element.tag, [item for item in self._children(element) if item.tag in names])]

    def _text(self, element: Any) -> list[Any]:
        return [] if any(self._fields) else [element]

    def _field(self, element: Any) -> list[Any]:
        """The instruction of a field is no text, and neither are results inside it."""
        kind = element.get("w:fldCharType")
        if kind == "begin":
            self._fields.append(id(element) in self._whole_fields)
            return [make("w:t", text=value)] if (value := _form_value(element)) else []
        if self._fields and kind == "separate":
            self._fields[-1] = False
        elif self._fields and kind == "end":
            self._fields.pop()
        return []

    def _symbol(self, element: Any) -> list[Any]:
        """A character of a font: those of pictorial fonts stand for others, which mammoth knows."""
        try:
            number = int(element.get("w:char", ""), 16)
        except ValueError:
            return []
        private = 0xE000 <= number <= 0xF8FF or number < 0x100
        if private:
            return [element] if element.get("w:font") else []
        return [make("w:t", text=chr(number))] if number < 0xD800 or 0xF8FF < number < 0xFFFE else []

    def _ruby(self, element: Any) -> list[Any]:
        return [part for run in self._children(element) for part in run if part.tag != "w:rPr"]

    def _reference(self, element: Any) -> list[Any]:
        kind = element.tag.removeprefix("w:").removesuffix("Reference")
        if (kind, element.get("w:id", "")) in self._references:
            return [element]
        return [] if kind == "comment" else self._miss(f"{kind} that the document refers to and does not have")

    def _row(self, row: Any) -> list[Any]:
        before, after = (_number(row, "w:trPr", name) for name in ("w:gridBefore", "w:gridAfter"))
        (plain,) = self._only(row, ("w:trPr", "w:tc"))
        cells = [item for item in plain if item.tag == "w:tc"]
        properties = [item for item in plain if item.tag == "w:trPr"]
        return [make("w:tr", [*properties, *_empty_cells(before), *cells, *_empty_cells(after)])]

    def _cell_properties(self, properties: Any) -> list[Any]:
        span, merged = _number(properties, "w:gridSpan"), child(properties, "w:vMerge")
        spans = [make("w:gridSpan", attributes={"w:val": str(span)})] if span > 1 else []
        return [make("w:tcPr", spans if merged is None else [*spans, merged])]

    def _alternatives(self, element: Any) -> list[Any]:
        """The first alternative that has text, since programs differ in which they understand; else the last."""
        plain: list[Any] = []
        for alternative in element:
            plain = self._children(alternative)
            if any(_has_text(item) for item in plain):
                break
        return plain

    def _drawing(self, element: Any) -> list[Any]:
        """Its blocks behind the paragraph; else what is said about it, in its place."""
        children = self._children(element)
        blocks = [block for block in _in_paragraphs(children) if _has_text(block)]
        if blocks:
            return [make("w:pict", blocks)]
        words = _description(element)
        return [make("w:t", text=words)] if words else []

    def _equations(self, element: Any) -> list[Any]:
        return [text_run(f" {equation(item)} ") for item in element.iter("m:oMath")]

    def _chart(self, element: Any) -> list[Any]:
        """The titles of a chart, and its values as a table."""
        root = self._related(element.get("r:id"), "chart")
        rows, unread = chart_table(root)
        if unread:
            self._left_out[TOO_LONG] += unread
        return [*map(text_paragraph, chart_texts(root)), *([_table(rows)] if rows else [])]

    def _diagram(self, element: Any) -> list[Any]:
        root = self._related(element.get("r:dm"), "diagram")
        points = [point for point in outermost(root, "pt") if point.get("type", "node") == "node"]
        return [text_paragraph("".join(node.text or "" for node in line.iter("a:t"))) for line in _lines_of(points)]

    def _related(self, relation: str | None, what: str) -> Any:
        """The root of a chart or diagram; one without elements if it is read already, or cannot be, which is told."""
        try:
            if relation not in self._drawn:
                self._drawn.add(relation)
                return self._package.related(relation)
        except LoadError as error:
            self._package.archive.omit(error, what)
        return make("none")

    def _miss(self, what: str) -> list[Any]:
        self._left_out[what] += 1
        return []


def make(tag: str, children: Iterable[Any] = (), attributes: Any = None, text: str | None = None) -> Any:
    """A new element."""
    from xml.etree.ElementTree import Element

    element = Element(tag, dict(attributes or {}))
    element.extend(children)
    element.text = text
    return element


def _properties(element: Any) -> Any:
    """What of a paragraph's or run's properties changes the HTML."""
    wanted = _PROPERTIES[element.tag]
    kept = [item for item in element if item.tag in wanted]
    return make(element.tag, [_properties(item) if item.tag in _PROPERTIES else item for item in kept])


def _joined(elements: Iterable[Any]) -> Iterator[Any]:
    """Runs that look alike as one, and their texts too: programs divide them by who wrote them, and when."""
    for style, alike in groupby(elements, key=_style):
        runs = list(alike)
        if style is None:
            yield from runs
        else:
            properties = [part for part in runs[0] if part.tag == "w:rPr"]
            parts = [part for run in runs for part in run if part.tag != "w:rPr"]
            yield make("w:r", [*properties, *_joined_texts(parts)])


def _joined_texts(parts: Iterable[Any]) -> Iterator[Any]:
    for tag, group in groupby(parts, key=lambda part: part.tag):
        alike = list(group)
        yield from [make(tag, text="".join(part.text or "" for part in alike))] if tag == "w:t" else alike


def _style(run: Any) -> tuple[tuple[str, str], ...] | None:
    """What a run looks like; None where it is none."""
    if run.tag != "w:r":
        return None
    properties = child(run, "w:rPr")
    return () if properties is None else tuple((item.tag, item.get("w:val", "")) for item in properties)


def text_run(text: str) -> Any:
    """A run of this text."""
    return make("w:r", [make("w:t", text=text)])


def text_paragraph(text: str) -> Any:
    """A paragraph of this text."""
    return make("w:p", [text_run(" ".join(text.split()))])


def _table(rows: Iterable[list[str]]) -> Any:
    return make("w:tbl", [make("w:tr", [make("w:tc", [text_paragraph(cell)]) for cell in row]) for row in rows])


def _lines_of(points: Iterable[Any]) -> Iterator[Any]:
    return (line for point in points for line in outermost(point, "p"))


def _blocks(elements: Iterable[Any]) -> list[Any]:
    """The blocks of a body or cell; none whose end was deleted lacks a next one that mammoth could join it to."""
    blocks = list(_in_paragraphs(elements))
    for block, following in zip_longest(blocks, blocks[1:]):
        marks = child(block, "w:pPr", "w:rPr")
        if marks is not None and (following is None or following.tag != "w:p"):
            marks[:] = [item for item in marks if item.tag != "w:del"]
    return blocks


def _in_paragraphs(elements: Iterable[Any]) -> Iterator[Any]:
    """Runs that stand among blocks, in paragraphs of their own."""
    return (make("w:p", [item]) if item.tag == "w:r" else item for item in elements)


def _has_text(element: Any) -> bool:
    return any(node.text and not node.text.isspace() for node in element.iter("w:t"))


def _empty_cells(count: int) -> list[Any]:
    return [make("w:tc", [make("w:p")]) for _ in range(count)]


def _number(element: Any, *path: str) -> int:
    found = child(element, *path)
    text = "" if found is None else found.get("w:val", "")
    return min(int(text[:9]), _MOST_COLUMNS) if text.isdecimal() else 0


def _whole_fields(root: Any) -> frozenset[int]:
    """The beginnings of fields that end: what follows one that does not is text, whatever it should be."""
    begun: list[Any] = []
    whole = set()
    for element in root.iter("w:fldChar"):
        kind = element.get("w:fldCharType")
        if kind == "begin":
            begun.append(element)
        elif kind == "end" and begun:
            whole.add(id(begun.pop()))
    return frozenset(whole)


def _form_value(element: Any) -> str:
    """What a form field shows that is no text of its own: whether a box is checked, which entry of a list is taken."""
    box = child(element, "w:ffData", "w:checkBox")
    if box is not None:
        setting = next((found for name in ("w:checked", "w:default") if (found := child(box, name)) is not None), None)
        return "☐" if setting is None or setting.get("w:val") in ("0", "false", "off") else "☒"
    choices = child(element, "w:ffData", "w:ddList")
    if choices is None:
        return ""
    entries = [entry.get("w:val", "") for entry in choices if entry.tag == "w:listEntry"]
    chosen = _number(choices, "w:result") or _number(choices, "w:default")
    return str(entries[chosen]) if chosen < len(entries) else ""


def _description(element: Any) -> str:
    """What was written about a picture."""
    told = (
        *(node.get("descr") or node.get("title") for node in element.iter("wp:docPr")),
        *(node.get("o:title") for node in element.iter("v:imagedata")),
    )
    return " ".join(next(filter(None, told), "").split())
