"""Index files of a local collection: built beside the running searches, published in one commit, never waited for.

``index/<version>/`` holds what an index saved, covering all rows up to its mark. A new version is written outside the
write lock and published by compare-and-set on the version it was built from; whoever loses the race discards its
files. The files are derived: when they are gone or damaged, the collection goes on without them and they are built
anew.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from late_rag.backends import INDEXES, resolve
from late_rag.collections.database import Database
from late_rag.errors import CollectionDamagedError, CollectionError
from late_rag.protocols import CollectionSettings, Index
from late_rag.scoring.packing import from_blob, unpack
from late_rag.types import batched

if TYPE_CHECKING:
    from late_rag.types import TokenEmbeddings

logger = logging.getLogger(__name__)

TAIL_CHUNKS = 20_000
"""Up to so many chunks are scanned from memory without index files."""

TAIL_SHARE = 0.25
LIVE_SHARE = 0.7
_BATCH = 500
_PREFIX = "version-"
_ORPHAN_SECONDS = 24 * 3600


class Published(NamedTuple):
    """A version of the index: it covers the rows up to ``mark``, ``size`` of which had embeddings."""

    version: int
    mark: int
    size: int
    folder: str


class IndexFiles:
    """The published index of one collection, and how it is brought up to date."""

    def __init__(self, folder: Path, database: Database, settings: CollectionSettings) -> None:
        self._folder = folder
        self._database = database
        self._settings = settings
        self._broken = False

    @property
    def kind(self) -> str:
        """The kind of index that the settings come to."""
        return "exact" if self._settings.index == "auto" else self._settings.index

    def reason(self) -> str:
        """Why this kind, in words."""
        if self._settings.index != "auto":
            return "asked for in the settings"
        return "auto: a scan of all chunks in int8 with exact rescoring is the fastest that measures exact on a CPU"

    def current(self, connection: sqlite3.Connection) -> Published | None:
        """What is published, if it is of this collection's kind."""
        found = connection.execute(
            "SELECT version, mark, size, folder FROM indexes WHERE kind = ? ORDER BY version DESC LIMIT 1", (self.kind,)
        ).fetchone()
        return None if found is None else Published(*found)

    def open_current(self, connection: sqlite3.Connection) -> tuple[Published, Index] | None:
        """The published index, opened; None, with a warning, where its files are gone or damaged."""
        current = self.current(connection)
        if current is None:
            return None
        try:
            return current, self._kind().open(self._folder / current.folder)
        except CollectionDamagedError as error:
            logger.warning("index files cannot be used; the next write or optimize() rebuilds them: %s", error)
            self._broken = True
            return None

    def due(self) -> bool:
        """Whether so much has come or gone that the files are worth another version; quick while it has not."""
        if bool(self._kind().slow_build):
            return False
        with self._database.reading() as connection:
            current = self.current(connection) or Published(0, 0, 0, "")
            chunks, last_row = connection.execute("SELECT chunks, last_row FROM state").fetchone()
            tail = last_row - current.mark
            if self._broken:
                return True
            if tail <= TAIL_CHUNKS and chunks - tail >= LIVE_SHARE * current.size:
                return False
            tail = _count(connection, "SELECT count(*) FROM chunks WHERE row > ?", current.mark)
        live = chunks - tail
        return bool(tail > max(TAIL_CHUNKS, TAIL_SHARE * live) or live < LIVE_SHARE * current.size)

    def worthwhile(self) -> bool:
        """Whether there should be files at all: a small collection is scanned from memory as quickly without."""
        with self._database.reading() as connection:
            chunks = _count(connection, "SELECT chunks FROM state")
            return self.kind != "exact" or chunks > TAIL_CHUNKS or self.current(connection) is not None

    def build(self) -> bool:
        """Writes and publishes a version that covers all rows there are; whether this one was published."""
        with self._database.reading() as connection:
            base = self.current(connection)
            opened = self.open_current(connection)
            (mark,) = connection.execute("SELECT last_row FROM state").fetchone()
            live = _count(connection, "SELECT count(*) FROM chunks WHERE row <= ?", base.mark if base else 0)
        if opened is not None and live >= LIVE_SHARE * opened[0].size:
            published, index = opened
            for batch in batched(self._rows(published.mark, mark), _BATCH):
                index.add([row for row, _ in batch], [embeddings for _, embeddings in batch])
        else:
            index = self._kind()()
            index.build(self._rows(0, mark))
        return self._publish(index, base, mark)

    def _rows(self, after: int, last: int) -> Iterator[tuple[int, TokenEmbeddings]]:
        """Rows with embeddings in ascending order, read batch by batch without holding a snapshot."""
        query = (
            'SELECT row, "values", scale, norm FROM embeddings WHERE row > ? AND row <= ? AND tokens > 0 '
            "ORDER BY row LIMIT ?"
        )
        while True:
            with self._database.connection() as connection:
                batch = connection.execute(query, (after, last, _BATCH)).fetchall()
            if not batch:
                return
            after = batch[-1][0]
            for row, blob, scale, norm in batch:
                yield row, unpack(from_blob(blob, scale, norm, self._settings.dim, self._settings.storage))

    def _publish(self, index: Index, base: Published | None, mark: int) -> bool:
        folder = self._saved(index)
        try:
            with self._database.writing() as connection:
                if published := self.current(connection) == base:
                    connection.execute("DELETE FROM indexes")
                    version = base.version + 1 if base else 1
                    connection.execute(
                        "INSERT INTO indexes VALUES (?, ?, ?, ?, ?)",
                        (version, self.kind, mark, len(index), folder.name),
                    )
                    connection.execute("UPDATE state SET version = version + 1")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if not published:
            logger.info("another process published an index meanwhile; this one is discarded")
            shutil.rmtree(folder, ignore_errors=True)
            return False
        self._broken = False
        self._sweep(base)
        return True

    def _saved(self, index: Index) -> Path:
        """A folder of its own that holds the index."""
        folder = None
        try:
            self._folder.mkdir(exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
            folder.chmod(0o755)
            index.save(folder)
        except BaseException as error:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise CollectionError(f"{self._folder}: index files cannot be written: {error}") from error
            raise
        return folder

    def _sweep(self, base: Published | None) -> None:
        """The folder of the version before, and what processes that were killed left a day ago or earlier.

        Younger ones may be those of a process that is building.
        """
        for folder in self._folder.iterdir():
            superseded = base is not None and folder.name == base.folder
            if superseded or (folder.name.startswith(_PREFIX) and self._is_orphan(folder)):
                shutil.rmtree(folder, ignore_errors=True)

    def _is_orphan(self, folder: Path) -> bool:
        with self._database.reading() as connection:
            current = self.current(connection)
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:
            return False
        return age > _ORPHAN_SECONDS and (current is None or current.folder != folder.name)

    def verify(self, connection: sqlite3.Connection) -> tuple[int, list[str]]:
        """How many versions were looked at, and what is wrong with them."""
        current = self.current(connection)
        if current is None:
            return 0, []
        try:
            index = self._kind().open(self._folder / current.folder)
        except CollectionDamagedError as error:
            return 1, [f"index: {error}"]
        rows = connection.execute(
            "SELECT count(*) FROM embeddings WHERE row <= ? AND tokens > 0", (current.mark,)
        ).fetchone()[0]
        return 1, [f"index: covers {len(index)} chunks, {rows} are stored"] if len(index) < rows else []

    def _kind(self) -> Any:
        return resolve(INDEXES, self.kind, "index")


def _count(connection: sqlite3.Connection, query: str, *values: object) -> int:
    return int(connection.execute(query, values).fetchone()[0])
