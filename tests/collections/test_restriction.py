"""Damaged facets let a row through a filter that forbids it: the row is an error, and never shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from late_rag.collections import create_collection
from late_rag.collections.local import LocalCollection
from late_rag.errors import CollectionDamagedError
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, rows, source
from late_rag.types import Chunk, Document

FEW, MANY = 40, 280
"""So many chunks that a selection is scored at once, or by the view."""

READS: dict[str, Callable[[LocalCollection, Selection], list[Chunk]]] = {
    "search": lambda made, meant: [hit.chunk for hit in made.search(rows(1), 2000, meant)[0]],
    "text search": lambda made, meant: [hit.chunk for hit in made.text_search(["words"], 2000, meant)[0]],
    "iterate": lambda made, meant: _read(made.iterate(meant)),
    "iterate with embeddings": lambda made, meant: _read(made.iterate(meant, with_embeddings=True)),
    "iterate what is named": lambda made, meant: _read(made.iterate(replace(meant, ids=("c1", "c2")))),
}


def _read(batches: Iterable[list[tuple[Chunk, object]]]) -> list[Chunk]:
    return [found for batch in batches for found, _ in batch]


DAMAGES = {
    'tenant == "ours"': "UPDATE facets SET value = 'ours' WHERE key = 'tenant' AND row = {row}",
    'tenant in ["ours", "all"]': "UPDATE facets SET value = 'all' WHERE key = 'tenant' AND row = {row}",
    'not (tenant == "theirs")': "DELETE FROM facets WHERE row = {row}",
    'tenant != "theirs"': "DELETE FROM facets WHERE key = 'tenant' AND row = {row}",
    "not (secret exists)": "DELETE FROM facets WHERE key = 'secret' AND row = {row}",
    "level < 3": "UPDATE facets SET value = 1 WHERE key = 'level' AND row = {row}",
    'groups contains "ours"': "UPDATE facets SET value = 'ours' WHERE key = 'groups' AND row = {row} AND type >= 16",
}


@pytest.fixture(params=[FEW, MANY])
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalCollection]:
    """All but chunk c1 is ours."""
    made = create_collection(tmp_path / "c.rag", CollectionSettings("test", "test-1", DIM))
    assert isinstance(made, LocalCollection)
    for name, numbers in (("private", [1]), ("public", [0, *range(2, request.param)])):
        theirs = name == "private"
        metadata = {
            "tenant": "theirs" if theirs else "ours",
            "level": 4 if theirs else 2,
            "groups": ["theirs" if theirs else "ours"],
            **({"secret": True} if theirs else {}),
        }
        documents = [Document(f"doc-c{number}", "words") for number in numbers]
        chunks = [chunk(f"c{number}", f"words {name}", **metadata) for number in numbers]
        made.put_records(source(name), documents, chunks, rows(len(numbers)))
    yield made
    made.close()


@pytest.mark.parametrize("condition", DAMAGES)
def test_what_a_filter_forbids_is_an_error_and_not_shown(collection: LocalCollection, condition: str) -> None:
    selection = Selection(filter=condition)
    before = {name: read(collection, selection) for name, read in READS.items()}
    assert all(before.values())
    assert "private" not in repr(before)
    with sqlite3.connect(Path(collection.location) / "collection.sqlite") as database:
        (row,) = database.execute("SELECT row FROM chunks WHERE id = 'c1'").fetchone()
        changed = database.execute(DAMAGES[condition].format(row=row)).rowcount
        database.execute("UPDATE state SET version = version + 1")
    database.close()
    assert changed
    for read in READS.values():
        with pytest.raises(
            CollectionDamagedError, match=rf"row {row} was found by a filter .*; run late-rag repair"
        ) as e:
            read(collection, selection)
        assert "private" not in str(e.value)
        assert str(e.value).startswith(f"{collection.location}: ")
    assert collection.repair().ok
    assert {name: read(collection, selection) for name, read in READS.items()} == before
