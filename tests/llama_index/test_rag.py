"""Retrieval-augmented generation in whole: retrieve, rerank, synthesise, answer with its sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-untyped]

from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.retrievers.late_rag import LateInteractionRetriever
from tests.openai_server import OpenAIServer

TRAVEL = "Who approves business travel?"
ANSWER = "Business travel is approved by the head of the department before it is booked. [travel]"


def from_prompt(prompt: str) -> str:
    """The text of the first passage in a prompt, with its topic: an answer that nothing without a passage can give."""
    assert TRAVEL in prompt
    topic, text = re.search(r"topic: (\S+)\nyear: \d+\n\n(.+)", prompt).groups()  # type: ignore[union-attr]
    return f"{text} [{topic}]"


class Extractive(CustomLLM):
    """Answers with the first passage of its prompt."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=from_prompt(prompt))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        text = ""
        for word in re.findall(r"\S+\s*", from_prompt(prompt)):
            text += word
            yield CompletionResponse(text=text, delta=word)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, nodes: list[TextNode]) -> str:
    """The handbook among enough other passages that fifty are a choice."""
    others = [
        TextNode(
            id_=f"room-{number}",
            text=f"Room {number} has {number % 7 + 2} seats and a screen.",
            metadata={"topic": "rooms", "year": 2020},
        )
        for number in range(80)
    ]
    location = str(tmp_path_factory.mktemp("rag") / "library.rag")
    LateInteractionRetriever.from_nodes([*nodes, *others], location)
    return location


class Watched(LateInteractionRerank):
    """Counts the nodes that come to it."""

    seen: list[int] = []

    def _postprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: Any = None) -> list[NodeWithScore]:
        self.seen.append(len(nodes))
        return super()._postprocess_nodes(nodes, query_bundle)


def engine(location: str, model: Any, **options: Any) -> RetrieverQueryEngine:
    """Fifty passages, of which the best five go to the model."""
    return RetrieverQueryEngine.from_args(
        LateInteractionRetriever(location, similarity_top_k=50),
        llm=model,
        node_postprocessors=[Watched(collection=location, top_n=5, seen=[])],
        **options,
    )


def check_sources(sources: Sequence[NodeWithScore]) -> None:
    assert len(sources) == 5
    assert sources[0].node_id == "travel"
    scores = [item.get_score() for item in sources]
    assert scores == sorted(scores, reverse=True)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    def reply(messages: list[dict[str, Any]]) -> str:
        return from_prompt("\n".join(message["content"] for message in messages))

    with OpenAIServer(reply).running() as running:
        yield running


def chat_model(server: OpenAIServer) -> OpenAILike:
    return OpenAILike(model="any", api_base=server.base_url, api_key="none", is_chat_model=True, max_retries=0)


async def test_with_a_scripted_model(library: str) -> None:
    rag = engine(library, Extractive())
    for response in (rag.query(TRAVEL), await rag.aquery(TRAVEL)):
        assert isinstance(response, Response)
        assert response.response == ANSWER
        check_sources(response.source_nodes)
    (reranker,) = rag._node_postprocessors
    assert reranker.seen == [50, 50]  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", ["refine", "compact", "tree_summarize", "compact_accumulate"])
def test_every_way_to_put_an_answer_together(library: str, mode: str) -> None:
    retriever = LateInteractionRetriever(library, similarity_top_k=1)
    response = RetrieverQueryEngine.from_args(retriever, llm=Extractive(), response_mode=mode).query(TRAVEL)  # type: ignore[arg-type]
    assert ANSWER in str(response)


async def test_the_answer_streams(library: str) -> None:
    rag = engine(library, Extractive(), streaming=True)
    response = rag.query(TRAVEL)
    assert isinstance(response, StreamingResponse)
    words = list(response.response_gen)
    assert len(words) > 5
    assert "".join(words) == ANSWER
    check_sources(response.source_nodes)
    again = await rag.aquery(TRAVEL)
    assert isinstance(again, AsyncStreamingResponse)
    assert [word async for word in again.async_response_gen()] == words


async def test_over_http(library: str, server: OpenAIServer) -> None:
    rag = engine(library, chat_model(server))
    for response in (rag.query(TRAVEL), await rag.aquery(TRAVEL)):
        assert str(response) == ANSWER
        check_sources(response.source_nodes)
    assert [request.get("stream", False) for request in server.requests] == [False, False]


async def test_streaming_over_http(library: str, server: OpenAIServer) -> None:
    rag = engine(library, chat_model(server), streaming=True)
    response = rag.query(TRAVEL)
    assert isinstance(response, StreamingResponse)
    words = [word for word in response.response_gen if word]
    assert len(words) > 10
    assert "".join(words) == ANSWER
    again = await rag.aquery(TRAVEL)
    assert isinstance(again, AsyncStreamingResponse)
    assert [word async for word in again.async_response_gen() if word] == words
    assert [request["stream"] for request in server.requests] == [True, True]


async def test_a_chat_over_http(library: str, server: OpenAIServer) -> None:
    retriever = LateInteractionRetriever(library, similarity_top_k=5)
    memory = ChatMemoryBuffer(token_limit=3000)  # without a database
    chat = ContextChatEngine.from_defaults(retriever=retriever, llm=chat_model(server), memory=memory)
    for response in (chat.chat(TRAVEL), await chat.achat(TRAVEL)):
        assert str(response) == ANSWER
        check_sources(response.source_nodes)
