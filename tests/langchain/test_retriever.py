"""The retriever: LangChain's own tests of one, what shapes a result, batches, tracing, copies."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core._api import LangChainBetaWarning
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import create_retriever_tool
from langchain_tests.integration_tests import RetrieversIntegrationTests

from langchain_late_rag import HitFields, LateInteractionReranker, LateInteractionRetriever
from late_rag import F, Retriever
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.errors import CollectionError, CollectionNotFoundError, FilterError, InputError, ModelMismatchError
from late_rag.testing import HashEncoder

TRAVEL = "who approves travel?"


class TestStandard(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _stored(self, handbook: str) -> None:
        self.location = handbook

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return LateInteractionRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"collection": self.location}

    @property
    def retriever_query_example(self) -> str:
        return TRAVEL


class Record(BaseCallbackHandler):
    """What the callbacks were told, run by run."""

    def __init__(self) -> None:
        self.runs: dict[UUID, dict[str, Any]] = {}

    def on_retriever_start(self, serialized: Any, query: str, *, run_id: UUID, **told: Any) -> None:
        known = {name: told.get(name) for name in ("name", "tags", "metadata", "parent_run_id")}
        self.runs[run_id] = {"query": query, **known}

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **told: Any) -> None:
        self.runs[run_id]["found"] = [document.id for document in documents]

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        self.runs[run_id]["error"] = type(error)

    def told(self) -> list[dict[str, Any]]:
        """Of all runs, in order of their queries."""
        return sorted(self.runs.values(), key=lambda run: run["query"])


class AsyncRecord(Record, AsyncCallbackHandler):  # type: ignore[misc]
    async def on_retriever_start(self, *arguments: Any, **told: Any) -> None:  # type: ignore[override]
        Record.on_retriever_start(self, *arguments, **told)

    async def on_retriever_end(self, *arguments: Any, **told: Any) -> None:  # type: ignore[override]
        Record.on_retriever_end(self, *arguments, **told)

    async def on_retriever_error(self, *arguments: Any, **told: Any) -> None:  # type: ignore[override]
        Record.on_retriever_error(self, *arguments, **told)


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_results_are_those_of_the_core(handbook: str) -> None:
    hits = Retriever.open(handbook, mode="read").search(TRAVEL, top_k=4)
    scored = HitFields(score="score", similarity="similarity")
    found = LateInteractionRetriever(collection=handbook, fields=scored).invoke(TRAVEL)
    assert ids(found) == [hit.chunk.id for hit in hits]
    for document, hit in zip(found, hits, strict=True):
        assert document.page_content == hit.chunk.text
        assert document.metadata == {
            **hit.chunk.metadata,
            "score": hit.score,
            "similarity": hit.similarity,
            "chunk_id": hit.chunk.id,
            "document_id": hit.chunk.document_id,
        }


def test_a_call_says_otherwise_than_the_constructor(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook, k=3, filter="year >= 2021")
    assert len(retriever.invoke(TRAVEL)) == 3
    assert {document.metadata["year"] for document in retriever.invoke(TRAVEL, filter="year == 2019")} == {2019}
    assert len(retriever.invoke(TRAVEL, filter=None, k=8)) == 8
    assert ids(retriever.invoke(TRAVEL, threshold=0.6)) == ["travel"]
    assert retriever.invoke(TRAVEL, k=1, expand="document")[0].metadata["context"].startswith("Business travel")
    assert ids(retriever.invoke("vault", k=1, mode="hybrid")) == ["password"]
    first, second = retriever.invoke(TRAVEL, filter=None, k=2, lambda_mult=0.0, fetch_k=8)
    assert first.id == "travel"
    assert second.id != retriever.invoke(TRAVEL, filter=None, k=2)[1].id


@pytest.mark.parametrize(
    "given",
    ['topic == "leave"', {"topic": "leave"}, {"field": "topic", "op": "==", "value": "leave"}, F("topic") == "leave"],
    ids=["text", "langchain", "dict", "built"],
)
def test_every_form_of_a_filter(handbook: str, given: Any) -> None:
    retriever = LateInteractionRetriever(collection=handbook, filter=given)
    assert retriever.filter == 'topic == "leave"'
    assert ids(retriever.invoke(TRAVEL)) == ["leave"]
    assert ids(LateInteractionRetriever(collection=handbook).invoke(TRAVEL, filter=given)) == ["leave"]


@pytest.mark.parametrize("wrong", [{"k": 0}, {"filter": "year >"}, {"filter": {}}, {"mode": "bm25"}, {"collection": 3}])
def test_a_constructor_refuses_what_cannot_be(handbook: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LateInteractionRetriever(**{"collection": handbook} | wrong)


def test_a_call_refuses_what_cannot_be(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook)
    with pytest.raises(InputError, match=r"^k must be a whole number of at least 1, not 0"):
        retriever.invoke(TRAVEL, k=0)
    with pytest.raises(FilterError):
        retriever.invoke(TRAVEL, filter="year >")
    with pytest.raises(TypeError, match=r"unknown argument top_k; a call may have: k, filter"):
        retriever.invoke(TRAVEL, top_k=3)
    with pytest.raises(InputError, match="nothing to search for"):
        retriever.invoke(" ")
    with pytest.raises(CollectionNotFoundError):
        LateInteractionRetriever(collection=f"{handbook}-not").invoke(TRAVEL)


def test_a_hybrid_search_says_what_it_orders_by(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook, mode="hybrid", fields=HitFields(fused="fused"))
    orders = [document.metadata["fused"] for document in retriever.invoke(TRAVEL)]
    assert orders == sorted(orders, reverse=True)
    assert orders[0] > orders[-1]


def test_fields_name_the_keys_and_the_documents_own_value_wins(tmp_path: Path) -> None:
    own = [Document(page_content="Parking is free.", metadata={"score": "high", "similarity": 2})]
    fields = HitFields(score="score", similarity="near", chunk_id=None, document_id=None)
    retriever = LateInteractionRetriever.from_documents(own, tmp_path / "own.rag", fields=fields)
    (found,) = retriever.invoke("parking")
    assert found.metadata.keys() == {"score", "similarity", "late_rag_score", "near"}
    assert (found.metadata["score"], found.metadata["similarity"]) == ("high", 2)
    assert 0 < found.metadata["near"] <= 1 < found.metadata["late_rag_score"]
    assert own == [Document(page_content="Parking is free.", metadata={"score": "high", "similarity": 2})]


def test_token_matches_add_up_to_the_score(handbook: str) -> None:
    fields = HitFields(score="score")
    (found,) = LateInteractionRetriever(collection=handbook, k=1, token_matches=True, fields=fields).invoke(TRAVEL)
    matches = found.metadata["token_matches"]
    assert ("travel", "travel") in [(match["query_token"], match["token"]) for match in matches]
    assert sum(match["similarity"] for match in matches) == pytest.approx(found.metadata["score"], rel=0.02)


def test_equal_texts_with_other_metadata_are_other_documents() -> None:
    pages = [Document(page_content="Parking is free.", metadata={"since": date(2020, month, 1)}) for month in (1, 2, 2)]
    found = LateInteractionRetriever.from_documents(pages).invoke("parking")
    assert sorted(document.metadata["since"].month for document in found) == [1, 2]


async def test_from_texts_and_its_twin(tmp_path: Path) -> None:
    texts, metadatas = ["Parking is free.", "Lunch is at noon."], [{"n": 1}, {"n": 2}]
    retriever = LateInteractionRetriever.from_texts(texts, metadatas, ids=["a", "b"], k=1)
    assert (retriever.invoke("lunch")[0].id, retriever.invoke("lunch")[0].metadata["n"]) == ("b", 2)
    again = await LateInteractionRetriever.afrom_texts(texts, metadatas, tmp_path / "texts.rag", ids=["a", "b"])
    assert sorted(ids(await again.ainvoke("lunch"))) == ["a", "b"]  # type: ignore[type-var]
    with pytest.raises(ValueError, match="as many metadatas as texts"):
        LateInteractionRetriever.from_texts(texts, [{}])


def test_more_documents_go_to_a_collection_that_is_there(tmp_path: Path) -> None:
    first = LateInteractionRetriever.from_texts(["Parking is free."], collection=tmp_path / "more.rag", ids=["a"])
    again = LateInteractionRetriever.from_texts(["Lunch is at noon."], collection=tmp_path / "more.rag", ids=["b"])
    changed = LateInteractionRetriever.from_texts(
        ["Parking costs 2 euros."], collection=tmp_path / "more.rag", ids=["a"]
    )
    opened = Retriever.open(tmp_path / "more.rag").collection
    LateInteractionRetriever.from_texts(["Trains are on time."], collection=opened, ids=["c"])
    for retriever in (first, again, changed):
        texts = {document.id: document.page_content for document in retriever.invoke("parking")}
        assert texts == {"a": "Parking costs 2 euros.", "b": "Lunch is at noon.", "c": "Trains are on time."}


def test_a_batch_encodes_once_and_gives_what_single_calls_give(handbook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    retriever = LateInteractionRetriever(collection=handbook, k=2)
    queries = [TRAVEL, "how long is leave?", "where is lunch?"]
    one_by_one = [retriever.invoke(query, filter="year < 2022") for query in queries]
    encoded: list[list[str]] = []
    encode = OnnxEncoder.encode_queries

    def counted(self: OnnxEncoder, texts: Any) -> Any:
        encoded.append(list(texts))
        return encode(self, texts)

    monkeypatch.setattr(OnnxEncoder, "encode_queries", counted)
    assert retriever.batch(queries, filter="year < 2022") == one_by_one
    assert encoded == [queries]
    assert retriever.batch([]) == []


async def test_the_async_batch_gives_the_same(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook, k=2)
    queries = [TRAVEL, "how long is leave?"]
    assert await retriever.abatch(queries, k=1) == retriever.batch(queries, k=1)
    assert await retriever.ainvoke(TRAVEL, k=1) == retriever.invoke(TRAVEL, k=1)


async def test_a_bad_query_of_a_batch_does_not_spoil_the_others(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook, k=1)
    queries = [TRAVEL, "", "how long is leave?"]
    for first, problem, last in (
        retriever.batch(queries, return_exceptions=True),
        await retriever.abatch(queries, return_exceptions=True),
    ):
        assert (ids(first), ids(last)) == (["travel"], ["leave"])
        assert isinstance(problem, InputError)
    with pytest.raises(InputError):
        retriever.batch(queries)
    with pytest.raises(InputError):
        await retriever.abatch(queries)
    missing = LateInteractionRetriever(collection=f"{handbook}-not").batch([TRAVEL, "leave"], return_exceptions=True)
    assert [type(problem) for problem in missing] == [CollectionNotFoundError] * 2


async def test_callbacks_are_told_of_a_batch_what_they_are_told_of_single_calls(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook, k=1, tags=["own"], metadata={"team": "search"})
    config: Any = {"tags": ["given"], "metadata": {"user": 7}, "run_name": "look"}
    queries = [TRAVEL, "", "how long is leave?"]
    single, batch, abatch = Record(), Record(), AsyncRecord()
    for query in queries:
        _invoked(retriever, query, {**config, "callbacks": [single]})
    retriever.batch(queries, {**config, "callbacks": [batch]}, return_exceptions=True)
    await retriever.abatch(queries, {**config, "callbacks": [abatch]}, return_exceptions=True)
    assert single.told() == batch.told() == abatch.told()
    failed, leave, travel = single.told()
    assert (failed["error"], leave["found"], travel["found"]) == (InputError, ["leave"], ["travel"])
    assert set(travel["tags"]) == {"own", "given"}
    assert (
        travel["metadata"].items()
        >= {
            "team": "search",
            "user": 7,
            "ls_retriever_name": "lateinteraction",
            "ls_vector_store_provider": "late_rag",
            "ls_embedding_provider": "late_rag",
        }.items()
    )


def _invoked(retriever: LateInteractionRetriever, query: str, config: Any) -> None:
    try:
        retriever.invoke(query, config)
    except InputError:
        assert not query


async def test_a_run_has_the_id_it_was_given(handbook: str) -> None:
    retriever, wanted, record = LateInteractionRetriever(collection=handbook), [uuid4(), uuid4()], Record()
    configs: Any = [{"run_id": run, "callbacks": [record]} for run in wanted]
    retriever.batch([TRAVEL, "leave"], configs)
    assert list(record.runs) == wanted
    assert [run["name"] for run in record.runs.values()] == ["LateInteractionRetriever"] * 2


def test_the_model_is_named_to_tracing_where_it_is_stated(handbook: str) -> None:
    record = Record()
    LateInteractionRetriever(collection=handbook, model="minilm").invoke(TRAVEL, {"callbacks": [record]})
    assert record.told()[0]["metadata"]["ls_embedding_model"] == "minilm"


async def test_configurable_fields(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook, k=4).configurable_fields(
        k=ConfigurableField(id="k"), filter=ConfigurableField(id="filter")
    )
    config: Any = {"configurable": {"k": 1, "filter": 'topic == "leave"'}}
    assert ids(retriever.invoke(TRAVEL, config)) == ["leave"]
    assert [ids(found) for found in retriever.batch([TRAVEL, "parking"], config)] == [["leave"], ["leave"]]
    assert ids(await retriever.ainvoke(TRAVEL, config)) == ["leave"]
    assert len(retriever.invoke(TRAVEL)) == 4


def test_dumps_and_loads(handbook: str) -> None:
    retriever = LateInteractionRetriever(
        collection=Path(handbook),
        k=2,
        filter=(F("year") >= 2021) & (F("since") != date(2020, 1, 1)),
        threshold=0.0,
        expand=1,
        fields=HitFields(score=None),
        tags=["own"],
    )
    options: Any = {"allowed_objects": [LateInteractionRetriever], "valid_namespaces": ["langchain_late_rag"]}
    with pytest.warns(LangChainBetaWarning):
        again = loads(dumps(retriever), **options)
    assert again == retriever.model_copy(update={"collection": handbook})
    assert again.invoke(TRAVEL) == retriever.invoke(TRAVEL)
    opened = LateInteractionRetriever(collection=Retriever.open(handbook, mode="read").collection)
    assert loads(dumps(opened), **options).collection == handbook


def test_copies(handbook: str) -> None:
    for collection in (handbook, Path(handbook), Retriever.open(handbook, mode="read").collection):
        retriever = LateInteractionRetriever(collection=collection, k=2, filter="year >= 2021")
        expected = retriever.invoke(TRAVEL)
        for same in (pickle.loads(pickle.dumps(retriever)), copy.deepcopy(retriever), copy.copy(retriever)):
            assert same.invoke(TRAVEL) == expected


def test_a_temporary_collection_cannot_leave_the_process() -> None:
    retriever = LateInteractionRetriever.from_texts(["Parking is free."])
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(CollectionError, match="temporary"):
            leave(retriever)
    location = Path(retriever.collection.location)
    assert location.is_dir()
    del retriever
    assert not location.exists()


def test_a_model_that_is_not_the_collections_is_refused() -> None:
    made = Retriever.create(None, HashEncoder())
    made.add(["Parking is free."])
    with pytest.raises(ModelMismatchError, match="hash"):
        LateInteractionRetriever(collection=made.collection, model="minilm").invoke("parking")


def test_langchains_own_retriever_tool(handbook: str) -> None:
    tool = create_retriever_tool(
        LateInteractionRetriever(collection=handbook, k=1), "handbook", "Searches the handbook"
    )
    assert tool.invoke({"query": TRAVEL}).startswith("Business travel is approved")


def test_ten_components_share_one_collection_and_one_model(handbook: str) -> None:
    code = f"""
import gc, resource
from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever
from late_rag.collections.local import LocalCollection
from late_rag.encoders.onnx import OnnxEncoder

def use():
    found = LateInteractionRetriever(collection={handbook!r}, k=5).invoke({TRAVEL!r})
    LateInteractionReranker(collection={handbook!r}).compress_documents(found, {TRAVEL!r})

use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(9):
    use()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
kinds = [type(thing) for thing in gc.get_objects()]
print(kinds.count(LocalCollection), kinds.count(OnnxEncoder), grown)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    collections, encoders, grown = map(int, run.stdout.split())
    assert (collections, encoders) == (1, 1)
    assert grown < 8 * 1024, f"resident memory grew by {grown} kB"


def test_a_relative_location_is_seen_from_where_the_retriever_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    retriever = LateInteractionRetriever.from_texts(["Parking is free."], collection="c.rag")
    reranker = LateInteractionReranker(collection="c.rag")
    monkeypatch.chdir("/")
    expected = retriever.invoke("parking")
    assert ids(expected)
    for same in (retriever.model_copy(), copy.deepcopy(retriever), pickle.loads(pickle.dumps(retriever))):
        assert same.invoke("parking") == expected
    assert '"collection": "c.rag"' in dumps(retriever)
    assert len(reranker.compress_documents(expected, "parking")) == 1
