"""What components are given in lists, what an error names, and what is refused before anything is done."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps

from langchain_late_rag import (
    LateInteractionLoader,
    LateInteractionReranker,
    LateInteractionRetriever,
    LateInteractionTextSplitter,
    LateInteractionVectorStore,
    late_interaction_tool,
)
from late_rag import Retriever
from late_rag.errors import InputError

PICTURE = {"type": "image", "base64": "aGVsbG8=", "mime_type": "image/png"}
WORDS = {"type": "text", "text": "said beside it"}
BROKEN = {"type": "image", "base64": "?", "mime_type": "image/png"}


def test_generators_and_none_stand_beside_texts() -> None:
    texts = ["Parking is free.", "Lunch is at noon."]
    with LateInteractionVectorStore() as store:
        added = store.add_texts(iter(texts), ({"n": n} for n in range(2)), ids=(str(n) for n in range(2)))
        assert added == ["0", "1"]
        assert [document.metadata for document in store.get_by_ids(added)] == [{"n": 0}, {"n": 1}]
        again = store.add_texts(texts, [None, {}], ids=["a", None])
        assert (again[0], store.count(), store.count({"n": 1})) == ("a", 4, 1)
    retriever = LateInteractionRetriever.from_texts(iter(texts), (m for m in [{"n": 1}, None]), ids=iter("ab"), k=1)
    assert retriever.invoke("parking")[0].metadata["n"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": "ab"}, r"ids takes a list with one for each of the (documents|texts), not 'ab'"),
        ({"ids": ["a"]}, r"as many ids as (documents|texts): got 1 ids and 2"),
        ({"ids": ["a", 2]}, r"ids\[1\] is 2; it takes a str or None"),
        ({"metadatas": [{}]}, "as many metadatas as texts: got 1 metadatas and 2 texts"),
        ({"metadatas": {"n": 1}}, "metadatas takes a list with one for each of the texts"),
        ({"metadatas": [{}, "x"]}, r"metadatas\[1\] is 'x'; it takes a dict or None"),
    ],
)
def test_what_does_not_stand_beside_its_text_is_named(arguments: dict[str, Any], message: str) -> None:
    for add in (LateInteractionVectorStore().add_texts, LateInteractionRetriever.from_texts):
        with pytest.raises(InputError, match=message):
            add(["one", "two"], **arguments)


def test_an_error_about_one_document_names_it() -> None:
    good = Document("One.")
    for wrong, name in (
        (Document("Two.", id="x", metadata={"n": {1, 2}}), r"documents\[1\] \(id 'x'\): n: a set cannot be stored"),
        (Document("Two.", metadata={"content_blocks": [BROKEN]}), r"documents\[1\]: the content block"),
    ):
        with pytest.raises(InputError, match=name):
            LateInteractionVectorStore().add_documents([good, wrong])
        with pytest.raises(InputError, match=name):
            LateInteractionRetriever.from_documents([good, wrong])
    with pytest.raises(InputError, match=r"documents\[1\] \(id 'p'\): the content block"):
        LateInteractionReranker().compress_documents(
            [good, Document("", id="p", metadata={"content_blocks": [BROKEN]})], "one"
        )


HALF = "caf\ud83d"
"""With half of a surrogate pair, which is no text."""


async def test_a_text_that_cannot_be_encoded_is_named() -> None:
    good, named, nameless = Document("One."), Document(HALF, id="x"), Document(HALF)
    with LateInteractionVectorStore() as store:
        adding = (store.add_documents, LateInteractionRetriever.from_documents)
        for take in (*adding, LateInteractionTextSplitter().split_documents, lambda given: rerank(given)):
            with pytest.raises(InputError, match=r"^documents\[1\] \(id 'x'\): page_content has a lone surrogate"):
                take([good, named])
            with pytest.raises(InputError, match=r"^documents\[1\]: page_content has a lone surrogate"):
                take([good, nameless])
        with pytest.raises(InputError, match=r"^documents\[0\] \(id .*\): the id has a lone surrogate"):
            await store.aadd_documents([good], ids=[HALF])
        splitter = LateInteractionTextSplitter()
        for texts in (store.add_texts, LateInteractionRetriever.from_texts, splitter.create_documents):
            with pytest.raises(InputError, match=r"^texts\[1\] has a lone surrogate"):
                texts(["One.", HALF])
        for text, message in ((HALF, "text has a lone"), (None, "text must be a str, not NoneType")):
            with pytest.raises(InputError, match=message):
                LateInteractionTextSplitter().split_text(text)  # type: ignore[arg-type]
        assert store.count() == 0


def rerank(documents: list[Document]) -> object:
    return LateInteractionReranker().compress_documents(documents, "one")


def test_two_documents_with_one_id_are_refused_where_one_would_be_lost() -> None:
    pages = [Document("Page one.", id="a.pdf"), Document("Page two.", id="a.pdf")]
    message = r"documents\[0\] and documents\[1\] have the same id, 'a.pdf', and different content"
    with LateInteractionVectorStore() as store:
        for add in (store.add_documents, LateInteractionRetriever.from_documents):
            with pytest.raises(InputError, match=message):
                add(pages)
        assert store.count() == 0
        nan = [Document("Same.", id="s", metadata={"n": float("nan")}) for _ in range(2)]
        assert store.add_documents(nan) == ["s", "s"]
        for page in pages:  # in two calls the later takes the place of the one before
            store.add_documents([page])
        assert store.get_by_ids(["a.pdf"]) == [pages[1]]


async def test_a_batch_is_no_text(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook)
    with pytest.raises(InputError, match="inputs takes a list of questions, not 'travel'; invoke takes one"):
        retriever.batch("travel")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="inputs takes a list of questions"):
        await retriever.abatch("travel")  # type: ignore[arg-type]
    assert retriever.batch([]) == []


def test_metadata_that_no_store_takes_can_be_split() -> None:
    split = LateInteractionTextSplitter().split_documents([Document("One.", metadata={"points": {(1, 2)}})])
    assert [passage.page_content for passage in split] == ["One."]
    assert split[0].metadata["document_id"]


async def test_one_query_is_the_query_and_those_of_a_batch_have_numbers(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook)
    with pytest.raises(InputError, match=r"^query is ' '"):
        retriever.invoke(" ")
    with pytest.raises(InputError, match=r"^query is ' '"):
        await retriever.ainvoke(" ")
    with pytest.raises(InputError, match=r"^query 1 is ''"):
        retriever.batch(["travel", ""])


def test_blocks_of_text_are_metadata() -> None:
    with LateInteractionVectorStore() as store:
        said = Document("A cat.", id="said", metadata={"content_blocks": [WORDS, WORDS]})
        store.add_documents([said])
        assert store.get_by_ids(["said"]) == store.similarity_search("cat") == [said]
        shown = Document("A dog.", id="shown", metadata={"content_blocks": [WORDS, PICTURE]})
        store.add_documents([shown])
        for (found,) in (store.get_by_ids(["shown"]), store.similarity_search("dog", k=1)):
            words, picture = found.metadata["content_blocks"]
            assert words == WORDS
            assert {name: picture[name] for name in PICTURE} == PICTURE


def test_what_can_be_checked_is_checked_when_a_retriever_is_made(handbook: str) -> None:
    wrong: list[dict[str, Any]] = [
        {"threshold": 2},
        {"lambda_mult": 1.5},
        {"expand": -1},
        {"lambda_mult": 0.5, "fetch_k": 0},
        {"fetch_k": 5},
        {"group_by": "file"},
        {"k": True},
        {"expand": True},
    ]
    for options in wrong:
        with pytest.raises(ValueError, match=list(options)[-1]):
            LateInteractionRetriever(collection=handbook, **options)


@pytest.mark.parametrize("options", [{"top_n": True}, {"threshold": True}, {"score_key": ""}, {"threshold": 2}])
def test_what_can_be_checked_is_checked_when_a_reranker_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        LateInteractionReranker(**options)


def test_what_can_be_checked_is_checked_when_a_tool_is_made(handbook: str) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"filter_fields": ["year"]}, r"filter_fields takes a dict of keys and what they mean, not \['year'\]"),
        ({"filter_fields": {"year": 3}}, "filter_fields takes a dict"),
        ({"document_prompt": "{page_content}"}, "document_prompt takes a prompt template, not '{page_content}'"),
        ({"document_separator": None}, "document_separator takes a text, not None"),
    ]
    for options, message in wrong:
        with pytest.raises(InputError, match=message):
            late_interaction_tool(LateInteractionRetriever(collection=handbook), "rules", "The rules.", **options)


def test_what_can_be_checked_is_checked_when_a_store_is_made(handbook: str) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"mode": "rw"}, "mode must be 'write' or 'read', not 'rw'"),
        ({"fields": {"score": "s"}}, r"fields takes HitFields\(…\), not {'score': 's'}"),
        ({"create": 3}, "create takes a dict of options of a collection, not 3"),
        ({"model": 3}, "model is the name of a model or its folder, not 3"),
        ({"collection": ""}, "collection is a location or an open collection, not ''"),
    ]
    for options, message in wrong:
        with pytest.raises(InputError, match=message):
            LateInteractionVectorStore(**{"collection": handbook, **options})
    store = LateInteractionVectorStore(handbook, mode="read")
    with pytest.raises(InputError, match="threshold must be a similarity between 0 and 1, not 6"):
        store.similarity_search_with_relevance_scores("travel", score_threshold=6)
    searches: list[tuple[dict[str, Any], str]] = [
        ({"k": 0}, "k must be a whole number"),
        ({"threshold": 2}, "threshold must be a similarity between 0 and 1, not 2"),
        ({"expand": True}, "expand must be"),
        ({"filter": "year >"}, "expected a value after >"),
    ]
    for search, message in searches:
        with pytest.raises(InputError, match=message):
            store.as_retriever(search_kwargs=search)
    for unknown in ("kk", "score_threshold"):  # the second is of another search_type
        with pytest.raises(TypeError, match=f"unknown search option '{unknown}'"):
            store.as_retriever(search_kwargs={unknown: 0.5})
    with pytest.raises(InputError, match=r"threshold must be a similarity between 0 and 1, not 1.5"):
        store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 1.5})
    with pytest.raises(InputError, match="lambda_mult must be a number from 0 to 1, not 2"):
        store.as_retriever(search_type="mmr", search_kwargs={"lambda_mult": 2})
    assert store.as_retriever(search_type="mmr", search_kwargs={"k": 1, "fetch_k": 3}).invoke("travel")


def test_options_of_a_search_are_no_arguments_of_a_retriever(handbook: str) -> None:
    store = LateInteractionVectorStore(handbook, mode="read")
    with pytest.raises(TypeError, match=r"takes no k, filter: pass search_kwargs=\{'k': 1, 'filter': 'year > 1'\}"):
        store.as_retriever(k=1, filter="year > 1")
    assert len(store.as_retriever(search_kwargs={"k": 1}, tags=["mine"]).invoke("travel")) == 1
    assert repr(store) == f"LateInteractionVectorStore({handbook!r})"
    assert repr(LateInteractionVectorStore()) == "LateInteractionVectorStore(temporary)"
    assert repr(LateInteractionLoader("rules")) == "LateInteractionLoader(['rules'])"
    assert repr(LateInteractionTextSplitter()).startswith("LateInteractionTextSplitter('minilm', kind='auto', ")


async def test_a_store_tells_of_its_progress_and_closes_itself() -> None:
    told: list[Any] = []
    async with LateInteractionVectorStore() as store:
        await store.aadd_texts(["one", "two"], progress=lambda *step: told.append(step))
        assert await store.acount() == 2
    assert told
    for make in (LateInteractionVectorStore.from_texts, LateInteractionRetriever.from_texts):
        told.clear()
        make(["one", "two"], progress=lambda *step: told.append(step))
        assert told
    told.clear()
    await LateInteractionVectorStore.afrom_texts(["one"], progress=lambda *step: told.append(step))
    assert told
    with pytest.raises(Exception, match="temporary and is closed"):
        store.count()


def test_a_retriever_of_the_core_stands_for_its_collection(handbook: str) -> None:
    with Retriever.open(handbook, mode="read") as core:
        assert LateInteractionRetriever(collection=core).invoke("travel")
        assert LateInteractionVectorStore(core, mode="read").count() == core.collection.count()
        assert LateInteractionReranker(collection=core).compress_documents([Document("Travel.")], "travel")


def test_a_temporary_collection_is_written_as_what_cannot_be() -> None:
    assert '"type": "not_implemented"' in dumps(LateInteractionRetriever.from_texts(["one"]))
