"""HTML as Markdown: headings, lists, tables and code keep their form; scripts, styles and navigation are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from late_rag.loaders.decoding import decode
from late_rag.loading import LoadOptions
from late_rag.types import Document

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
_BOGUS_COMMENT = re.compile(r"<(?:\?|!(?!--|doctype\b))[^>]*(?:>|\Z)", re.IGNORECASE)
"""What HTML reads as a comment (the XML declaration, the marked sections of Word), and Python's parser refuses."""

_LINE_ENDS = re.compile(r"[ \t]+$", re.MULTILINE)
_EMPTY_HEADINGS = re.compile(r"^#+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_UNREAD = "head, title, script, style, nav, noscript, template, iframe, svg, object, [hidden]"
_OPTIONS = {
    "heading_style": "ATX",
    "bullets": "-",
    "table_infer_header": True,
    "escape_asterisks": False,
    "escape_underscores": False,
    "escape_misc": False,
}

_BLOCKS = (
    "address article aside blockquote details div dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav "
    "ol p pre section table ul"
)
_CELL, _ROW = ("td", "th"), ("td", "th", "tr")
_IMPLIED_ENDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **dict.fromkeys(_BLOCKS.split(), (("p",), ("button", "table", "td", "th", "li", "dd"))),
    "li": (("p", "li"), ("ul", "ol")),
    **dict.fromkeys(("dt", "dd"), (("p", "dt", "dd"), ("dl",))),
    **dict.fromkeys(_CELL, (("p", *_CELL), ("tr", "table"))),
    "tr": (("p", *_ROW), ("thead", "tbody", "tfoot", "table")),
    **dict.fromkeys(("thead", "tbody", "tfoot"), (("p", *_ROW, "thead", "tbody", "tfoot"), ("table",))),
    "option": (("option",), ("select",)),
}
"""What a start tag ends without being told, and the elements that this does not reach out of (HTML Standard,
13.1.2.4, Optional tags). Python's own parser leaves it to us."""


class HtmlLoader:
    """One document for the file; its title is that of the head, else the first heading."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:  # noqa: ARG002
        data = path.read_bytes()
        text, title = html_to_markdown(decode(data, path, _declared(data)))
        named = {"title": title} if title else {}
        yield "", Document(text=text, metadata={"mime_type": "text/html", **named})


def _declared(data: bytes) -> str | None:
    """The encoding that the head names; "iso-8859-1" means cp1252, as every browser reads it."""
    found = _CHARSET.search(data[:4096])
    name = found[1].decode("ascii").lower() if found else None
    return "cp1252" if name in ("iso-8859-1", "latin1", "ascii", "us-ascii") else name


def html_to_markdown(html: str) -> tuple[str, str | None]:
    """The text of a page as Markdown (of links and pictures their words alone), and its title."""
    if "<" not in html:
        return html, None
    soup = _soup_class()(_BOGUS_COMMENT.sub("", html), "html.parser")
    title = _words(soup.find("title")) or _words(soup.find(["h1", "h2"]))
    for element in soup.select(_UNREAD):
        element.decompose()
    text = _EMPTY_HEADINGS.sub("", _LINE_ENDS.sub("", _markdown(soup)))
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n", title


def _words(element: Any) -> str | None:
    return " ".join(element.get_text(" ").split()) or None if element else None


def _markdown(soup: BeautifulSoup) -> str:
    try:
        return str(_converter_class()(**_OPTIONS).convert_soup(soup))
    except RecursionError:  # thousands of elements inside each other
        return soup.get_text("\n")


@cache
def _soup_class() -> type[BeautifulSoup]:
    from bs4 import BeautifulSoup

    class Soup(BeautifulSoup):
        """Ends elements whose end tags were left out."""

        def handle_starttag(self, name: str, *args: Any, **options: Any) -> Tag | None:
            ended, reach = _IMPLIED_ENDS.get(name, ((), ()))
            while open_name := self._innermost(ended, reach):
                self.handle_endtag(open_name)
            element: Tag | None = super().handle_starttag(name, *args, **options)
            return element

        def _innermost(self, names: tuple[str, ...], reach: tuple[str, ...]) -> str | None:
            if not any(self.open_tag_counter.get(name) for name in names):
                return None
            element: Tag | None = self.currentTag
            while element is not None and element.name not in reach:
                if element.name in names:
                    return element.name
                element = element.parent
            return None

    return Soup


@cache
def _converter_class() -> Any:
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """Keeps the words of links and pictures and leaves out where they lead: addresses are no text to search."""

        def convert_a(self, _: Tag, text: str, **_options: Any) -> str:
            return text

        def convert_img(self, element: Tag, _: str, **_options: Any) -> str:
            return str(element.get("alt") or "")

    return Converter
