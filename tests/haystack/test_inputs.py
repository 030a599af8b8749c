"""What callers may give, and what they are told where it is something else; nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from haystack.dataclasses import ByteStream, Document, SparseEmbedding
from haystack.document_stores.types import DuplicatePolicy

from haystack_integrations.components.converters.late_rag import LateInteractionConverter
from haystack_integrations.components.preprocessors.late_rag import LateInteractionDocumentSplitter
from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from haystack_integrations.document_stores.late_rag.filters import to_filter
from late_rag import Retriever
from late_rag.errors import InputError, LateRAGError

QUESTION = "who approves travel?"
PICTURE = ByteStream(b"\x89PNG", mime_type="image/png")
YEAR = {"field": "meta.year", "operator": ">=", "value": 2020}
DEEP: dict[str, Any] = {}
for _ in range(3000):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("sources", "named"),
    [
        ("x.txt", r"sources takes a list; put it into one: \['x.txt'\]"),
        (Path("x.txt"), "sources takes a list; put it into one"),
        (PICTURE, r"\[a ByteStream\]"),
        (b"text", "not b'text'"),
        (None, "not None"),
        ({"x.txt"}, "not {'x.txt'}"),
        (["x.txt", b"text"], r"sources\[1\] must be a path or a ByteStream, not b'text'"),
        ([None], r"sources\[0\]"),
        ([""], r"sources\[0\]"),
    ],
)
def test_sources_are_a_list(sources: Any, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(LateInteractionConverter, "_converted", lambda *given: loaded.append(given) or [])
    with pytest.raises(InputError, match=named):
        LateInteractionConverter().run(sources)
    assert loaded == []


@pytest.mark.parametrize("meta", ["text", ["text"], [{}, {}], [], 3, {"a": DEEP}])
def test_meta_is_for_all_sources_or_for_each(meta: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("First.")
    with pytest.raises(InputError, match="meta"):
        LateInteractionConverter().run([tmp_path], meta)


@pytest.mark.parametrize("wrong", ["", [], False, {}, 0, {"year": 2020}, {"operator": "AND", "conditions": []}])
def test_required_filters_require_something(store: LateInteractionDocumentStore, wrong: Any) -> None:
    with pytest.raises(InputError):
        LateInteractionRetriever(store, required_filters=wrong)


@pytest.mark.parametrize("wrong", ["", [], False, {"year": 2020}])
def test_filters_are_read_at_once(store: LateInteractionDocumentStore, wrong: Any) -> None:
    with pytest.raises(InputError):
        LateInteractionRetriever(store, filters=wrong)
    with pytest.raises(InputError):
        LateInteractionRetriever(store, filters=YEAR).run("text", wrong)
    assert LateInteractionRetriever(store, filters={}).run("text") == {"documents": []}


@pytest.mark.parametrize("top_k", [0, True, "3", 1.5])
def test_how_many_to_rank(top_k: Any) -> None:
    with pytest.raises(InputError, match="top_k"):
        LateInteractionRanker(top_k=top_k)
    with pytest.raises(InputError, match="top_k"):
        LateInteractionRanker().run(QUESTION, [Document(content="text")], top_k)


@pytest.mark.parametrize(
    ("query", "documents"), [(QUESTION, "text"), (QUESTION, ["text"]), (QUESTION, None), (3, []), (None, []), ("", [])]
)
async def test_what_is_ranked(query: Any, documents: Any) -> None:
    with pytest.raises(InputError, match=r"documents|query"):
        LateInteractionRanker().run(query, documents)
    with pytest.raises(InputError, match=r"documents|query"):
        await LateInteractionRanker().run_async(query, documents)


@pytest.mark.parametrize("names", ["title", [3], {"title": 1}, 7])
@pytest.mark.parametrize("kind", [LateInteractionRanker, LateInteractionDocumentStore])
def test_metadata_to_embed_are_a_list_of_keys(kind: Callable[..., object], names: Any) -> None:
    with pytest.raises(InputError, match="meta_fields_to_embed takes a list of texts"):
        kind(meta_fields_to_embed=names)


def test_separators_and_other_arguments() -> None:
    with pytest.raises(InputError, match="embedding_separator"):
        LateInteractionDocumentStore(embedding_separator=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="meta_data_separator"):
        LateInteractionRanker(meta_data_separator=1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="fields has no field 'maxsim'; there are score, similarity"):
        LateInteractionDocumentStore(fields={"maxsim": "score"})
    with pytest.raises(InputError, match="record_fields has no field 'txt'; there are text, key, metadata"):
        LateInteractionConverter(record_fields={"txt": "a"})
    for wrong in (LateInteractionRanker, LateInteractionRetriever):
        with pytest.raises(LateRAGError, match="must be a LateInteractionDocumentStore"):
            wrong(document_store="notes.rag")  # type: ignore[operator]


def test_what_is_split() -> None:
    splitter = LateInteractionDocumentSplitter()
    for wrong in ("text", None, ["text"], Document(content="text")):
        with pytest.raises(InputError, match="documents"):
            splitter.run(wrong)  # type: ignore[arg-type]
    one, same, other = (Document(id="a", content=text) for text in ("one", "one", "other"))
    with pytest.raises(InputError, match=r"documents\[0\] \(id 'a'\) and documents\[1\] \(id 'a'\) are different"):
        splitter.run([one, other])
    assert [document.content for document in splitter.run([one, same])["documents"]] == ["one"]
    with pytest.raises(InputError, match=r"documents\[0\] \(id 'a'\).*nested too deep"):
        splitter.run([Document(id="a", content="text", meta={"a": DEEP})])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"meta": {"year": np.int64(1)}}, r"documents\[1\] \(id 'a'\): year: an int64 cannot be stored.*\.item\(\)"),
        ({"meta": {"row": np.zeros(2)}}, r"documents\[1\] \(id 'a'\): row: .*\.tolist\(\)"),
        ({"meta": {"path": Path("x")}}, r"documents\[1\] \(id 'a'\): path: a PosixPath cannot be stored"),
        ({"meta": {"tags": {"x"}}}, r"documents\[1\] \(id 'a'\): tags: a set cannot be stored"),
        ({"meta": {"deep": DEEP}}, r"documents\[1\] \(id 'a'\): .*nested more than 100 deep"),
        ({"blob": ByteStream(b"", meta={"x": {1}})}, r"documents\[1\] \(id 'a'\): blob.meta: x: a set"),
        ({"embedding": ["1"]}, r"documents\[1\] \(id 'a'\): embedding takes a list of numbers"),
        ({"sparse_embedding": SparseEmbedding([0.5], [1.0])}, r"documents\[1\] \(id 'a'\): sparse_embedding.indices"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_stored_is_named_with_its_document(
    store: LateInteractionDocumentStore, arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        store.write_documents(
            [Document(id="b", content="text"), Document(**{"id": "a", "content": "text", **arguments})]
        )
    assert store.count_documents() == 0


def test_metadata_and_filters_that_are_nested_deep() -> None:
    for operator in ("==", "in", ">"):
        with pytest.raises(InputError):
            to_filter({"field": "a", "operator": operator, "value": DEEP})
    with pytest.raises(InputError, match="nested too deep"):
        LateInteractionRanker(meta_fields_to_embed=["a"]).run(QUESTION, [Document(id="a", content="text", meta=DEEP)])


@pytest.mark.parametrize(
    ("use", "named"),
    [
        (lambda store: store.delete_by_filter(None), "delete_by_filter takes filters; delete_all_documents"),
        (lambda store: store.delete_by_filter({}), "delete_all_documents"),
        (lambda store: store.delete_documents(None), "document_ids.*delete_all_documents"),
        (lambda store: store.delete_documents(1), "document_ids takes a list of texts, not 1"),
        (lambda store: store.delete_documents("abc"), "document_ids takes a list of texts, not 'abc'"),
        (lambda store: store.delete_documents([1]), r"document_ids takes a list of texts; document_ids\[0\] is 1"),
        (lambda store: store.update_by_filter(YEAR, None), "meta takes a dict.*not None"),
        (lambda store: store.update_by_filter(YEAR, {"a": DEEP}), "nested more than 100 deep"),
        (lambda store: store.update_by_filter(YEAR, {"title": "x", "a": {1}}), "meta: a: a set"),
        (lambda store: store.count_unique_metadata_by_filter({}, "year"), "metadata_fields takes a list"),
    ],
)
def test_what_is_changed_is_named_and_all_or_nothing(use: Callable[[Any], object], named: str, tmp_path: Path) -> None:
    store = LateInteractionDocumentStore(tmp_path / "a.rag", meta_fields_to_embed=["title"])
    written = [Document(id="a", content="text", meta={"title": "t"})]
    store.write_documents(written, DuplicatePolicy.OVERWRITE)
    with pytest.raises(InputError, match=named):
        use(store)
    assert store.filter_documents() == written


@pytest.mark.parametrize(
    "nothing",
    [
        {"field": "meta.x", "operator": "not in", "value": []},
        {
            "operator": "OR",
            "conditions": [{"field": "meta.of", "operator": "==", "value": 1}, {"operator": "AND", "conditions": []}],
        },
        {"operator": "NOT", "conditions": [{"field": "org.hidden", "operator": "==", "value": True}]},
    ],
)
def test_what_is_required_and_lets_everything_through_is_refused(nothing: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="restrict nothing"):
        LateInteractionRetriever(LateInteractionDocumentStore("c.rag"), required_filters=nothing)


@pytest.mark.parametrize("name", ["x" * 300 + ".txt", "a\0.txt", 3])
def test_a_name_that_no_file_can_have_loses_nothing_else(name: Any) -> None:
    odd = ByteStream(b"Odd.", meta={"file_path": name}, mime_type="text/plain")
    good = ByteStream(b"Good.", mime_type="text/plain")
    contents = [document.content for document in LateInteractionConverter().run([odd, good])["documents"]]
    assert contents in (["Odd.", "Good."], ["Good."])
    missing = LateInteractionConverter().run(["x" * 5000, good])["documents"]
    assert [document.content for document in missing] == ["Good."]
    with pytest.raises(LateRAGError):
        LateInteractionConverter(raise_on_failure=True).run(["x" * 5000])


def test_errors_name_the_place_and_file_of_a_document(store: LateInteractionDocumentStore) -> None:
    broken = [Document(content="a"), Document(id="b", content="x\ud800", meta={"file_path": "b.md"})]
    named = r"^documents\[1\] \(id 'b', file 'b.md'\)"
    for refuse in (
        lambda: store.write_documents(broken),
        lambda: LateInteractionRanker().run(QUESTION, broken),
        lambda: LateInteractionDocumentSplitter().run(broken),
    ):
        with pytest.raises(InputError, match=named):
            refuse()


async def test_any_iterable_of_documents_will_do(store: LateInteractionDocumentStore) -> None:
    def given(*texts: str) -> Any:
        return (Document(content=text) for text in texts)

    assert store.write_documents(given("One.", "Two.")) == 2
    assert await store.write_documents_async(given("Two.", "Three."), DuplicatePolicy.SKIP) == 1
    ranker, texts = LateInteractionRanker(top_k=1), ("Lunch is at noon.", "The head of department approves travel.")
    for found in (ranker.run(QUESTION, given(*texts)), await ranker.run_async(QUESTION, given(*texts))):
        assert [document.content for document in found["documents"]] == [texts[1]]


def test_sources_and_their_metadata_are_any_iterable(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    sources = (tmp_path / name for name in ("a.txt", "b.txt"))
    found = LateInteractionConverter().run(sources, (meta for meta in (None, {"year": 2020})))["documents"]  # type: ignore[arg-type]
    assert [document.meta.get("year") for document in found] == [None, 2020]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda _: LateInteractionDocumentStore(path="x"),
            "LateInteractionDocumentStore has no argument 'path'; use coll",
        ),
        (lambda _: LateInteractionDocumentStore(embedding_dim=3), "model= chooses one"),
        (lambda _: LateInteractionDocumentStore(model=3), "model is the name of a model or its folder, not 3"),
        (lambda _: LateInteractionDocumentStore(create="x"), "create takes a dict of options, not 'x'"),
        (lambda _: LateInteractionDocumentStore(encoder_options="x"), "encoder_options takes a dict of options"),
        (lambda _: LateInteractionDocumentStore(create={"chunking": {"kind": "x"}}), "unknown chunker 'x'"),
        (
            lambda _: LateInteractionDocumentStore(create={"chunking": 3}),
            "chunking takes the kind of a chunker, or a dict",
        ),
        (lambda _: LateInteractionDocumentStore(create={"language": "x"}), "no stemmer for language 'x'; there are: "),
        (lambda _: LateInteractionDocumentStore(create={"language": 3}), "language takes the name of a Snowball"),
        (lambda _: LateInteractionDocumentStore(progress_bar=1), "progress_bar takes True or False, not 1"),
        (lambda _: LateInteractionDocumentStore(wrong=3), "has no argument 'wrong'; it has collection, model"),
        (lambda store: LateInteractionRetriever(store, k=3), "LateInteractionRetriever has no argument 'k'; use top_k"),
        (
            lambda store: LateInteractionRetriever(store, threshold=3),
            "has no argument 'threshold'; use score_threshold",
        ),
        (lambda store: LateInteractionRetriever(store, score_threshold=3), "^score_threshold must be a similarity"),
        (lambda store: LateInteractionRetriever(store, model="x"), "those of the store: document_store=…"),
        (lambda _: LateInteractionRanker(top_n=3), "LateInteractionRanker has no argument 'top_n'; use top_k"),
        (lambda _: LateInteractionRanker(score_threshold=3), "^score_threshold must be a similarity"),
        (lambda _: LateInteractionRanker(model=3), "model is the name of a model"),
        (lambda _: LateInteractionRanker(keep_order="no"), "keep_order takes True or False, not 'no'"),
        (lambda _: LateInteractionDocumentSplitter(split_length=3), "has no argument 'split_length'; use max_tokens"),
        (lambda _: LateInteractionDocumentSplitter(kind="x"), "unknown chunker 'x'; there are: auto"),
        (lambda _: LateInteractionDocumentSplitter(model=3), "model is the name of a model"),
        (lambda _: LateInteractionConverter(store_full_path="no"), "store_full_path takes True or False, not 'no'"),
        (lambda _: LateInteractionConverter(raise_on_failure=None), "raise_on_failure takes True or False, not None"),
        (
            lambda _: LateInteractionConverter(sources=[]),
            "Converter has no argument 'sources'; give run",
        ),
        (lambda store: store.search("x", k=3), r"LateInteractionDocumentStore\.search has no argument 'k'; use top_k"),
        (lambda store: store.search("x", filter="y"), "has no argument 'filter'; use filters"),
        (lambda store: store.search("x", wrong=3), "has no argument 'wrong'; it has threshold, group_by"),
        (lambda store: store.get_metadata_field_min_max(3), "the name of a field must be a text, not 3"),
    ],
)
def test_what_can_be_checked_is_checked_at_once(
    store: LateInteractionDocumentStore, make: Callable[[LateInteractionDocumentStore], object], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        make(store)


def test_an_unknown_argument_in_yaml_names_the_class(store: LateInteractionDocumentStore) -> None:
    data = store.to_dict()
    data["init_parameters"]["path"] = "x"
    with pytest.raises(TypeError, match="LateInteractionDocumentStore has no argument 'path'; use collection"):
        LateInteractionDocumentStore.from_dict(data)


def test_what_is_shown_of_a_store(tmp_path: Path) -> None:
    place = str(tmp_path / "s.rag")
    assert repr(LateInteractionDocumentStore()) == "LateInteractionDocumentStore(temporary)"
    assert repr(LateInteractionDocumentStore(place, mode="read")) == (
        f"LateInteractionDocumentStore({place!r}, mode='read')"
    )


async def test_a_bar_shows_how_far_a_long_write_is(capsys: pytest.CaptureFixture[str]) -> None:
    store = LateInteractionDocumentStore(progress_bar=True)
    store.write_documents([Document(content="one"), Document(content="two")])
    assert "Encoding documents: 100%" in capsys.readouterr().err
    await store.write_documents_async([Document(content="three")])
    assert "Encoding documents: 100%" in capsys.readouterr().err
    assert LateInteractionDocumentStore.from_dict(
        LateInteractionDocumentStore(progress_bar=True).to_dict()
    )._progress_bar
    LateInteractionDocumentStore().write_documents([Document(content="four")])
    assert capsys.readouterr().err == ""


def test_a_retriever_of_the_core_stands_for_its_collection(tmp_path: Path) -> None:
    with Retriever.create(tmp_path / "s.rag", "minilm") as core:
        store = LateInteractionDocumentStore(core)  # type: ignore[arg-type]
        store.write_documents([Document(content="one")])
        assert LateInteractionDocumentStore.from_dict(store.to_dict()).count_documents() == 1


def test_a_duplicate_is_named_by_its_place_and_file(store: LateInteractionDocumentStore) -> None:
    """Its id is a hash that nobody knows."""
    first, other = (Document(content=name, meta={"file_path": f"{name}.md"}) for name in "ab")
    store.write_documents([first])
    with pytest.raises(LateRAGError, match=r"^documents\[1\] \(id '\w+', file 'a.md'\) is there already; nothing"):
        store.write_documents([other, first])
    with pytest.raises(LateRAGError, match=r"^documents\[0\] \(.*b.md'\) comes again as documents\[2\] \(.*; nothing"):
        store.write_documents([other, Document(content="c"), other])
    assert store.count_documents() == 1
