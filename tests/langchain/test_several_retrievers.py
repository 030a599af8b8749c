"""LangChain's retrievers that join what several searches find: one passage is one document, whoever found it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_classic.retrievers import EnsembleRetriever, MergerRetriever, MultiQueryRetriever
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from langchain_late_rag import HitFields, LateInteractionRetriever, LateInteractionVectorStore

TRAVEL = "who approves travel?"
QUESTIONS = [TRAVEL, "approval of business trips", "must a trip be approved before it is booked?"]

KINDS = ["retriever", "hybrid", "expanded", "store"]


@pytest.fixture(params=KINDS)
def retriever(request: pytest.FixtureRequest, handbook: str) -> BaseRetriever:
    if request.param == "store":
        return LateInteractionVectorStore(handbook, mode="read").as_retriever(search_kwargs={"k": 4})
    shapes: dict[str, dict[str, Any]] = {"hybrid": {"mode": "hybrid"}, "expanded": {"expand": "document"}}
    return LateInteractionRetriever(collection=handbook, k=4, **shapes.get(request.param, {}))


def several(retriever: BaseRetriever) -> MultiQueryRetriever:
    model = FakeListChatModel(responses=["\n".join(QUESTIONS)])
    return MultiQueryRetriever.from_llm(retriever, model)


def texts(documents: list[Document]) -> list[str]:
    return [document.page_content for document in documents]


async def test_many_questions_give_each_passage_once(retriever: BaseRetriever) -> None:
    single = [retriever.invoke(question) for question in QUESTIONS]
    expected = set().union(*map(texts, single))
    assert len(expected) < sum(map(len, single))
    for found in (several(retriever).invoke(TRAVEL), await several(retriever).ainvoke(TRAVEL)):
        assert len(found) == len(expected)
        assert set(texts(found)) == expected


def test_scores_that_are_asked_for_tell_questions_apart(handbook: str) -> None:
    scored = LateInteractionRetriever(collection=handbook, k=4, fields=HitFields(similarity="similarity"))
    found = several(scored).invoke(TRAVEL)
    assert len(found) > len(set(texts(found)))


@pytest.mark.parametrize("key", [None, "chunk_id"])
def test_an_ensemble_fuses_by_text_or_by_id(handbook: str, key: str | None) -> None:
    first = LateInteractionRetriever(collection=handbook, k=4)
    second = RunnableLambda(lambda question: LateInteractionRetriever(collection=handbook, k=8).invoke(f"{question} ?"))
    found = EnsembleRetriever(retrievers=[first, second], weights=[0.5, 0.5], id_key=key).invoke(TRAVEL)
    assert len(found) == len(set(texts(found))) == 8
    assert found[0].id == "travel"


def test_merged_retrievers_give_equal_documents(handbook: str) -> None:
    first, second = (LateInteractionRetriever(collection=handbook, k=1) for _ in range(2))
    one, other = MergerRetriever(retrievers=[first, second]).invoke(TRAVEL)
    assert one == other == first.invoke("is travel approved?")[0]
