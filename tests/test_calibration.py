"""The number of candidates is measured, is enough for queries that come, and where none is, the scan is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from late_rag import backends, calibration
from late_rag.calibration import OVERLAP, Calibration, best_others, calibrate
from late_rag.collections.local import LocalCollection, index_files
from late_rag.errors import CollectionDamagedError
from late_rag.indexes.blocks import PackedChunk
from late_rag.indexes.exact import packed_chunk
from late_rag.protocols import CollectionSettings
from late_rag.scoring import maxsim
from late_rag.scoring.packing import pack, unpack
from late_rag.testing.collection_base import DIM, fill, rows
from late_rag.testing.data import random_embeddings
from late_rag.testing.index import numbered, share_of_best
from late_rag.testing.lossy import LossyIndex, LossyOptions

STORED = random_embeddings(600, 16, seed=1, longest=12, empty_share=0.02)
FULL = [(row, embeddings) for row, embeddings in numbered(STORED) if len(embeddings)]


def packed() -> Iterator[PackedChunk]:
    return (packed_chunk(row, embeddings) for row, embeddings in FULL)


def measured(folder: Path, loss: float, delay: float, asked: float = OVERLAP) -> tuple[LossyIndex, Calibration]:
    index = LossyIndex.create(folder, numbered(STORED), 16, LossyOptions(loss, delay))
    return index, calibrate(index, FULL[::6], packed(), asked)


@pytest.mark.parametrize(("loss", "delay"), [(0.0, 0.25), (0.1, 0.25), (0.3, 0.4)])
def test_the_number_is_enough_for_queries_that_come_and_not_much_too_large(
    loss: float, delay: float, tmp_path: Path
) -> None:
    index, found = measured(tmp_path, loss, delay)
    assert found.candidates is not None
    queries, everything = random_embeddings(100, 16, seed=2, longest=12), np.arange(1, len(STORED) + 1)
    assert share_of_best(index.search(queries, found.wanted(10)), queries, STORED, everything) >= OVERLAP - 0.005
    if loss:
        fewer = index.search(queries, found.candidates // 2)
        assert share_of_best(fewer, queries, STORED, everything) < OVERLAP
    else:
        assert found.candidates <= 12  # the index orders by bounds
    overlaps = [overlap for _, overlap in found.curve]
    assert overlaps == sorted(overlaps)
    assert found.candidates in dict(found.curve)


def test_a_number_that_would_be_more_than_half_of_the_rows_is_none(tmp_path: Path) -> None:
    index, found = measured(tmp_path, 0.5, 1.0)
    assert found.candidates is None
    assert found.curve[-1][0] == len(index) // 2
    assert found.in_words().startswith("no number of candidates that is worth it reaches 0.99 (overlap with")


def test_the_best_others_are_those_of_the_definition() -> None:
    queries = [embeddings for _, embeddings in FULL[:20]]
    own = [(row, row + 3) for row, _ in FULL[:20]]
    for query, made_of, found in zip(queries, own, best_others(queries, own, packed()), strict=True):
        scores = maxsim(query, [unpack(pack(rows)) for rows in STORED])
        ranked = [number + 1 for number in np.argsort(-scores, kind="stable") if number + 1 not in made_of]
        assert found.tolist() == ranked[:10]


def test_large_collections_are_measured_with_fewer_queries() -> None:
    tokens = (0, 500_000, 1_000_000, 10_000_000)
    assert [calibration.queries_for(count) for count in tokens] == [200, 200, 100, 40]


def test_more_hits_need_more_candidates() -> None:
    found = Calibration(0.99, 25, ((10, 0.9), (25, 0.992)))
    assert [found.wanted(top_k) for top_k in (1, 10, 11, 40)] == [63, 63, 69, 250]
    assert Calibration.from_dict(found.to_dict()) == found
    assert found.in_words() == ("25 candidates reach 0.99 (overlap with the exact ten best: 0.900 at 10, 0.992 at 25)")


@pytest.mark.parametrize("data", [None, {}, {"asked": 1, "candidates": "9", "curve": []}, {"asked": 1, "curve": [3]}])
def test_what_is_no_calibration(data: object) -> None:
    with pytest.raises(CollectionDamagedError, match="not a"):
        Calibration.from_dict(data)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> CollectionSettings:
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)
    monkeypatch.setattr(calibration, "QUERIES", 40)
    row = backends.Backend("late_rag.testing.lossy", "LossyIndex", options="LossyOptions")
    monkeypatch.setitem(backends.INDEXES, "lossy", row)
    return CollectionSettings(model="m", model_id="m", dim=DIM, index="lossy", index_options={"loss": 0.1})


def test_it_is_stored_with_the_version_and_told(settings: CollectionSettings, tmp_path: Path) -> None:
    with LocalCollection.create(tmp_path / "c.rag", settings) as collection:
        fill(collection, 300, seed=1)
        assert " candidates reach 0.99 (overlap with the exact ten best: " in collection.info().index_reason
        collection.optimize()
        assert " candidates reach 0.99" in collection.info().index_reason


def test_where_no_number_is_enough_the_scan_is_kept_and_told(
    settings: CollectionSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.index_options.update(loss=0.6, delay=1.0)  # type: ignore[attr-defined]
    with LocalCollection.create(tmp_path / "c.rag", settings) as collection:
        fill(collection, 300, seed=1)
        reason = collection.info().index_reason
        assert "no number of candidates that is worth it reaches 0.99" in reason
        assert "; so all chunks are scanned; index files cover 300 of 300 chunks" in reason
        assert "lossy: the scan is kept: no number of candidates" in caplog.text
        assert len(list((Path(collection.location) / "index").iterdir())) == 1
        (query,) = rows(1, seed=2)
        stored = collection.embeddings([f"c{number}" for number in range(300)])
        scores = maxsim(query, list(stored.values()))
        ranked = [list(stored)[number] for number in np.argsort(-scores, kind="stable")[:20]]
        assert [hit.chunk.id for hit in collection.search([query], 20)[0]] == ranked
        assert collection.verify().ok


def test_a_version_without_a_number_of_candidates_is_damage_and_the_scan_answers(
    settings: CollectionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with LocalCollection.create(tmp_path / "c.rag", settings) as collection:
        fill(collection, 300, seed=1)
    monkeypatch.setattr(Calibration, "from_dict", classmethod(lambda cls, _: cls(0.99, None, ())))
    with LocalCollection.open(tmp_path / "c.rag", "read") as collection:
        (query,) = rows(1, seed=2)
        stored = collection.embeddings([f"c{number}" for number in range(300)])
        best = max(stored, key=lambda name: maxsim(query, [stored[name]])[0])
        assert collection.search([query], 1)[0][0].chunk.id == best
    assert "says no number of candidates" in caplog.text
