"""An import is checked in whole before anything is written: a broken line is told by its number, and none is lost."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag import Document, Retriever
from late_rag.collections import open_collection
from late_rag.errors import InputError, ModelError
from late_rag.testing import HashEncoder
from late_rag.transfer import export_jsonl, import_jsonl

Lines = list[Any]
Change = Callable[[Lines], object]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """An export: settings, a source, then three documents, each with its chunk behind it."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "x.txt").write_text("hello there")
    written: list[str] = []
    with Retriever.create(folder / "c.rag", HashEncoder()) as made:
        made.sync(folder / "x.txt")
        made.add([Document("a", "one two", metadata={"m": 1}), Document("b", "three")])
        export_jsonl(made.collection, written.append, embeddings=True)
    found = [json.loads(line) for line in written]
    assert [line["kind"] for line in found] == ["settings", "source", *["document", "chunk"] * 3]
    return found


def bytes_of(lines: Lines) -> bytes:
    text = "".join(line if isinstance(line, str) else f"{json.dumps(line)}\n" for line in lines)
    return text.encode("utf-8", "surrogatepass")


def at(number: int, **changes: object) -> Change:
    return lambda lines: lines[number - 1].update(changes)


def setting(**changes: object) -> Change:
    return lambda lines: lines[0]["settings"].update(changes)


def rows(**changes: object) -> Change:
    return lambda lines: lines[3]["embeddings"].update(changes)


def raw(number: int, old: str, new: str) -> Change:
    def change(lines: Lines) -> None:
        text = json.dumps(lines[number - 1])
        assert old in text
        lines[number - 1] = text.replace(old, new) + "\n"

    return change


def swap(lines: Lines) -> None:
    lines[2], lines[3] = lines[3], lines[2]


MEDIA: list[Any] = [
    *({"path": "a\0b", "mime_type": "x"}, {"path": 5, "mime_type": "x"}, {"path": None, "mime_type": "x"}, {}, 5, None),
    *({"path": "a", "mime_type": 7}, {"path": "a", "mime_type": "x", "page": "1"}, {"path": "a"}),
    *({"path": "a", "mime_type": "x", "page": 10**30}, {"path": "a", "mime_type": "x", "page": -1}),
    *({"base64": "%%%", "mime_type": "x"}, {"base64": 5, "mime_type": "x"}, {"path": "a", "mime_type": "x", "hash": 5}),
    *({"path": "a", "base64": "", "mime_type": "x"}, {"path": "a", "mime_type": "x", "more": "y"}),
]
SETTINGS: list[dict[str, Any]] = [
    {name: value}
    for name, values in {
        "dim": [8.0, "64", 0, -1, None, True, 2**70],
        "model": [5, "", "a\0b", None],
        "model_id": [5, "", None, "\0"],
        "storage": ["x", 5],
        "pooling": [5, "x", {"kind": 5}, {"kind": "x"}, [], {"kind": "hierarchical", "pool_factor": "x"}],
        "chunking": [5, "x", [], {"kind": "x"}, {"kind": 5}, {"zz": 1}, {"max_tokens": "x"}],
        "embed_metadata": [5, "abc", [5], None],
        "language": [5, "klingon", None],
        "index": [5, "x", None],
        "content": [5, "x"],
        "include": [5, "x", ["zz"]],
        "probe": [5, [], {"query": 5}, {"query": [["x"]]}, {"query": [[1.0]]}, {"query": [[float("nan")] * 64]}],
        "variant": [5, None],
        "model_relative": [5],
        "unknown": [1],
    }.items()
    for value in values
]
DEEP = "{}" + '{"a":' * 50_000 + "1" + "}" * 50_000

BROKEN: list[tuple[int, Change]] = [
    *((number, at(number, id=value)) for number in (3, 4) for value in ("", "a\0b", 5)),
    *((number, at(number, media=[value])) for number in (3, 4) for value in MEDIA),
    *((number, at(number, metadata=value)) for number in (3, 4) for value in ({"a": 2**70}, {"$x": 1}, [])),
    *((number, raw(number, '"metadata": {', '"metadata": {"x": ' + DEEP[2:] + ", ")) for number in (3, 4)),
    *((number, raw(number, '"metadata": {', '"metadata": {"x": ' + "1" * 5000 + ", ")) for number in (3, 4)),
    *((number, at(number, text=value)) for number in (3, 4) for value in ({}, None, "\ud800")),
    *((4, at(4, document_id=value)) for value in ("", "a\0b")),
    *((4, at(4, **{name: value})) for name in ("start", "end") for value in (2**70, 10**400, -1, True, 1.0)),
    (4, at(4, start=9, end=1)),
    *((2, at(2, path=value)) for value in ("", "a\0b", 5)),
    (2, at(2, root="a\0b")),
    *((2, at(2, size=value)) for value in (2**70, -1, 1.5)),
    *((2, at(2, mtime=value)) for value in (float("nan"), float("inf"), 10**400, 2**70, "1")),
    *((3, at(3, source=value)) for value in ({"root": 1, "path": 2}, {"root": "x"}, {"root": [], "path": {}}, 5)),
    *((4, rows(shape=value)) for value in ([1.0, 64], [-1, 64], [2**70, 64], "ab", [True, 64])),
    *((4, rows(scale=value)) for value in ("x", float("nan"), None, 1e300, -1, 10**400)),
    *((4, rows(**{name: value})) for name in ("base64", "dtype") for value in (5, "é", [])),
    *((1, at(1, **{name: value})) for name in ("sources", "chunks") for value in (-1, 2**70, True)),
    *((1, at(1, settings=value)) for value in ([], None)),
    *((5, at(5, kind=value)) for value in ([], {}, "x", None)),
    (5, lambda lines: lines.insert(4, "[" * 100_000 + "\n")),
    (4, swap),
]


@pytest.mark.parametrize(("number", "change"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_line_is_told_and_nothing_is_written(
    lines: Lines, tmp_path: Path, number: int, change: Change
) -> None:
    broken = copy.deepcopy(lines)
    change(broken)
    with pytest.raises(InputError, match=rf"line {number}: ") as caught:
        import_jsonl(io.BytesIO(bytes_of(broken)), tmp_path / "c.rag", name="x.jsonl")
    assert list(tmp_path.iterdir()) == []
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_settings_that_cannot_be_are_told(lines: Lines, tmp_path: Path, changes: dict[str, Any]) -> None:
    broken = copy.deepcopy(lines)
    setting(**changes)(broken)
    with pytest.raises(InputError):
        import_jsonl(io.BytesIO(bytes_of(broken)), tmp_path / "c.rag", name="x.jsonl")
    assert list(tmp_path.iterdir()) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from([2**63, -1, "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the lines, but those in the probe, which are many."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [place for key, item in items if key != "probe" for place in places(item, (*above, key))]
    return [above, *inner] if above else inner


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_changed_is_told_or_imported_whole(
    lines: Lines, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    changed = copy.deepcopy(lines)
    *path, last = data.draw(st.sampled_from(places(lines)))
    holder: Any = changed
    for key in path:
        holder = holder[key]
    holder[last] = data.draw(json_values)
    location = tmp_path_factory.mktemp("import") / "c.rag"
    try:
        result = import_jsonl(io.BytesIO(bytes_of(changed)), location, name="x.jsonl")
    except (InputError, ModelError):  # the latter where embeddings are gone, or the model has another name
        assert not location.exists()
        return
    with Retriever(open_collection(location), HashEncoder()) as opened:
        assert (result.documents, result.chunks) == (3, 3) == (opened.info().documents, opened.info().chunks)
        assert opened.collection.verify().ok
        opened.collection.close()


def test_without_the_model_that_chunks_are_to_be_encoded_by_nothing_is_made(lines: Lines, tmp_path: Path) -> None:
    bare = [{key: value for key, value in line.items() if key != "embeddings"} for line in lines]
    for model in ("someone/else", "nowhere/at/all"):
        setting(model=model)(bare)
        with pytest.raises(ModelError):
            import_jsonl(io.BytesIO(bytes_of(bare)), tmp_path / "c.rag")
        assert list(tmp_path.iterdir()) == []
