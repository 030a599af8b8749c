"""A workbook of its sound parts alone: python-calamine gives up a file for any damaged one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

from late_rag.loaders.opc import Relation

_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MICROSOFT = "http://schemas.microsoft.com/office/2006/relationships"
_OF_OFFICE = ("worksheet", "chartsheet", "dialogsheet")
_NOWHERE = Relation("worksheet", "xl/nowhere")


class Copy:
    """An archive in memory.

    Args:
        parts: what it holds at first, by names.
    """

    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self._buffer = io.BytesIO()
        self._archive = zipfile.ZipFile(self._buffer, "w")
        self._names: set[str] = set()
        for name, data in parts.items():
            self.add(name, data)

    def add(self, name: str, data: bytes) -> None:
        """Takes a part, unless it has one of this name."""
        if name not in self._names:
            self._names.add(name)
            self._archive.writestr(zipfile.ZipInfo(name), data)

    def file(self) -> io.BytesIO:
        """The archive, to be read; nothing can be added from now on."""
        self._archive.close()
        self._buffer.seek(0)
        return self._buffer


def excel_relations(ending: str, sheets: Iterable[str], relations: Mapping[str, Relation]) -> dict[str, bytes]:
    """The parts that say where the others are.

    Args:
        ending: of the names of the parts, ".xml" or ".bin".
        sheets: the ids of the relations to the sheets.
        relations: those of the workbook.
    """
    rows = [(key, *relations.get(key, _NOWHERE)) for key in dict.fromkeys(sheets)]
    rows += [(f"late-{kind}", kind, f"xl/{kind}{ending}") for kind in ("sharedStrings", "styles")]
    return {
        "_rels/.rels": _relations([("main", "officeDocument", f"xl/workbook{ending}")], ""),
        f"xl/_rels/workbook{ending}.rels": _relations(rows, "xl/"),
    }


def _relations(rows: Iterable[tuple[str, str, str]], folder: str) -> bytes:
    """Those of a part in a folder, whose targets are told from there, as the library expects of XLSB."""
    told = "".join(
        "<Relationship Id={} Type={} Target={}/>".format(*map(quoteattr, (key, _type(kind), _address(target, folder))))
        for key, kind, target in rows
    )
    return f'<Relationships xmlns="{_PACKAGE}">{told}</Relationships>'.encode()


def _address(target: str, folder: str) -> str:
    return target.removeprefix(folder) if target.startswith(folder) else f"/{target}"


def _type(kind: str) -> str:
    return f"{_MICROSOFT if kind.endswith('sheet') and kind not in _OF_OFFICE else _OFFICE}/{kind}"
