"""The SQLite database of a local collection: how it is opened, locked and committed.

Everything the collection is worth rests on SQLite's own guarantees: the write-ahead log with ``synchronous=FULL`` is
the commit, its snapshot a reader's view, its lock orders the writers of all processes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

from late_rag.collections.local import facets, migrations, schema_check, standing
from late_rag.collections.local.failures import busy, error_code, failures, is_full
from late_rag.collections.local.surroundings import check_surroundings
from late_rag.collections.local.waiting import insist, use_wal
from late_rag.errors import (
    CollectionBusyError,
    CollectionDamagedError,
    CollectionError,
    CollectionFullError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
)
from late_rag.forking import rests_before_forks, working
from late_rag.types import Mode

_WAL_BYTES_KEPT = 64 * 2**20
_IDLE_KEPT = 16
"""Connections that wait for the next call; each holds up to three files open."""
_FILES_SECONDS = 2.0
_LOOKS = 5
"""So often a file must look like another one: it may be read in the middle of a checkpoint."""


class Database:
    """Connections to one database file: each is used by one call at a time, none across a fork."""

    def __init__(self, path: Path, mode: Mode, timeout: float = 60.0) -> None:
        self.path = path
        self.mode = mode
        self.timeout = timeout
        self._immutable = False
        self.closed = False
        self._idle: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []
        self.start_anew()
        rests_before_forks(self)
        self.epoch = 0
        self._replaced = False
        self._mark = standing.mark(path)
        with self.failures():
            self._open()
            self._content = standing.content_of_file(path)
            self._check_log()

    @property
    def gone(self) -> bool:
        """Whether the file that was opened is no longer the one at its path, or was overwritten."""
        return self._replaced or self._mark is None or not self._mark.same_file(standing.mark(self.path))

    def _check_log(self) -> None:
        """A log that was left beside a database that took another's place is none of its own."""
        if self._content is None or self._immutable or not standing.log_bytes(self.path):
            return
        now = standing.content(self._idle[-1])
        if not self._content.continues(self._content, now):
            self.rest()
            raise CollectionDamagedError(
                f"{self.path.parent}: the log beside {self.path.name} is of another database; if one was put in its "
                f"place, close it everywhere, remove {self.path.name}-wal and -shm, and put it there again"
            )

    def start_anew(self) -> None:
        """No connections yet; those of a parent process are kept, to be neither used nor closed in a child."""
        self._inherited += self._idle
        self._idle = []
        self._lock = threading.Lock()
        self._returned = threading.Condition(self._lock)
        self._writing = threading.Lock()
        self._looking = threading.Lock()
        self._process = os.getpid()

    def _open(self) -> None:
        try:
            there = self.path.is_file()
        except PermissionError as error:
            raise CollectionError(f"{self.path.parent}: no permission to look into the folder") from error
        if not there:
            raise CollectionNotFoundError(f"there is no collection at {self.path.parent}")
        check_surroundings(self.path)
        if not self.path.stat().st_size:  # a connection that may write would begin a database in it
            raise CollectionNotFoundError(f"there is no collection at {self.path.parent}: {self.path.name} is empty")
        if self.mode == "write":
            self._check_writable()
        try:
            self._try()
        except sqlite3.OperationalError as error:
            if self.mode == "write" or error_code(error) & 0xFF not in (
                sqlite3.SQLITE_CANTOPEN,
                sqlite3.SQLITE_READONLY,
            ):
                raise
            self._open_immutable()

    def _try(self) -> None:
        connection = self._connect()
        try:
            if self.mode == "write":
                migrations.migrate(connection, str(self.path.parent))
            schema_check.check(connection, str(self.path.parent))
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def _check_writable(self) -> None:
        for path in (self.path, self.path.parent):
            if not os.access(path, os.W_OK):
                raise CollectionReadOnlyError(
                    f"{self.path.parent}: no permission to write {path.name}; open it with mode='read'"
                )

    def _open_immutable(self) -> None:
        """A clean database in a folder that nobody can write needs no locks, and cannot have them.

        An immutable connection does not look at the log: over one that a killed writer left it would show old rows.
        """
        if standing.log_bytes(self.path):
            raise CollectionReadOnlyError(
                f"{self.path.parent}: its last writer was cut off, or its files cannot be read beside the one at work; "
                "open it once as a user who may write"
            )
        if os.access(self.path, os.W_OK) or os.access(self.path.parent, os.W_OK):
            raise CollectionError(f"{self.path.parent}: cannot be opened for reading")
        self._immutable = True
        self._try()

    def _connect(self) -> sqlite3.Connection:
        mode = "rw" if self.mode == "write" else "ro"
        uri = f"file:{quote(str(self.path.absolute()))}?mode={mode}{'&immutable=1' if self._immutable else ''}"
        connection = sqlite3.connect(
            uri, timeout=self.timeout, isolation_level=None, check_same_thread=False, uri=True, cached_statements=256
        )
        try:
            connection.execute("PRAGMA trusted_schema=0")
            connection.execute("PRAGMA cell_size_check=1")
            facets.prepare(connection)
            connection.execute("PRAGMA cache_size=-8192")
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute("PRAGMA secure_delete=ON")  # whatever SQLite was compiled with
            if self.mode == "write":
                use_wal(connection, self.timeout)
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_KEPT}")
            else:
                connection.execute("PRAGMA query_only=1")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call; sqlite's errors come out as the library's."""
        with self.failures(), working:
            mark = self._look()
            epoch, connection = self.epoch, self._take()
            try:
                yield connection
            except Exception:
                self._look_again(mark)  # which tells better what is wrong, if that is why
                raise
            finally:
                if connection.in_transaction:
                    connection.rollback()
                self._give_back(connection, epoch)
            self._look_again(mark)

    def _look(self) -> standing.Mark | None:
        """Makes sure that the file is the one that was opened, before anything is read of it."""
        mark = standing.mark(self.path)
        if self.closed:
            return mark
        if mark != self._mark or self._replaced or (self._immutable and standing.log_bytes(self.path)):
            with self._looking:
                if self._replaced:
                    raise self._gone()
                if mark is None or not mark.same_file(self._mark):
                    self._forget()
                    raise self._gone()
                if self._immutable:
                    self._open_anew()
                else:
                    self._confirm()
        return self._mark

    def _look_again(self, before: standing.Mark | None) -> None:
        """The same afterwards: what was read may be of two files."""
        mark = standing.mark(self.path)
        if mark == before or self.closed:
            return
        with self._looking:
            if mark is None or not mark.same_file(before):
                raise self._gone()
            if self._immutable:
                self._forget()
                raise CollectionBusyError(
                    f"{self.path.parent}: somebody began to write while it was read without locks; try again"
                )
            self._confirm()

    def _confirm(self) -> None:
        """The file has changed: by a checkpoint, or it was overwritten, which raises."""
        for _ in range(_LOOKS):
            mark, found = standing.mark(self.path), standing.content_of_file(self.path)
            if found is None or self._continues(found):
                self._mark, self._content = mark, found or self._content
                return
            time.sleep(0.01)
        self._replaced = True
        self._abandon()
        raise self._gone()

    def _abandon(self) -> None:
        """Connections to what was overwritten: those that may write would write their log into it when they close."""
        if self.mode == "write":
            with self._lock:
                self._inherited += self._idle
                self._idle = []
        self._forget()

    def _continues(self, found: standing.Content) -> bool:
        """Whether what is in the file fits what connections see."""
        connection = self._take()
        try:
            now = standing.content(connection)
        except sqlite3.DatabaseError:
            return False
        finally:
            self._give_back(connection, self.epoch)
        return found.continues(self._content or found, now)

    def _gone(self) -> CollectionError:
        """What to raise where the file is another one."""
        if self._replaced and standing.log_bytes(self.path):
            return CollectionDamagedError(
                f"{self.path.parent}: {self.path.name} was overwritten while it was open, and its log is still there; "
                f"close it everywhere, remove {self.path.name}-wal and -shm, and restore it again"
            )
        return CollectionNotFoundError(f"{self.path.parent} was removed or replaced since it was opened; open it anew")

    def _open_anew(self) -> None:
        """What nobody wrote to when it was opened has changed: connections with locks now, if they can be had."""
        self._forget()
        self._immutable = False
        try:
            self._mark = standing.mark(self.path)
            self._open()
        except BaseException:
            self._immutable = True  # so that the next read tries again
            raise
        with self._lock:
            now = standing.content(self._idle[-1])
        if self._content is not None and now.generation != self._content.generation:
            self._replaced = True
            raise self._gone()

    def _forget(self) -> None:
        """Neither connections nor what was made of their reads is used again."""
        self.epoch += 1
        self.rest()

    def _take(self) -> sqlite3.Connection:
        """An idle connection or another one; where too many files are open, waits for one to be given back."""
        deadline = time.monotonic() + _FILES_SECONDS
        while True:
            with self._lock:
                if self.closed:
                    raise CollectionError(f"{self.path.parent}: the collection is closed")
                if self._idle:
                    return self._idle.pop()
            try:
                return self._connect()
            except sqlite3.OperationalError as error:
                if error_code(error) & 0xFF != sqlite3.SQLITE_CANTOPEN or time.monotonic() > deadline:
                    raise
            with self._returned:
                self._returned.wait_for(lambda: self._idle, 0.1)

    def _give_back(self, connection: sqlite3.Connection, epoch: int) -> None:
        with self._lock:
            if not self.closed and epoch == self.epoch and len(self._idle) < _IDLE_KEPT:
                self._idle.append(connection)
                self._returned.notify()
                return
        connection.close()

    def rest(self) -> None:
        """Closes all idle connections.

        SQLite keeps the locks of a process on a file in one place for all connections to it. A child that found an
        open one would believe to have locks that it has not: it would read while others overwrite, and lose what it
        writes when the parent closes.
        """
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one snapshot until the end of the block."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            yield connection

    def check_writable(self) -> None:
        """Raises CollectionReadOnlyError where it is open for reading: asked before long work whose end is a write."""
        if self.mode != "write":
            raise CollectionReadOnlyError(f"{self.path.parent} is open for reading; open it with mode='write'")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable commit at the end of the block; nothing at all where the block raises.

        Raises:
            CollectionBusyError: another writer held the lock for longer than the time-out.
            CollectionNotFoundError: the file that was opened is gone, so that nothing written would be kept.
            CollectionReadOnlyError: see :meth:`check_writable`.
        """
        self.check_writable()
        with self.connection() as connection, self._alone():
            try:
                connection.execute("BEGIN IMMEDIATE")  # a deferred one would fail at its first write, whatever the wait
                yield connection
                connection.commit()
            finally:
                if connection.in_transaction:
                    connection.rollback()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The one thread of this process that writes."""
        lock = self._writing
        if not lock.acquire(timeout=self.timeout):
            raise busy(self.path.parent, self.timeout)
        try:
            yield
        finally:
            lock.release()

    def compact(self) -> None:
        """Renews the planner's statistics and gives unused room back; waits for other writers as a write does."""
        with self.writing() as connection:
            connection.execute("PRAGMA optimize")  # outside of a write it would give up where another writes meanwhile
        with self.connection() as connection, self._alone():
            connection.execute("PRAGMA temp_store=FILE")  # in memory, VACUUM would hold the whole database there
            try:
                insist(connection, "VACUUM", self.timeout)
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                raise CollectionFullError(
                    f"{self.path.parent}: no room left to write the database anew, here or in the folder of temporary "
                    f"files ({error}); nothing was lost"
                ) from error
            finally:
                connection.execute("PRAGMA temp_store=MEMORY")
        self.checkpoint()

    def close(self) -> None:
        """Closes all idle connections, and the busy ones when their call ends. Idempotent."""
        self.closed = True
        with working:
            self.rest()

    def checkpoint(self) -> None:
        """Moves the log into the database and empties it, as far as readers let it."""
        with self.connection() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def failures(self) -> AbstractContextManager[None]:
        """Turns sqlite's errors into the library's, each with the location."""
        return failures(self.path.parent, self.timeout)
