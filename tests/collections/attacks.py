"""Everything that can be done with a collection, to be done to one that somebody harmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection
from late_rag.errors import LateRAGError
from late_rag.filters.selection import Selection
from late_rag.testing.collection_base import chunk, source
from late_rag.testing.collection_base import rows as embeddings
from late_rag.types import Document


def reads(opened: LocalCollection) -> list[Callable[[], object]]:
    everything = Selection(filter="tenant == 'a' and number > 3 or day < '2021-01-01' or flag == true")
    return [
        lambda: [[(h.chunk, h.score) for h in hits] for hits in opened.search(embeddings(2, seed=5), 50)],
        lambda: [hit.source for hit in opened.search(embeddings(1, seed=5), 50)[0]],
        lambda: [[h.chunk.id for h in hits] for hits in opened.search(embeddings(1, seed=5), 50, everything)],
        lambda: [h.chunk for h in opened.text_search(["text of m3"], 50)[0]],
        lambda: [(c, None if e is None else e.tolist()) for b in opened.iterate(with_embeddings=True) for c, e in b],
        lambda: list(opened.iterate_documents()),
        lambda: {k: v.tolist() for k, v in opened.embeddings(["m1", "f0"]).items()},
        lambda: (opened.get(["m1"]), opened.get_documents(["f"]), opened.document_hashes(), opened.sources()),
        lambda: (opened.count(), opened.count(everything), opened.fields(), opened.info().chunks),
        lambda: [opened.field_values(name) for name in ("tenant", "number", "day", "$source", "$text")],
        lambda: [opened.field_range(name) for name in ("tenant", "number", "day")],
        lambda: opened.count_distinct(["tenant", "flag"]),
        lambda: opened.field_values("day", search="20", order="count"),
    ]


def writes(opened: LocalCollection) -> list[Callable[[], object]]:
    return [
        lambda: opened.staged(source("large.txt")),
        lambda: opened.update_metadata(Selection(filter="number > 3"), {"new": 1}),
        lambda: opened.add([chunk("m1"), chunk("new")], embeddings(2)),
        lambda: opened.replace(source("large.txt"), [Document("l", "x")], [chunk("l0", document="l")], embeddings(1)),
        lambda: opened.delete(Selection(filter="tenant == 'b'")),
        lambda: opened.search(embeddings(1), 5),
        lambda: opened.optimize(),
        lambda: opened.repair(),
    ]


def attempt(work: Callable[[], object]) -> object:
    """What work gives; an error of ours stands for itself, any other is the test's failure."""
    try:
        return work()
    except LateRAGError as error:
        return error


def try_everything(location: Path) -> None:
    opened = attempt(lambda: open_collection(location))
    if isinstance(opened, LocalCollection):
        try:
            for work in (*reads(opened), lambda: opened.verify(), *writes(opened)):
                attempt(work)
        finally:
            opened.close()
