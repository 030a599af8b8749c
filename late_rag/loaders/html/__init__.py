"""HTML as Markdown, read as browsers read it: the tree of the HTML standard, by Lexbor (https://lexbor.com)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.decoding import MARK, UNDECODED, Decoded, decode, decoded, is_utf8, tidy
from late_rag.loaders.html.bounds import check_bounds
from late_rag.loaders.html.rendering import Renderer
from late_rag.loaders.labels import page_codec
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

logger = logging.getLogger(__name__)

_CHARSET = re.compile(r"charset\s{0,99}=\s{0,99}[\"']?\s{0,99}([^\s\"';]{1,99})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([\w.:-]{1,99})")
_XHTML = re.compile(r"<\?xml\b|xmlns=[\"']http://www\.w3\.org/1999/xhtml[\"']")
_SUBSET = re.compile(r"(?:\s{0,99}<\?xml[^>]{0,999}>)?\s{0,99}<!doctype[^>\[]{0,999}\[", re.IGNORECASE)
_EMPTY_ELEMENT = re.compile(r"<(?:title|script|style|iframe|textarea|noframes|xmp)\b[^<>]{0,999}/>")
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MOST_WRONG = 0.01
"""Of the characters, that need not be of the encoding that a page says it has."""

_MAIN = "main, article, [role=main]"
_MOST_WEIGHED = 100
"""Elements of navigation that have no end, of which it is asked whether they are links."""


class HtmlLoader:
    """One document for the file; its title is the document's, else the first heading."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        html, omissions = html_text(path.read_bytes(), path)
        yield from omissions
        main = _main_content(html, path) if options.content == "main" else None
        try:
            page = Page(html)
            text = page.markdown() if main is None else html_to_markdown(main)[0]
        except ValueError as error:
            raise LoadError(f"{path}: {error}") from error
        named = {"title": page.title} if page.title else {}
        yield "", Document(text=text, metadata={"mime_type": "text/html", **named})
        if page.drawings:
            yield Omission(f"the words of {page.drawings:,} drawings (SVG)", lost=False)


def html_to_markdown(html: str) -> tuple[str, str | None]:
    """The text of a page as Markdown (of links and pictures their words alone), and its title.

    Raises:
        ValueError: markup that no page has, and that would take the parser hours.
    """
    page = Page(html)
    return page.markdown(), page.title


class Page:
    """A page that was parsed.

    Raises:
        ValueError: markup that no page has, and that would take the parser hours.
    """

    def __init__(self, html: str) -> None:
        self._html = html
        self._tree: LexborHTMLParser | None = None
        self.title: str | None = None
        """The document's title, else its first heading."""
        self.drawings = 0
        """How many drawings have words, which are left out."""
        if "<" in html:
            self._parse()

    def _parse(self) -> None:
        from selectolax.lexbor import LexborHTMLParser

        check_bounds(self._html)
        self._tree = LexborHTMLParser(_as_html(self._html))
        title, swallowed = _title(self._tree)
        if swallowed:
            self._tree = LexborHTMLParser(swallowed)
        self.title = title or _first_heading(self._tree)
        self.drawings = sum(svg.css_first("text") is not None for svg in self._tree.css("svg"))

    def markdown(self) -> str:
        """The text; of links and pictures their words alone."""
        if self._tree is None:
            return self._html
        root = self._tree.root
        renderer = Renderer(_navigation(self._tree, self._html), may_hide="hidden" in self._html.lower())
        text = renderer.render(root) if root is not None else ""
        return text + "\n" if text else ""


def html_text(data: bytes, path: Path) -> Decoded:
    """The bytes of a page as text, in the encoding that a browser takes.

    Raises:
        LoadError: the bytes look binary, or their encoding cannot be told.
    """
    codec = page_codec(_declared(data))
    if codec is None or data.startswith(_MARKS):
        return decode(data, path)
    text = data.decode(codec, MARK)
    nearly = 0 < text.count(UNDECODED) <= _MOST_WRONG * len(text) and not is_utf8(data)
    return decoded(tidy(text), codec) if nearly else decode(data, path, codec)


def _declared(data: bytes) -> str | None:
    """The label of the first ``meta`` element of the tree that has one, else that of an XML declaration."""
    if b"charset" not in data.lower():
        found = _XML_ENCODING.match(data[:400])
        return found[1].decode("ascii") if found else None
    from selectolax.lexbor import LexborHTMLParser

    for meta in LexborHTMLParser(data.decode("latin-1")).css("meta"):
        attributes = meta.attributes
        if attributes.get("charset"):
            return attributes["charset"]
        if (attributes.get("http-equiv") or "").lower() == "content-type":
            found_label = _CHARSET.search(attributes.get("content") or "")
            if found_label:
                return found_label[1]
    return None


def _as_html(text: str) -> str:
    """XHTML that HTML would misread, as HTML.

    There ``<title/>`` would open an element that takes all the rest with it, and a document type would end at the
    first ``>`` of its own declarations.
    """
    if _SUBSET.match(text):
        text = text[max(0, text.find("]>") + 1) :]
        text = f"<!{text}"
    if not _XHTML.search(text[:2000]) or not _EMPTY_ELEMENT.search(text):
        return text
    from late_rag.loaders.html.xhtml import xhtml_to_html

    return xhtml_to_html(text)


def _title(tree: LexborHTMLParser) -> tuple[str | None, str | None]:
    """The document's title, not one of a drawing; and the page that a title without an end took for its words."""
    for element in tree.css("title"):
        if not _is_inside(element, "svg"):
            words = element.text()
            if "</body" in words.lower() or "<body" in words.lower():
                words, _, page = words.partition("<")
                return _words(words), f"<{page}"
            return _words(words), None
    return None, None


def _first_heading(tree: LexborHTMLParser) -> str | None:
    heading = tree.css_first("h1, h2")
    return _words(heading.text(separator=" ")) if heading is not None else None


def _words(text: str) -> str | None:
    return " ".join(text.split()) or None


def _is_inside(element: LexborNode, tag: str) -> bool:
    above = element.parent
    while above is not None and above.tag != tag:
        above = above.parent
    return above is not None


def _navigation(tree: LexborHTMLParser, html: str) -> frozenset[int]:
    """Navigation, which is left out; not one with the page in it, because it is the whole page's or was never ended."""
    elements = tree.css("nav")
    if not elements:
        return frozenset()
    ended = len(elements) <= html.lower().count("</nav")
    told = elements if ended else [nav for nav in elements[:_MOST_WEIGHED] if _is_links(nav)]
    return frozenset(nav.mem_id for nav in told if nav.css_first(_MAIN) is None)


def _is_links(nav: LexborNode) -> bool:
    words = len(nav.text(separator=" ").split())
    return 2 * sum(len(link.text(separator=" ").split()) for link in nav.css("a")) >= words


def _main_content(html: str, path: Path) -> str | None:
    from late_rag.loaders.html.main_content import main_content

    main = main_content(html)
    if main is None:
        logger.info("%s: no main content was found; all of the page is taken", path)
    return main
