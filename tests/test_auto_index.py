"""``index="auto"``: the last row that applies and is installed, and the reason in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from late_rag import IndexSpec, auto_index, backends
from late_rag.auto_index import RULES, Rule, choose
from late_rag.collections.local import LocalCollection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, fill

LARGE = Rule(IndexSpec("lossy", loss=0.0), "few rows are looked at", least_tokens=1000, devices=("cpu",))


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = backends.Backend("late_rag.testing.lossy", "LossyIndex", options="LossyOptions")
    monkeypatch.setitem(backends.INDEXES, "lossy", row)


def test_the_scan_is_taken_whatever_the_size() -> None:
    for tokens in (0, 10**9):
        assert choose(tokens).spec == IndexSpec("exact")
        assert choose(tokens).reason.startswith("auto: a scan of all chunks in int8")


@pytest.mark.parametrize(
    ("tokens", "device", "name"),
    [(999, "cpu", "exact"), (1000, "cpu", "lossy"), (1000, "cuda", "exact")],
)
def test_size_and_device_decide(tokens: int, device: str, name: str) -> None:
    found = choose(tokens, device, (*RULES, LARGE))
    assert found.spec.name == name
    if name == "lossy":
        assert found.reason == "auto: few rows are looked at, from 1,000 token vectors on"


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.INDEXES, "lossy", backends.Backend("there_is_none", "Index", "fast"))
    found = choose(1000, rules=(*RULES, LARGE))
    assert found.spec == IndexSpec("exact")
    assert "; lossy would be faster at this size: index 'lossy' needs there_is_none, which" in found.reason


def test_info_tells_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(auto_index, "RULES", (*RULES, LARGE))
    settings = CollectionSettings(model="m", model_id="m", dim=DIM)
    with LocalCollection.create(tmp_path / "c.rag", settings) as collection:
        assert collection.info().index == "exact"
        fill(collection, 200)
        info = collection.info()
        assert info.tokens >= 1000
        assert (info.index, info.index_reason.split(";")[0]) == (
            "lossy",
            "auto: few rows are looked at, from 1,000 token vectors on",
        )
