"""The options of a search, checked once for every adapter and tool."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from types import SimpleNamespace

import pytest

from late_rag import Chunk, F, Retriever, Selection
from late_rag.adapters import SHAPE, FilterError, InputError, SearchConfig
from late_rag.retriever import SearchOptions
from late_rag.testing import HashEncoder

SHAPED = SimpleNamespace(
    threshold=0.25, group_by="document", mode="hybrid", expand=1, lambda_mult=0.5, fetch_k=30, k=3, filter="n > 1"
)


def test_it_has_every_option_once_and_the_same_ones_as_the_retriever() -> None:
    assert {option.name for option in fields(SearchConfig) if option.init} == {"top_k", *SearchOptions.__annotations__}
    assert set(SHAPE) == SearchOptions.__annotations__.keys() - {"filter", "selection"}
    with pytest.raises(FrozenInstanceError):
        SearchConfig().top_k = 3  # type: ignore[misc]


def test_of_a_component_come_the_options_that_are_not_asked_otherwise() -> None:
    config = SearchConfig.of(SHAPED, top_k=SHAPED.k, mode="maxsim", threshold=None)
    assert config == SearchConfig(3, group_by="document", expand=1, lambda_mult=0.5, fetch_k=30)
    off = SearchConfig.of(SHAPED, lambda_mult=None, fetch_k=None)
    assert (off.top_k, off.wanted, off.mode) == (10, 10, "hybrid")
    with pytest.raises(TypeError, match=r"unknown search option 'treshold'; there are: filter, .*threshold"):
        SearchConfig.of(SHAPED, treshold=0.5)


def test_what_a_component_alone_lacks_a_call_may_say() -> None:
    component = SimpleNamespace(**vars(SHAPED) | {"lambda_mult": None})
    with pytest.raises(InputError, match="give lambda_mult as well"):
        SearchConfig.of(component)
    assert SearchConfig.of(component, lambda_mult=1).wanted == 30


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, 10),
        ({"top_k": 3}, 3),
        ({"lambda_mult": 1}, 40),
        ({"top_k": 3, "lambda_mult": 1}, 20),
        ({"lambda_mult": 0, "fetch_k": 12}, 12),
        ({"lambda_mult": 0, "fetch_k": 2}, 10),
    ],
)
def test_how_many_are_ranked(options: dict[str, object], wanted: int) -> None:
    assert SearchConfig.asked(**options).wanted == wanted


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"top_k": None}, InputError, "top_k must be a whole number of at least 1, not None"),
        ({"top_k": True}, InputError, "top_k must be a whole number of at least 1, not True"),
        ({"threshold": 2}, InputError, "threshold must be a similarity between 0 and 1, not 2"),
        ({"mode": None}, InputError, 'mode must be "maxsim" or "hybrid", not None'),
        ({"group_by": "file"}, InputError, "group_by must be \"document\" or None, not 'file'"),
        ({"selection": "n > 1"}, InputError, "selection must be a Selection, not 'n > 1'; a filter goes into filter="),
        ({"filter": "n >"}, FilterError, "a value"),
    ],
)
def test_what_cannot_be_is_named(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SearchConfig.asked(**options)


def test_filter_and_selection_hold_together() -> None:
    both = SearchConfig(filter="n > 1", selection=Selection(("a",), filter="n < 5"))
    assert both.meant == Selection(("a",), filter=(F("n") < 5) & (F("n") > 1))
    assert SearchConfig(filter=F("n") > 1).meant == Selection(filter="n > 1")
    assert SearchConfig().meant is None


def test_it_searches_as_the_retriever_does() -> None:
    with Retriever.create(None, HashEncoder()) as retriever:
        retriever.add([Chunk(f"c{n}", f"c{n}", f"w{n} w{n + 1}", metadata={"n": n}) for n in range(9)])
        config = SearchConfig(2, filter="n >= 3")
        assert config.search(retriever, "w4") == retriever.search("w4", 2, filter="n >= 3")
        assert {hit.chunk.metadata["n"] for hit in config.search(retriever, "w4")} == {3, 4}
        assert config.search_batch(retriever, ["w4", "w1"]) == retriever.search_batch(["w4", "w1"], 2, filter="n >= 3")
        with pytest.raises(InputError, match="there is nothing to search for"):
            config.search(retriever, " ")
        with pytest.raises(InputError, match="query 1 is"):
            config.search_batch(retriever, ["w4", " "])
