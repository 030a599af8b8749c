"""Which passages go, and what is stored of their documents without them (:mod:`late_rag.collections.kit.redaction`)."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from late_rag.collections.kit import rows
from late_rag.collections.kit.redaction import Passage, without
from late_rag.types import batched

_LISTED = "(SELECT value FROM json_each(?))"
_PASSAGE = 'document_id, start, "end", text'
_TOGETHER = 200

Execute = Callable[..., sqlite3.Cursor]


def passages(execute: Execute, gone: Sequence[int]) -> list[Passage]:
    """The passages of rows that are about to go; without those of forged ids that are no text."""
    found: list[Passage] = []
    query = f"SELECT {_PASSAGE} FROM chunks WHERE row IN {_LISTED} AND typeof(document_id) = 'text'"
    for batch in batched(gone, 10_000):
        found += execute(query, (json.dumps(batch),)).fetchall()
    return found


def parted(execute: Execute, gone: Sequence[tuple[int, str | bytes]]) -> list[int]:
    """Of rows that are about to go, each with its document, those of documents that keep others."""
    meant = Counter(owner for _, owner in gone if isinstance(owner, str))  # a forged one may be bytes
    counted = f"SELECT document_id, count(*) FROM chunks WHERE document_id IN {_LISTED} GROUP BY document_id"
    there = dict(execute(counted, (json.dumps(list(meant)),)))
    return [row for row, owner in gone if isinstance(owner, str) and there.get(owner, 0) > meant[owner]]


def blot_out(execute: Execute, gone: Iterable[Passage]) -> None:
    """Takes passages that are gone out of the stored texts of their documents, where these still have them."""
    by_owner: dict[str, list[Passage]] = defaultdict(list)
    for passage in gone:
        by_owner[passage[0]].append(passage)
    for owners in batched(by_owner, _TOGETHER):
        _blot_out(execute, {owner: by_owner[owner] for owner in owners})


def _blot_out(execute: Execute, gone: dict[str, list[Passage]]) -> None:
    listed = (json.dumps(list(gone)),)
    left: dict[str, list[Passage]] = defaultdict(list)
    for passage in execute(f"SELECT {_PASSAGE} FROM chunks WHERE document_id IN {_LISTED}", listed):
        left[passage[0]].append(passage)
    for values in execute(f"SELECT {rows.DOCUMENT_COLUMNS} FROM documents WHERE id IN {_LISTED}", listed).fetchall():
        before = rows.document_from(values)
        text = without(before.text, gone[before.id], left[before.id])
        if text != before.text:
            after = replace(before, text=text)
            execute(
                "UPDATE documents SET text = ?, content_hash = ?, checksum = ? WHERE id = ?",
                (text, after.content_hash, rows.document_values(after)[-1], after.id),
            )
