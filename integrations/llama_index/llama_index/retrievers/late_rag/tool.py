"""The retriever as a tool with typed arguments, for agents."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field, create_model

from late_rag.adapters import (
    NOTHING_FOUND,
    TOOL_COUNT,
    TOOL_QUERY,
    InputError,
    agent_filter,
    check_text,
    check_top_k,
    filter_description,
    listed,
    narrowed,
    to_reader,
)
from llama_index.retrievers.late_rag.filters import to_filter
from llama_index.retrievers.late_rag.retriever import LateInteractionRetriever

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore


def late_interaction_tool(
    retriever: LateInteractionRetriever,
    name: str,
    description: str,
    *,
    most: int = 20,
    filter_fields: Mapping[str, str] | None = None,
    node_postprocessors: Sequence[BaseNodePostprocessor] = (),
    separator: str = "\n\n",
) -> FunctionTool:
    """A tool by which an agent searches: with a query, and, where it wants to, how many passages and a filter.

    The agent's filter restricts further what the retriever's own lets through, and never widens it. What is wrong with
    an argument raises an error that an agent is told, and can then do better. The nodes are the tool's ``raw_output``.

    Args:
        retriever: what searches; its ``similarity_top_k`` is the default.
        name: of the tool.
        description: for the model, of what can be found.
        most: passages that the agent may ask for at most.
        filter_fields: keys of the metadata and what they mean, which the model is told; also where it filters by one
            that no passage has.
        node_postprocessors: what becomes of the nodes, such as a reranker.
        separator: what stands between passages.

    Raises:
        InputError: a retriever of another kind, or an argument that cannot be.
    """
    if not isinstance(retriever, LateInteractionRetriever):
        raise InputError(
            f"retriever must be a LateInteractionRetriever, such as index.as_retriever(), not {retriever!r}"
        )
    check_top_k(most, "most")
    if not isinstance(filter_fields, Mapping | None):
        raise InputError(f"filter_fields takes a dict of keys and what they mean, not {filter_fields!r:.80}")
    node_postprocessors = listed(node_postprocessors, BaseNodePostprocessor, "node_postprocessors", "postprocessors")  # type: ignore[type-abstract]
    for argument, value in {"name": name, "description": description, "separator": separator}.items():
        check_text(value, argument)
    default = min(retriever.similarity_top_k, most)
    fields = dict(filter_fields or {})

    def asked(top_k: object, filter: str | None) -> LateInteractionRetriever:  # noqa: A002
        """The retriever as it is for one call."""
        own = copy.copy(retriever)
        own.similarity_top_k = default if top_k is None else _count(top_k, most)
        if filter is not None:
            restricted = to_filter(retriever.filters)
            given = agent_filter(filter, retriever.core().collection, fields, restricted)
            own.filters = narrowed(restricted, given)
        return own

    def search(query: str, top_k: int | None = None, filter: str | None = None) -> list[NodeWithScore]:  # noqa: A002
        found = asked(top_k, filter).retrieve(query)
        for processor in node_postprocessors:
            found = processor.postprocess_nodes(found, query_str=query)
        return found

    async def asearch(query: str, top_k: int | None = None, filter: str | None = None) -> list[NodeWithScore]:  # noqa: A002
        own = await to_reader(asked, top_k, filter)
        found = await own.aretrieve(query)
        for processor in node_postprocessors:
            found = await processor.apostprocess_nodes(found, query_str=query)
        return found

    def text(found: list[NodeWithScore]) -> str:
        return separator.join(item.get_content(MetadataMode.LLM) for item in found) or NOTHING_FOUND

    return FunctionTool.from_defaults(
        search,
        name,
        description,
        fn_schema=_arguments(default, most, fields),
        async_fn=asearch,
        callback=text,
    )


def _count(top_k: object, most: int) -> int:
    """What a model means by it: LlamaIndex hands on what it says, such as "3" or 3.0."""
    try:
        count = int(str(top_k).removesuffix(".0"))
    except ValueError:
        count = 0
    if not 1 <= count <= most:
        raise InputError(f"top_k must be a whole number from 1 to {most}, not {top_k!r}")
    return count


def _arguments(default: int, most: int, fields: Mapping[str, str]) -> type[BaseModel]:
    return create_model(
        "Search",
        query=(str, Field(description=TOOL_QUERY)),
        top_k=(int, Field(default=default, ge=1, le=most, description=TOOL_COUNT)),
        filter=(str | None, Field(default=None, description=filter_description(fields))),
    )
