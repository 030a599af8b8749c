"""The line above a passage."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from late_rag.cli.origin import WIDEST, origin
from late_rag.types import Chunk, Hit

SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def line(source: str | None = "/far/a.txt", **metadata: Any) -> str:
    return origin(Hit(Chunk("d#0", "d", "words", metadata=metadata), 1.0, 0.5, source))


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({}, ""),
        ({"title": "Leave"}, " · Leave"),
        ({"title": "a"}, ""),  # the file's name
        ({"title": "Leave", "heading": "Leave > Parents"}, " · Leave > Parents"),
        ({"title": "Leave", "heading": "Leave"}, " · Leave"),
        ({"title": "Handbook", "heading": "Leave", "page": 1200}, " · Handbook · Leave · page 1,200"),
        ({"subject": "Tides", "title": "x", "attachment": "p.pdf", "page": 2}, " · Tides · attachment p.pdf · page 2"),
        ({"sheet": "Prices", "title": "Book"}, " · Book · sheet Prices"),
        ({"page": 3, "mime_type": SLIDES}, " · slide 3"),
        ({"page": 3, "mime_type": "application/vnd.oasis.opendocument.presentation"}, " · slide 3"),
        ({"page": 3, "mime_type": "application/pdf"}, " · page 3"),
        ({"row": 7, "mime_type": "text/csv", "start": 12.5}, " · row 7"),
        ({"start": 0.0, "end": 4.0, "mime_type": "text/vtt"}, " · at 0:00"),
        ({"start": 754.9, "mime_type": "application/x-subrip"}, " · at 12:34"),
        ({"start": 3723, "mime_type": "text/x-ssa"}, " · at 1:02:03"),
        ({"title": 5, "page": "ii", "row": True, "sheet": None, "heading": ["x"]}, ""),
        ({"start": float("nan"), "mime_type": "text/vtt"}, ""),
        ({"page": -1, "row": 10**40}, ""),
    ],
)
def test_what_is_known_is_told(metadata: dict[str, Any], told: str) -> None:
    assert line(**metadata) == f"/far/a.txt{told}"
    assert line(None, **metadata).startswith("document d")


def test_what_is_told_is_one_short_line() -> None:
    hostile = "\x1b[2J\x9b31m\n\u202eevil\r\u2028"
    for name in ("title", "subject", "attachment", "sheet", "heading"):
        told = line(f"/far/{hostile}.txt", **{name: hostile + "x" * 5000})
        assert told.replace("\u2060", "").isprintable()
        assert cell_len(told.partition(" · ")[2]) <= WIDEST + len("attachment ")
        assert "…" in told
    assert line(heading="One > " * 50 + "Last").endswith(" > One > Last")
    assert line(title="First" + "x" * 100).startswith("/far/a.txt · Firstx")
    assert cell_len(line(sheet="休" * 100)) <= len("/far/a.txt · sheet ") + WIDEST
    assert len(line(title="a" + "\u0301" * 5000)) < 200
