"""The elements of an OpenDocument text or presentation as HTML, written while they are read, however deep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from html import escape
from typing import Any
from xml.sax.handler import ContentHandler

from late_rag.loading import LoadOptions, unless_included

_PARAGRAPHS = frozenset({"text:p", "text:numbered-paragraph"})
_UNREAD = frozenset(
    (
        *(
            "text:tracked-changes",
            "text:note-citation",
            "text:ruby-text",
            "office:forms",
            "office:scripts",
            "svg:title",
        ),
        *("office:settings", "presentation:settings", "draw:page-thumbnail", "office:binary-data", "math:annotation"),
        *("text:table-of-content-source", "text:alphabetical-index-source", "text:index-title-template"),
        *(
            "presentation:footer-decl",
            "presentation:header-decl",
            "presentation:date-time-decl",
            "office:event-listeners",
            *("dc:date", "meta:date-string", "meta:creator-initials", "loext:sender-initials"),
        ),
    )
)
_PLAIN = {
    "text:list-item": "li",
    "text:list-header": "li",
    "table:table": "table",
    "table:table-row": "tr",
    "svg:desc": "p",
}
_TITLES = ("Title", "Titel")
_DEEPEST_STYLE = 20
_MOST_COPIES = 10_000
_LONGEST_COPIED = 1_000
_WIDEST = 100
"""Repeated cells that are written out; where more are, they are the empty rest of a row."""

Leave = Callable[[], None]


class Styles:
    """What styles say that changes the HTML: by family and name, whether they raise text, and what they build on."""

    def __init__(self) -> None:
        self.parents: dict[tuple[str, str], str] = {}
        self.raised: dict[tuple[str, str], bool] = {}
        self.hidden: set[str] = set()
        self.numbered: set[str] = set()

    def is_title(self, name: str) -> bool:
        """Whether a paragraph of this style is the title of its document."""
        return any(style in _TITLES for style in self._line("paragraph", name))

    def is_raised(self, name: str) -> bool:
        """Whether words of this style stand above the line."""
        line = (self.raised.get(("text", style)) for style in self._line("text", name))
        return next((raised for raised in line if raised is not None), False)

    def _line(self, family: str, name: str) -> Iterator[str]:
        """A style and those that it builds on, as far as programs nest them."""
        for _ in range(_DEEPEST_STYLE):
            yield name
            name = self.parents.get((family, name), "")
            if not name:
                return


class Content(ContentHandler):
    """Handles the events of a parser, and gathers HTML.

    Args:
        options: what is read.
        styles: what the styles of the file were found to say, which those of the body may build on; none are the
            styles themselves, whose headers and footers are read.
    """

    MARK = "\ue0fe"
    """Around the name of an object in the HTML, to be replaced by its formula."""

    def __init__(self, options: LoadOptions, styles: Styles | None = None) -> None:
        super().__init__()
        self.pages: list[str] = []
        self.objects: dict[str, None] = {}
        self.left_out: Counter[str] = Counter()
        self._options = options
        self._roots = ("style:header", "style:footer") if styles is None else ("office:body",)
        self.styles = Styles() if styles is None else styles
        self._pieces: list[str] = []
        self._open: list[Leave | None] = []
        self._read = self._unread = self._paragraphs = self._inline = self._copies = 0
        self._style: tuple[str, str] = ("", "")
        self._enter: dict[str, Callable[[Any], Leave | None]] = {
            **dict.fromkeys(_PARAGRAPHS, self._paragraph),
            **{name: self._as(tag) for name, tag in _PLAIN.items()},
            "draw:frame": self._frame,
            "draw:object": self._object,
            "draw:page": self._page,
            "office:annotation": self._comment,
            "presentation:notes": self._notes,
            "table:covered-table-cell": self._covered,
            "table:table-cell": self._cell,
            "text:h": self._heading,
            "text:line-break": self._line_end,
            "text:list": self._list,
            "text:note": self._note,
            "text:s": self._space,
            "text:section": self._section,
            "text:span": self._span,
            "text:tab": self._space,
        }

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802 - the parser's own name
        """An element begins."""
        leave: Leave | None = None
        if name in self._roots:
            leave = self._root()
        elif self._unread or name in _UNREAD:
            leave = self._pass_over()
        elif not self._read:
            self._define(name, attrs)
        elif name in self._enter:
            leave = self._enter[name](attrs)
        self._open.append(leave)

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802 - as above
        """An element ends."""
        leave = self._open.pop()
        if leave is not None:
            leave()

    def characters(self, content: str) -> None:
        """Text, of which paragraphs alone have any that is shown."""
        if self._read and not self._unread and self._paragraphs:
            self._pieces.append(escape(content.replace(self.MARK, ""), quote=False))

    def endDocument(self) -> None:  # noqa: N802 - as above
        """The last page ends."""
        self._end_page()

    def _root(self) -> Leave:
        self._read += 1

        def leave() -> None:
            self._read -= 1

        return leave

    def _pass_over(self) -> Leave:
        self._unread += 1

        def leave() -> None:
            self._unread -= 1

        return leave

    def _define(self, name: str, attrs: Any) -> None:
        """Styles that say what is a title, hidden, numbered or raised above the line."""
        if name in ("style:style", "text:list-style"):
            self._style = (attrs.get("style:family", ""), attrs.get("style:name", ""))
            self.styles.parents[self._style] = attrs.get("style:parent-style-name", "")
        elif name == "style:drawing-page-properties" and attrs.get("presentation:visibility") == "hidden":
            self.styles.hidden.add(self._style[1])
        elif name == "style:text-properties" and attrs.get("style:text-position"):
            self.styles.raised[self._style] = _is_raised(attrs["style:text-position"])
        elif (
            name == "text:list-level-style-number" and attrs.get("text:level") == "1" and attrs.get("style:num-format")
        ):
            self.styles.numbered.add(self._style[1])

    def _end_page(self) -> None:
        self.pages.append("".join(self._pieces))
        self._pieces = []

    def _page(self, attrs: Any) -> Leave | None:
        self._end_page()
        if attrs.get("draw:style-name") in self.styles.hidden and "hidden" not in self._options.include:
            self.left_out[unless_included("hidden slide", "hidden")] += 1
            return self._pass_over()
        return None

    def _as(self, tag: str) -> Callable[[Any], Leave]:
        return lambda _: self._inside(f"<{tag}>", f"</{tag}>", paragraph=tag == "p")

    def _inside(self, start: str, end: str, *, paragraph: bool = False) -> Leave:
        self._pieces.append(start)
        self._paragraphs += paragraph

        def leave() -> None:
            self._paragraphs -= paragraph
            self._pieces.append(end)

        return leave

    def _paragraph(self, attrs: Any) -> Leave:
        if self._inline:
            return self._inside(" ", " ", paragraph=True)
        if self._paragraphs:  # in a box or a note that stands in a paragraph
            return self._inside("<div>", "</div>", paragraph=True)
        tag = "h1" if self.styles.is_title(attrs.get("text:style-name", "")) else "p"
        return self._inside(f"<{tag}>", f"</{tag}>", paragraph=True)

    def _heading(self, attrs: Any) -> Leave:
        level = min(_number(attrs.get("text:outline-level")), 6)
        return self._inside(f"<h{level}>", f"</h{level}>", paragraph=True)

    def _list(self, attrs: Any) -> Leave:
        tag = "ol" if attrs.get("text:style-name") in self.styles.numbered else "ul"
        return self._inside(f"<{tag}>", f"</{tag}>")

    def _span(self, attrs: Any) -> Leave | None:
        return self._inside("<sup>", "</sup>") if self.styles.is_raised(attrs.get("text:style-name", "")) else None

    def _line_end(self, _: Any) -> None:
        self._pieces.append("<br>")

    def _space(self, _: Any) -> None:
        self._pieces.append(" ")

    def _note(self, _: Any) -> Leave:
        """A note in brackets, where it is referred to."""
        self._pieces.append(" (")
        self._inline += 1

        def leave() -> None:
            self._inline -= 1
            self._pieces.append(") ")

        return leave

    def _notes(self, _: Any) -> Leave:
        return self._inside("<div>", "</div>")

    def _comment(self, attrs: Any) -> Leave:
        if "comments" in self._options.include:
            return self._note(attrs)
        self.left_out[unless_included("comment", "comments")] += 1
        return self._pass_over()

    def _section(self, attrs: Any) -> Leave | None:
        if attrs.get("text:display") == "none" and "hidden" not in self._options.include:
            self.left_out[unless_included("hidden section", "hidden")] += 1
            return self._pass_over()
        return None

    def _frame(self, attrs: Any) -> Leave | None:
        kind = attrs.get("presentation:class")
        if kind in ("date-time", "page-number") or attrs.get("presentation:placeholder") == "true":
            return self._pass_over()
        if kind in ("footer", "header") and "headers" not in self._options.include:
            self.left_out[unless_included("footer of a slide", "headers")] += 1
            return self._pass_over()
        return self._title() if kind == "title" else None

    def _title(self) -> Leave:
        """The paragraphs of a slide's title as one heading."""
        leave = self._inside("<h1>", "</h1>", paragraph=True)
        begun = len(self._pieces)

        def end() -> None:
            blocks = ("<div>", "</div>", "<br>")
            self._pieces[begun:] = [" " if piece in blocks else piece for piece in self._pieces[begun:]]
            leave()

        return end

    def _object(self, attrs: Any) -> None:
        name = attrs.get("xlink:href", "").removeprefix("./").strip("/")
        if name:
            self.objects[name] = None
            self._pieces += [" ", self.MARK, name, self.MARK, " "]

    def _covered(self, _: Any) -> Leave:
        return self._pass_over()

    def _cell(self, attrs: Any) -> Leave:
        columns, rows = (_number(attrs.get(f"table:number-{name}-spanned")) for name in ("columns", "rows"))
        spans = f' colspan="{columns}"' * (columns > 1) + f' rowspan="{rows}"' * (rows > 1)
        copies = min(_number(attrs.get("table:number-columns-repeated")), _WIDEST) - 1
        begun = len(self._pieces)
        leave = self._inside(f"<td{spans}>", "</td>")

        def end() -> None:
            leave()
            self._copy(begun, copies)

        return end

    def _copy(self, begun: int, copies: int) -> None:
        """A cell that is repeated, as often as that costs little."""
        if copies and self._copies + copies <= _MOST_COPIES:
            cell = "".join(self._pieces[begun:])
            if len(cell) <= _LONGEST_COPIED:
                self._copies += copies
                self._pieces.append(cell * copies)


def _is_raised(position: str) -> bool:
    """Whether a position such as "super 58%" or "33% 58%" is above the line."""
    way = position.partition(" ")[0]
    return way == "super" or way.removesuffix("%").strip("0").isdecimal()


def _number(text: str | None) -> int:
    """A count of at least 1, and 1 where there is none that can be."""
    return max(1, int(text)) if text and text.isascii() and text.isdigit() and len(text) < 8 else 1
