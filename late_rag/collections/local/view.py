"""What an open collection keeps in memory to search with, brought up to date before each search.

A :class:`View` is a value as of one commit: the candidate index with its high-water mark, and all rows behind the
mark packed for the exact scan. A write shows in the next search because the rows that came are packed, and those that
went are taken out, before it; neither costs more than what changed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from late_rag.collections.kit import embedding_rows
from late_rag.collections.kit.candidates import View
from late_rag.collections.local import reader
from late_rag.collections.local.database import Database
from late_rag.collections.local.index_files import IndexFiles
from late_rag.errors import CollectionDamagedError
from late_rag.filters.selection import Selection
from late_rag.forking import starts_anew_in_children
from late_rag.indexes.blocks import PackedChunk
from late_rag.indexes.exact import packed_chunk
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import unpack

if TYPE_CHECKING:
    import numpy.typing as npt

logger = logging.getLogger(__name__)

_SELECTIONS_KEPT = 64
_ROWS_READ = 64


class ViewKeeper:
    """Keeps the newest view, and the rows of the selections asked for last."""

    def __init__(self, settings: CollectionSettings, files: IndexFiles, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._epoch = database.epoch
        self._files = files
        self._view = View()
        self._read = 0
        self.start_anew()
        starts_anew_in_children(self)

    def start_anew(self) -> None:
        """The view is a value and stays; another thread may have been in the middle of the rest."""
        self._lock = threading.Lock()
        self._selections: OrderedDict[Selection, npt.NDArray[np.int64]] = OrderedDict()
        self._selections_version = -1

    def view(self, connection: sqlite3.Connection) -> View:
        """The view of the connection's snapshot.

        Where the view that other threads brought up to date is newer, the connection's transaction begins anew: a
        chunk that was replaced between the two would be in neither.
        """
        view = self._view
        if view.version == _version(connection) and self._epoch == self._database.epoch:
            return view
        with self._lock:  # nobody moves the view on meanwhile, so that a snapshot taken now is not older
            if self._epoch != self._database.epoch:
                self._view, self._epoch = View(), self._database.epoch
            if self._view.version > _version(connection):
                connection.rollback()
                connection.execute("BEGIN")
            version = _version(connection)
            if self._view.version != version:
                self._view = self._refreshed(connection, version)
            return self._view

    def within(self, connection: sqlite3.Connection, selection: Selection | None) -> npt.NDArray[np.int64] | None:
        """Sorted rows of a selection; None where nothing is restricted."""
        if selection is None or selection.everything:
            return None
        version = _version(connection)
        with self._lock:
            if self._selections_version != version:
                self._selections.clear()
                self._selections_version = version
            if (known := self._selections.get(selection)) is not None:
                self._selections.move_to_end(selection)
                return known
        rows = reader.selected_rows(connection, selection)
        with self._lock:
            if self._selections_version == version:
                self._selections[selection] = rows
                if len(self._selections) > _SELECTIONS_KEPT:
                    self._selections.popitem(last=False)
        return rows

    def _refreshed(self, connection: sqlite3.Connection, version: int) -> View:
        view, anew, self._read = self._view, False, 0
        last_row, floor = connection.execute("SELECT last_row, removed_floor FROM state").fetchone()
        (removed,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM removed").fetchone()
        current = self._files.current(connection)
        if view.version < 0 or floor > view.removed or (current.version if current else 0) != view.index_version:
            view, anew = self._opened(connection), True
        elif removed > view.removed:
            view = _without(view, _removed_since(connection, view.removed))
        tail = view.tail
        if last_row > view.last_row:
            tail = tail.adding(self._chunks(connection, view.last_row))
        if anew:
            _check_complete(connection, view.mark - len(view.gone) + self._read)
        return replace(view, version=version, last_row=last_row, removed=removed, tail=tail)

    def _opened(self, connection: sqlite3.Connection) -> View:
        """The index as it is published, if there is one, and nothing behind its mark yet."""
        opened = self._files.open_current(connection)
        if opened is None:
            return View()
        published, index, calibration = opened
        mark = published.mark
        live = np.array(reader.live_rows(connection, "row <= ?", (mark,)), np.int64)
        gone = np.setdiff1d(np.arange(1, mark + 1), live, assume_unique=True)
        return View(
            index_version=published.version, index=index, calibration=calibration, mark=mark, last_row=mark, gone=gone
        )

    def _chunks(self, connection: sqlite3.Connection, after: int) -> Iterator[PackedChunk]:
        cursor = connection.execute(
            f"SELECT row, {embedding_rows.COLUMNS} FROM embeddings WHERE row > ? ORDER BY row", (after,)
        )
        while found := cursor.fetchmany(_ROWS_READ):
            self._read += len(found)
            rows = embedding_rows.read(found, self._settings, str(self._database.path.parent))
            for (row, *_), packed in zip(found, rows, strict=True):
                if self._settings.storage == "int8":
                    yield PackedChunk(row, packed)
                else:
                    yield packed_chunk(row, unpack(packed))


def _check_complete(connection: sqlite3.Connection, rows: int) -> None:
    """Whether rows are missing: a damaged page can hide some without any other sign."""
    (chunks,) = connection.execute("SELECT chunks FROM state").fetchone()
    if rows != chunks:
        raise CollectionDamagedError(f"{rows} rows of {chunks} chunks can be read; late-rag verify says what is wrong")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("SELECT version FROM state").fetchone()[0]
    return version


def _removed_since(connection: sqlite3.Connection, sequence: int) -> npt.NDArray[np.int64]:
    found = connection.execute("SELECT row FROM removed WHERE sequence > ?", (sequence,))
    return np.array([row for (row,) in found], np.int64)


def _without(view: View, rows: npt.NDArray[np.int64]) -> View:
    gone = np.union1d(view.gone, rows[rows <= view.mark]) if view.mark else view.gone
    return replace(view, gone=gone, tail=view.tail.removing(rows))
