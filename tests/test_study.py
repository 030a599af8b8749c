"""A study measures what a collection does, setting by setting, and refuses settings that there are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from late_rag import IndexSpec, calibration
from late_rag.calibration import Calibration
from late_rag.errors import InputError
from late_rag.evaluation import study
from late_rag.testing import HashEncoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty documents, and two questions that have the words of one each."""
    texts = [f"document {number} tells of subject{number} and of topic{number % 7}" for number in range(60)]
    documents = [{"_id": f"d{number}", "title": "", "text": text} for number, text in enumerate(texts)]
    queries = [{"_id": f"q{number}", "text": f"subject{number} topic{number % 7}"} for number in (3, 50)]
    for name, items in (("corpus", documents), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq3\td3\t1\nq50\td50\t1\n")
    return tmp_path


def test_every_combination_has_a_row_in_order(folder: Path) -> None:
    specs = [IndexSpec("exact"), IndexSpec("smve", anchors=256)]
    found = list(study(folder, HashEncoder(), indexes=specs, rescored=[20, 60], storages=("int8", "float16")))
    assert [(row.storage, row.index, row.rescored) for row in found] == [
        (storage, index, number)
        for storage in ("int8", "float16")
        for index, number in (("exact", None), ("smve anchors=256", 20), ("smve anchors=256", 60))
    ]
    for row in found:
        if row.rescored != 20:  # all chunks are scored exactly
            assert (row.ndcg_10, row.loss) == (1.0, 0.0)
            assert row.overlap_10 >= 0.9  # of equal scores another may be taken after rounding


def test_without_numbers_as_many_are_scored_as_a_collection_takes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Calibration(0.99, 12, (), 60)
    monkeypatch.setattr("late_rag.evaluation.comparison.calibrate", lambda *_: measured)
    (row,) = study(folder, HashEncoder(), indexes=[IndexSpec("centroids")])
    assert row.rescored == measured.wanted(calibration._BEST) > 12
    measured = Calibration(0.99, None, (), 60)
    (row,) = study(folder, HashEncoder(), indexes=[IndexSpec("centroids")])
    assert row.rescored == 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"storages": ("float32",)}, "storages are 'int8' and 'float16', not 'float32'"),
        ({"rescored": [10, -5]}, "rescored takes whole numbers of at least 0, not -5"),
        ({"limit": 0}, "limit must be a whole number of at least 1, not 0"),
        ({"indexes": [IndexSpec("auto")]}, "a study compares indexes by name, and 'auto' is none"),
        ({"pool_factors": (0,)}, "pool_factor takes a whole number of at least 1, not 0"),
    ],
)
def test_settings_that_there_are_not(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        next(study(folder, HashEncoder(), **options))
