"""What passages that are gone leave of themselves in the stored text of their document: nothing.

A document's text is stored beside its passages. Where one of these is deleted or replaced on its own, the characters
that no other passage shows are blotted out, each by one mark, so that the spans of the others stay right.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from late_rag.collections.kit import rows
from late_rag.types import batched

BLOT = "█"
"""Stands in a document's text for each character that is gone."""

_LISTED = "(SELECT value FROM json_each(?))"
_PASSAGE = 'document_id, start, "end", text'
_TOGETHER = 200

Passage = tuple[str, int | None, int | None, str]
"""Document, span and text of a chunk."""

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


def without(text: str, gone: Iterable[Passage], left: Iterable[Passage]) -> str:
    """The text with blots where a passage that is gone stood, unless one that is left shows the same characters.

    Where a passage that is gone stood is not always known. Then all that no passage shows is blotted out.
    """
    places = [_place(text, passage) for passage in gone]
    open_to = [(0, len(text))] if None in places else _merged(place for place in places if place)
    shown = _merged(place for place in (_place(text, passage) for passage in left) if place)
    parts, end = list[str](), 0
    for start, stop in _difference(open_to, shown):
        parts += text[end:start], _blotted(text[start:stop])
        end = stop
    return "".join([*parts, text[end:]])


def _place(text: str, passage: Passage) -> tuple[int, int] | None:
    """Where the text has the passage; None where its span does not say."""
    _, start, end, words = passage
    known = start is not None and end is not None and 0 <= start <= end and text[start:end] == words
    return (start, end) if known else None  # type: ignore[return-value]


def _blotted(text: str) -> str:
    """Blots from the first character that is no white space to the last."""
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return text if begin >= end else text[:begin] + BLOT * (end - begin) + text[end:]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _difference(spans: Sequence[tuple[int, int]], holes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What the spans cover and the holes do not; both in order and apart."""
    found: list[tuple[int, int]] = []
    number = 0
    for start, end in spans:
        while number < len(holes) and holes[number][1] <= start:
            number += 1
        place, at = start, number
        while at < len(holes) and holes[at][0] < end:
            if holes[at][0] > place:
                found.append((place, holes[at][0]))
            place, at = max(place, holes[at][1]), at + 1
        if place < end:
            found.append((place, end))
    return found
