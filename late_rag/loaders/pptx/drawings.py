"""What is drawn on a slide, as HTML: text in shapes, tables, charts, diagrams, the words that describe a picture.

It walks the XML of DrawingML (ECMA-376, part 1, chapters 20 and 21).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import Any

from late_rag.errors import LoadError
from late_rag.loaders.charts import TOO_LONG, chart_table, chart_texts, local_name, outermost
from late_rag.loaders.docx.math import equation
from late_rag.loaders.docx.package import with_short_names
from late_rag.loaders.opc import Package
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Omission

_TITLES = ("title", "ctrTitle")
_NUMBERS = ("sldNum", "dt", "sldImg")
_MARGINS = ("ftr", "hdr")
_LISTS = (None, "obj", "body")
_DEEPEST = 8
_NAMED = re.compile(
    r"(?:picture|image|grafik|bild|photo|graphic|content placeholder)?[ \d]*(?:\.\w{3,4})?", re.IGNORECASE
)


class Drawings:
    """Turns the shapes of a slide, or of its notes, into HTML.

    Args:
        package: the file, for charts and diagrams.
        part: the slide, whose relations lead to them.
        options: what is read.
        left_out: counts what is not.
        drawn: the charts and diagrams of the file that are read already; each is read once.
        notes: whether these are the notes, whose title and picture are those of the slide.
    """

    def __init__(
        self,
        package: Package,
        part: str,
        options: LoadOptions,
        left_out: Counter[Omission],
        drawn: set[str],
        *,
        notes: bool = False,
    ) -> None:
        self._package, self._part, self._options, self._left_out = package, part, options, left_out
        self._drawn, self._notes = drawn, notes

    def html(self, tree: Any) -> str:
        """The shapes in the order in which they are drawn, the title first."""
        shapes = list(_shapes(tree))
        shapes.sort(key=lambda shape: _placeholder(shape) not in _TITLES)
        return "".join(map(self._shape, shapes))

    def _shape(self, shape: Any) -> str:
        kind = local_name(shape)
        if kind == "graphicFrame":
            return self._frame(shape)
        if kind == "pic":
            return _description(shape)
        role = _placeholder(shape)
        if role in _NUMBERS:
            return ""
        if role in _MARGINS and "headers" not in self._options.include:
            if _text(shape).strip():
                self._leave_out(unless_included("footer of a slide", "headers"))
            return ""
        return self._body(shape, role)

    def _body(self, shape: Any, role: str | None) -> str:
        paragraphs = [(_level(node), words) for node in outermost(shape, "p") if (words := _text(node).strip())]
        if role in _TITLES and not self._notes:
            words = " ".join(words for _, words in paragraphs)
            return f"<h1>{words}</h1>" if words else ""
        is_list = _is_placeholder(shape) and role in _LISTS and len(paragraphs) > 1 and not self._notes
        if is_list or any(level for level, _ in paragraphs):
            return _list(paragraphs)
        return "".join(f"<p>{_lines(words)}</p>" for _, words in paragraphs)

    def _frame(self, frame: Any) -> str:
        kinds = {local_name(node): node for node in outermost(frame, "tbl", "chart", "relIds", "oleObj")}
        if "tbl" in kinds:
            return _table(frame)
        if "chart" in kinds:
            return self._chart(related(kinds["chart"], "id"))
        if "relIds" in kinds:
            return self._diagram(related(kinds["relIds"], "dm"))
        if "oleObj" in kinds:
            self._leave_out("object of another program", lost=True)
        return ""

    def _leave_out(self, what: str, *, lost: bool = False) -> None:
        self._left_out[Omission(what, lost)] += 1

    def _related(self, relation: str | None) -> Any:
        """The root of a chart or diagram; one without elements if it is read already, or cannot be, which is told."""
        from xml.etree.ElementTree import Element

        try:
            name = self._package.target(self._part, relation)
            if name not in self._drawn:
                self._drawn.add(name)
                return self._package.archive.xml(name)
        except LoadError as error:
            self._package.archive.omit(error, "chart or diagram")
        return Element("none")

    def _chart(self, relation: str | None) -> str:
        """The titles of a chart, and its values as a table."""
        root = self._related(relation)
        rows, unread = chart_table(root)
        if unread:
            self._left_out[Omission(TOO_LONG)] += unread
        return "".join(f"<p>{escape(text)}</p>" for text in chart_texts(root)) + (_rows(rows) if rows else "")

    def _diagram(self, relation: str | None) -> str:
        points = [node for node in outermost(self._related(relation), "pt") if node.get("type", "node") == "node"]
        words = [_text(point).strip() for point in points]
        return "".join(f"<li>{_lines(text)}</li>" for text in words if text).join(("<ul>", "</ul>"))


def related(node: Any, name: str) -> str | None:
    """The id of a relation that an attribute of an element holds."""
    return next((value for key, value in node.items() if key.endswith(f"/relationships}}{name}")), None)


def _shapes(tree: Any) -> Iterator[Any]:
    """Shapes, out of their groups; of alternate content what a new program shows."""
    stack = list(reversed(tree))
    while stack:
        node = stack.pop()
        kind = local_name(node)
        if kind in ("sp", "pic", "graphicFrame", "cxnSp", "contentPart"):
            yield node
        elif kind == "grpSp":
            stack.extend(reversed(node))
        elif kind == "AlternateContent":
            stack.extend(reversed(_choice(node)))


def _choice(node: Any) -> Any:
    """The first alternative; the fall-back is a picture of it, or the same words again."""
    return next((child for child in node if local_name(child) == "Choice"), node[0] if len(node) else node)


def _text(node: Any) -> str:
    """The words of a paragraph, or of all that are below a node, as HTML but for line ends."""
    pieces: list[str] = []
    stack = [node]
    while stack:
        element = stack.pop()
        if isinstance(element, str):
            pieces.append(element)
            continue
        kind = local_name(element)
        if kind == "t" and not len(element):  # that of a diagram holds paragraphs
            pieces.append(escape(element.text or "", quote=False))
        elif kind in ("br", "tab"):
            pieces.append("\n" if kind == "br" else " ")
        elif kind == "oMath":
            pieces.append(_equation(element))
        elif kind == "AlternateContent":
            stack.extend(reversed(_choice(element)))
        elif kind:
            if kind == "p" and pieces:
                pieces.append("\n")
            raised = kind == "r" and _is_raised(element)
            stack.extend(("</sup>", *reversed(element), "<sup>") if raised else reversed(element))
    return "".join(pieces).replace("\v", "\n")


def _equation(element: Any) -> str:
    return escape(equation(with_short_names(element)), quote=False)


def _is_raised(run: Any) -> bool:
    """Whether the letters of a run stand above the line: how far, in thousandths of a percent."""
    settings = _child(run, "rPr")
    return settings is not None and settings.get("baseline", "").strip("0%").isdecimal()


def _table(frame: Any) -> str:
    rows = []
    for row in outermost(frame, "tr"):
        cells = [cell for cell in row if local_name(cell) == "tc"]
        rows.append("".join(_cell(cell) for cell in cells if not _covered(cell)))
    return "".join(f"<tr>{row}</tr>" for row in rows).join(("<table>", "</table>"))


def _covered(cell: Any) -> bool:
    return any(cell.get(name) in ("1", "true") for name in ("hMerge", "vMerge"))


def _cell(cell: Any) -> str:
    spans = "".join(
        f' {ours}="{cell.get(theirs)}"'
        for ours, theirs in (("colspan", "gridSpan"), ("rowspan", "rowSpan"))
        if cell.get(theirs, "").isdecimal()
    )
    return f"<td{spans}>{_lines(_text(cell).strip())}</td>"


def _rows(rows: list[list[str]]) -> str:
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return "".join(f"<tr>{line}</tr>" for line in lines).join(("<table>", "</table>"))


def _list(paragraphs: list[tuple[int, str]]) -> str:
    """Paragraphs as items, deeper ones inside those above them."""
    pieces, depth = [], 0
    for level, words in paragraphs:
        if level >= depth:
            pieces.append("<ul><li>")
            depth += 1
        else:
            pieces.append("</li></ul>" * (depth - level - 1) + "</li><li>")
            depth = level + 1
        pieces.append(_lines(words))
    return "".join(pieces) + "</li></ul>" * depth


def _lines(words: str) -> str:
    return words.replace("\n", "<br>")


def _level(paragraph: Any) -> int:
    settings = _child(paragraph, "pPr")
    level = settings.get("lvl", "") if settings is not None else ""
    return min(int(level), _DEEPEST) if level.isdecimal() and len(level) < 3 else 0


def _description(shape: Any) -> str:
    """What was written about a picture; not the name that a program gave it."""
    settings = next(outermost(shape, "cNvPr"), None)
    words = " ".join((settings.get("descr") or "").split()) if settings is not None else ""
    return "" if _NAMED.fullmatch(words) else f"<p>{escape(words)}</p>"


def _is_placeholder(shape: Any) -> bool:
    return next(outermost(shape, "ph"), None) is not None


def _placeholder(shape: Any) -> str | None:
    placeholder = next(outermost(shape, "ph"), None)
    return placeholder.get("type") if placeholder is not None else None


def _child(node: Any, *names: str) -> Any:
    return next((child for child in node if local_name(child) in names), None)
