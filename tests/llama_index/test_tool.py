"""The retriever in agents: as LlamaIndex's own tools, and as one with typed arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.tools import FunctionTool, QueryEngineTool, RetrieverTool

from late_rag.errors import CollectionNotFoundError, FilterError, InputError
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.retrievers.late_rag import LateInteractionRetriever, late_interaction_tool

TRAVEL = "who approves travel?"

pytestmark = [  # what LlamaIndex's agents do themselves
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called:DeprecationWarning"),
]


@pytest.fixture
def tool(handbook: str) -> FunctionTool:
    retriever = LateInteractionRetriever(handbook)
    fields = {"year": "when the rule was made"}
    return late_interaction_tool(retriever, "handbook", "The rules of the house", most=5, filter_fields=fields)


def caller(**arguments: Any) -> MockFunctionCallingLLM:
    """A model that calls the tool with these arguments, and answers with what the tool said."""

    def reply(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        if messages[-1].role == MessageRole.TOOL:
            return ChatMessage(role=MessageRole.ASSISTANT, content=f"Found: {messages[-1].content}")
        call = ToolCallBlock(tool_call_id="1", tool_name="handbook", tool_kwargs=arguments)
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=[call])

    return MockFunctionCallingLLM(response_generator=reply, is_chat_model=True)


class Reasoner(CustomLLM):
    """Acts once in the form that ReAct wants, and answers with what it observed."""

    action: dict[str, Any]

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        _, observed, told = prompt.rpartition("Observation: ")
        if observed and "Action: handbook" in prompt:
            return CompletionResponse(text=f"Thought: I can answer.\nAnswer: {told.splitlines()[-2].strip() or told}")
        return CompletionResponse(
            text=f"Thought: I need a tool.\nAction: handbook\nAction Input: {json.dumps(self.action)}"
        )

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        whole = self.complete(prompt, formatted, **kwargs)
        yield CompletionResponse(text=whole.text, delta=whole.text)


async def run(agent: FunctionAgent | ReActAgent) -> str:
    return str(await agent.run(user_msg=TRAVEL, memory=ChatMemoryBuffer(token_limit=3000)))  # without a database


async def test_an_agent_with_llama_indexs_tools(handbook: str) -> None:
    retriever = LateInteractionRetriever(handbook, similarity_top_k=1)
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    plain = RetrieverTool.from_defaults(retriever, name="handbook", description="The rules")
    for own in (plain, QueryEngineTool.from_defaults(engine, name="handbook", description="The rules")):
        agent = FunctionAgent(tools=[own], llm=caller(input=TRAVEL))
        assert "Business travel is approved" in await run(agent)
    assert plain.call(TRAVEL).raw_output == (await plain.acall(TRAVEL)).raw_output


async def test_agents_with_the_tool(tool: FunctionTool) -> None:
    arguments = {"query": TRAVEL, "filter": 'topic == "travel"'}
    for agent in (
        FunctionAgent(tools=[tool], llm=caller(**arguments)),
        FunctionAgent(tools=[tool], llm=caller(**arguments), streaming=False),
        ReActAgent(tools=[tool], llm=Reasoner(action=arguments)),
    ):
        assert "Business travel is approved by the head of the department" in await run(agent)


def test_the_model_is_told_of_typed_arguments(tool: FunctionTool) -> None:
    function = tool.metadata.to_openai_tool()["function"]
    assert (function["name"], function["description"]) == ("handbook", "The rules of the house")
    properties = function["parameters"]["properties"]
    assert set(properties) == {"query", "top_k", "filter"}
    assert function["parameters"]["required"] == ["query"]
    told = {name: properties["top_k"][name] for name in ("type", "minimum", "maximum", "default")}
    assert told == {"type": "integer", "minimum": 1, "maximum": 5, "default": 2}
    assert "- year: when the rule was made" in properties["filter"]["description"]


async def test_text_for_the_model_and_nodes_for_the_program(tool: FunctionTool, handbook: str) -> None:
    output = tool.call(query=TRAVEL)
    assert output.raw_output == LateInteractionRetriever(handbook).retrieve(TRAVEL)
    assert output.content == "\n\n".join(item.get_content("llm") for item in output.raw_output)
    again = await tool.acall(query=TRAVEL)
    assert (again.content, again.raw_output) == (output.content, output.raw_output)


async def test_how_many_and_a_filter(tool: FunctionTool) -> None:
    output = tool.call(query="travel", top_k=5, filter='year < 2021 or topic == "travel"')
    assert {item.node_id for item in output.raw_output} == {"travel", "leave", "parking", "canteen"}
    assert tool.call(query="travel", filter="year > 2100").content == "Nothing was found."
    assert (await tool.acall(query="travel", filter="year > 2100")).content == "Nothing was found."
    assert len(tool.call(query="travel", filter=" ").raw_output) == 2


def test_the_agents_filter_never_widens_the_retrievers(handbook: str) -> None:
    retriever = LateInteractionRetriever(handbook, filters='topic == "leave"')
    tool = late_interaction_tool(retriever, "handbook", "The rules")
    for tried in (None, "year > 0", 'topic == "travel" or year > 0', 'topic == "leave" or not (topic == "leave")'):
        assert [item.node_id for item in tool.call(query="travel", filter=tried).raw_output] == ["leave"]
    assert tool.call(query="travel", filter='topic == "travel"').raw_output == []
    assert retriever.filters == 'topic == "leave"'


def test_a_filter_may_be_a_dict(tool: FunctionTool) -> None:
    wanted = {"field": "topic", "op": "==", "value": "leave"}
    assert [item.node_id for item in tool.call(query="travel", filter=wanted).raw_output] == ["leave"]


async def test_what_is_wrong_is_told_to_the_model(tool: FunctionTool) -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"query": "travel", "filter": "year >"}, FilterError, "expected a value after >"),
        ({"query": "travel", "filter": ["year"]}, FilterError, "a filter is"),
        ({"query": ""}, InputError, "nothing to search for"),
        ({"query": "travel", "top_k": 6}, InputError, "a whole number from 1 to 5, not 6"),
    ]
    for arguments, error, told in wrong:
        with pytest.raises(error, match=told):
            tool.call(**arguments)
        assert told in await run(FunctionAgent(tools=[tool], llm=caller(**arguments)))


async def test_what_is_unknown_is_answered_with_what_there_is(tool: FunctionTool, handbook: str) -> None:
    untold = late_interaction_tool(LateInteractionRetriever(handbook), "handbook", "The rules")
    for given, fields in ((tool, "year"), (untold, "topic, year")):
        for wrong, told in (
            ("null", "expected"),
            ("yaer >= 2020", "no passage has the field 'yaer'"),
            ('topic == "travel" and not author.name == "x"', "no passage has the field 'author.name'"),
            ({"field": "yaer", "op": ">=", "value": 2020}, "no passage has the field 'yaer'"),
            ([], "a filter is"),
        ):
            hint = rf"{told}.*\. Fields to filter by: {fields}\. Leave the filter out"
            with pytest.raises(FilterError, match=hint):
                given.call(query="travel", filter=wrong)
            with pytest.raises(FilterError, match=hint):
                await given.acall(query="travel", filter=wrong)
    assert untold.call(query="travel", filter='$text matches "travel"').raw_output


def test_what_no_argument_can_mend_is_raised(handbook: str) -> None:
    tool = late_interaction_tool(LateInteractionRetriever(f"{handbook}-not"), "handbook", "The rules")
    with pytest.raises(CollectionNotFoundError):
        tool.call(query="travel")


async def test_a_reranker_behind_the_search(handbook: str) -> None:
    tool = late_interaction_tool(
        LateInteractionRetriever(handbook, similarity_top_k=8),
        "handbook",
        "The rules",
        node_postprocessors=[LateInteractionRerank(collection=handbook, top_n=1)],
        separator="\n--\n",
    )
    output = tool.call(query=TRAVEL)
    assert [item.node_id for item in output.raw_output] == ["travel"]
    assert (await tool.acall(query=TRAVEL)).raw_output == output.raw_output
