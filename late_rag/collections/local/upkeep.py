"""What is done to a local collection beside its writes: index files, and ``optimize()``. Nothing depends on it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from late_rag.collections.local.database import Database
from late_rag.collections.local.index_files import IndexFiles
from late_rag.errors import CancelledError, CollectionError
from late_rag.types import Report

logger = logging.getLogger(__name__)

_BULK_CHUNKS = 5_000
"""After so many chunks in one call the log is moved into the database at once."""


class Upkeep:
    """The derived files of one collection, and the room it takes."""

    def __init__(self, database: Database, files: IndexFiles) -> None:
        self._database = database
        self._files = files

    def after_write(self, chunks: int) -> None:
        """After a write of so many chunks that is committed: whatever goes wrong must not look like its failure."""
        try:
            if chunks >= _BULK_CHUNKS:
                self._database.checkpoint()
            if self._files.due():
                self._files.build()
        except Exception as error:  # noqa: BLE001  # the write is done, and the caller must learn what it gave
            logger.warning("the write is done, but the index could not be brought up to date: %s", error)

    def after_load(self, report: Report | None) -> None:
        """At the end of many writes: what they left because it is slow."""
        try:
            if self._files.due(load_ended=True):
                self._files.build(report)
        except CancelledError:  # of ``report``
            raise
        except Exception as error:  # noqa: BLE001  # as above
            logger.warning("the load is done, but the index could not be built: %s", error)

    def optimize(self, report: Report | None) -> None:
        """See ``Collection.optimize``.

        Raises:
            CollectionError: of the step that failed; says which were done before.
        """
        done: list[str] = []
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("the index files are up to date", partial(self._build, report)),
            ("the full text is merged", self._merge_full_text),
            ("unused room is given back", self._database.compact),
        )
        for what, step in steps:
            try:
                step()
            except CollectionError as error:
                raise type(error)(f"{error}; optimize was stopped, done is: {', '.join(done) or 'nothing'}") from error
            done.append(what)
            logger.info("optimize: %s", what)

    def _build(self, report: Report | None) -> None:
        if self._files.worthwhile():
            self._files.build(report)

    def _merge_full_text(self) -> None:
        with self._database.writing() as connection:
            connection.execute("INSERT INTO fulltext (fulltext) VALUES ('optimize')")
