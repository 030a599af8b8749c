"""The stored rows as an index is made of them and measured on, read batch by batch without holding a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from late_rag import calibration
from late_rag.collections.kit import embedding_rows
from late_rag.collections.local.database import Database
from late_rag.indexes.blocks import PackedChunk
from late_rag.indexes.exact import packed_chunk
from late_rag.protocols import CollectionSettings, Index
from late_rag.scoring.packing import PackedRows, unpack

if TYPE_CHECKING:
    from late_rag.calibration import Calibration
    from late_rag.types import TokenEmbeddings

_BATCH = 500
_LISTED = "(SELECT value FROM json_each(?))"


class IndexRows:
    """Row numbers, ascending, with the rows of each that has any."""

    def __init__(self, database: Database, settings: CollectionSettings) -> None:
        self._database = database
        self._settings = settings

    def between(self, after: int, last: int) -> Iterator[tuple[int, TokenEmbeddings]]:
        """All above ``after`` up to ``last``."""
        return ((row, unpack(packed)) for row, packed in self._between(after, last))

    def calibrated(self, index: Index, mark: int) -> Calibration:
        """What is measured of an index of all up to ``mark``."""
        with self._database.connection() as connection:
            query = "SELECT row, tokens FROM embeddings WHERE row <= ? AND tokens > 0 ORDER BY row"
            found = connection.execute(query, (mark,)).fetchall()
        count = min(len(found), calibration.queries_for(sum(tokens for _, tokens in found)))
        chosen = [found[place][0] for place in np.linspace(0, max(0, len(found) - 1), count).astype(int)]
        sample = self._read(f"row IN {_LISTED}", json.dumps(chosen))  # of which one may have gone meanwhile
        queries = [(row, unpack(packed)) for row, packed in sample]
        return calibration.calibrate(index, queries, self._packed(mark), calibration.OVERLAP)

    def _packed(self, last: int) -> Iterator[PackedChunk]:
        for row, packed in self._between(0, last):
            int8 = self._settings.storage == "int8"
            yield PackedChunk(row, packed) if int8 else packed_chunk(row, unpack(packed))

    def _between(self, after: int, last: int) -> Iterator[tuple[int, PackedRows]]:
        while batch := self._read("row > ? AND row <= ?", after, last):
            yield from batch
            after = batch[-1][0]

    def _read(self, condition: str, *values: object) -> list[tuple[int, PackedRows]]:
        """The first ones under a condition."""
        query = (
            f"SELECT row, {embedding_rows.COLUMNS} FROM embeddings WHERE {condition} AND tokens > 0 "
            "ORDER BY row LIMIT ?"
        )
        with self._database.connection() as connection:
            found = connection.execute(query, (*values, _BATCH)).fetchall()
        packed = embedding_rows.read(found, self._settings, str(self._database.path.parent))
        return [(columns[0], rows) for columns, rows in zip(found, packed, strict=True)]
