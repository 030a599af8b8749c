"""The retriever as a tool with typed arguments, for agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import Document
from langchain_core.prompts import BasePromptTemplate, PromptTemplate, format_document
from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from langchain_late_rag.filters import to_filter
from langchain_late_rag.retriever import LateInteractionRetriever
from late_rag.adapters import (
    NOTHING_FOUND,
    TOOL_COUNT,
    TOOL_QUERY,
    InputError,
    agent_filter,
    filter_description,
    narrowed,
    to_reader,
)

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.v1 import ValidationError as ValidationErrorV1

    from langchain_late_rag.filters import FilterLike


def late_interaction_tool(
    retriever: LateInteractionRetriever,
    name: str,
    description: str,
    *,
    most: int = 20,
    filter_fields: Mapping[str, str] | None = None,
    document_prompt: BasePromptTemplate[str] | None = None,
    document_separator: str = "\n\n",
) -> StructuredTool:
    """A tool by which an agent searches: with a query, and, where it wants to, how many passages and a filter.

    The agent's filter restricts further what the retriever's own lets through, and never widens it. What is wrong with
    an argument is told to the agent, which can then do better. The documents are the tool message's artifact.

    Args:
        retriever: what searches; its ``k`` is the default.
        name: of the tool.
        description: for the model, of what can be found.
        most: passages that the agent may ask for at most.
        filter_fields: keys of the metadata and what they mean, which the model is told; also where it filters by one
            that no passage has.
        document_prompt: how a document becomes text; the text alone where it is not said.
        document_separator: what stands between documents.

    Raises:
        InputError: an argument that cannot be.
    """
    if not isinstance(retriever, LateInteractionRetriever):
        raise InputError(f"retriever takes a LateInteractionRetriever, not {retriever!r}")
    _check_most(most)
    fields = _fields(filter_fields)
    if document_prompt is not None and not isinstance(document_prompt, BasePromptTemplate):
        raise InputError(f"document_prompt takes a prompt template, not {document_prompt!r:.80}")
    if not isinstance(document_separator, str):
        raise InputError(f"document_separator takes a text, not {document_separator!r:.80}")
    prompt = document_prompt or PromptTemplate.from_template("{page_content}")

    def answer(documents: Sequence[Document]) -> tuple[str, list[Document]]:
        text = document_separator.join(format_document(document, prompt) for document in documents)
        return text or NOTHING_FOUND, list(documents)

    def search(
        query: str,
        k: int | None = None,
        filter: FilterLike | None = None,  # noqa: A002
        callbacks: Callbacks = None,
    ) -> tuple[str, list[Document]]:
        try:
            return answer(retriever.invoke(query, {"callbacks": callbacks}, **_asked(retriever, k, filter, fields)))
        except InputError as error:
            raise ToolException(str(error)) from error

    async def asearch(
        query: str,
        k: int | None = None,
        filter: FilterLike | None = None,  # noqa: A002
        callbacks: Callbacks = None,
    ) -> tuple[str, list[Document]]:
        try:
            asked = await to_reader(_asked, retriever, k, filter, fields)
            return answer(await retriever.ainvoke(query, {"callbacks": callbacks}, **asked))
        except InputError as error:
            raise ToolException(str(error)) from error

    return StructuredTool(
        name=name,
        description=description,
        func=search,
        coroutine=asearch,
        args_schema=_arguments(retriever.k, most, fields),
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=_told,
    )


def _check_most(most: object) -> None:
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError(f"most must be a whole number of at least 1, not {most!r}")


def _fields(given: object) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for item in given.items() for text in item):
        raise InputError(f"filter_fields takes a dict of keys and what they mean, not {given!r:.80}")
    return dict(given)


def _told(error: ValidationError | ValidationErrorV1) -> str:
    problems = error.errors()
    told = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
    unknown = any(problem["type"] == "extra_forbidden" for problem in problems)
    return f"{told}; the arguments are query, k and filter" if unknown else told


def _arguments(default: int, most: int, fields: Mapping[str, str]) -> type[BaseModel]:
    usual = min(default, most)
    given = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})]  # agent_filter says more
    count = Annotated[int, BeforeValidator(lambda given: usual if given is None else given)]
    return create_model(
        "Search",
        __config__=ConfigDict(extra="forbid"),
        query=(str, Field(description=TOOL_QUERY)),
        k=(count, Field(default=usual, ge=1, le=most, description=TOOL_COUNT)),
        filter=(given, Field(default=None, description=filter_description(fields))),
    )


def _asked(
    retriever: LateInteractionRetriever,
    k: int | None,
    filter: FilterLike | None,  # noqa: A002
    fields: Mapping[str, str],
) -> dict[str, Any]:
    """What the agent said as arguments of ``invoke``."""
    asked: dict[str, Any] = {} if k is None else {"k": k}
    if filter is not None:
        own = to_filter(retriever.filter)
        given = agent_filter(filter, retriever.core().collection, fields, own, read=to_filter)
        asked["filter"] = narrowed(own, given)
    return asked
