"""The stored rows as an index is made of them and measured on, read batch by batch without holding a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from late_rag import calibration
from late_rag.collections.kit import embedding_rows
from late_rag.collections.local.database import Database
from late_rag.protocols import CollectionSettings, Index
from late_rag.scoring.packing import unpack
from late_rag.types import batched

if TYPE_CHECKING:
    from late_rag.calibration import Calibration
    from late_rag.types import TokenEmbeddings

_BATCH = 500


class IndexRows:
    """Row numbers, ascending, with the rows of each that has any."""

    def __init__(self, database: Database, settings: CollectionSettings) -> None:
        self._database = database
        self._settings = settings

    def between(self, after: int, last: int) -> Iterator[tuple[int, TokenEmbeddings]]:
        """All above ``after`` up to ``last``."""
        while batch := self._read("row > ? AND row <= ?", after, last):
            yield from batch
            after = batch[-1][0]

    def of(self, numbers: Sequence[int]) -> Iterator[tuple[int, TokenEmbeddings]]:
        """Those of these that are there."""
        for batch in batched(numbers, _BATCH):
            yield from self._read("row IN (SELECT value FROM json_each(?))", json.dumps(batch))

    def calibrated(self, index: Index, mark: int) -> Calibration:
        """What is measured of an index of all up to ``mark``."""
        with self._database.connection() as connection:
            query = "SELECT row, tokens FROM embeddings WHERE row <= ? AND tokens > 0 ORDER BY row"
            found = connection.execute(query, (mark,)).fetchall()
        numbers = [row for row, _ in found]
        part = calibration.part_of(sum(tokens for _, tokens in found))
        places = np.linspace(0, max(0, len(numbers) - 1), min(len(numbers), calibration.QUERIES)).astype(int)
        sample = list(self.of([numbers[place] for place in places]))  # of which one may have gone meanwhile
        rows = self.between(0, mark) if part == 1 else self.of(calibration.some_of(numbers, part))
        return calibration.calibrate(index, sample, rows, calibration.OVERLAP, calibration.best_of_part(part))

    def _read(self, condition: str, *values: object) -> list[tuple[int, TokenEmbeddings]]:
        """The first ones under a condition."""
        query = (
            f"SELECT row, {embedding_rows.COLUMNS} FROM embeddings WHERE {condition} AND tokens > 0 "
            "ORDER BY row LIMIT ?"
        )
        with self._database.connection() as connection:
            found = connection.execute(query, (*values, _BATCH)).fetchall()
        packed = embedding_rows.read(found, self._settings, str(self._database.path.parent))
        return [(columns[0], unpack(rows)) for columns, rows in zip(found, packed, strict=True)]
