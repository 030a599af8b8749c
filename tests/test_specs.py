"""Specs: a backend's name and options, checked against the dataclass that its table row names."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Literal

import pytest

from late_rag import IndexSpec, PoolingSpec, Retriever, backends
from late_rag.errors import InputError, MissingExtraError
from late_rag.indexes import plaid
from late_rag.specs import options_of, parsed_options
from late_rag.testing import HashEncoder


@dataclass(frozen=True)
class Options:
    """Options of every type."""

    count: int = 4
    """How many
    there are."""

    share: float | None = None
    way: Literal["up", "down"] = "up"
    fast: bool = False

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"count is at least 1, not {self.count}")


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.INDEXES, "many", backends.Backend(__name__, "Options", options="Options"))


def test_a_spec_is_a_value() -> None:
    spec = IndexSpec("many", share=0.5, count=2)
    assert spec == IndexSpec("many", count=2, share=0.5)
    assert hash(spec) == hash(IndexSpec("many", count=2, share=0.5))
    assert (spec == IndexSpec("many", count=2.0, share=0.5)) == (
        hash(spec) == hash(IndexSpec("many", count=2.0, share=0.5))
    )
    assert spec != IndexSpec("many", count=2)
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert repr(spec) == "IndexSpec('many', count=2, share=0.5)"
    with pytest.raises(AttributeError, match="frozen"):
        spec.name = "exact"


@pytest.mark.parametrize("given", [IndexSpec("many", count=2), {"kind": "many", "count": 2}])
def test_what_is_not_given_has_its_default(given: object) -> None:
    assert IndexSpec.of(given).checked() == {"count": 2, "share": None, "way": "up", "fast": False}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("unheard", "unknown index 'unheard'; there are: auto, .*exact, many"),
        ({"kind": "many", "size": 3}, "index 'many' has no option 'size'; there are: count .a whole number, 4 if not"),
        ({"kind": "many", "size": 3}, "not given.: How many there are.; share .a number or none, None"),
        ({"kind": "many", "count": True}, "option 'count' of index 'many' takes a whole number, not True"),
        ({"kind": "many", "count": 0}, "index 'many': count is at least 1, not 0"),
        ({"kind": "many", "share": float("nan")}, "'share' of index 'many' takes a number or none, not nan"),
        ({"kind": "many", "way": "left"}, "takes 'up' or 'down', not 'left'"),
        ({"kind": "exact", "count": 1}, "index 'exact' has no option 'count'; it has none"),
        ({"kind": "auto", "count": 1}, "index 'auto' takes no options, got count"),
        (7, "index takes a name, IndexSpec.name, .*not 7"),
        (PoolingSpec("hierarchical"), "index takes a name"),
        ({"count": 1}, "a mapping with 'kind', not {'count': 1}"),
    ],
)
def test_what_cannot_be_is_named(given: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        IndexSpec.of(given)  # type: ignore[arg-type]


def test_texts_of_the_command_line_get_the_types_that_are_declared() -> None:
    spec = parsed_options(IndexSpec, "many", ["count=7", "share=.5", "way=down", "fast=true"])
    assert spec == IndexSpec("many", count=7, share=0.5, way="down", fast=True)
    assert parsed_options(IndexSpec, "many", ["share=none"]).options == {"share": None}
    assert parsed_options(IndexSpec, "auto", []) == IndexSpec("auto")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["count"], "given as KEY=VALUE, not 'count'"),
        (["count=1", "count=2"], "'count' of index 'many' is given twice"),
        (["count=many"], "takes a whole number, not 'many'"),
        (["size=1"], "has no option 'size'; there are: count"),
    ],
)
def test_texts_that_are_no_options(given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed_options(IndexSpec, "many", given)


def test_options_of_the_pooling_that_ships() -> None:
    options = options_of(backends.POOLINGS, "hierarchical", "pooling")
    assert [option.name for option in options] == ["pool_factor", "protected_tokens", "block_rows"]
    assert all(option.help for option in options)


def test_a_pooling_with_options_is_recorded_and_compared() -> None:
    pooling = PoolingSpec("hierarchical", pool_factor=3, block_rows=64)
    with Retriever.create(None, HashEncoder(), pooling=pooling) as retriever:
        recorded = retriever.collection.settings.pooling
        location = retriever.collection.location
        assert recorded == {"kind": "hierarchical", "pool_factor": 3, "protected_tokens": 1, "block_rows": 64}
        Retriever.open(location, model=HashEncoder(), pooling=pooling).close()
        with pytest.raises(InputError, match=r"pooling block_rows is 32, but the collection .* was made with 64"):
            Retriever.open(location, model=HashEncoder(), pooling=PoolingSpec("hierarchical", block_rows=32))
    with pytest.raises(InputError, match="give it there or alone"):
        Retriever.create(None, HashEncoder(), pooling="hierarchical", pool_factor=2)


def test_an_index_whose_library_is_missing_is_told_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plaid, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"'plaid' needs fast-plaid.*pip install \"late-rag\[plaid\]\""):
        IndexSpec.of("plaid")


def test_another_version_of_the_library_of_an_index_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from late_rag.indexes import plaid

    monkeypatch.setattr(plaid, "find_spec", lambda _: object())
    for version, taken in (("1.4.6.2110", True), ("1.7.0.2110", False)):
        monkeypatch.setattr(plaid.metadata, "version", lambda _, version=version: version)
        if taken:
            assert plaid.PlaidOptions().nbits == 4
        else:
            with pytest.raises(MissingExtraError, match=r"needs fast-plaid before version 1\.5, which"):
                plaid.PlaidOptions()
