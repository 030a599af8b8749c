"""The retriever as a ``ComponentTool`` in Haystack's ``Agent``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from haystack import Document
from haystack.components.agents import Agent
from haystack.dataclasses import ChatMessage
from haystack.tools import ComponentTool

from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from tests.haystack.scripted import ToolCallingGenerator

TRAVEL = "who approves travel?"
OLD = {"field": "meta.year", "operator": "<", "value": 2021}


def shown(documents: list[Document]) -> str:
    """What the model is told."""
    return "\n".join(f"{document.id}: {document.content}" for document in documents) or "Nothing was found."


def tool(location: str, **options: Any) -> ComponentTool:
    return ComponentTool(
        LateInteractionRetriever(LateInteractionDocumentStore(location, mode="read"), top_k=2, **options),
        name="handbook",
        description="The rules of the house",
        outputs_to_string={"source": "documents", "handler": shown},
        outputs_to_state={"documents": {"source": "documents"}},
    )


def agent(location: str, arguments: dict[str, Any], **options: Any) -> Agent:
    made = Agent(
        chat_generator=ToolCallingGenerator(arguments),
        tools=[tool(location, **options)],
        state_schema={"documents": {"type": list[Document]}},
    )
    made.warm_up()
    return made


def test_the_model_is_told_of_typed_arguments(handbook: str) -> None:
    parameters = tool(handbook).parameters
    assert set(parameters["properties"]) == {"query", "filters", "top_k"}
    assert parameters["required"] == ["query"]
    assert "Restricts the search by metadata" in parameters["properties"]["filters"]["description"]
    assert all(each["description"] for each in parameters["properties"].values())
    json.dumps(parameters)


async def test_an_agent_searches_and_answers(handbook: str) -> None:
    asked = [ChatMessage.from_user(TRAVEL)]
    made = agent(handbook, {"query": TRAVEL})
    for result in (made.run(asked), await made.run_async(asked)):
        assert result["messages"][-1].text.startswith("It says: travel: Business travel is approved by the head")
        assert result["documents"][0].id == "travel"
        assert len(result["documents"]) == 2


def test_how_many_and_filters(handbook: str) -> None:
    made = agent(handbook, {"query": TRAVEL, "top_k": 5, "filters": OLD})
    found = made.run([ChatMessage.from_user(TRAVEL)])["documents"]
    assert {document.id for document in found} == {"leave", "parking", "canteen"}


@pytest.mark.parametrize(
    "tried",
    [
        {"field": "meta.year", "operator": ">=", "value": 0},
        {"field": "meta.topic", "operator": "==", "value": "travel"},
        {"operator": "OR", "conditions": [OLD, {"field": "meta.topic", "operator": "==", "value": "travel"}]},
        {"operator": "NOT", "conditions": [OLD]},
    ],
    ids=str,
)
def test_an_agent_cannot_widen_what_is_required(handbook: str, tried: dict[str, Any]) -> None:
    made = agent(handbook, {"query": TRAVEL, "top_k": 20, "filters": tried}, required_filters=OLD)
    result = made.run([ChatMessage.from_user(TRAVEL)])
    assert {document.id for document in result["documents"]} <= {"leave", "parking", "canteen"}
    assert "Business travel" not in result["messages"][-1].text


def test_what_is_wrong_is_told_to_the_model(handbook: str) -> None:
    for arguments in ({"query": " "}, {"query": TRAVEL, "top_k": 0}, {"query": TRAVEL, "filters": {"field": "meta.a"}}):
        messages = agent(handbook, arguments).run([ChatMessage.from_user(TRAVEL)])["messages"]
        (told,) = [message.tool_call_result for message in messages if message.tool_call_result]
        assert told.error
        assert "handbook" in told.result


def test_a_tool_is_what_its_dictionary_says(handbook: str) -> None:
    made = ComponentTool(
        LateInteractionRetriever(LateInteractionDocumentStore(handbook, mode="read"), top_k=2), name="handbook"
    )
    again = ComponentTool.from_dict(made.to_dict())
    assert again.parameters == made.parameters
    assert again.invoke(query=TRAVEL) == made.invoke(query=TRAVEL)
