"""What a first user got wrong, or met at the edges: each is an error that says what to do, or simply works."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers import AutoMergingRetriever, SentenceWindowRetriever
from haystack.dataclasses import ByteStream, Document, SparseEmbedding
from haystack.document_stores.types import FilterPolicy
from haystack.utils import Secret
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack_integrations.components.preprocessors.late_rag import LateInteractionDocumentSplitter
from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag import Retriever
from late_rag.errors import CollectionError, FilterError, InputError
from tests.frameworks import HANDBOOK

QUESTION = "who approves travel?"
PICTURE = ByteStream(b"\x89PNG", mime_type="image/png")


@pytest.fixture
def files(tmp_path: Path) -> LateInteractionDocumentStore:
    """A store over what the core made of two files."""
    for name, text in (("travel", "The head approves travel."), ("leave", "Thirty days of leave.")):
        (tmp_path / "rules").mkdir(exist_ok=True)
        (tmp_path / "rules" / f"{name}.txt").write_text(text)
    with Retriever.open(tmp_path / "rules.rag", create=True) as filled:
        filled.sync(tmp_path / "rules", as_="rules")
    return LateInteractionDocumentStore(tmp_path / "rules.rag")


def test_what_has_nothing_to_split_is_passed_on_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Haystack's own splitters raise; a picture in a folder of texts must not end the run."""
    pictures = [Document(id="a", blob=PICTURE, meta={"n": [1]}), Document(id="b", content=" \n", blob=PICTURE)]
    text = Document(id="c", content="First.")
    given = [*pictures, Document(id="none"), text]
    found = LateInteractionDocumentSplitter().run(given)["documents"]
    assert found[:2] == pictures
    assert [document.id for document in found] == ["a", "b", "c#0"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "'none'" in caplog.text
    found[0].meta["n"].append(2)
    assert pictures[0].meta == {"n": [1]}


_words = st.text("ab. \n#\f\t", max_size=200) | st.lists(
    st.sampled_from(["Leave is long. ", "# Head\n\n", "\n\n", "   ", "\f", "parking", "- item\n", "\r\n"]), max_size=60
).map("".join)


@settings(max_examples=300, deadline=None)
@given(_words, st.sampled_from(["auto", "recursive", "markdown", "whole"]), st.sampled_from([0, 4]))
def test_passages_are_together_the_text(text: str, kind: str, overlap: int) -> None:
    splitter = LateInteractionDocumentSplitter(kind=kind, max_tokens=32, overlap=overlap)
    document = Document(id="a", content=text, meta={"mime_type": "text/markdown"})
    passages = splitter.run([document])["documents"]
    joined, end = "", passages[0].meta["split_idx_start"] if passages else len(text)
    assert text[:end].strip() == ""
    for passage in passages:
        start, content = passage.meta["split_idx_start"], passage.content or ""
        assert text[start : start + len(content)] == content
        assert start <= end if overlap else start == end
        joined, end = joined + content[end - start :], start + len(content)
    assert joined == text[len(text) - len(joined) :]
    assert end == len(text)


async def test_haystacks_windows_over_passages(store: LateInteractionDocumentStore) -> None:
    text = "\n\n".join(f"# {topic}\n\n{page}" for topic, (_, page) in HANDBOOK.items())
    passages = LateInteractionDocumentSplitter(kind="recursive", max_tokens=32).run([Document(id="a", content=text)])
    store.write_documents([*passages["documents"], Document(id="b", content="Else.", meta={"split_id": 1})])
    found = LateInteractionRetriever(store, top_k=1).run("what does parking cost?")["documents"]
    place = found[0].meta["split_id"]
    around = passages["documents"][max(place - 1, 0) : place + 2]
    window = SentenceWindowRetriever(store, window_size=1)
    expected = {"context_windows": ["".join(each.content or "" for each in around)], "context_documents": around}
    assert len(around) == 3
    assert expected["context_windows"][0] in text
    assert window.run(retrieved_documents=found) == expected
    assert await window.run_async(retrieved_documents=found) == expected


def test_haystacks_merging_of_parts(store: LateInteractionDocumentStore) -> None:
    parent = Document(id="p", content="one two", meta={"__level": 1, "__children_ids": ["a", "b"], "__block_size": 2})
    store.write_documents([parent])
    parts = [
        Document(id=name, content=text, meta={"__parent_id": "p", "__level": 2, "__block_size": 1})
        for name, text in (("a", "one"), ("b", "two"))
    ]
    merged = AutoMergingRetriever(store, threshold=0.5).run(documents=parts)["documents"]
    assert [document.id for document in merged] == ["p"]


def test_files_are_addressed_by_their_source(files: LateInteractionDocumentStore) -> None:
    travel = {"field": "$source", "operator": "==", "value": "rules/travel.txt"}
    (found,) = files.filter_documents(travel)
    assert found.content == "The head approves travel."
    assert "source" not in found.meta
    (same,) = LateInteractionRetriever(files, filters=travel).run("leave")["documents"]
    assert same.meta["source"] == "rules/travel.txt"
    sources, total = files.get_metadata_field_unique_values("$source")
    assert (sorted(sources), total) == (["rules/leave.txt", "rules/travel.txt"], 2)
    (document,), _ = files.get_metadata_field_unique_values("$document_id", filters=travel)
    assert files.count_documents_by_filter({"field": "$document_id", "operator": "in", "value": [document]}) == 1
    assert files.count_unique_metadata_by_filter({}, ["$source"]) == {"$source": 2}
    assert files.update_by_filter(travel, {"checked": True}) == 1
    assert files.delete_by_filter(travel) == 1
    assert [document.content for document in files.filter_documents()] == ["Thirty days of leave."]


def test_passages_of_a_file_that_were_deleted_come_back_with_it(tmp_path: Path) -> None:
    file, location = tmp_path / "a.md", tmp_path / "a.rag"
    file.write_text("# Leave\n\nThirty days.\n\n# Parking\n\nIt is free.\n")
    with Retriever.open(location, create=True) as core:
        core.sync(file)
    store = LateInteractionDocumentStore(location)
    (leave, parking) = store.filter_documents()
    store.delete_documents([leave.id])
    for added, expected in (("", 2), ("\n# Lunch\n\nAt noon.\n", 3)):
        file.write_text(file.read_text() + added)
        with Retriever.open(location) as core:
            core.sync(file)
        assert store.count_documents() == expected
    assert parking.id in {document.id for document in store.filter_documents()}


def test_a_relative_location_is_that_seen_from_where_the_store_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = LateInteractionDocumentStore("relative.rag")
    monkeypatch.chdir("/")
    store.write_documents([Document(content="text")])
    assert (tmp_path / "relative.rag").exists()
    assert store.to_dict()["init_parameters"]["collection"] == "relative.rag"


def test_a_key_of_the_metadata_that_is_called_like_a_field_of_the_collection(
    store: LateInteractionDocumentStore,
) -> None:
    store.write_documents([Document(id="a", content="text", meta={"$source": 2})])
    assert store.count_documents_by_filter({"field": "meta.$source", "operator": "==", "value": 2}) == 1
    assert store.count_documents_by_filter({"field": "$source", "operator": "==", "value": None}) == 1
    assert store.get_metadata_fields_info() == {"$source": {"type": "int"}}


def test_fields_of_the_collection_match(store: LateInteractionDocumentStore) -> None:
    store.write_documents([Document(id="a", content="one", meta={"$id": "b"}), Document(id="b", content="two")])
    for field, wanted in (("$id", "b"), ("$document_id", "b"), ("$text", "two"), ("id", "b"), ("content", "two")):
        (found,) = store.filter_documents({"field": field, "operator": "==", "value": wanted})
        (other,) = store.filter_documents({"field": field, "operator": "!=", "value": wanted})
        assert (found.id, other.id) == ("b", "a")
    (found,) = store.filter_documents({"field": "meta.$id", "operator": "==", "value": "b"})
    assert found.id == "a"
    with pytest.raises(FilterError, match="id and content are in no order"):
        store.filter_documents({"field": "$id", "operator": ">", "value": "a"})


async def test_closing_a_component_leaves_its_store(store: LateInteractionDocumentStore) -> None:
    store.write_documents([Document(id="a", content="Travel.")])
    for component in (LateInteractionRetriever(store), LateInteractionRanker(document_store=store)):
        component.close()
        await component.close_async()
        assert store.count_documents() == 1


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.count_documents(),
        lambda store: store.write_documents([Document(content="text")]),
        lambda store: store.delete_all_documents(),
        lambda store: store.update_by_filter({"field": "id", "operator": "==", "value": "a"}, {"a": 1}),
        lambda store: LateInteractionRetriever(store).run("text"),
        lambda store: LateInteractionRanker(document_store=store).run("text", [Document(content="text")]),
    ],
)
def test_a_temporary_store_that_was_closed(use: Callable[[LateInteractionDocumentStore], object]) -> None:
    store = LateInteractionDocumentStore()
    store.write_documents([Document(content="text")])
    folder = Path(store.retriever().collection.location)
    assert folder.exists()
    store.close()
    assert not folder.exists()
    with pytest.raises(CollectionError, match=r"temporary and is closed.*give collection= a location"):
        use(store)


def test_filter_policies_by_name(store: LateInteractionDocumentStore) -> None:
    for given_policy in ("merge", "MERGE", FilterPolicy.MERGE):
        made = LateInteractionRetriever(store, filter_policy=given_policy)  # type: ignore[arg-type]
        assert made.to_dict()["init_parameters"]["filter_policy"] == "merge"
    for wrong in ("both", None, 1, ""):
        with pytest.raises(InputError, match="filter_policy takes a FilterPolicy or one of 'replace', 'merge'"):
            LateInteractionRetriever(store, filter_policy=wrong)  # type: ignore[arg-type]


def test_embeddings_of_numpy(store: LateInteractionDocumentStore) -> None:
    sparse = SparseEmbedding(list(np.array([1, 5])), list(np.array([0.5, 2], dtype="float32")))
    embedding = list(np.array([0.5, -1], dtype="float32"))
    store.write_documents([Document(id="a", content="text", embedding=embedding, sparse_embedding=sparse)])
    (found,) = store.filter_documents()
    assert found.embedding == [0.5, -1.0]
    assert found.sparse_embedding == SparseEmbedding([1, 5], [0.5, 2.0])


def test_sorting_by_score_undoes_another_order(handbook: str) -> None:
    """As the page says of hybrid and diverse searches."""
    store = LateInteractionDocumentStore(handbook, mode="read")
    found = LateInteractionRetriever(store, lambda_mult=0.0, fetch_k=8, top_k=8).run(QUESTION)["documents"]
    scores = [document.score or 0 for document in found]
    assert scores != sorted(scores, reverse=True)
    joined = DocumentJoiner().run([found])["documents"]
    assert [document.score for document in joined] == sorted(scores, reverse=True)


def test_nul_characters_become_spaces(store: LateInteractionDocumentStore) -> None:
    store.write_documents([Document(id="a", content="one\0two")])
    assert store.filter_documents()[0].content == "one two"


def test_a_ranker_loads_the_model_as_its_store_does(tmp_path: Path) -> None:
    store = LateInteractionDocumentStore(str(tmp_path / "c.rag"), encoder_options={"device": "cpu", "workers": 1})
    store.write_documents([Document(id="a", content="Lunch is at noon.")])
    assert LateInteractionRanker(document_store=store)._reranker().encoder is store.retriever().encoder


def test_a_required_token_is_required_of_writes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_TOKEN", raising=False)
    store = LateInteractionDocumentStore(str(tmp_path / "c.rag"), token=Secret.from_env_var("NO_TOKEN"))
    with pytest.raises(ValueError, match="NO_TOKEN"):
        store.write_documents([Document(content="x")])
    with pytest.raises(ValueError, match="NO_TOKEN"):
        LateInteractionDocumentSplitter(token=Secret.from_env_var("NO_TOKEN")).run([Document(content="x")])
    assert not (tmp_path / "c.rag").exists()
