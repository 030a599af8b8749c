"""Limits of files that are read in another process: what they may be, and what they come to."""

from __future__ import annotations

import pytest

from late_rag.errors import InputError
from late_rag.loaders import Isolation, load


def test_limits_that_cannot_be():
    for wrong in ("yes", None, 1):
        with pytest.raises(InputError, match=f"isolated takes True, False or an Isolation, not {wrong!r}"):
            load(".", isolated=wrong)  # type: ignore[arg-type]
    for memory in (2, 2**60, 1e9):
        with pytest.raises(
            InputError, match=r"Isolation\.memory takes a number from 67,108,864 to 1,125,899,906,842,624,"
        ):
            Isolation(memory=memory)  # type: ignore[arg-type]
    for seconds in (0, float("inf"), float("nan"), "1", True):
        with pytest.raises(InputError, match=r"Isolation\.seconds takes a number from 0\.1 to 1,000,000\.0, not"):
            Isolation(seconds=seconds)  # type: ignore[arg-type]


def test_a_large_file_has_more_time():
    assert Isolation().seconds_for(600) == pytest.approx(60, abs=0.01)
    assert Isolation(seconds=5, seconds_per_megabyte=2).seconds_for(30_000_000) == 65
