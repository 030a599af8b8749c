"""A passage that a search must not see, through every component that searches: nothing that comes back has its text."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read when haystack is imported

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from late_rag import Chunk, Document, Retriever, load_encoder

SECRET = "zyzzyva"
QUERIES = ("who may leave early?", f"{SECRET} in the vault", "rule 2")
RULES = [f"Rule {number} says who may leave early on day {number}." for number in range(6)]
HIDDEN = 3
ALLOWED = "seen == true"
IN_HAYSTACK = {"field": "meta.seen", "operator": "==", "value": True}
WIDER = {"field": "meta.number", "operator": ">=", "value": 0}


@pytest.fixture(scope="module", params=["filtered", "deleted", "replaced"])
def restricted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bool]:
    """A collection's location, and whether it takes a filter not to see the secret."""
    location = str(tmp_path_factory.mktemp("restricted") / "rules.rag")
    texts = [f"{text} The {SECRET} is in the vault." if n == HIDDEN else text for n, text in enumerate(RULES)]
    whole, chunks, start = "\n\n".join(texts), [], 0
    for number, text in enumerate(texts):
        metadata = {"seen": number != HIDDEN, "number": number}
        chunks.append(Chunk(f"rules#{number}", "rules", text, None, start, start + len(text), metadata))
        start += len(text) + 2
    with Retriever.create(location, "minilm") as retriever:
        embeddings = list(load_encoder("minilm").encode_documents(chunks))
        retriever.collection.add(chunks, embeddings, [Document("rules", whole)])
        retriever.add([Document("other", "Leaving early is a matter of taste.", {"seen": True, "number": 9})])
        if request.param == "deleted":
            retriever.delete([f"rules#{HIDDEN}"])
        elif request.param == "replaced":
            retriever.add(
                [Chunk(f"rules#{HIDDEN}", "rules", "Rule 3 is redacted.", metadata={"seen": True, "number": 3})]
            )
    return location, request.param == "filtered"


shape = st.fixed_dictionaries(
    {"expand": st.sampled_from([0, 1, 3, "document"])},
    optional={
        "mode": st.sampled_from(["maxsim", "hybrid"]),
        "group_by": st.sampled_from([None, "document"]),
        "lambda_mult": st.sampled_from([0.2, 1.0]),
    },
)
every_way = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def by_langchain(location: str, query: str, filtered: bool, options: dict[str, Any]) -> Iterator[Any]:
    from langchain_late_rag import (
        LateInteractionReranker,
        LateInteractionRetriever,
        LateInteractionVectorStore,
        late_interaction_tool,
    )

    own = ALLOWED if filtered else None
    retriever = LateInteractionRetriever(collection=location, k=9, filter=own, **options)
    found = retriever.invoke(query)
    yield found
    yield retriever.batch([query, QUERIES[0]])
    yield [
        (document.page_content, document.metadata)
        for document in LateInteractionReranker(collection=location, top_n=None).compress_documents(found, query)
    ]
    tool = late_interaction_tool(retriever, "rules", "the rules")
    for agents in ({}, {"filter": "number >= 0"}, {"filter": "seen == false or number >= 0"}):
        call = {"name": "rules", "args": {"query": query, "k": 9, **agents}, "id": "1", "type": "tool_call"}
        yield tool.invoke(call)
    store = LateInteractionVectorStore(location)
    yield store.similarity_search(query, k=9, filter=own, **options)
    plain = {name: value for name, value in options.items() if name != "lambda_mult"}
    yield store.max_marginal_relevance_search(query, k=9, filter=own, **plain)
    explained = LateInteractionRetriever(collection=location, k=9, filter=own, token_matches=True, **options)
    for document in explained.invoke(query):
        matches = document.metadata.pop("token_matches")
        yield document, [(match["token"], match["region"]) for match in matches]


def by_llama_index(location: str, query: str, filtered: bool, options: dict[str, Any]) -> Iterator[Any]:
    from llama_index.core.schema import QueryBundle
    from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters, VectorStoreQuery

    from llama_index.indices.late_rag import LateInteractionIndex
    from llama_index.postprocessor.late_rag import LateInteractionRerank
    from llama_index.retrievers.late_rag import LateInteractionRetriever, late_interaction_tool
    from llama_index.vector_stores.late_rag import LateInteractionVectorStore

    own = (
        MetadataFilters(filters=[MetadataFilter(key="number", value=HIDDEN, operator=FilterOperator.NE)])
        if filtered
        else None
    )
    retriever = LateInteractionRetriever(location, similarity_top_k=9, filters=own, **options)
    found = retriever.retrieve(query)
    yield found
    bundle = QueryBundle("asked otherwise", custom_embedding_strs=[query, QUERIES[0]])
    yield retriever.retrieve(bundle)
    yield LateInteractionRerank(collection=location, top_n=9).postprocess_nodes(found, query_str=query)
    tool = late_interaction_tool(retriever, "rules", "the rules")
    for agents in ({}, {"filter": "number >= 0"}, {"filter": "seen == false or number >= 0"}):
        output = tool.call(query=query, top_k=9, **agents)
        yield output.content, output.raw_output
    store = LateInteractionVectorStore(location)
    known = {name: options[name] for name in ("expand", "group_by") if name in options}
    yield store.query(VectorStoreQuery(query_str=query, similarity_top_k=9, filters=own), **known).nodes
    if filtered:
        yield store.get_nodes(filters=own)
    index = LateInteractionIndex(collection=location)
    yield index.as_retriever(similarity_top_k=9, filters=own, **options).retrieve(query)


def by_haystack(location: str, query: str, filtered: bool, options: dict[str, Any]) -> Iterator[Any]:
    from haystack.document_stores.types import FilterPolicy

    from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
    from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
    from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

    store, own = LateInteractionDocumentStore(location), IN_HAYSTACK if filtered else None
    for policy in FilterPolicy:
        retriever = LateInteractionRetriever(store, WIDER, 9, policy, required_filters=own, **options)
        for asked in (None, WIDER, {"field": "meta.seen", "operator": "in", "value": [False, True]}):
            found = retriever.run(query, asked)["documents"]
            yield [document.to_dict() for document in found]
    ranked = LateInteractionRanker(top_k=9).run(query, found)["documents"]
    yield [document.to_dict() for document in ranked]
    yield [document.to_dict() for document in store.search(query, top_k=9, filters=own, **options)]
    yield [document.to_dict() for document in store.filter_documents(own)]


def by_command_line(location: str, query: str, filtered: bool, options: dict[str, Any]) -> Iterator[Any]:
    from late_rag.cli.application import application

    asked = ["search", query, "-c", location, "-k", "9", "--expand", str(options["expand"])]
    asked += ["--filter", ALLOWED] if filtered else []
    asked += ["--mode", options.get("mode", "maxsim")]
    asked += ["--by", "document"] if options.get("group_by") else []
    asked += ["--lambda", str(options["lambda_mult"])] if "lambda_mult" in options else []
    yield CliRunner().invoke(application, asked, catch_exceptions=False).output
    yield json.loads(CliRunner().invoke(application, [*asked, "--json"], catch_exceptions=False).output)["hits"]


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.parametrize("ask", [by_langchain, by_llama_index, by_haystack, by_command_line])
@every_way
@given(options=shape, query=st.sampled_from(QUERIES))
def test_no_component_brings_back_what_must_not_be_seen(
    restricted: tuple[str, bool], ask: Any, options: dict[str, Any], query: str
) -> None:
    location, filtered = restricted
    answers = list(ask(location, query, filtered, dict(options)))
    assert any("Rule " in repr(answer) for answer in answers)
    for answer in answers:
        assert SECRET not in repr(answer)


def test_what_is_not_restricted_is_found(tmp_path: Path) -> None:
    """So that the test above looks for a word that there is."""
    with Retriever.create(tmp_path / "c.rag", "minilm") as retriever:
        retriever.add([Document("rules", f"The {SECRET} is in the vault.", {"number": 3, "seen": True})])
    for ask in (by_langchain, by_llama_index, by_haystack, by_command_line):
        answers = list(ask(str(tmp_path / "c.rag"), QUERIES[1], False, {"expand": "document"}))
        assert SECRET in repr(answers)
