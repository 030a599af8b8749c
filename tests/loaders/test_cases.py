"""Every small input of tests/cases is read as it was when somebody looked: see tools/make_case_readings.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from late_rag import load

CASES = Path(__file__).parents[1] / "cases"
READINGS = [json.loads(line) for line in (CASES / "read.jsonl").read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading["path"])
def test_a_case_is_read_as_it_was(reading):
    path = CASES / reading["path"]
    (file,) = load(path)
    documents = list(file.documents)
    assert [document.text for document in documents] == reading["texts"]
    assert [document.metadata.get("title") for document in documents] == reading["titles"]
    assert [omission.what for omission in file.omissions] == reading["omissions"]
    assert (str(file.error).removeprefix(f"{path}: ") if file.error else None) == reading["error"]


def test_every_case_has_a_reading():
    found = {path for path in CASES.rglob("*") if path.is_file() and path.parent != CASES and path.suffix != ".want"}
    told = {CASES / reading["path"] for reading in READINGS}
    assert {path for path in found if path.parent.name not in ("xls", "x")} <= told


@pytest.mark.parametrize("want", sorted(CASES.rglob("*.want")), ids=lambda path: path.stem)
def test_the_text_is_that_beside_the_case(want):
    reading = next(r for r in READINGS if (CASES / r["path"]).with_suffix(".want") == want)
    assert reading["texts"][0].strip() == want.read_text(encoding="utf-8").strip()
