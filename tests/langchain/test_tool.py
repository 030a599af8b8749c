"""The tool for agents: its schema, what it finds, and what it tells of a wrong argument."""

from __future__ import annotations

import re

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.prompts import PromptTemplate
from langchain_core.tools import StructuredTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_late_rag import LateInteractionRetriever, late_interaction_tool
from late_rag.errors import CollectionNotFoundError, InputError


@pytest.fixture
def tool(handbook: str) -> StructuredTool:
    retriever = LateInteractionRetriever(collection=handbook, k=2)
    fields = {"year": "when the rule was made"}
    return late_interaction_tool(retriever, "handbook", "The rules of the house", most=5, filter_fields=fields)


def call(tool: StructuredTool, **arguments: object) -> ToolMessage:
    """What a model's call of the tool comes to."""
    message = tool.invoke(ToolCall(name=tool.name, args=arguments, id="1", type="tool_call"))
    assert isinstance(message, ToolMessage)
    return message


def test_the_model_is_told_of_typed_arguments(tool: StructuredTool) -> None:
    function = convert_to_openai_tool(tool)["function"]
    assert (function["name"], function["description"]) == ("handbook", "The rules of the house")
    properties = function["parameters"]["properties"]
    assert set(properties) == {"query", "k", "filter"}
    assert function["parameters"]["required"] == ["query"]
    assert properties["k"] | {"description": ""} == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
        "default": 2,
        "description": "",
    }
    assert "- year: when the rule was made" in properties["filter"]["description"]


async def test_text_for_the_model_and_documents_as_the_artifact(tool: StructuredTool) -> None:
    message = call(tool, query="who approves travel?")
    assert message.content == "\n\n".join(document.page_content for document in message.artifact)
    assert message.artifact[0].id == "travel"
    assert len(message.artifact) == 2
    again = await tool.ainvoke(
        ToolCall(name="handbook", args={"query": "who approves travel?"}, id="1", type="tool_call")
    )
    assert (again.content, again.artifact) == (message.content, message.artifact)


def test_how_many_and_a_filter(tool: StructuredTool) -> None:
    message = call(tool, query="travel", k=5, filter='year < 2021 or topic == "travel"')
    assert {document.id for document in message.artifact} == {"travel", "leave", "parking", "canteen"}
    assert call(tool, query="travel", filter="year > 2100").content == "Nothing was found."
    assert len(call(tool, query="travel", filter=" ").artifact) == 2


def test_the_agents_filter_never_widens_the_retrievers(handbook: str) -> None:
    retriever = LateInteractionRetriever(collection=handbook, filter='topic == "leave"')
    tool = late_interaction_tool(retriever, "handbook", "The rules")
    for tried in (None, "year > 0", 'topic == "travel" or year > 0', 'topic == "leave" or not (topic == "leave")'):
        assert [document.id for document in call(tool, query="travel", filter=tried).artifact] == ["leave"]
    assert call(tool, query="travel", filter='topic == "travel"').artifact == []


async def test_what_is_wrong_is_told_to_the_model(tool: StructuredTool) -> None:
    for arguments in ({"query": "travel", "filter": "year >"}, {"query": ""}, {"query": "travel", "k": 6}):
        message = call(tool, **arguments)
        assert message.status == "error"
        again = await tool.ainvoke(ToolCall(name="handbook", args=arguments, id="1", type="tool_call"))
        assert (again.status, again.content) == ("error", message.content)
    assert "expected a value after >" in str(call(tool, query="travel", filter="year >").content)
    assert call(tool, query="travel", k=6).content == "k: Input should be less than or equal to 5"
    assert call(tool).content == "query: Field required"


def test_what_the_model_cannot_mend_is_raised(handbook: str) -> None:
    tool = late_interaction_tool(LateInteractionRetriever(collection=f"{handbook}-not"), "handbook", "The rules")
    with pytest.raises(CollectionNotFoundError):
        call(tool, query="travel")


def test_a_prompt_and_a_separator(handbook: str) -> None:
    tool = late_interaction_tool(
        LateInteractionRetriever(collection=handbook, k=2),
        "handbook",
        "The rules",
        document_prompt=PromptTemplate.from_template("[{topic}] {page_content}"),
        document_separator="\n--\n",
    )
    first, second = str(call(tool, query="who approves travel?").content).split("\n--\n")
    assert first.startswith("[travel] Business")
    assert second.startswith("[")


def test_the_search_is_a_run_below_the_tools(tool: StructuredTool) -> None:
    parents: list[object] = []

    class Handler(BaseCallbackHandler):
        def on_tool_start(self, *arguments: object, run_id: object, **told: object) -> None:
            parents.append(run_id)

        def on_retriever_start(self, *arguments: object, parent_run_id: object, **told: object) -> None:
            parents.append(parent_run_id)

    tool.invoke({"query": "travel"}, {"callbacks": [Handler()]})
    assert len(parents) == 2
    assert parents[0] == parents[1]


async def test_what_is_unknown_is_answered_with_what_there_is(tool: StructuredTool, handbook: str) -> None:
    untold = late_interaction_tool(LateInteractionRetriever(collection=handbook), "handbook", "The rules")
    for given, fields in ((tool, "year"), (untold, "topic, year")):
        hint = rf"Fields to filter by: {fields}\. Leave the filter out"
        for wrong, told in (
            ("null", "expected"),
            ("yaer >= 2020", "no passage has the field 'yaer'"),
            ('topic == "travel" and not (author.name == "x" or year > 1)', "no passage has the field 'author.name'"),
        ):
            message = call(given, query="travel", filter=wrong)
            assert message.status == "error"
            assert re.search(f"{told}.*{hint}", str(message.content))
            again = await given.ainvoke(
                ToolCall(name="handbook", args={"query": "travel", "filter": wrong}, id="1", type="tool_call")
            )
            assert again.content == message.content
    assert call(tool, query="travel", top_k=3).content == (
        "top_k: Extra inputs are not permitted; the arguments are query, k and filter"
    )
    assert call(untold, query="travel", filter='$text matches "travel"').artifact


def test_a_filter_that_a_model_gives_as_a_dict_is_read(tool: StructuredTool, handbook: str) -> None:
    for given in ({"year": 2021, "topic": "travel"}, {"field": "topic", "op": "==", "value": "travel"}):
        found = call(tool, query="rules", filter=given)
        assert [document.metadata["topic"] for document in found.artifact] == ["travel"]
    assert len(call(tool, query="rules", filter={}).artifact) == 2
    unread = (({"year": {"$least": 2020}}, "unknown operator '$least'"), (["year"], "a filter is a text, a dict"))
    for wrong, told in unread:
        message = call(tool, query="rules", filter=wrong)
        assert message.status == "error"
        assert told in str(message.content)
        assert "Fields to filter by: year. Leave the filter out" in str(message.content)
    retriever = LateInteractionRetriever(collection=handbook, filter="year < 2020")
    narrow = late_interaction_tool(retriever, "handbook", "The rules")
    assert not call(narrow, query="rules", filter={"topic": "travel"}).artifact
    assert {d.metadata["year"] for d in call(narrow, query="rules", filter={}).artifact} == {2019}


def test_null_for_an_optional_argument_is_its_default(tool: StructuredTool) -> None:
    assert len(call(tool, query="travel", k=None, filter=None).artifact) == 2


def test_bounds_of_the_schema_agree(handbook: str) -> None:
    tool = late_interaction_tool(LateInteractionRetriever(collection=handbook, k=30), "handbook", "The rules", most=3)
    bounds = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]["k"]
    assert (bounds["minimum"], bounds["default"], bounds["maximum"]) == (1, 3, 3)
    assert len(call(tool, query="travel").artifact) == 3
    for wrong in (0, True, 2.5, None):
        with pytest.raises(InputError, match="most must be a whole number of at least 1"):
            late_interaction_tool(LateInteractionRetriever(collection=handbook), "h", "The rules", most=wrong)  # type: ignore[arg-type]
