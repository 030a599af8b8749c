"""Index files of a local collection: built beside the running searches, published in one commit, never waited for.

``index/<version>/`` holds what an index saved, covering all rows up to its mark. A new version is written outside the
write lock and published by compare-and-set on the version it was built from; whoever loses the race discards its
files. The files are derived: when they are gone or damaged, the collection goes on without them and they are built
anew.

What the database says of them is not trusted: a folder has a plain name of our own making, and no link is followed, so
that a collection that somebody sent can have nothing read, written or removed outside its folder.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from late_rag.auto_index import Choice
from late_rag.calibration import Calibration
from late_rag.collections.local import index_manifest
from late_rag.collections.local.database import Database
from late_rag.collections.local.failures import is_full
from late_rag.collections.local.index_choice import SCAN, IndexChoice, index_class
from late_rag.collections.local.index_rows import IndexRows
from late_rag.collections.local.index_versions import FOLDER, PREFIX, Published, is_possible
from late_rag.errors import CollectionDamagedError, CollectionError, CollectionFullError
from late_rag.protocols import CollectionSettings, Done, Index, silent
from late_rag.types import Progress

if TYPE_CHECKING:
    from late_rag.types import Report

logger = logging.getLogger(__name__)

TAIL_CHUNKS = 20_000
"""Up to so many chunks are scanned from memory without index files."""

TAIL_BYTES = 2**30
"""Of packed rows that are scanned from memory at most, however large the collection is and whatever its index costs."""

TAIL_SHARE = 0.25
LIVE_SHARE = 0.7
TAIL_ROWS = 200_000
APPROXIMATE_TAIL_SHARE = 0.05
"""An index that is faster than the scan has a shorter tail: to scan it would take longer than all the rest."""

SLOW_PATIENCE = 4
"""So many times as much comes or goes before a write that ends no load builds an index that is slow to build."""

_AGAIN = 2
"""An index that was not good enough is tried again when the collection has so many times the chunks."""

_ORPHAN_SECONDS = 24 * 3600


class Opened(NamedTuple):
    """A version that can be searched; ``calibration`` is there where its candidates come without bounds."""

    published: Published
    engine: Index
    calibration: Calibration | None


class _Written(NamedTuple):
    """A version on the disk that is not published yet."""

    folder: Path
    kind: str
    size: int
    manifest: str


class _Way(NamedTuple):
    """How a version can be made; ``known`` is what was measured of the one that it ``adds`` to."""

    make: Callable[[Path], Index]
    adds: bool = False
    known: Calibration | None = None


class IndexFiles:
    """The published index of one collection, and how it is brought up to date."""

    def __init__(self, folder: Path, database: Database, settings: CollectionSettings) -> None:
        self._folder = folder
        self._database = database
        self._settings = settings
        self._choice = IndexChoice(settings)
        self._rows = IndexRows(database, settings)
        self._broken = False

    def choice(self, connection: sqlite3.Connection) -> Choice:
        """The kind of index that the settings come to at the size that the connection sees, and why."""
        return self._choice.now(connection)

    def promises(self) -> tuple[bool, float]:
        """Whether a search finds what a scan of all rows finds, and the recall that it promises where not."""
        with self._database.reading() as connection:
            current = self.current(connection)
            chosen = index_class(self.choice(connection).spec.name)
        serving = {chosen, index_class(current.kind) if current else chosen}
        return all(each.upper_bounds for each in serving), min(float(each.recall) for each in serving)

    def reason(self, connection: sqlite3.Connection) -> tuple[int, str]:
        """How many chunks the files cover, and in words that and why it is this kind."""
        choice = self.choice(connection)
        why = choice.reason
        current = self.current(connection)
        chunks = covered = _count(connection, "SELECT chunks FROM state")
        if current is None or not (self._folder / current.folder).is_dir():
            covered = 0
        elif current.mark < _count(connection, "SELECT last_row FROM state"):
            covered = _count(connection, "SELECT count(*) FROM chunks WHERE row <= ?", current.mark)
        rest = "" if covered == chunks else ", the others are scanned from memory"
        if covered and current is not None:
            measured = self._measured(current)
            why = f"{why}; {measured.in_words()}" if measured else why
            if current.kind != choice.spec.name:
                kept = measured and current.kind == SCAN
                why += "; so all chunks are scanned" if kept else f"; the files are of kind {current.kind!r} so far"
        return covered, f"{why}; index files cover {covered:,} of {chunks:,} chunks{rest}"

    def _measured(self, published: Published) -> Calibration | None:
        """What was found out when the version was built: of its index, or of one that the scan is kept in place of."""
        try:
            return Calibration.from_dict(index_manifest.measured(self._folder / published.folder, published.manifest))
        except CollectionDamagedError:
            return None

    def _wanted(self, current: Published | None, chosen: str, chunks: int) -> str:
        """The kind to build: what is chosen, or the scan as long as it is kept because that was not good enough."""
        if current is None or current.kind != SCAN or chosen == SCAN:
            return chosen
        refused = self._measured(current)
        return chosen if refused is None or chunks > _AGAIN * refused.chunks else SCAN

    def current(self, connection: sqlite3.Connection) -> Published | None:
        """What is published, if it can be, and is of a kind that this collection may have."""
        found = connection.execute(
            "SELECT version, mark, size, folder, manifest, kind FROM indexes "
            "WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY version DESC LIMIT 1",
            (json.dumps(self._choice.kinds()),),
        ).fetchone()
        if found is None or is_possible(*found[:5]):
            return None if found is None else Published(*found)
        self._warn(f"{self._folder}: the collection names an impossible version: {str(found)[:200]}")
        return None

    def open_current(self, connection: sqlite3.Connection) -> Opened | None:
        """The published index, opened; None, with a warning, where its files are gone or damaged."""
        current = self.current(connection)
        if current is None:
            return None
        try:
            return self._opened(current)
        except CollectionDamagedError as error:
            self._warn(str(error))
            return None

    def _opened(self, published: Published) -> Opened:
        """Raises CollectionDamagedError where a file is not what was published."""
        folder = self._folder / published.folder
        measured = index_manifest.check(
            folder, published.manifest, self._about(published.kind, published.mark, published.size)
        )
        kind = index_class(published.kind)
        calibration = None if kind.upper_bounds else Calibration.from_dict(measured)
        if calibration is not None and calibration.candidates is None:
            raise CollectionDamagedError(f"{folder}: says no number of candidates, and is published all the same")
        try:
            index: Index = kind.open(folder, self._choice.made(published.kind), self._choice.device)
        except CollectionDamagedError:
            raise
        except Exception as error:  # whatever an index stumbles over in files that are as they were published
            raise CollectionDamagedError(f"{folder}: not index files as late_rag writes them: {error!r}") from error
        if (size := len(index)) != published.size:
            index.close()
            raise CollectionDamagedError(f"{folder}: holds {size} chunks, published were {published.size}")
        return Opened(published, index, calibration)

    def _about(self, kind: str, mark: int, size: int) -> dict[str, object]:
        options = self._choice.checked(kind)
        return {"kind": kind, "mark": mark, "size": size, **({"options": options} if options else {})}

    def _warn(self, problem: str) -> None:
        logger.warning("index files cannot be used; the next write or optimize() rebuilds them: %s", problem)
        self._broken = True

    def due(self, *, load_ended: bool = False) -> bool:
        """Whether so much has come or gone that the files are worth another version; quick while it has not.

        A kind that is slow to build waits for so many times as much until a load has ended, after which it alone is
        asked for.
        """
        with self._database.reading() as connection:
            current = self.current(connection) or Published(0, 0, 0, "", "")
            chunks, tokens, last_row = connection.execute("SELECT chunks, tokens, last_row FROM state").fetchone()
            wanted = self._wanted(current, self.choice(connection).spec.name, chunks)
            kind = index_class(wanted)
            if load_ended and not kind.slow_build:
                return False
            patience = SLOW_PATIENCE if kind.slow_build and not load_ended else 1
            most, share = _tail_limits(kind, tokens / max(1, chunks), patience)
            fit = TAIL_BYTES * chunks / max(1, tokens * self._settings.dim)
            live_share = LIVE_SHARE / patience
            tail = last_row - current.mark
            if self._broken or (current.folder and current.kind == SCAN != wanted and patience == 1):
                return True
            if tail <= min(most, fit) and chunks - tail >= live_share * current.size:
                return False
            tail = _count(connection, "SELECT count(*) FROM chunks WHERE row > ?", current.mark)
        live = chunks - tail
        return bool(tail > min(fit, max(most, share * live)) or live < live_share * current.size)

    def worthwhile(self) -> bool:
        """Whether there should be files at all: a small collection is scanned from memory as quickly without."""
        with self._database.reading() as connection:
            chunks = _count(connection, "SELECT chunks FROM state")
            scanned = self.choice(connection).spec.name == SCAN
            return not scanned or chunks > TAIL_CHUNKS or self.current(connection) is not None

    def build(self, report: Report | None = None) -> bool:
        """Writes and publishes a version that covers all rows there are; whether this one was published."""
        self._database.check_writable()
        with self._database.reading() as connection:
            chosen = self.choice(connection).spec.name
            base = self.current(connection)
            opened = self.open_current(connection)
            (mark,) = connection.execute("SELECT last_row FROM state").fetchone()
            live = _count(connection, "SELECT count(*) FROM chunks WHERE row <= ?", base.mark if base else 0)
            chunks = _count(connection, "SELECT chunks FROM state")
            kind = self._wanted(base, chosen, chunks)
        with closing(opened.engine) if opened else nullcontext():
            ways: list[_Way] = []
            if opened is not None and opened.published.kind == kind and live >= LIVE_SHARE * opened.published.size:
                ways.append(self._adding(opened, mark, report))
            progress = _teller(report, chunks)
            ways.append(_Way(lambda folder: self._created(kind, folder, mark, progress)))
            ways.append(_Way(lambda folder: self._created(SCAN, folder, mark, progress)))
            refused = self._measured(base) if base and kind == SCAN != chosen else None
            written = self._written(ways, mark, refused)
        return self._publish(written, base, mark)

    def _adding(self, opened: Opened, mark: int, report: Report | None) -> _Way:
        published, index, known = opened
        progress = _teller(report, mark - published.mark)
        return _Way(lambda folder: index.add(folder, self._rows.between(published.mark, mark), progress), True, known)

    def _created(self, kind: str, folder: Path, mark: int, progress: Done) -> Index:
        rows, options = self._rows.between(0, mark), self._choice.made(kind)
        index: Index = index_class(kind).create(
            folder, rows, self._settings.dim, options, self._choice.device, progress
        )
        return index

    def _publish(self, written: _Written, base: Published | None, mark: int) -> bool:
        folder, kind, size, manifest = written
        try:
            with self._database.writing() as connection:
                if published := self.current(connection) == base:
                    connection.execute("DELETE FROM indexes")
                    version = base.version + 1 if base else 1
                    connection.execute(
                        "INSERT INTO indexes VALUES (?, ?, ?, ?, ?, ?)",
                        (version, kind, mark, size, folder.name, manifest),
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

    def _written(self, ways: Sequence[_Way], mark: int, refused: Calibration | None) -> _Written:
        """A version made in the first way whose candidates are good enough; ``refused`` was one that is not tried."""
        found = refused
        for way in ways:
            with self._new_folder() as folder, closing(way.make(folder)) as index:
                if way.adds and getattr(index, "worn", False):
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
                if not index.upper_bounds:
                    found = way.known if way.known and way.known.holds(len(index)) else None
                    found = found or self._rows.calibrated(index, mark)
                if index.upper_bounds or (found is not None and found.candidates is not None):
                    return self._finished(folder, index, mark, found)
            shutil.rmtree(folder, ignore_errors=True)
            instead = "it is made anew" if way.adds else "the scan is kept"
            logger.warning("%s: %s: %s: %s", self._folder, index.kind, instead, found.in_words() if found else "")
        raise AssertionError("the scan needs no number of candidates")

    def _finished(self, folder: Path, index: Index, mark: int, found: Calibration | None) -> _Written:
        """Closed, so that all of it is in the files, before these are listed."""
        size = len(index)
        index.close()
        about, measured = self._about(index.kind, mark, size), None if found is None else found.to_dict()
        return _Written(folder, index.kind, size, index_manifest.write(folder, about, measured))

    @contextmanager
    def _new_folder(self) -> Iterator[Path]:
        """A folder of its own, which goes where something goes wrong."""
        folder = None
        try:
            self._make_folder()
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._folder))
            folder.chmod(0o755)
            yield folder
        except BaseException as error:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            if is_full(error):
                raise CollectionFullError(
                    f"{self._folder}: no room left to write index files ({error}); nothing was lost"
                ) from error
            if isinstance(error, OSError):
                raise CollectionError(f"{self._folder}: index files cannot be written: {error}") from error
            raise

    def _make_folder(self) -> None:
        self._folder.mkdir(exist_ok=True)
        if self._folder.is_symlink():
            raise CollectionError(f"{self._folder}: is a link; remove it, for index files stay in the collection")

    def _sweep(self, base: Published | None) -> None:
        """The folder of the version before, and what processes that were killed left a day ago or earlier.

        Younger ones may be those of a process that is building. Whatever goes wrong is left for the next time.
        """
        try:
            names = [path.name for path in self._folder.iterdir() if FOLDER.fullmatch(path.name)]
            with self._database.reading() as connection:
                current = self.current(connection)
            for name in names:
                superseded = base is not None and name == base.folder
                kept = current is not None and name == current.folder
                if not kept and (superseded or _is_old(self._folder / name)):
                    shutil.rmtree(self._folder / name, ignore_errors=True)  # which follows no link
        except OSError as error:
            logger.info("%s: what was superseded could not be removed: %s", self._folder, error)

    def verify(self, connection: sqlite3.Connection) -> tuple[int, list[str]]:
        """How many versions were looked at, and what is wrong with them."""
        current = self.current(connection)
        if current is None:
            published = _count(connection, "SELECT count(*) FROM indexes")
            return published, ["index: what is published is not a version of this collection"] if published else []
        try:
            index = self._opened(current).engine
        except CollectionDamagedError as error:
            return 1, [f"index: {error}"]
        size = len(index)
        index.close()
        rows = _count(connection, "SELECT count(*) FROM embeddings WHERE row <= ? AND tokens > 0", current.mark)
        return 1, [f"index: covers {size} chunks, {rows} are stored"] if size < rows else []

    def withdraw_damaged(self, connection: sqlite3.Connection) -> bool:
        """Whether what is published is not whole; what cannot be a version of ours is taken back at once."""
        damaged = bool(self.verify(connection)[1])
        if damaged and self.current(connection) is None:
            connection.execute("DELETE FROM indexes")
        return damaged


def _tail_limits(kind: Any, mean_rows: float, patience: float) -> tuple[float, float]:
    """Up to how many chunks behind the files, and up to which share of those covered, are no reason for new files."""
    if kind.upper_bounds:
        return TAIL_CHUNKS * patience, TAIL_SHARE * patience
    return min(TAIL_CHUNKS, TAIL_ROWS / max(1.0, mean_rows)) * patience, APPROXIMATE_TAIL_SHARE * patience


def _teller(report: Report | None, total: int) -> Done:
    """Tells how many of so many chunks are in new files."""
    return silent if report is None else lambda done: report(Progress("index", done, total, "chunks"))


def _count(connection: sqlite3.Connection, query: str, *values: object) -> int:
    """A number of rows, or one of the counters, which may be forged after the database was opened."""
    (found,) = connection.execute(query, values).fetchone()
    if type(found) is not int or found < 0:
        raise CollectionDamagedError(f"a counter of the collection is {str(found)[:80]!r}; run late-rag repair")
    return found


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.lstat().st_mtime > _ORPHAN_SECONDS
    except FileNotFoundError:
        return False
