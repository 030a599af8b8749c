"""Search in a local collection: candidates from the index and the tail, then exact scores from the stored rows."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from late_rag.collections.kit import embedding_rows, fulltext, rows
from late_rag.collections.kit.candidates import View, first_candidates
from late_rag.collections.kit.rescoring import best_of_candidates, best_of_rows
from late_rag.collections.kit.restriction import check_meant
from late_rag.collections.local.reader import SOURCE_LOCATION, location_of, where
from late_rag.collections.local.view import ViewKeeper
from late_rag.errors import CollectionDamagedError
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.scoring import similarity
from late_rag.scoring.packing import PackedRows
from late_rag.scoring.stored import stored_query
from late_rag.types import Chunk, Hit, TokenEmbeddings, batched

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from late_rag.collections.kit.rescoring import Ranked

_FEW = 256
_FEW_OF_ALL = 32
_MOST = 2048
"""Selected chunks are scored without looking for candidates first where they are so few, or so small a share."""

_QUERIES_AT_ONCE = 256
_LISTED = "(SELECT value FROM json_each(?))"


class Searcher:
    """Searches the collection's rows, each call in one snapshot."""

    def __init__(self, keeper: ViewKeeper, settings: CollectionSettings, location: str) -> None:
        self._keeper = keeper
        self._settings = settings
        self._location = location

    def search(
        self,
        connection: sqlite3.Connection,
        queries: Sequence[TokenEmbeddings],
        top_k: int,
        selection: Selection | None,
    ) -> list[list[Hit]]:
        """For each query the hits, best first; see ``Collection.search``. All in one state of the collection."""
        hits: list[list[Hit]] = []
        view, within = self._state(connection, selection)
        for group in batched(queries, _QUERIES_AT_ONCE):
            ranked = self._ranked(connection, group, top_k, view, within)
            found = _chunks(connection, {row for ranking in ranked for row, _ in ranking}, selection)
            for query, ranking in zip(group, ranked, strict=True):
                hits.append([_hit(found[row], score, similarity(score, len(query))) for row, score in ranking])
        return hits

    def _state(
        self, connection: sqlite3.Connection, selection: Selection | None
    ) -> tuple[View | None, npt.NDArray[np.int64] | None]:
        """The view, which is not needed for few rows, and the selected rows, both of the connection's snapshot."""
        within = self._keeper.within(connection, selection)
        if within is not None and _few(connection, len(within)):
            return None, within
        view = self._keeper.view(connection)  # may have taken a newer snapshot
        return view, self._keeper.within(connection, selection)

    def _ranked(
        self,
        connection: sqlite3.Connection,
        queries: Sequence[TokenEmbeddings],
        top_k: int,
        view: View | None,
        within: npt.NDArray[np.int64] | None,
    ) -> list[Ranked]:
        prepared = [stored_query(query, self._settings.storage) for query in queries]
        store = partial(self._packed, connection)
        if view is None:
            selected = [] if within is None else within.tolist()
            return [best_of_rows(store, query, selected, top_k) for query in prepared]
        candidates = first_candidates(view, queries, top_k, within)
        pairs = zip(prepared, candidates, strict=True)
        return [best_of_candidates(store, query, candidate, top_k) for query, candidate in pairs]

    def _packed(self, connection: sqlite3.Connection, chosen: Sequence[int]) -> tuple[list[int], list[PackedRows]]:
        """Those of the rows that exist and have embeddings."""
        found = connection.execute(
            f"SELECT row, {embedding_rows.COLUMNS} FROM embeddings WHERE row IN {_LISTED} AND tokens > 0",
            (json.dumps(chosen),),
        ).fetchall()
        return [values[0] for values in found], embedding_rows.read(found, self._settings, self._location)

    def text_search(
        self, connection: sqlite3.Connection, question: str, top_k: int, selection: Selection | None
    ) -> list[Hit]:
        """Hits by BM25, best first; see ``Collection.text_search``."""
        expression = fulltext.match_expression(question, self._settings.language)
        if expression is None:
            return []
        condition, values = where(selection)
        restricted = f"AND rowid IN (SELECT row FROM chunks WHERE {condition})" if condition != "1" else ""
        ranked = connection.execute(
            f"SELECT rowid, -bm25(fulltext) AS score FROM fulltext WHERE fulltext MATCH ? {restricted} "
            "ORDER BY score DESC, rowid LIMIT ?",
            (expression, *values, min(top_k, 2**63 - 1)),
        ).fetchall()
        found = _chunks(connection, (row for row, _ in ranked), selection)
        return [_hit(found[row], score, math.nan) for row, score in ranked]


def _few(connection: sqlite3.Connection, selected: int) -> bool:
    chunks: int = connection.execute("SELECT chunks FROM state").fetchone()[0]
    return selected <= max(_FEW, min(chunks // _FEW_OF_ALL, _MOST))


def _chunks(
    connection: sqlite3.Connection, chosen: Iterable[int], selection: Selection | None
) -> dict[int, tuple[Chunk, str | None]]:
    """Chunks and the locations of their sources, by row; all must be what the selection means."""
    query = f"SELECT row, {rows.CHUNK_COLUMNS}, source_id, {SOURCE_LOCATION} FROM chunks WHERE row IN {_LISTED}"
    wanted = list(chosen)
    found = connection.execute(query, (json.dumps(wanted),))
    chunks = {values[0]: (rows.chunk_from(values[1:-2]), location_of(*values[-2:])) for values in found}
    if len(chunks) < len(wanted):
        missing = next(row for row in wanted if row not in chunks)
        raise CollectionDamagedError(f"row {missing} is found by a search and is no chunk; run late-rag repair")
    for row, (chunk, location) in chunks.items():
        check_meant(selection, row, chunk, location)
    return chunks


def _hit(found: tuple[Chunk, str | None], score: float, mean: float) -> Hit:
    chunk, source = found
    return Hit(chunk, score, mean, source)
