"""Pipelines in YAML: those that are shipped, there and back, in another process, copied, drawn and traced."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from haystack import Document, Pipeline, tracing
from haystack.components.joiners import DocumentJoiner
from haystack.core.errors import DeserializationError
from haystack.core.pipeline import draw

from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag.errors import CollectionError

TRAVEL = "who approves travel?"
QUESTION = "Which gorge does the Middle Rhine flow through between Bingen and Bonn?"

DESIGN = """
components:
  retriever:
    type: haystack_integrations.components.retrievers.late_rag.retriever.LateInteractionRetriever
    init_parameters: {{document_store: {{type: haystack_integrations.document_stores.late_rag.document_store.LateInteractionDocumentStore, init_parameters: {{collection: {collection}}}}}, top_k: 5}}
  ranker:
    type: haystack_integrations.components.rankers.late_rag.ranker.LateInteractionRanker
    init_parameters: {{model: minilm, top_k: 3}}
connections:
  - {{sender: retriever.documents, receiver: ranker.documents}}
"""  # noqa: E501


def shipped(repository: Path, name: str, collection: Path) -> Pipeline:
    """A pipeline of the cookbook, over another collection."""
    text = (repository / "cookbooks" / f"haystack_{name}.yaml").read_text("utf-8")
    assert text.count("articles.rag") == 1
    return Pipeline.loads(text.replace("articles.rag", str(collection)))


@pytest.fixture(scope="module")
def articles(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection that the shipped indexing pipeline has filled."""
    collection = tmp_path_factory.mktemp("pipelines") / "articles.rag"
    indexing = shipped(repository, "indexing", collection)
    sources = [repository / "cookbooks/data/xquad-en/articles" / folder for folder in ("places", "history")]
    written = indexing.run({"converter": {"sources": sources}})["writer"]["documents_written"]
    assert written > 50
    assert indexing.run({"converter": {"sources": sources}})["writer"]["documents_written"] == written
    assert LateInteractionDocumentStore(collection, mode="read").count_documents() == written
    return collection


def ask(pipeline: Pipeline, query: str = TRAVEL) -> list[Document]:
    found = pipeline.run({"retriever": {"query": query}, "ranker": {"query": query}})
    documents: list[Document] = found["ranker"]["documents"]
    return documents


async def test_the_shipped_pipelines(repository: Path, articles: Path) -> None:
    pipeline = shipped(repository, "retrieval", articles)
    asked = {name: {"query": QUESTION} for name in ("retriever", "ranker", "prompt_builder")}
    result = pipeline.run(asked, include_outputs_from={"retriever", "ranker"})
    assert await pipeline.run_async(asked, include_outputs_from={"retriever", "ranker"}) == result
    assert len(result["retriever"]["documents"]) == 50
    best = result["ranker"]["documents"]
    assert len(best) == 5
    assert best[0].meta["file_path"] == "rhine.txt"
    system, user = result["prompt_builder"]["prompt"]
    assert f"[1] {best[0].content}" in system.text
    assert user.text == QUESTION


def test_the_pipeline_of_the_design(handbook: str) -> None:
    found = ask(Pipeline.loads(DESIGN.format(collection=handbook)))
    assert found[0].id == "travel"
    assert len(found) == 3
    assert [document.score for document in found] == sorted((d.score or 0 for d in found), reverse=True)


def content(pipeline: Pipeline) -> dict[str, Any]:
    """What a pipeline is; Haystack writes components by name, and so connections in another order once it has read."""
    data = pipeline.to_dict()
    return data | {"connections": sorted(data["connections"], key=str)}


def test_yaml_to_pipeline_to_yaml_is_the_identity(repository: Path, handbook: str, articles: Path) -> None:
    for pipeline in (
        Pipeline.loads(DESIGN.format(collection=handbook)),
        shipped(repository, "indexing", articles),
        shipped(repository, "retrieval", articles),
    ):
        text = pipeline.dumps()
        assert yaml.safe_load(text) == pipeline.to_dict()
        again = Pipeline.loads(text)
        assert content(again) == content(pipeline)
        assert Pipeline.loads(again.dumps()).dumps() == again.dumps()
        json.dumps(pipeline.to_dict())


def test_components_over_one_store_are_written_down_apart(tmp_path: Path) -> None:
    store = LateInteractionDocumentStore(
        str(tmp_path / "a.rag"), create={"chunking": {"kind": "whole"}}, encoder_options={"workers": 1}
    )
    pipeline, wanted = Pipeline(), {"field": "meta.year", "operator": ">=", "value": 2020}
    for name in ("one", "another"):
        pipeline.add_component(name, LateInteractionRetriever(store, filters=wanted, required_filters=wanted))
    pipeline.add_component("ranker", LateInteractionRanker(document_store=store))
    pipeline.connect("one", "ranker")
    text = pipeline.dumps()
    assert "&id" not in text
    assert Pipeline.loads(text).dumps() == text


def test_a_folder_with_a_picture_in_the_shipped_indexing_pipeline(
    repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "pixel.png").write_bytes(bytes.fromhex("89504e470d0a1a0a"))
    (folder / "rhine.txt").write_text("The Rhine flows through the Rhine Gorge.")
    indexing = shipped(repository, "indexing", tmp_path / "a.rag")
    assert indexing.run({"converter": {"sources": [folder]}})["writer"]["documents_written"] == 2
    store = LateInteractionDocumentStore(tmp_path / "a.rag", mode="read")
    (picture,) = store.filter_documents({"field": "meta.file_path", "operator": "==", "value": "pixel.png"})
    assert picture.blob is not None
    assert picture.content is None
    assert caplog.text.count(picture.id) == 1
    assert [document.meta["file_path"] for document in store.search(QUESTION)] == ["rhine.txt"]


def test_a_fresh_process_answers_the_same(handbook: str, tmp_path: Path) -> None:
    pipeline = Pipeline.loads(DESIGN.format(collection=handbook))
    path = tmp_path / "pipeline.yaml"
    path.write_text(pipeline.dumps())
    script = (
        "import json, sys\nfrom haystack import Pipeline\npipeline = Pipeline.load(open(sys.argv[1]))\n"
        "found = pipeline.run({name: {'query': sys.argv[2]} for name in ('retriever', 'ranker')})\n"
        "print(json.dumps([document.to_dict() for document in found['ranker']['documents']]))"
    )
    arguments = [sys.executable, "-c", script, str(path), TRAVEL]
    output = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert [Document.from_dict(each) for each in json.loads(output)] == ask(pipeline)


def test_a_pipeline_that_was_copied_or_run_answers_the_same(handbook: str) -> None:
    pipeline = Pipeline.loads(DESIGN.format(collection=handbook))
    expected = ask(pipeline)
    assert ask(pipeline) == expected
    assert ask(copy.deepcopy(pipeline)) == expected
    pipeline.close()
    assert ask(pipeline) == expected


def test_what_a_misspelt_option_is_told(handbook: str) -> None:
    text = DESIGN.format(collection=handbook).replace("top_k: 5", "topk: 5")
    with pytest.raises(DeserializationError, match="topk"):
        Pipeline.loads(text)


def test_a_temporary_store_in_a_pipeline(documents: list[Document]) -> None:
    store = LateInteractionDocumentStore()
    store.write_documents(documents)
    pipeline = Pipeline()
    pipeline.add_component("retriever", LateInteractionRetriever(store))
    pipeline.add_component("ranker", LateInteractionRanker(document_store=store, top_k=1))
    pipeline.connect("retriever", "ranker")
    assert [document.id for document in ask(pipeline)] == ["travel"]
    assert [document.id for document in ask(copy.deepcopy(pipeline))] == ["travel"]
    with pytest.raises(CollectionError):
        pipeline.dumps()


def test_two_retrievers_are_joined_and_ranked(handbook: str) -> None:
    pipeline = Pipeline()
    store = LateInteractionDocumentStore(handbook, mode="read")
    for mode in ("maxsim", "hybrid"):
        pipeline.add_component(mode, LateInteractionRetriever(store, top_k=4, mode=mode))
    pipeline.add_component("joiner", DocumentJoiner())
    pipeline.add_component("ranker", LateInteractionRanker(document_store=store))
    for sender, receiver in (("maxsim", "joiner"), ("hybrid", "joiner"), ("joiner", "ranker")):
        pipeline.connect(sender, receiver)
    found = pipeline.run({name: {"query": TRAVEL} for name in ("maxsim", "hybrid", "ranker")})["ranker"]["documents"]
    assert found[0].id == "travel"
    assert len({document.id for document in found}) == len(found) >= 4


def test_a_pipeline_is_drawn_as_text_without_a_server(handbook: str) -> None:
    """Haystack has its pictures made by a server of Mermaid; the text that it sends is made here."""
    pipeline = Pipeline.loads(DESIGN.format(collection=handbook))
    text = draw._to_mermaid_text(pipeline.graph, {})
    for part in ("LateInteractionRetriever", "LateInteractionRanker", "documents"):
        assert part in text


class Spans(tracing.Tracer):
    """Keeps what is traced."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    @contextmanager
    def trace(
        self, operation_name: str, tags: dict[str, Any] | None = None, parent_span: tracing.Span | None = None
    ) -> Iterator[Span]:
        span = Span()
        span.set_tags(tags or {})
        self.spans.append(span)
        yield span

    def current_span(self) -> tracing.Span | None:
        return self.spans[-1] if self.spans else None


class Span(tracing.Span):
    def __init__(self) -> None:
        self.tags: dict[str, Any] = {}

    def set_tag(self, key: str, value: Any) -> None:
        self.tags[key] = value


def test_haystacks_traces_show_what_went_in_and_came_out(handbook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tracer = Spans()
    monkeypatch.setattr(tracing.tracer, "is_content_tracing_enabled", True)
    tracing.enable_tracing(tracer)
    try:
        found = ask(Pipeline.loads(DESIGN.format(collection=handbook)))
    finally:
        tracing.disable_tracing()
    tags = {span.tags.get("haystack.component.name"): span.tags for span in tracer.spans}
    assert tags["retriever"]["haystack.component.type"] == "LateInteractionRetriever"
    assert tags["retriever"]["haystack.component.input"]["query"] == TRAVEL
    assert len(tags["ranker"]["haystack.component.input"]["documents"]) == 5
    assert tags["ranker"]["haystack.component.output"] == {"documents": found}
