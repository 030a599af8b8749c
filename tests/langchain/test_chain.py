"""A whole chain ahead of a generator: retrieve, rerank, prompt, chat model, answer with its sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_openai import ChatOpenAI

from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever
from tests.openai_server import OpenAIServer

TRAVEL = "Who approves business travel?"
ANSWER = "The head of the department approves it."
PROMPT = ChatPromptTemplate.from_messages(
    [("system", "Answer from these passages:\n{context}"), ("human", "{question}")]
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> str:
    """The handbook among enough other passages that fifty are a choice."""
    others = [
        Document(
            id=f"room-{n}", page_content=f"Room {n} has {n % 7 + 2} seats and a screen.", metadata={"topic": "rooms"}
        )
        for n in range(80)
    ]
    location = str(tmp_path_factory.mktemp("chain") / "library.rag")
    LateInteractionRetriever.from_documents([*documents, *others], location)
    return location


def rag(location: str, model: BaseChatModel) -> Runnable[str, dict[str, Any]]:
    """Fifty passages, of which the best five go to the model; the answer comes with them."""
    reranker = LateInteractionReranker(collection=location, top_n=5)
    rerank = RunnableLambda(
        lambda found: reranker.compress_documents(found["documents"], found["question"]),
        afunc=lambda found: reranker.acompress_documents(found["documents"], found["question"]),
    )
    retrieve = {"documents": LateInteractionRetriever(collection=location, k=50), "question": RunnablePassthrough()}
    context = itemgetter("sources") | RunnableLambda(joined)
    answer = {"context": context, "question": itemgetter("question")} | PROMPT | model | StrOutputParser()
    passages: Runnable[str, Any] = retrieve | RunnablePassthrough.assign(sources=rerank)
    return passages.assign(answer=answer)


def joined(documents: list[Document]) -> str:
    return "\n".join(f"[{document.id}] {document.page_content}" for document in documents)


def scripted() -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([ANSWER] * 4))


def from_context(messages: list[dict[str, Any]]) -> str:
    """The text of the first passage in the prompt, with its source: an answer that no chain without one can give."""
    assert messages[-1]["content"] == TRAVEL
    source, text = re.search(r"\[(\S+)\] (.+)", messages[0]["content"]).groups()  # type: ignore[union-attr]
    return f"{text} [{source}]"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(from_context).running() as running:
        yield running


def chat_model(server: OpenAIServer) -> ChatOpenAI:
    return ChatOpenAI(model="any", base_url=server.base_url, api_key="none", max_retries=0)  # type: ignore[arg-type]


def check_sources(result: dict[str, Any]) -> None:
    assert len(result["documents"]) == 50
    assert len(result["sources"]) == 5
    assert result["sources"][0].id == "travel"
    scores = [document.metadata["relevance_score"] for document in result["sources"]]
    assert scores == sorted(scores, reverse=True)


async def test_with_a_scripted_model(library: str) -> None:
    chain = rag(library, scripted())
    for result in (chain.invoke(TRAVEL), await chain.ainvoke(TRAVEL), *chain.batch([TRAVEL])):
        check_sources(result)
        assert result["answer"] == ANSWER


def test_the_answer_streams_after_its_sources(library: str) -> None:
    parts = list(rag(library, scripted()).stream(TRAVEL))
    words = [part["answer"] for part in parts if "answer" in part]
    assert len(words) > 5
    assert "".join(words) == ANSWER
    check_sources({name: value for part in parts if "answer" not in part for name, value in part.items()})


async def test_the_answer_streams_async(library: str) -> None:
    parts = [part async for part in rag(library, scripted()).astream(TRAVEL)]
    words = [part["answer"] for part in parts if "answer" in part]
    assert len(words) > 5
    assert "".join(words) == ANSWER


async def test_events_name_the_retriever_and_its_documents(library: str) -> None:
    chain = rag(library, scripted())
    events = [event async for event in chain.astream_events(TRAVEL, version="v2")]
    (end,) = [event for event in events if event["event"] == "on_retriever_end"]
    assert end["name"] == "LateInteractionRetriever"
    assert len(end["data"]["output"]) == 50
    assert sum(event["event"] == "on_chat_model_stream" for event in events) > 5


async def test_over_http(library: str, server: OpenAIServer) -> None:
    chain = rag(library, chat_model(server))
    expected = "Business travel is approved by the head of the department before it is booked. [travel]"
    for result in (chain.invoke(TRAVEL), await chain.ainvoke(TRAVEL)):
        check_sources(result)
        assert result["answer"] == expected
    assert [request.get("stream", False) for request in server.requests] == [False, False]


async def test_streaming_over_http(library: str, server: OpenAIServer) -> None:
    chain = rag(library, chat_model(server))
    parts = [part["answer"] for part in chain.stream(TRAVEL) if part.get("answer")]
    aparts = [part["answer"] async for part in chain.astream(TRAVEL) if part.get("answer")]
    assert len(parts) == len(aparts) > 10
    assert "".join(parts) == "".join(aparts)
    assert parts[-1] == " [travel]"
    assert [request["stream"] for request in server.requests] == [True, True]


def test_the_quick_start(library: str) -> None:
    def format_docs(documents: list[Document]) -> str:
        return "\n\n".join(document.page_content for document in documents)

    retriever = LateInteractionRetriever(collection=library, k=5)
    chain: Runnable[str, Any] = (
        {"context": retriever | format_docs, "question": RunnablePassthrough()} | PROMPT | scripted()
    )
    assert chain.invoke(TRAVEL).content == ANSWER
