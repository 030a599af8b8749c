"""The main content of a web page, without navigation, banners and footers, found by trafilatura.

The extractor is Adrien Barbaresi's (https://aclanthology.org/2021.acl-demo.15). Its work grows with the square of the
elements and with their depth, so it only gets pages of a size and depth that people write.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from late_rag.errors import needs_extra
from late_rag.loaders.html.bounds import check_bounds

logger = logging.getLogger(__name__)

LONGEST = 8_000_000
MOST_ELEMENTS = 20_000
DEEPEST = 100
"""Limits of what is searched for main content, in characters and elements; of 990 pages of the extractor's own test
set the largest has 10,112 elements, the deepest 43 levels."""

_NOT_SHOWN = "script, style, template, body title"
_CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML does not have."""

_SPANS = ("colspan", "rowspan")
_WIDEST = 100
"""What the extractor takes a larger span for."""

_ELEMENTS = {"cell": "td", "head": "h3", "item": "li", "lb": "br", "list": "ul", "quote": "blockquote", "row": "tr"}
_HIGHLIGHTS = {"#b": "b", "#i": "i", "#u": "u", "#t": "kbd", "#sub": "sub", "#sup": "sup"}
"""HTML's names of what the extractor calls by those of the Text Encoding Initiative."""


def main_content(html: str) -> str | None:
    """The HTML of what a page is about: headings, paragraphs, lists, tables and code, and no attributes.

    None where there is none to be found, and for a page that would take the extractor minutes, which is logged.

    Raises:
        MissingExtraError: the extractor is not installed.
    """
    bare_extraction = _extractor()
    try:
        tree = _tree(html)
    except ValueError as error:
        logger.info("main content is not looked for: %s", error)
        return None
    if tree is None:
        return None
    _keep_lines_of_code(tree)
    _keep_captions(tree)
    _bound_spans(tree)
    found = bare_extraction(tree, output_format="xml", include_comments=False, include_formatting=True)
    return _html(found.body) if found is not None else None


def _extractor() -> Any:
    with needs_extra("trafilatura, which finds the main content of pages,", "web"):
        from trafilatura import bare_extraction
    return bare_extraction


def _tree(html: str) -> Any:
    """The tree that a browser has, as one of lxml; None where there is no text in it.

    Raises:
        ValueError: the page is longer, larger or deeper than what is searched.
    """
    from selectolax.lexbor import LexborHTMLParser

    if len(html) > LONGEST:
        raise ValueError(f"the page has more than {LONGEST:,} characters")
    check_bounds(html)
    page = LexborHTMLParser(_CONTROLS.sub(" ", html))
    if len(page.css("*")) > MOST_ELEMENTS:
        raise ValueError(f"the page has more than {MOST_ELEMENTS:,} elements")
    for element in page.css(_NOT_SHOWN):
        element.decompose()
    if page.body is None or not page.body.text().strip():
        return None
    return _lxml_tree(page.html or "")


def _lxml_tree(html: str) -> Any:
    from lxml.html import HTMLParser, document_fromstring  # type: ignore[import-untyped]

    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    tree = document_fromstring(html.encode("utf-8"), parser=parser)
    if _depth(tree) > DEEPEST:
        raise ValueError(f"its elements are inside each other more than {DEEPEST} deep")
    return tree


def _depth(tree: Any) -> int:
    from lxml.etree import iterwalk  # type: ignore[import-untyped]

    depth = deepest = 0
    for event, _ in iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest


def _keep_lines_of_code(tree: Any) -> None:
    """Makes preformatted text what the extractor takes for code; it would read some of it as a quotation."""
    from lxml.etree import strip_tags

    for block in tree.iter("pre"):
        for line_break in block.iter("br"):
            line_break.tail = "\n" + (line_break.tail or "")
        strip_tags(block, "*")
        block.tag = "code"


def _keep_captions(tree: Any) -> None:
    """Puts a table's caption in front of it; the extractor would make it a row."""
    for caption in list(tree.iter("caption")):
        caption.tag = "p"
        table = caption.getparent()
        if table is not None and table.tag == "table":
            table.addprevious(caption)


def _bound_spans(tree: Any) -> None:
    """Takes their spans from cells that are more than a page may have elements, or whose spans are no numbers."""
    cells = list(tree.iter("td", "th"))
    area = 0
    for cell in cells:
        columns, rows = (_span(cell.get(name, "1")) for name in _SPANS)
        area += columns * rows
        if not columns * rows:
            _without_spans(cell)
    if area > MOST_ELEMENTS:
        for cell in cells:
            _without_spans(cell)


def _span(value: str) -> int:
    """As the extractor counts, and 0 for what is no number to it."""
    return min(int(value), _WIDEST) if re.fullmatch("[0-9]{1,5}", value) else 0


def _without_spans(cell: Any) -> None:
    for name in _SPANS:
        cell.attrib.pop(name, None)


def _html(body: Any) -> str | None:
    """As HTML; None where the extractor gives back a part of the page as it is, having found nothing."""
    from lxml.etree import tostring

    if body.tag not in ("body", "div") or not body.xpath("string()").strip():
        return None
    for element in body.iter():
        element.tag = _name(element)
        element.attrib.clear()
    body.tag = "body"
    for block in [code for code in body.iter("code") if _is_block(code)]:
        block.tag = "pre"
    return str(tostring(body, encoding="unicode", method="html"))


def _name(element: Any) -> str:
    kind = element.get("rend") or ""
    match element.tag:
        case "head" if re.fullmatch("h[1-6]", kind):
            return str(kind)
        case "list" if kind in ("ol", "dl"):
            return str(kind)
        case "item" if kind[:2] in ("dt", "dd"):
            return str(kind[:2])
        case "cell" if element.get("role") == "head":
            return "th"
        case "hi":
            return _HIGHLIGHTS.get(kind, "i")
        case name:
            return _ELEMENTS.get(name, str(name))


def _is_block(code: Any) -> bool:
    return "\n" in code.xpath("string()").strip() or code.getparent().tag == "body"
