"""XML of any vocabulary as lines of text, by expat through defusedxml, without a tree.

Pages in XML (XHTML) are read as pages are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from xml.sax import SAXParseException

from late_rag.errors import LoadError
from late_rag.loaders.decoding import decode
from late_rag.loaders.labels import page_codec
from late_rag.loaders.xml.lines import Lines, RefusedError
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

LONGEST_ENTITY = 1000
"""Characters that an entity which the file itself defines may stand for."""

MOST_GROWTH = 1_000_000
"""Characters that entities may add to a file in all."""

_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([A-Za-z0-9_.:-]{1,40})""")
_FIRST_ELEMENT = re.compile(r"<(?:!doctype\s{1,99})?([A-Za-z_][\w.:-]{0,99})", re.IGNORECASE)


class XmlLoader:
    """One document for the file; its title is that of its first element of this name."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        data = path.read_bytes()
        text, omissions = decode(data, path, _declared(data))
        first = _FIRST_ELEMENT.search(text[:65_536])
        if first is None:
            raise LoadError(f"{path}: is not XML: it has no element")
        if first[1].lower() == "html":
            yield from _page(path, options)
            return
        yield from omissions
        lines = Lines(room=len(text) + MOST_GROWTH)
        problem = _read(text, lines)
        yield from map(Omission, lines.missing)
        if problem:
            yield Omission(problem)
        named = {"title": lines.title} if lines.title else {}
        yield "", Document(text=lines.text(), metadata={"mime_type": "application/xml", **named})


def _page(path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
    from late_rag.loaders.html import HtmlLoader

    yield from HtmlLoader()(path, options)


def _declared(data: bytes) -> str | None:
    """The codec for the encoding of the declaration."""
    found = _ENCODING.search(data[:400])
    return page_codec(found[1].decode("ascii")) if found else None


def _read(text: str, lines: Lines) -> str | None:
    """Reads as far as the text is XML; what is wrong from there on."""
    parser, body = _parser(lines), text.lstrip()
    try:
        parser.feed(body)
        parser.close()
    except SAXParseException as error:
        number = (error.getLineNumber() or 1) + text.count("\n", 0, len(text) - len(body))
        problem = f"line {number}: is not XML ({error.getMessage()})"
    except RefusedError as error:
        problem = str(error)
    else:
        return None
    lines.close()
    return f"{problem}; what follows is not read"


def _parser(lines: Lines) -> Any:
    """A parser that looks up nothing outside the text, and takes no entities that could grow."""
    from defusedxml.expatreader import DefusedExpatParser

    class Parser(DefusedExpatParser):  # type: ignore[misc]
        def reset(self) -> None:
            super().reset()
            self._parser.StartElementHandler, self._parser.EndElementHandler = lines.start, lines.end
            self._parser.CharacterDataHandler, self._parser.SkippedEntityHandler = lines.characters, lines.skip_entity
            self._parser.UnparsedEntityDeclHandler = None
            self._parser.UseForeignDTD(True)

        def defused_entity_decl(self, name: str, is_parameter: bool, value: str | None, *_: Any) -> None:
            if value is None:
                return
            if len(value) > LONGEST_ENTITY or "&" in value or (is_parameter and "%" in value):
                raise RefusedError(
                    f"the entity {name!r} stands for others, or for more than {LONGEST_ENTITY:,} characters"
                )

        def external_entity_ref(self, context: str | None, _: Any, system: str | None, __: Any) -> int:
            if context:
                lines.miss(f"the entity {context.split(chr(12))[-1]!r} is another file, which is not read: {system}")
            else:  # with this, an entity that is defined nowhere is skipped, and ends nothing
                self._parser.ExternalEntityParserCreate(context).Parse("", True)
            return 1

    return Parser(forbid_external=False)
