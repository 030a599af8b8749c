"""Markup that takes Lexbor a time that grows with the square of the page, told before it is parsed."""

from __future__ import annotations

import re
from itertools import accumulate

DEEPEST = 20_000
MOST_OPTIONS = 20_000
MOST_ATTRIBUTES = 10_000

_STRETCH = 1 << 16
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)[^<>]*>")
_LONG = re.compile(rf"<[^<]{{{2 * MOST_ATTRIBUTES},}}")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_FLAT = frozenset(
    (
        *("h1", "h2", "h3", "h4", "h5", "h6", "title", "textarea", "iframe", "noframes", "button", "hr"),
        *("a", "p", "li", "dd", "dt", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup"),
        *("colgroup", "rp", "rt", "html", "head", "body", "area", "base", "br", "col", "embed", "hr"),
        *("img", "input", "link", "meta", "param", "source", "track", "wbr", "script", "style"),
    )
)
"""Elements that are not inside each other however often they begin."""


def check_bounds(html: str) -> None:
    """Lets pass what people write.

    Raises:
        ValueError: elements inside each other, options of a form, or attributes of an element beyond any page's.
    """
    if html.count("<") > DEEPEST:
        if _may_be_deep(html) and _depth(html) > DEEPEST:
            raise ValueError(f"elements are inside each other more than {DEEPEST:,} deep")
        if html.lower().count("<option") > MOST_OPTIONS:
            raise ValueError(f"a page of forms with more than {MOST_OPTIONS:,} options")
    if len(html) > MOST_ATTRIBUTES and _most_attributes(html) > MOST_ATTRIBUTES:
        raise ValueError(f"an element has more than {MOST_ATTRIBUTES:,} attributes")


def _may_be_deep(html: str) -> bool:
    """A quick look, which takes every tag for one that needs an end."""
    depth = 0
    for start in range(0, len(html), _STRETCH):
        stretch = html[start : start + _STRETCH]
        depth = max(0, depth + stretch.count("<") - 2 * stretch.count("</"))
        if depth > DEEPEST // 2:
            return True
    return False


def _depth(html: str) -> int:
    steps = (-1 if tag[1] else 1 for tag in _TAG.finditer(html) if tag[2].lower() not in _FLAT)
    return max(accumulate(steps, _above_ground), default=0)


def _above_ground(depth: int, step: int) -> int:
    return max(0, depth + step)


def _most_attributes(html: str) -> int:
    """Of the tags that are long enough to have so many."""
    tags = (_QUOTED.sub("", found[0]).partition(">")[0] for found in _LONG.finditer(html))
    return max((len(tag.split()) for tag in tags), default=0)
