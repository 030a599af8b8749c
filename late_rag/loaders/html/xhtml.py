"""XHTML as HTML: the same elements with an end tag each, so that an HTML parser makes the same tree of them."""

from __future__ import annotations

import re
from html import escape
from typing import Any
from xml.parsers import expat

_DECLARATION = re.compile(r"\s{0,99}<\?xml\b[^>]{0,999}>")
"""It names the encoding of bytes, and these are no longer any."""

_VOID = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track"),
        *("wbr",),
    )
)


def xhtml_to_html(text: str) -> str:
    """The text as HTML; what is no well-formed XML is given back as it is, for that is how browsers must read it."""
    writer = _Writer()
    parser = expat.ParserCreate()
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.words
    parser.SkippedEntityHandler = writer.entity
    parser.EntityDeclHandler = _refuse
    parser.UseForeignDTD(True)  # names such as &nbsp; are those of a DTD that is not read
    try:
        parser.Parse(_DECLARATION.sub("", text, count=1), True)
    except (expat.ExpatError, _EntityError):
        return text
    return "".join(writer.parts)


class _EntityError(Exception):
    """Entities of the document's own, which may stand for more than there is room for."""


def _refuse(*_: Any) -> None:
    raise _EntityError


class _Writer:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        told = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
        self.parts.append(f"<{name}{told}>")

    def end(self, name: str) -> None:
        if name not in _VOID:
            self.parts.append(f"</{name}>")

    def words(self, text: str) -> None:
        self.parts.append(escape(text, quote=False))

    def entity(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self.parts.append(f"&{name};")
