"""Office files as packages (OPC, ECMA-376 part 2): parts, and the relations that lead from one to another."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive
from late_rag.loaders.properties import properties

_PROPERTIES = "docProps/core.xml"


class Relation(NamedTuple):
    """What a part refers to: of which kind, such as "styles", and the name of its member."""

    kind: str
    target: str


class Package:
    """The parts of an Office file."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._relations: dict[str, dict[str, Relation]] = {}

    def relations(self, part: str) -> dict[str, Relation]:
        """Those of a part ("" is the package) to others, by their ids; none, and an omission, if they are damaged."""
        if part not in self._relations:
            self._relations[part] = self._read(part)
        return self._relations[part]

    def targets(self, part: str, kind: str) -> list[str]:
        """The members that a part's relations of a kind lead to."""
        return [target for found, target in self.relations(part).values() if found == kind]

    def target(self, part: str, relation: str | None) -> str:
        """The member that a relation leads to.

        Raises:
            LoadError: the part has no such relation.
        """
        found = self.relations(part).get(relation or "")
        if found is None:
            raise LoadError(
                f"{self.archive.path}: its part {part} refers to {(relation or '')[:100]!r}, which is nothing"
            )
        return found.target

    def properties(self) -> dict[str, str]:
        """What the file says of itself; damaged or missing ones are an omission of the archive."""
        named = self.targets("", "core-properties")
        return properties(self.archive, named[0] if named else _PROPERTIES, expected=bool(named))

    def _read(self, part: str) -> dict[str, Relation]:
        folder, name = posixpath.split(part)
        member = posixpath.join(folder, "_rels", f"{name}.rels")
        root = self.archive.xml_if_sound(member) if member in self.archive.names else None
        inside = [item for item in ([] if root is None else root) if item.get("TargetMode") != "External"]
        return {
            item.get("Id", ""): Relation(
                item.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, item.get("Target", ""))).lstrip("/"),
            )
            for item in inside
        }
