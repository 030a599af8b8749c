"""What the vector store does beyond LangChain's own tests of one."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import VectorStore

from langchain_late_rag import HitFields, LateInteractionVectorStore
from late_rag import Retriever
from late_rag.collections import open_collection
from late_rag.encoders import load_encoder
from late_rag.errors import (
    CollectionError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
    FilterError,
    InputError,
    UnsupportedError,
)

TEXTS = [
    "The cat sleeps on the warm windowsill.",
    "A cat naps at the sunny window.",
    "Quarterly revenue rose by nine percent.",
    "The rocket reached orbit after eight minutes.",
]
YEARS = [2018, 2019, 2020, 2021]
METADATAS = [{"year": year} for year in YEARS]
IDS = ["a", "b", "c", "d"]


@pytest.fixture
def store() -> Iterator[LateInteractionVectorStore]:
    with LateInteractionVectorStore() as made:
        made.add_texts(TEXTS, METADATAS, ids=IDS)
        yield made


def ids_of(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


async def test_scores_are_the_cores(tmp_path: Path) -> None:
    store = LateInteractionVectorStore.from_texts(TEXTS, metadatas=METADATAS, ids=IDS, collection=tmp_path / "c.rag")
    with Retriever.open(tmp_path / "c.rag", mode="read") as retriever:
        hits = retriever.search("a sleeping cat", 3)
    scored = store.similarity_search_with_score("a sleeping cat", k=3)
    relevant = store.similarity_search_with_relevance_scores("a sleeping cat", k=3)
    assert [(document.id, score) for document, score in scored] == [(hit.chunk.id, hit.score) for hit in hits]
    assert [(document.id, score) for document, score in relevant] == [(hit.chunk.id, hit.similarity) for hit in hits]
    assert hits[0].score > 1 >= hits[0].similarity > hits[1].similarity
    assert scored == await store.asimilarity_search_with_score("a sleeping cat", k=3)
    assert relevant == await store.asimilarity_search_with_relevance_scores("a sleeping cat", k=3)


async def test_a_score_threshold_is_one_of_similarity(store: LateInteractionVectorStore) -> None:
    (_, first), (_, second), *_ = store.similarity_search_with_relevance_scores("a sleeping cat")
    between = (first + second) / 2
    expected = store.similarity_search("a sleeping cat", k=1)
    assert [d for d, _ in store.similarity_search_with_relevance_scores("a sleeping cat", score_threshold=between)] == (
        expected
    )
    assert [
        d for d, _ in store._similarity_search_with_relevance_scores("a sleeping cat", score_threshold=between)
    ] == (expected)
    assert store.similarity_search("a sleeping cat", threshold=between) == expected
    retriever = store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": between, "k": 4}
    )
    assert retriever.invoke("a sleeping cat") == await retriever.ainvoke("a sleeping cat") == expected


async def test_retrievers_of_every_kind(store: LateInteractionVectorStore) -> None:
    plain = store.as_retriever(search_kwargs={"k": 2})
    assert ids_of(plain.invoke("a sleeping cat")) == ids_of(await plain.ainvoke("a sleeping cat")) == ["b", "a"]
    restricted = store.as_retriever(search_kwargs={"k": 2, "filter": {"year": {"$gte": 2020}}})
    assert set(ids_of(restricted.invoke("a sleeping cat"))) == {"c", "d"}
    diverse = store.as_retriever(search_type="mmr", search_kwargs={"k": 2, "lambda_mult": 0.0, "fetch_k": 4})
    found = ids_of(diverse.invoke("a sleeping cat"))
    assert found == ids_of(await diverse.ainvoke("a sleeping cat"))
    assert found[0] == "b"
    assert found[1] in {"c", "d"}
    assert ids_of(plain.batch(["revenue", "rocket"])[1])[0] == "d"
    assert plain.tags == ["LateInteractionVectorStore"]


async def test_marginal_relevance(store: LateInteractionVectorStore) -> None:
    alone = store.max_marginal_relevance_search("a sleeping cat", k=3, lambda_mult=1.0)
    assert alone == store.similarity_search("a sleeping cat", k=3)
    of_two = store.max_marginal_relevance_search("a sleeping cat", k=2, fetch_k=2, lambda_mult=0.0)
    assert ids_of(of_two) == ["b", "a"]
    even = await store.amax_marginal_relevance_search("a sleeping cat", k=4, lambda_mult=0.0, filter={"year": 2021})
    assert ids_of(even) == ["d"]


async def test_hybrid_context_and_scores(tmp_path: Path) -> None:
    location = tmp_path / "c.rag"
    LateInteractionVectorStore.from_texts(TEXTS, ids=IDS, collection=location)
    store = LateInteractionVectorStore(location, fields=HitFields("score", "similarity", source="year"))
    (found,) = store.similarity_search("nine percent", k=1, mode="hybrid", expand="document")
    assert (found.id, found.page_content, found.metadata["context"]) == ("c", TEXTS[2], TEXTS[2])
    assert found.metadata["score"] > 1 >= found.metadata["similarity"]
    assert [found] == await store.asimilarity_search("nine percent", k=1, mode="hybrid", expand="document")
    (as_added,) = LateInteractionVectorStore(location).similarity_search("nine percent", k=1, expand=1)
    assert as_added.metadata == {"context": TEXTS[2]}


def test_wrong_arguments_are_errors(store: LateInteractionVectorStore) -> None:
    with pytest.raises(TypeError, match="unknown search option 'treshold'"):
        store.similarity_search("cat", treshold=0.5)
    with pytest.raises(InputError, match=r"^k must be a whole number of at least 1, not 0"):
        store.similarity_search("cat", k=0)
    unlike = (("a", "ids takes a list of texts, not 'a'"), (["a", 3], r"ids\[1\] is 3"), (None, "not None"))
    for wrong, message in unlike:
        with pytest.raises(InputError, match=message):
            store.get_by_ids(wrong)  # type: ignore[arg-type]
    assert ids_of(store.get_by_ids(name for name in ("b", "a"))) == ["b", "a"]  # type: ignore[arg-type]
    with pytest.raises(FilterError, match=r"\$nope"):
        store.similarity_search("cat", filter={"year": {"$nope": 1}})
    with pytest.raises(TypeError, match=r"add_documents\(\) got unexpected arguments: id"):
        store.add_texts(["x"], id=["1"])
    with pytest.raises(TypeError, match=r"delete\(\) got unexpected arguments: id"):
        store.delete(id=["a"])
    assert len(store.get_by_ids(IDS)) == 4
    with pytest.raises(InputError, match="got 1 ids and 2 documents"):
        store.add_texts(["x", "y"], ids=["1"])
    with pytest.raises(InputError, match="got 1 metadatas and 2 texts"):
        store.add_texts(["x", "y"], [{}])
    with pytest.raises(InputError, match=r"tuple.*pass a list"):
        store.add_texts(["x"], [{"a": (1,)}])
    with pytest.raises(InputError, match="mode must be"):
        LateInteractionVectorStore("x.rag", mode="append")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="starts empty"):
        LateInteractionVectorStore(mode="read")
    with pytest.raises(InputError, match="collection is a location"):
        LateInteractionVectorStore(DeterministicFakeEmbedding(size=2))  # type: ignore[arg-type]


def test_an_embedding_is_refused_rather_than_ignored() -> None:
    embedding = DeterministicFakeEmbedding(size=2)
    with pytest.raises(InputError, match=r"DeterministicFakeEmbedding.*embedding=None"):
        LateInteractionVectorStore.from_texts(["x"], embedding)
    with pytest.raises(InputError, match=r"DeterministicFakeEmbedding.*embedding=None"):
        LateInteractionVectorStore.from_documents([Document("x")], embedding)


async def test_ids_come_back_in_order(store: LateInteractionVectorStore) -> None:
    documents = [Document("one", id="own"), Document("two"), Document("three", id="other")]
    ids = store.add_documents(documents)
    assert (ids[0], ids[2]) == ("own", "other")
    assert [document.page_content for document in store.get_by_ids(ids)] == ["one", "two", "three"]
    assert store.add_documents(documents, ids=["given", None, None])[0] == "given"
    assert await store.aadd_documents(documents) == store.add_documents(iter(documents)) == ids
    assert await store.aadd_texts(["two"]) == [ids[1]]
    assert store.add_documents([]) == await store.aadd_documents([]) == []
    assert documents[1].id is None
    assert ids_of(await store.aget_by_ids(["d", "missing", "a"])) == ["d", "a"]


def test_an_id_names_one_document(store: LateInteractionVectorStore) -> None:
    store.add_texts(["Penguins live in the south."], [{"year": 1}], ids=["a"])
    assert store.get_by_ids(["a"]) == [Document("Penguins live in the south.", metadata={"year": 1}, id="a")]
    assert ids_of(store.similarity_search("penguins", k=1)) == ["a"]
    assert len(store.similarity_search("cat", k=10)) == 4


def test_the_same_document_twice_is_one_and_equal_texts_of_other_metadata_are_two() -> None:
    with LateInteractionVectorStore() as store:
        ids = store.add_texts(["same", "same", "same"], [{"page": 1}, {"page": 2}, {"page": 1}])
        assert ids[0] == ids[2] != ids[1]
        assert store.add_documents([Document("same", metadata={"page": 1})]) == [ids[0]]
        found = store.similarity_search("same", k=10)
        assert sorted(document.metadata["page"] for document in found) == [1, 2]


async def test_delete(store: LateInteractionVectorStore) -> None:
    assert store.delete([]) is True
    assert len(store.get_by_ids(IDS)) == 4
    assert store.delete(["a", "missing"]) is True
    assert ids_of(store.get_by_ids(IDS)) == ["b", "c", "d"]
    assert await store.adelete(filter={"year": {"$gt": 2020}}) is True
    assert ids_of(store.get_by_ids(IDS)) == ["b", "c"]
    assert store.delete(["b", "c"], filter="year == 2020") is True
    assert ids_of(store.get_by_ids(IDS)) == ["b"]
    with pytest.raises(FilterError):
        store.delete(filter={})
    with pytest.raises(InputError, match="ids takes a list of texts, not 'b'"):
        store.delete("b")  # type: ignore[arg-type]  # a text is a sequence of strings to Python
    with pytest.raises(InputError, match=r"ids\[1\] is 3"):
        store.delete(["b", 3])  # type: ignore[list-item]
    assert ids_of(store.get_by_ids(IDS)) == ["b"]
    store.add_texts(["x"], ids=["x"])
    assert await store.adelete() is True
    assert store.similarity_search("cat") == []


@pytest.mark.parametrize("clear", ["delete", "adelete"])
async def test_delete_without_ids_means_all(store: LateInteractionVectorStore, clear: str) -> None:
    result = getattr(store, clear)(None)
    assert (await result if inspect.isawaitable(result) else result) is True
    assert store.get_by_ids(IDS) == []


async def test_the_ways_to_make_one(tmp_path: Path) -> None:
    documents = [Document(text, id=name, metadata=m) for text, name, m in zip(TEXTS, IDS, METADATAS, strict=True)]
    stores = [
        LateInteractionVectorStore.from_texts(TEXTS, None, METADATAS, ids=IDS),
        LateInteractionVectorStore.from_documents(documents, collection=str(tmp_path / "1.rag")),
        LateInteractionVectorStore.from_documents(
            [Document(d.page_content, metadata=d.metadata) for d in documents], ids=IDS
        ),
        await LateInteractionVectorStore.afrom_texts(TEXTS, metadatas=METADATAS, ids=IDS),
        await LateInteractionVectorStore.afrom_documents(
            documents, collection=tmp_path / "2.rag", create={"language": "none"}
        ),
    ]
    for store in stores:
        assert store.get_by_ids(IDS) == documents
        assert store.embeddings is None
        await store.aclose()
    with Retriever.open(tmp_path / "2.rag") as retriever:
        assert retriever.collection.settings.language == "none"
        assert dict(retriever.collection.settings.chunking or {})["kind"] == "auto"  # for files that others put in


def test_long_text_is_one_document_found_by_its_end() -> None:
    text = " ".join(["Nothing of note happened on this day."] * 400) + " The submarine surfaced near Reykjavik."
    with LateInteractionVectorStore.from_texts([text, *TEXTS]) as store:
        (found,) = store.similarity_search("submarine Reykjavik", k=1)
        assert found.page_content == text
        assert len(store.similarity_search("submarine Reykjavik", k=10)) == 5


def test_a_collection_of_the_core_is_searched_by_chunk(tmp_path: Path) -> None:
    with Retriever.create(tmp_path / "c.rag") as retriever:
        retriever.add(["The first part of it.\n\n" * 100])
        chunks = retriever.collection.count()
    assert chunks > 1
    store = LateInteractionVectorStore(tmp_path / "c.rag", mode="read")
    found = store.similarity_search("first part", k=100)
    assert len(found) == len(set(ids_of(found))) == chunks
    with pytest.raises(CollectionReadOnlyError):
        store.add_texts(["x"])
    with pytest.raises(CollectionNotFoundError):
        LateInteractionVectorStore(tmp_path / "none.rag", mode="read").similarity_search("x")
    assert not (tmp_path / "none.rag").exists()


def test_an_open_collection(tmp_path: Path) -> None:
    LateInteractionVectorStore.from_texts(TEXTS, ids=IDS, collection=tmp_path / "c.rag")
    with open_collection(tmp_path / "c.rag") as collection:  # type: ignore[attr-defined]
        store = LateInteractionVectorStore(collection)
        store.add_texts(["Penguins."], ids=["p"])
        assert ids_of(store.similarity_search("penguins", k=1)) == ["p"]
        assert store._holder.retriever() is store._holder.retriever()
        store.close()
        assert not collection.closed
        again = pickle.loads(pickle.dumps(store))
        assert ids_of(again.similarity_search("penguins", k=1)) == ["p"]


def test_a_store_with_a_location_is_configuration(tmp_path: Path) -> None:
    store = LateInteractionVectorStore(tmp_path / "c.rag", fields=HitFields(similarity="relevance"))
    store.add_texts(TEXTS, ids=IDS)
    expected = store.similarity_search("rocket")
    assert "relevance" in expected[0].metadata
    for other in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store), copy.copy(store)):
        assert other.similarity_search("rocket") == expected
        assert other._holder.retriever() is store._holder.retriever()
    retriever = pickle.loads(pickle.dumps(store.as_retriever(search_kwargs={"k": 4})))
    assert retriever.invoke("rocket") == expected
    assert len(pickle.dumps(store)) < 2_000
    store.close()
    assert store.similarity_search("rocket") == expected


def test_a_temporary_store_cannot_be_copied(store: LateInteractionVectorStore) -> None:
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(CollectionError, match="give collection= a location"):
            copied(store)


def test_a_shallow_copy_shares_the_temporary_collection(store: LateInteractionVectorStore) -> None:
    assert copy.copy(store).get_by_ids(IDS) == store.get_by_ids(IDS) != []


def folder_of(store: LateInteractionVectorStore) -> Path:
    return Path(store._holder.retriever().collection.location)


def test_a_temporary_collection_goes_with_its_store() -> None:
    closed, dropped = LateInteractionVectorStore.from_texts(["x"]), LateInteractionVectorStore.from_texts(["x"])
    folders = folder_of(closed), folder_of(dropped)
    assert folders[0] != folders[1]
    assert all(folder.is_dir() for folder in folders)
    closed.close()
    closed.close()
    del dropped
    gc.collect()
    assert not any(folder.exists() for folder in folders)
    with pytest.raises(CollectionError):
        closed.similarity_search("x")
    LateInteractionVectorStore().close()


def test_threads_share_one_temporary_collection() -> None:
    store, found = LateInteractionVectorStore(), set()
    threads = [threading.Thread(target=lambda: found.add(folder_of(store))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    store.close()


BY_VECTOR = ["similarity_search_by_vector", "max_marginal_relevance_search_by_vector"]


@pytest.mark.parametrize("name", BY_VECTOR)
async def test_a_search_by_one_vector_names_the_way(name: str) -> None:
    store = LateInteractionVectorStore()
    with pytest.raises(UnsupportedError, match="similarity_search"):
        getattr(store, name)([0.1, 0.2], k=1)
    with pytest.raises(UnsupportedError, match="similarity_search"):
        await getattr(store, f"a{name}")(embedding=[0.1, 0.2], k=1)


def test_every_async_method_that_langchain_leaves_to_a_thread_is_native() -> None:
    left = [
        name
        for name, method in inspect.getmembers(VectorStore, callable)
        if inspect.iscoroutinefunction(method) and "run_in_executor" in inspect.getsource(method)
    ]
    assert len(left) >= 10
    for name in left:
        mine, theirs = (inspect.unwrap(getattr(kind, name)) for kind in (LateInteractionVectorStore, VectorStore))
        assert getattr(mine, "__func__", mine) is not getattr(theirs, "__func__", theirs), name


async def test_nothing_is_encoded_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(load_encoder("minilm"))
    threads: list[int] = []

    def watched(name: str) -> Any:
        method = getattr(kind, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            threads.append(threading.get_ident())
            return method(*args, **kwargs)

        return call

    for name in ("encode_queries", "encode_documents"):
        monkeypatch.setattr(kind, name, watched(name))
    store = await LateInteractionVectorStore.afrom_texts(TEXTS, ids=IDS)
    await store.asimilarity_search("cat")
    await store.asimilarity_search_with_relevance_scores("cat")
    await store.amax_marginal_relevance_search("cat")
    await store.as_retriever().ainvoke("cat")
    assert len(threads) >= 6
    assert threading.get_ident() not in threads
    await store.aclose()


def test_reading_a_location_makes_nothing(tmp_path: Path) -> None:
    store = LateInteractionVectorStore(tmp_path / "not.rag")
    for read in (lambda: store.similarity_search("cat"), lambda: store.get_by_ids(["a"])):
        with pytest.raises(CollectionNotFoundError, match=r"not\.rag"):
            read()
    assert not (tmp_path / "not.rag").exists()
    store.add_texts([])
    assert store.similarity_search("cat") == []


def test_a_relative_location_stays_where_it_was_when_the_store_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = LateInteractionVectorStore.from_texts(TEXTS, collection="c.rag")
    monkeypatch.chdir("/")
    for same in (store, copy.deepcopy(store), pickle.loads(pickle.dumps(store))):
        assert len(same.similarity_search("a sleeping cat")) == 4
