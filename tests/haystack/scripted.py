"""Chat generators that need no model: one answers by its prompt, the other calls a tool and then reads it out."""

from __future__ import annotations

import re
from typing import Any

from haystack import component, default_to_dict
from haystack.dataclasses import ChatMessage, StreamingCallbackT, StreamingChunk, ToolCall
from haystack.dataclasses.streaming_chunk import _invoke_streaming_callback
from haystack.tools import ToolsType


def from_context(messages: list[dict[str, Any]]) -> str:
    """The first passage in the prompt, with its number: an answer that no pipeline without passages can give."""
    (number, text) = re.search(r"\[(\d+)\] (.+)", messages[0]["content"]).groups()  # type: ignore[union-attr]
    return f"{text.strip()} [{number}]"


def _reply(messages: list[ChatMessage]) -> str:
    return from_context([{"content": message.text} for message in messages])


@component
class ScriptedChatGenerator:
    """Answers by the first passage, a word at a time where somebody listens."""

    def to_dict(self) -> dict[str, Any]:
        return default_to_dict(self)

    @component.output_types(replies=list[ChatMessage])
    def run(
        self, messages: list[ChatMessage], streaming_callback: StreamingCallbackT | None = None
    ) -> dict[str, list[ChatMessage]]:
        for word in _reply(messages).split() if streaming_callback else ():
            streaming_callback(StreamingChunk(f"{word} "))  # type: ignore[misc]
        return {"replies": [ChatMessage.from_assistant(_reply(messages))]}

    @component.output_types(replies=list[ChatMessage])
    async def run_async(
        self, messages: list[ChatMessage], streaming_callback: StreamingCallbackT | None = None
    ) -> dict[str, list[ChatMessage]]:
        for word in _reply(messages).split() if streaming_callback else ():
            await _invoke_streaming_callback(streaming_callback, StreamingChunk(f"{word} "))  # type: ignore[arg-type]
        return {"replies": [ChatMessage.from_assistant(_reply(messages))]}


@component
class ToolCallingGenerator:
    """Calls the one tool that it has with the arguments, and answers by what the tool said."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments

    @component.output_types(replies=list[ChatMessage])
    def run(self, messages: list[ChatMessage], tools: ToolsType | None = None) -> dict[str, list[ChatMessage]]:
        told = messages[-1].tool_call_result
        if told is not None:
            return {"replies": [ChatMessage.from_assistant(f"It says: {told.result}")]}
        (tool,) = list(tools or [])
        call = ToolCall(tool.name, self.arguments, id="1")  # type: ignore[union-attr]
        return {"replies": [ChatMessage.from_assistant(tool_calls=[call])]}

    @component.output_types(replies=list[ChatMessage])
    async def run_async(
        self, messages: list[ChatMessage], tools: ToolsType | None = None
    ) -> dict[str, list[ChatMessage]]:
        return self.run(messages, tools)  # type: ignore[no-any-return]
