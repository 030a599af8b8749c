"""Statements that SQLite gives up at once where another connection is at work, whatever its time-out."""

from __future__ import annotations

import sqlite3
import time

from late_rag.collections.local.failures import BUSY, error_code


def use_wal(connection: sqlite3.Connection, timeout: float) -> None:
    """Switches the write-ahead log on; waits for who is just making the database."""
    insist(connection, "PRAGMA journal_mode=WAL", timeout)


def insist(connection: sqlite3.Connection, statement: str, timeout: float) -> None:
    """Executes what SQLite gives up at once, whatever its time-out, where another connection is at work."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error_code(error) & 0xFF not in BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
