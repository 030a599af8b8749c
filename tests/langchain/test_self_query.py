"""Structured queries become the core's filters, also on the way through LangChain's self-query retriever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_classic.retrievers import SelfQueryRetriever
from langchain_core.documents import Document
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.structured_query import (
    Comparator,
    Comparison,
    FilterDirective,
    Operation,
    Operator,
    StructuredQuery,
)

from langchain_late_rag import LateInteractionTranslator, LateInteractionVectorStore
from late_rag.errors import FilterError
from late_rag.filters import matches, parse

FILMS = [
    Document("Dinosaurs break out.", id="park", metadata={"year": 1993, "genre": ["thriller"], "title": "Park"}),
    Document("Toys come alive.", id="toys", metadata={"year": 1995, "genre": ["comedy", "animated"], "title": "Toys"}),
    Document("Men enter the zone.", id="zone", metadata={"year": 1979, "genre": "sci-fi", "date": "1979-05-25"}),
]


@pytest.fixture(scope="module")
def store() -> Iterator[LateInteractionVectorStore]:
    with LateInteractionVectorStore.from_documents(FILMS) as made:
        yield made


def written(answer: str) -> Runnable[dict[str, Any], StructuredQuery]:
    """The chain that asks a language model for a structured query, with a model that answers as it is told."""
    model = GenericFakeChatModel(messages=iter([AIMessage(answer)] * 10))
    prompt = ChatPromptTemplate.from_template("The structured query for: {query}")
    return prompt | model | RunnableLambda(read)


def read(message: BaseMessage) -> StructuredQuery:
    answer = json.loads(str(message.content))
    return StructuredQuery(answer["query"], directive(answer.get("filter")), answer.get("limit"))


def directive(call: list[Any] | None) -> FilterDirective | None:
    """``["and", ["gte", "year", 1990], …]`` as LangChain's tree."""
    if call is None:
        return None
    name, *arguments = call
    if name in set(Operator):
        return Operation(Operator(name), [found for argument in arguments if (found := directive(argument))])
    return Comparison(Comparator(name), *arguments)


def retriever(store: LateInteractionVectorStore, answer: dict[str, Any], **more: Any) -> SelfQueryRetriever:
    return SelfQueryRetriever(
        query_constructor=written(json.dumps(answer)),
        vectorstore=store,
        structured_query_translator=LateInteractionTranslator(),
        **more,
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, {"park", "toys", "zone"}),
        (["gte", "year", 1990], {"park", "toys"}),
        (["and", ["gt", "year", 1990], ["lt", "year", 1995]], {"park"}),
        (["or", ["eq", "year", 1979], ["eq", "title", "Toys"]], {"toys", "zone"}),
        (["not", ["lte", "year", 1993]], {"toys"}),
        (["ne", "title", "Toys"], {"park", "zone"}),
        (["in", "year", [1979, 1995]], {"toys", "zone"}),
        (["in", "title", "Toys"], {"toys"}),
        (["nin", "year", [1979, 1995]], {"park"}),
        (["contain", "genre", "comedy"], {"toys"}),
        (["contain", "genre", "sci"], {"zone"}),
        (["like", "title", "%ar%"], {"park"}),
        (["like", "title", "ar"], {"park"}),
        (["like", "title", "P_rk"], {"park"}),
        (["lt", "date", {"date": "1980-01-01", "type": "date"}], {"zone"}),
        (["eq", "date", {"datetime": "1979-05-25T00:00:00", "type": "datetime"}], {"zone"}),
    ],
)
async def test_self_query(store: LateInteractionVectorStore, condition: list[Any] | None, expected: set[str]) -> None:
    asked = retriever(store, {"query": "a film", "filter": condition})
    documents = asked.invoke("films, please")
    assert {document.id for document in documents} == expected
    assert await asked.ainvoke("films, please") == documents


def test_the_limit_and_the_search_type_are_kept(store: LateInteractionVectorStore) -> None:
    asked = retriever(store, {"query": "dinosaurs", "filter": None, "limit": 1})
    assert [document.id for document in asked.invoke("x")] == ["park"]
    asked = retriever(store, {"query": "dinosaurs", "filter": ["lt", "year", 1990]}, search_type="mmr")
    assert [document.id for document in asked.invoke("x")] == ["zone"]


def test_what_cannot_be_said_is_an_error() -> None:
    translator = LateInteractionTranslator()
    with pytest.raises(FilterError, match="takes a number"):
        Comparison(Comparator.GT, "year", True).accept(translator)
    with pytest.raises(FilterError, match="year like takes a text, got 3"):
        Comparison(Comparator.LIKE, "year", 3).accept(translator)
    with pytest.raises(FilterError, match="at least one filter"):
        Operation(Operator.AND, []).accept(translator)


def test_a_translation_is_the_cores_filter() -> None:
    query = StructuredQuery("x", directive(["not", ["eq", "a", 1], ["eq", "b", 2]]), None)
    assert LateInteractionTranslator().visit_structured_query(query) == (
        "x",
        {"filter": parse("not (a == 1 and b == 2)")},
    )


_comparisons = st.builds(
    lambda name, field, value: [name, field, value],
    st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
    st.sampled_from(["a", "b"]),
    st.integers(0, 3),
)
_calls = st.recursive(
    _comparisons,
    lambda inner: st.builds(
        lambda name, parts: [name, *parts],
        st.sampled_from(["and", "or", "not"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


def naive(call: list[Any], metadata: dict[str, int]) -> bool:
    name, *arguments = call
    if name in ("and", "not"):
        return all(naive(argument, metadata) for argument in arguments) == (name == "and")
    if name == "or":
        return any(naive(argument, metadata) for argument in arguments)
    field, value = arguments
    stored = metadata.get(field)
    if stored is None:
        return bool(name == "ne")
    return {
        "eq": stored == value,
        "ne": stored != value,
        "gt": stored > value,
        "gte": stored >= value,
        "lt": stored < value,
        "lte": stored <= value,
    }[name]


@settings(max_examples=300, deadline=None)
@given(_calls, st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 3)))
def test_a_structured_query_means_what_it_naively_says(call: list[Any], metadata: dict[str, int]) -> None:
    _, arguments = LateInteractionTranslator().visit_structured_query(StructuredQuery("x", directive(call), None))
    assert matches(arguments["filter"], metadata) == naive(call, metadata)
