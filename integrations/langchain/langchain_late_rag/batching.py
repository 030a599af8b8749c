"""Many inputs as one piece of work, and for LangChain's callbacks a run of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.documents import Document

from late_rag import LateRAGError
from late_rag.adapters import InputError, check_query

if TYPE_CHECKING:
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import RunnableConfig

Outcome: TypeAlias = list[Document] | Exception

Manager = TypeVar("Manager", CallbackManager, AsyncCallbackManager)


def check_inputs(inputs: object) -> None:
    """Raises InputError for what is no list of questions, such as one alone, whose letters nobody asks for."""
    if isinstance(inputs, str) or not isinstance(inputs, Sequence):
        raise InputError(f"inputs takes a list of questions, not {inputs!r:.80}; invoke takes one")


def traced(
    retriever: BaseRetriever,
    inputs: Sequence[str],
    configs: Sequence[RunnableConfig],
    arguments: Mapping[str, Any],
    work: Callable[[], Sequence[Outcome]],
) -> Sequence[Outcome]:
    """What ``work`` gives for all inputs, told to the callbacks as ``BaseRetriever.invoke`` tells it for one."""
    runs = [
        _manager(CallbackManager, retriever, config, arguments).on_retriever_start(
            None, query, **_names(retriever, config)
        )
        for query, config in zip(inputs, configs, strict=True)
    ]
    found = work()
    for run, outcome in zip(runs, found, strict=True):
        if isinstance(outcome, Exception):
            run.on_retriever_error(outcome)
        else:
            run.on_retriever_end(outcome)
    return found


async def atraced(
    retriever: BaseRetriever,
    inputs: Sequence[str],
    configs: Sequence[RunnableConfig],
    arguments: Mapping[str, Any],
    work: Callable[[], Awaitable[Sequence[Outcome]]],
) -> Sequence[Outcome]:
    """Async twin of :func:`traced`."""
    runs = await asyncio.gather(
        *(
            _manager(AsyncCallbackManager, retriever, config, arguments).on_retriever_start(
                None, query, **_names(retriever, config)
            )
            for query, config in zip(inputs, configs, strict=True)
        )
    )
    found = await work()
    for run, outcome in zip(runs, found, strict=True):
        if isinstance(outcome, Exception):
            await run.on_retriever_error(outcome)
        else:
            await run.on_retriever_end(outcome)
    return found


def outcomes(queries: Sequence[str], search: Callable[[list[str]], list[list[Document]]]) -> list[Outcome]:
    """For each query its documents, or what is wrong with it; what is wrong with the whole search stands at each."""
    problems = [_problem(query, number) for number, query in enumerate(queries)]
    good = [query for query, problem in zip(queries, problems, strict=True) if problem is None]
    try:
        found = iter(search(good) if good else [])
    except Exception as error:  # noqa: BLE001 - whatever it is, each run ends with it
        return [problem or error for problem in problems]
    return [problem or next(found) for problem in problems]


def _problem(query: object, number: int) -> LateRAGError | None:
    try:
        check_query(query, f"query {number}")
    except LateRAGError as error:
        return error
    return None


def results(found: Sequence[Outcome], *, return_exceptions: bool) -> list[list[Document]]:
    """The outcomes as LangChain's ``batch`` returns them.

    Raises:
        Exception: the first that there is, unless they are to be returned.
    """
    for outcome in found:
        if isinstance(outcome, Exception) and not return_exceptions:
            raise outcome
    return cast("list[list[Document]]", list(found))


def _manager(
    kind: type[Manager], retriever: BaseRetriever, config: RunnableConfig, arguments: Mapping[str, Any]
) -> Manager:
    parameters = retriever._get_ls_params(**arguments)  # noqa: SLF001 - as BaseRetriever.invoke does
    return kind.configure(
        config.get("callbacks"),
        None,
        inheritable_tags=config.get("tags"),
        local_tags=retriever.tags,
        inheritable_metadata={**(config.get("metadata") or {}), **parameters},
        local_metadata=retriever.metadata,
    )


def _names(retriever: BaseRetriever, config: RunnableConfig) -> dict[str, Any]:
    return {"name": config.get("run_name") or retriever.get_name(), "run_id": config.get("run_id")}
