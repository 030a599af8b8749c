"""A whole pipeline in YAML ahead of a generator: retrieve, rank, prompt, generate, answer with references."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from haystack import Document, Pipeline
from haystack.dataclasses import GeneratedAnswer, StreamingChunk

from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from tests.haystack.scripted import from_context
from tests.openai_server import OpenAIServer

TRAVEL = "Who approves business travel?"
ANSWER = "Business travel is approved by the head of the department before it is booked. [1]"
PIPELINE = """
components:
  retriever:
    type: haystack_integrations.components.retrievers.late_rag.retriever.LateInteractionRetriever
    init_parameters:
      document_store: &store
        type: haystack_integrations.document_stores.late_rag.document_store.LateInteractionDocumentStore
        init_parameters: {collection: library.rag, mode: read}
      top_k: 50
  ranker:
    type: haystack_integrations.components.rankers.late_rag.ranker.LateInteractionRanker
    init_parameters: {document_store: *store, top_k: 5}
  prompt_builder:
    type: haystack.components.builders.chat_prompt_builder.ChatPromptBuilder
    init_parameters:
      required_variables: "*"
      template: |
        {% message role="system" %}Answer from these passages:
        {% for document in documents %}[{{ loop.index }}] {{ document.content }}
        {% endfor %}{% endmessage %}
        {% message role="user" %}{{ query }}{% endmessage %}
  llm:
    type: tests.haystack.scripted.ScriptedChatGenerator
    init_parameters: {}
  answer_builder:
    type: haystack.components.builders.answer_builder.AnswerBuilder
    init_parameters: {reference_pattern: '\\[(\\d+)\\]', return_only_referenced_documents: false}
connections:
  - {sender: retriever.documents, receiver: ranker.documents}
  - {sender: ranker.documents, receiver: prompt_builder.documents}
  - {sender: prompt_builder.prompt, receiver: llm.messages}
  - {sender: llm.replies, receiver: answer_builder.replies}
  - {sender: ranker.documents, receiver: answer_builder.documents}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> str:
    """The handbook among enough other passages that fifty are a choice."""
    rooms = [Document(id=f"room-{n}", content=f"Room {n} has {n % 7 + 2} seats and a screen.") for n in range(80)]
    location = str(tmp_path_factory.mktemp("rag") / "library.rag")
    LateInteractionDocumentStore(location).write_documents([*documents, *rooms])
    return location


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with OpenAIServer(from_context).running() as running:
        yield running


def rag(location: str) -> Pipeline:
    return Pipeline.loads(PIPELINE.replace("library.rag", location), allowed_modules=["tests.haystack.*"])


def over_http(location: str, server: OpenAIServer) -> Pipeline:
    """The same, where Haystack's own generator asks a server."""
    data = yaml.safe_load(PIPELINE.replace("library.rag", location))
    data["components"]["llm"] = {
        "type": "haystack.components.generators.chat.openai.OpenAIChatGenerator",
        "init_parameters": {"model": "any", "api_base_url": server.base_url, "max_retries": 0},
    }
    return Pipeline.from_dict(data)


def asked() -> dict[str, Any]:
    """What goes into the pipeline; its ``stream`` writes into what it is given."""
    return {name: {"query": TRAVEL} for name in ("retriever", "ranker", "prompt_builder", "answer_builder")}


def check(result: dict[str, Any]) -> None:
    (answer,) = result["answer_builder"]["answers"]
    assert isinstance(answer, GeneratedAnswer)
    assert (answer.query, answer.data) == (TRAVEL, ANSWER)
    assert [document.meta["source_index"] for document in answer.documents] == [1, 2, 3, 4, 5]
    assert [document.id for document in answer.documents if document.meta["referenced"]] == ["travel"]
    assert [document.score for document in answer.documents] == sorted(
        (d.score for d in answer.documents), reverse=True
    )


async def test_with_a_scripted_generator(library: str) -> None:
    pipeline = rag(library)
    check(pipeline.run(asked()))
    check(await pipeline.run_async(asked()))
    found = pipeline.run(asked(), include_outputs_from={"retriever"})["retriever"]["documents"]
    assert len(found) == 50
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["tests.haystack.*"])
    assert again.to_dict()["components"] == pipeline.to_dict()["components"]
    check(again.run(asked()))


async def test_the_answer_streams(library: str) -> None:
    pipeline, words = rag(library), []
    check(pipeline.run({**asked(), "llm": {"streaming_callback": lambda chunk: words.append(chunk.content)}}))
    assert "".join(words).strip() == ANSWER
    handle = pipeline.stream(asked())
    assert [chunk.content async for chunk in handle] == words
    assert len(words) > 10
    check(handle.result)


async def test_over_http(library: str, server: OpenAIServer) -> None:
    pipeline = over_http(library, server)
    try:
        check(pipeline.run(asked()))
        check(await pipeline.run_async(asked()))
    finally:
        await pipeline.close_async()
        pipeline.close()
    assert [request["messages"][-1]["content"] for request in server.requests] == [TRAVEL, TRAVEL]


async def test_streaming_over_http(library: str, server: OpenAIServer) -> None:
    pipeline, chunks = over_http(library, server), list[StreamingChunk]()
    try:
        check(pipeline.run({**asked(), "llm": {"streaming_callback": chunks.append}}))
        handle = pipeline.stream(asked())
        words = [chunk.content async for chunk in handle]
        check(handle.result)
    finally:
        await pipeline.close_async()
        pipeline.close()
    assert "".join(words) == "".join(chunk.content for chunk in chunks) == ANSWER
    assert [request["stream"] for request in server.requests] == [True, True]
