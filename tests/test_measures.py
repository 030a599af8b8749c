"""Measures against values worked out by hand and against their plain definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.measures import MEASURES, mean_measures, mrr, ndcg, recall

GRADES = {"a": 3, "b": 2, "c": 3, "d": 0, "e": 1, "f": 2}
"""The judgements of the worked example of nDCG that text books give, with linear gains."""


def test_ndcg_by_hand() -> None:
    dcg = 3 + 2 / math.log2(3) + 3 / 2 + 0 + 1 / math.log2(6) + 2 / math.log2(7)
    ideal = 3 + 3 / math.log2(3) + 2 / 2 + 2 / math.log2(5) + 1 / math.log2(6)
    assert ndcg("abcdef", GRADES, 10) == pytest.approx(dcg / ideal, abs=1e-15)
    assert ndcg("abcdef", GRADES, 10) == pytest.approx(0.9608, abs=5e-5)
    assert ndcg("abcdef", GRADES, 1) == 1.0
    assert ndcg("xa", GRADES, 2) == pytest.approx((3 / math.log2(3)) / (3 + 3 / math.log2(3)))


def test_recall_by_hand() -> None:
    assert recall("axbyc", GRADES, 3) == 2 / 5
    assert recall("axbyc", GRADES, 10) == 3 / 5
    assert recall("dxyz", GRADES, 10) == 0.0


def test_mrr_by_hand() -> None:
    assert mrr("xya", GRADES, 10) == 1 / 3
    assert mrr("xya", GRADES, 2) == 0.0
    assert mrr("dea", GRADES, 10) == 1 / 2


@pytest.mark.parametrize("measure", [ndcg, recall, mrr])
def test_nothing_relevant_and_nothing_found_are_zero(measure: object) -> None:
    assert measure("ab", {"a": 0, "b": -1}, 10) == 0.0  # type: ignore[operator]
    assert measure("ab", {}, 10) == 0.0  # type: ignore[operator]
    assert measure("", GRADES, 10) == 0.0  # type: ignore[operator]


rankings = st.permutations("abcdefghij").flatmap(lambda ids: st.integers(0, 10).map(lambda size: ids[:size]))
grades = st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(-1, 4))


@given(rankings, grades, st.integers(1, 12))
def test_measures_are_their_definitions(ranking: list[str], judged: dict[str, int], k: int) -> None:
    gains = [max(0, judged.get(identity, 0)) for identity in ranking]
    best = sorted((max(0, grade) for grade in judged.values()), reverse=True)
    dcg, ideal = (sum(gain / math.log2(place + 2) for place, gain in enumerate(some[:k])) for some in (gains, best))
    assert ndcg(ranking, judged, k) == pytest.approx(dcg / ideal if ideal else 0)
    relevant = sum(grade > 0 for grade in best)
    assert recall(ranking, judged, k) == (sum(gain > 0 for gain in gains[:k]) / relevant if relevant else 0)
    first = [1 / (place + 1) for place, gain in enumerate(gains[:k]) if gain > 0]
    assert mrr(ranking, judged, k) == (first[0] if first else 0)
    assert all(0 <= measure(ranking, judged, k) <= 1 + 1e-12 for measure in (ndcg, recall, mrr))


def test_means_are_over_the_queries_that_were_ranked() -> None:
    found = mean_measures({"1": ["a"], "2": ["x"]}, {"1": {"a": 1}, "2": {"b": 1}, "3": {"c": 1}})
    assert list(found) == list(MEASURES) == ["ndcg@10", "recall@10", "recall@100", "mrr@10"]
    assert set(found.values()) == {0.5}
