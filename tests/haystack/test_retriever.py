"""The retriever: what it finds, what shapes the result, filters and their policies, warm-up, copies."""

from __future__ import annotations

import copy
import inspect
import json
import math
import pickle
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.components.retrievers.types import TextRetriever
from haystack.document_stores.errors import DocumentStoreError
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import FilterPolicy
from haystack.errors import FilterError

from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag import Retriever
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.errors import CollectionNotFoundError, InputError

TRAVEL = "who approves travel?"
RECENT = {"field": "meta.year", "operator": ">=", "value": 2021}
REMOTE = {"field": "meta.topic", "operator": "==", "value": "remote"}


def retriever(location: str, **options: Any) -> LateInteractionRetriever:
    return LateInteractionRetriever(LateInteractionDocumentStore(location, mode="read"), **options)


def ids(found: dict[str, list[Document]]) -> list[str]:
    return [document.id for document in found["documents"]]


def test_it_finds_what_the_core_finds(handbook: str, documents: list[Document]) -> None:
    found = retriever(handbook, top_k=3).run(TRAVEL)["documents"]
    with Retriever.open(handbook, mode="read") as core:
        hits = core.search(TRAVEL, 3)
    assert [(document.id, document.score) for document in found] == [(hit.chunk.id, hit.similarity) for hit in hits]
    assert found[0].id == "travel"
    given = {document.id: document for document in documents}
    assert [(found[0].content, found[0].meta)] == [(given["travel"].content, given["travel"].meta)]


async def test_the_async_twin_gives_the_same_and_has_the_same_signature(handbook: str) -> None:
    made = retriever(handbook, top_k=3)
    assert await made.run_async(TRAVEL, RECENT, 2) == made.run(TRAVEL, RECENT, 2)
    ours, twin = (inspect.signature(each).parameters for each in (made.run, made.run_async))
    theirs = list(inspect.signature(TextRetriever.run).parameters.values())[1:]
    assert list(ours.values()) == list(twin.values())
    assert [(each.name, each.default) for each in ours.values()] == [(each.name, each.default) for each in theirs]


def test_what_shapes_the_result(handbook: str) -> None:
    assert len(ids(retriever(handbook).run(TRAVEL))) == 8
    assert len(ids(retriever(handbook).run(TRAVEL, top_k=2))) == 2
    scores = [document.score or 0.0 for document in retriever(handbook).run(TRAVEL)["documents"]]
    assert len(ids(retriever(handbook, score_threshold=(scores[1] + scores[2]) / 2).run(TRAVEL))) == 2
    words = "the vault, the premises and the canteen"
    plain = ids(retriever(handbook, top_k=8).run(words))
    with Retriever.open(handbook, mode="read") as core:
        for options in ({"mode": "hybrid"}, {"lambda_mult": 0.1, "fetch_k": 8}):
            expected = [hit.chunk.id for hit in core.search(words, 8, **options)]  # type: ignore[arg-type]
            assert ids(retriever(handbook, top_k=8, **options).run(words)) == expected != plain


def test_passages_of_larger_documents(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "leave.md").write_text("# Leave\n\nThirty days.\n\n# Parking\n\nIt is free.\n")
    with Retriever.open(tmp_path / "rules.rag", create=True) as filled:
        filled.sync(tmp_path / "rules", as_="rules")
    location = str(tmp_path / "rules.rag")
    assert len(ids(retriever(location).run("days of leave"))) == 2
    (found,) = retriever(location, expand="document", group_by="document").run("days of leave")["documents"]
    assert found.meta["source"] == "rules/leave.md"
    assert found.meta["context"].endswith("It is free.\n")
    assert "It is free." not in (found.content or "")


def test_filters_and_their_policies(handbook: str) -> None:
    own, both = retriever(handbook, filters=RECENT), {"operator": "AND", "conditions": [RECENT, REMOTE]}
    assert set(ids(own.run(TRAVEL))) == {"travel", "trains", "laptop", "password", "remote"}
    assert ids(own.run(TRAVEL, REMOTE)) == ids(own.run(TRAVEL, both)) == ["remote"]
    old = {"field": "meta.year", "operator": "<", "value": 2020}
    leave = {"field": "meta.topic", "operator": "==", "value": "leave"}
    assert set(ids(own.run(TRAVEL, old))) == {"parking", "canteen"}
    merging = retriever(handbook, filters=RECENT, filter_policy=FilterPolicy.MERGE)
    assert ids(merging.run(TRAVEL, leave)) == []
    assert ids(merging.run(TRAVEL, REMOTE)) == ["remote"]


@pytest.mark.parametrize("policy", FilterPolicy)
def test_required_filters_hold_whatever_a_call_says(handbook: str, policy: FilterPolicy) -> None:
    made = retriever(handbook, required_filters=RECENT, filters=REMOTE, filter_policy=policy)
    allowed = {"travel", "trains", "laptop", "password", "remote"}
    assert ids(made.run(TRAVEL)) == ["remote"]
    everything = {"field": "meta.year", "operator": ">=", "value": 0}
    for asked in (
        everything,
        {"operator": "OR", "conditions": [everything, REMOTE]},
        {"operator": "NOT", "conditions": [RECENT]},
    ):
        assert set(ids(made.run(TRAVEL, asked))) <= allowed
    assert ids(made.run(TRAVEL, REMOTE)) == ["remote"]


def test_what_cannot_be_is_said_before_anything_is_opened(tmp_path: Path) -> None:
    store = LateInteractionDocumentStore(str(tmp_path / "not-there.rag"), mode="read")
    with pytest.raises(TypeError, match="not a InMemoryDocumentStore"):
        LateInteractionRetriever(InMemoryDocumentStore())  # type: ignore[arg-type]
    for options in ({"top_k": 0}, {"mode": "bm25"}, {"score_threshold": "high"}, {"lambda_mult": 2}, {"fetch_k": 9}):
        with pytest.raises(InputError):
            LateInteractionRetriever(store, **options)  # type: ignore[arg-type]


def test_what_cannot_be_asked(handbook: str, tmp_path: Path) -> None:
    made = retriever(handbook)
    with pytest.raises(InputError, match="nothing to search for"):
        made.run(" ")
    with pytest.raises(InputError, match="top_k"):
        made.run(TRAVEL, top_k=0)
    with pytest.raises(FilterError):
        made.run(TRAVEL, {"field": "meta.year", "operator": "about", "value": 2020})
    for work in (retriever(str(tmp_path / "not-there.rag")).warm_up, lambda: retriever(f"{tmp_path}/no.rag").run("a")):
        with pytest.raises(CollectionNotFoundError):
            work()
    assert not issubclass(CollectionNotFoundError, DocumentStoreError)


async def test_warm_up_does_the_work_once(handbook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    encode = OnnxEncoder.encode_queries

    def watched(self: OnnxEncoder, queries: Any) -> Any:
        threads.append(threading.get_ident())
        return encode(self, queries)

    monkeypatch.setattr(OnnxEncoder, "encode_queries", watched)
    made = retriever(handbook)
    assert threads == []
    await made.warm_up_async()
    count = len(threads)
    assert count > 0
    assert threading.get_ident() not in threads
    made.warm_up()
    await made.warm_up_async()
    assert len(threads) == count
    made.run(TRAVEL)
    assert len(threads) == count + 1


def test_copies_and_dictionaries(handbook: str) -> None:
    made = retriever(
        handbook, filters=RECENT, top_k=3, filter_policy=FilterPolicy.MERGE, required_filters=REMOTE, mode="hybrid"
    )
    expected, data = made.run(TRAVEL), made.to_dict()
    assert data["type"].endswith("retrievers.late_rag.retriever.LateInteractionRetriever")
    assert data["init_parameters"]["filter_policy"] == "merge"
    before = copy.deepcopy(data)
    again = LateInteractionRetriever.from_dict(data)
    assert again.to_dict() == data == before
    for same in (again, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert same.to_dict() == data
        assert same.run(TRAVEL) == expected


@pytest.mark.parametrize(
    "value", [date(2024, 5, 1), datetime(2024, 5, 1, 8), datetime(2024, 5, 1, 8, tzinfo=UTC), math.inf, {"$a": 1}]
)
def test_filters_come_back_with_the_kinds_that_json_lacks(handbook: str, value: Any) -> None:
    inner = {"field": "meta.day", "operator": "==", "value": value}
    listed = {"field": "meta.day", "operator": "in", "value": [value, 2024]}
    made = retriever(handbook, filters=inner, required_filters={"operator": "OR", "conditions": [inner, listed]})
    data = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    pipeline = Pipeline()
    pipeline.add_component("retriever", made)
    loaded = Pipeline.loads(pipeline.dumps()).get_component("retriever")
    for same in (LateInteractionRetriever.from_dict(data), loaded, pickle.loads(pickle.dumps(made))):
        assert (same.filters, same.required_filters) == (made.filters, made.required_filters)
        assert same.to_dict() == data


def test_a_mark_that_means_nothing_is_said(handbook: str) -> None:
    data = retriever(handbook).to_dict()
    data["init_parameters"]["filters"] = {"field": "meta.day", "operator": "==", "value": {"$day": "2024-05-01"}}
    with pytest.raises(InputError, match=r"the key '\$day' must stand alone and be one of \$date"):
        LateInteractionRetriever.from_dict(data)


def test_closing_leaves_the_collection_to_those_who_share_it(handbook: str) -> None:
    one, other = retriever(handbook, top_k=1), retriever(handbook, top_k=1)
    one.run(TRAVEL)
    one.close()
    assert ids(other.run(TRAVEL)) == ids(one.run(TRAVEL)) == ["travel"]
