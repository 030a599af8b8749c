"""A parsed page as Markdown: headings, lists, tables and code keep their form, and what is not shown is left out.

The page is read as by a browser without scripts: what those would write is not there, and ``noscript`` is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from late_rag.loaders.html.flow import LINE_END, Flow
from late_rag.loaders.html.tables import MOST_ROWS, Cell, Table, span

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

    Leave = Callable[[], None]

_UNSHOWN = frozenset(
    {"annotation", "annotation-xml", "head", "title", "script", "style", "svg", "object", "audio", "video", "canvas"}
)
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "body", "center", "details", "dialog", "dir", "div", "dl", "fieldset"),
        *("figcaption", "figure", "footer", "form", "frameset", "header", "hgroup", "html", "legend", "main"),
        *("menu", "nav", "noframes", "ol", "optgroup", "p", "search", "section", "summary", "ul"),
    )
)
_APART = frozenset({"button", "label", "meter", "option", "output", "progress", "select"})
"""What stands in a line and is drawn with room around it."""

_WRAPPED = {"b": "**", "strong": "**", "em": "*", "i": "*", "del": "~~", "s": "~~", "strike": "~~"} | dict.fromkeys(
    ("code", "kbd", "samp", "tt"), "`"
)
_DEEPEST = 20
"""Lists and quotations inside each other that are still indented, and marks around words."""

_POWER = re.compile(r"[\w+−-]")


class Renderer:
    """Writes the elements below a node, in the order of the tree, without recursion: pages nest without bound.

    Args:
        left_out: elements that are passed over with all they hold, by their ``mem_id``.
        may_hide: whether there is any element that hides itself.
    """

    def __init__(self, left_out: frozenset[int] = frozenset(), *, may_hide: bool = True) -> None:
        self._left_out = left_out
        self._may_hide = may_hide
        self._flow = Flow()
        self._tables: list[Table] = []
        self._counters: list[int | None] = []
        self._nested = self._wrapped = self._verbatim = self._heading_level = 0
        self._after_link = self._after_subscript = -1
        self._enter: dict[str, Callable[[LexborNode], Leave | None]] = {
            **dict.fromkeys(_BLOCKS, self._block),
            **dict.fromkeys(_APART, self._apart),
            **{f"h{level}": partial(self._heading, level) for level in range(1, 7)},
            **{tag: partial(self._wrap, mark) for tag, mark in _WRAPPED.items()},
            **dict.fromkeys(("td", "th"), self._cell),
            **dict.fromkeys(("thead", "tbody", "tfoot"), self._rows),
            **dict.fromkeys(("ul", "ol", "menu", "dir"), self._list),
            "a": self._link,
            "blockquote": self._quotation,
            "br": self._line_end,
            "caption": self._caption,
            "dd": self._definition,
            "dt": self._term,
            "hr": self._rule,
            "img": self._picture,
            "input": self._button,
            "li": self._item,
            "pre": self._preformatted,
            "rt": self._reading,
            "sub": self._subscript,
            "sup": self._superscript,
            "table": self._table,
            "tr": self._row,
        }
        self._replaced: dict[str, Callable[[LexborNode], None]] = {
            "mfrac": self._fraction,
            "msup": self._power,
            "iframe": self._unparsed,
            "noframes": self._unparsed,
            "template": self._shadow_root,
            "textarea": self._field,
        }

    def render(self, root: LexborNode) -> str:
        """The Markdown of all below a node."""
        self._walk(root)
        return self._flow.text()

    def _walk(self, root: LexborNode) -> None:
        open_elements: list[tuple[LexborNode, Leave | None]] = []
        node = root.child
        while node is not None or open_elements:
            if node is None:
                element, leave = open_elements.pop()
                if leave is not None:
                    leave()
                node = element.next
            elif node.is_text_node:
                self._text(node.text_content or "")
                node = node.next
            elif node.is_element_node and self._is_shown(node, node.tag or ""):
                open_elements.append((node, self._entered(node, node.tag or "")))
                node = node.child
            else:
                node = node.next

    def _is_shown(self, element: LexborNode, tag: str) -> bool:
        if tag in _UNSHOWN:
            return False
        if tag in self._replaced:
            self._replaced[tag](element)
            return False
        if self._left_out and element.mem_id in self._left_out:
            return False
        if self._may_hide:
            hidden = element.attributes.get("hidden", "until-found")
            return hidden is not None and hidden.lower() == "until-found"
        return True

    def _entered(self, element: LexborNode, tag: str) -> Leave | None:
        enter = self._enter.get(tag)
        if enter is None:
            return self._block(element) if "-" in tag else None  # a page's own elements are mostly boxes
        return enter(element)

    def _shadow_root(self, template: LexborNode) -> None:
        """A template is not shown, unless it is what its parent shows in place of its children."""
        if "shadowrootmode" in template.attributes:
            for fragment in template.template_fragments()[:1]:  # in a formula it is no template
                self._nest(fragment)

    def _unparsed(self, element: LexborNode) -> None:
        """What stands in ``noframes`` is a page; a frame that has no end took all that follows for its text."""
        from selectolax.lexbor import LexborHTMLParser

        words = element.text() if element.child is not None else ""
        body = LexborHTMLParser(words).body if element.tag == "noframes" or "</body" in words.lower() else None
        if body is not None:
            self._nest(body)

    def _nest(self, root: LexborNode) -> None:
        if self._nested < _DEEPEST:
            self._nested += 1
            self._walk(root)
            self._nested -= 1

    def _text(self, text: str) -> None:
        if self._after_subscript == len(self._flow.pieces) > 0 and text[:1].isdigit():
            self._flow.add(" ")
        if self._verbatim:
            self._flow.pieces.append(text)
        else:
            self._flow.add(text)

    def _block(self, _: LexborNode) -> Leave:
        self._end_paragraph()
        return self._end_paragraph

    def _end_paragraph(self) -> None:
        """Of a heading that has blocks in it, because it was never ended, the first one is the heading."""
        if self._flow.pieces:
            if self._heading_level:
                self._flow.end_heading(self._heading_level)
                self._heading_level = 0
            else:
                self._flow.end_paragraph()

    def _apart(self, _: LexborNode) -> Leave:
        self._flow.add(" ")
        return lambda: self._flow.add(" ")

    def _field(self, element: LexborNode) -> None:
        """A field for several lines keeps them."""
        self._flow.add(" ")
        self._flow.add((element.text() if element.child is not None else "").replace("\n", LINE_END))
        self._flow.add(" ")

    def _heading(self, level: int, _: LexborNode) -> Leave:
        self._end_paragraph()
        self._heading_level = level

        def leave() -> None:
            self._end_paragraph()
            self._heading_level = 0

        return leave

    def _link(self, _: LexborNode) -> Leave:
        """The words of a link; two in a row are drawn as two."""
        if self._after_link == len(self._flow.pieces) > 0:
            self._flow.add(" ")

        def leave() -> None:
            self._after_link = len(self._flow.pieces)

        return leave

    def _wrap(self, mark: str, _: LexborNode) -> Leave | None:
        if self._verbatim or self._wrapped >= _DEEPEST:
            return None
        self._wrapped += 1
        place = self._flow.place()

        def leave() -> None:
            self._wrapped -= 1
            self._flow.wrap(place, mark)

        return leave

    def _subscript(self, _: LexborNode) -> Leave:
        """H₂O is H2O, and log₂8 is no logarithm of 28."""

        def leave() -> None:
            self._after_subscript = len(self._flow.pieces) if self._flow.last()[-1:].isdigit() else -1

        return leave

    def _superscript(self, _: LexborNode) -> Leave | None:
        """10⁶ as 10^6; the letters of 1st stay as they are."""
        if self._verbatim or self._wrapped >= _DEEPEST:
            return None
        self._wrapped += 1
        before, place = self._flow.last(), self._flow.place()

        def leave() -> None:
            self._wrapped -= 1
            words = self._flow.since(place)
            if before[-1:].isalnum() and words and _POWER.match(words) and not (before.isdigit() and words.isalpha()):
                self._flow.insert(place, "^")

        return leave

    def _line_end(self, _: LexborNode) -> None:
        self._flow.pieces.append(LINE_END)

    def _rule(self, _: LexborNode) -> None:
        self._end_paragraph()
        self._flow.append("rule", "---")

    def _picture(self, element: LexborNode) -> None:
        self._flow.add(f" {element.attributes.get('alt') or ''} ")

    def _button(self, element: LexborNode) -> None:
        shown = (element.attributes.get("type") or "").lower() in ("button", "reset", "submit")
        self._flow.add(f" {element.attributes.get('value') or ''} " if shown else " ")

    def _reading(self, _: LexborNode) -> Leave | None:
        """How a word is read, in brackets; those of the page's own stand around it already."""
        if self._flow.last().endswith(("(", "（", "《", "【")):
            return None
        self._flow.add("(")
        return lambda: self._flow.add(")")

    def _fraction(self, element: LexborNode) -> None:
        self._flow.add(_of_formula(element, "/"))

    def _power(self, element: LexborNode) -> None:
        """10⁶ of a formula as 10^6; the letters of r² need no mark."""
        self._flow.add(_of_formula(element, "^" if element.text(strip=True)[:1].isdigit() else ""))

    def _preformatted(self, _: LexborNode) -> Leave:
        self._end_paragraph()
        self._verbatim += 1

        def leave() -> None:
            self._verbatim -= 1
            if self._verbatim == 0:
                self._flow.end_verbatim()

        return leave

    def _list(self, element: LexborNode) -> Leave:
        self._end_paragraph()
        self._counters.append(_first_number(element) if element.tag == "ol" else None)

        def leave() -> None:
            self._end_paragraph()
            self._counters.pop()

        return leave

    def _item(self, element: LexborNode) -> Leave:
        number = self._counters[-1] if self._counters else None
        if number is not None:
            number = _number(element.attributes.get("value"), number)
        if number is not None and self._counters:
            self._counters[-1] = number + 1
        bullet = "- " if number is None else f"{number}. "
        return self._inside(element, lambda flow: self._flow.append("item", bullet, flow, " " * len(bullet)))

    def _quotation(self, element: LexborNode) -> Leave:
        return self._inside(element, lambda flow: self._flow.append("quotation", "> ", flow, "> "))

    def _definition(self, element: LexborNode) -> Leave:
        return self._inside(element, lambda flow: self._flow.append("definition", ":   ", flow, "    "))

    def _term(self, _: LexborNode) -> Leave:
        self._end_paragraph()
        return lambda: self._flow.end_paragraph("term")

    def _inside(self, element: LexborNode, end: Callable[[Flow], None]) -> Leave:
        """A flow of its own for what is indented, down to some depth."""
        if self._nested >= _DEEPEST:
            return self._block(element)
        self._end_paragraph()
        self._nested += 1
        outer, self._flow = self._flow, Flow(tight=element.tag == "li")

        def leave() -> None:
            inner, self._flow = self._flow, outer
            self._nested -= 1
            end(inner)

        return leave

    def _table(self, _: LexborNode) -> Leave:
        self._end_paragraph()
        self._tables.append(Table())

        def leave() -> None:
            self._end_paragraph()
            self._flow.extend(self._tables.pop().blocks())

        return leave

    def _caption(self, _: LexborNode) -> Leave:
        return self._own_flow(lambda flow: self._tables[-1].add_caption(flow))

    def _row(self, _: LexborNode) -> Leave | None:
        return self._tables[-1].end_row if self._tables else None

    def _cell(self, element: LexborNode) -> Leave:
        columns = span(element.attributes.get("colspan"))
        rows = span(element.attributes.get("rowspan"), zero=MOST_ROWS)
        return self._own_flow(lambda flow: self._tables[-1].add(Cell(flow, columns, rows, element.tag == "th")))

    def _rows(self, _: LexborNode) -> Leave | None:
        return self._tables[-1].end_group if self._tables else None

    def _own_flow(self, end: Callable[[Flow], None]) -> Leave:
        if not self._tables:  # in a fragment there may be cells without a table
            self._end_paragraph()
            return self._end_paragraph
        outer, self._flow = self._flow, Flow()

        def leave() -> None:
            inner, self._flow = self._flow, outer
            end(inner)

        return leave


def _of_formula(element: LexborNode, mark: str) -> str:
    """The two parts of a fraction or power with a mark between them; what is longer than a letter or number in it
    stands in brackets.
    """
    parts = [child.text(strip=True) for child in element.iter()]
    return mark.join(part if part.isalnum() else f"({part})" for part in parts if part)


def _first_number(element: LexborNode) -> int:
    return _number(element.attributes.get("start"), 1)


def _number(value: str | None, otherwise: int) -> int:
    value = value or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else otherwise
