"""Making, opening and closing: which model, which options, what needs neither."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from late_rag import Document, Retriever
from late_rag.collections import create_collection, open_collection
from late_rag.errors import (
    CollectionError,
    CollectionExistsError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
    InputError,
    ModelError,
    ModelMismatchError,
)
from late_rag.testing import HashEncoder


def test_create_add_close_open(tmp_path, encoder):
    with Retriever.create(tmp_path / "c.rag", encoder) as first:
        first.add(["some words"])
    with Retriever.open(tmp_path / "c.rag", model=encoder) as second:
        assert second.search("words")[0].chunk.text == "some words"
        assert second.info().settings.model == "hash"
    with pytest.raises(CollectionError, match="closed"):
        second.search("words")


def test_create_where_there_is_one(tmp_path, encoder):
    Retriever.create(tmp_path / "c.rag", encoder).close()
    with pytest.raises(CollectionExistsError, match="open"):
        Retriever.create(tmp_path / "c.rag", encoder)


def test_open_where_there_is_none(tmp_path):
    with pytest.raises(CollectionNotFoundError):
        Retriever.open(tmp_path / "c.rag")
    with pytest.raises(CollectionNotFoundError):
        Retriever.open(tmp_path / "c.rag", create=True, mode="read")


def test_open_makes_one_if_asked_also_from_many_threads(tmp_path, encoder):
    opened, start = [], threading.Barrier(6)

    def open_together() -> None:
        start.wait()
        opened.append(Retriever.open(tmp_path / "c.rag", create=True, model=encoder))

    threads = [threading.Thread(target=open_together) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    opened[0].add(["some words"])
    assert all(each.search("words") for each in opened)
    for each in opened:
        each.close()


def test_a_temporary_collection_is_removed(encoder):
    for make in (Retriever.create, Retriever.open):
        retriever = make(None, model=encoder)
        folder = Path(retriever.collection.location)
        assert folder.is_dir()
        retriever.close()
        assert not folder.exists()


def test_a_collection_that_was_handed_in_stays_open(tmp_path, encoder):
    with Retriever.create(tmp_path / "c.rag", encoder) as owner:
        with Retriever(owner.collection, encoder) as guest:
            guest.add(["some words"])
        assert owner.search("words")
    with Retriever(tmp_path / "c.rag", encoder) as third:
        assert third.search("words")


def test_read_only_refuses_writes_before_anything_is_encoded(tmp_path, encoder, files):
    Retriever.create(tmp_path / "c.rag", encoder).close()
    folder = files({"a.txt": "one"})
    encoder.forget()
    with Retriever.open(tmp_path / "c.rag", model=encoder, mode="read") as reader:
        for write in (
            lambda: reader.add(["one"]),
            lambda: reader.sync(folder),
            lambda: reader.update_metadata(None, {"a": 1}),
            lambda: reader.delete(["a"]),
        ):
            with pytest.raises(CollectionReadOnlyError):
                write()
        assert reader.search("one") == []
    assert encoder.documents == ["Every token keeps a vector of its own; a query meets the best of them."]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_factor": 3}, "pool_factor is 3, but the collection .* was made with 2"),
        ({"language": "german"}, "language is 'german', but the collection .* was made with 'english'"),
        ({"storage": "float16"}, "storage is 'float16'.*'int8'"),
        ({"embed_metadata": ["year"]}, "embed_metadata is .*'year'.*'title'"),
        ({"chunking": {"overlap": 8}}, "chunking overlap is 8.*4"),
        ({"chunking": "markdown"}, "chunking kind is 'markdown'.*'recursive'"),
        ({"index": "exact"}, "index is 'exact'.*'auto'"),
    ],
)
def test_other_options_than_recorded(tmp_path, encoder, options, message):
    made = {
        "chunking": {"kind": "recursive", "overlap": 4},
        "pool_factor": 2,
        "embed_metadata": ["title"],
        "language": "english",
    }
    with Retriever.create(tmp_path / "c.rag", encoder, **made):
        pass
    Retriever.open(tmp_path / "c.rag", model=encoder).close()
    Retriever.open(tmp_path / "c.rag", create=True, model=encoder, **made).close()
    with pytest.raises(InputError, match=message):
        Retriever.open(tmp_path / "c.rag", model=encoder, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_factor": 0}, "pool_factor must be a whole number of at least 1, not 0"),
        ({"pool_factor": "2"}, "not '2'"),
        ({"storage": "int4"}, "storage must be"),
        ({"embed_metadata": "title"}, "embed_metadata takes a list"),
        ({"embed_metadata": ["a"], "chunking": {"embed_metadata": ["b"]}}, "'a'.*'b'"),
    ],
)
def test_options_that_cannot_be(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        Retriever.create(tmp_path / "c.rag", "there is no such model", **options)


def test_an_option_that_does_not_exist(tmp_path):
    with pytest.raises(TypeError, match="'colour'; there are: chunking"):
        Retriever.open(tmp_path / "c.rag", create=True, colour="red")


def test_another_model_is_named_beside_the_recorded_one(tmp_path, encoder):
    with Retriever.create(tmp_path / "c.rag", encoder) as made:
        made.add(["some words"])
    other = HashEncoder(document_length=64, model="other")
    both = r"'hash' \(model_id hash-64-64-33\).*'other' \(model_id other-64-64-64\)"
    with Retriever.open(tmp_path / "c.rag", model=other) as opened:
        for use in (lambda: opened.search("words"), lambda: opened.add(["more"]), lambda: opened.encoder):
            with pytest.raises(ModelMismatchError, match=both):
                use()
        assert opened.info().chunks == 1


def test_a_model_that_changed_under_its_name_is_noticed(tmp_path, encoder):
    class Changed(HashEncoder):
        def _hashed(self, token):
            return super()._hashed(f"another {token}")

    with Retriever.create(tmp_path / "c.rag", encoder) as made:
        made.add(["some words"])
    changed = Changed(document_length=33)
    assert changed.model_id == encoder.model_id
    both = r"mean row cosine of -?0\.\d+ to the recorded ones, at least 0\.95"
    for use in (lambda r: r.search("words"), lambda r: r.add(["more"])):
        with Retriever.open(tmp_path / "c.rag", model=changed) as opened, pytest.raises(ModelMismatchError, match=both):
            use(opened)


def test_small_differences_of_precision_are_none(tmp_path, encoder):
    class Coarse(HashEncoder):
        def _hashed(self, token):
            return super()._hashed(token).astype(np.float16).astype(np.float32)

    Retriever.create(tmp_path / "c.rag", encoder).close()
    with Retriever.open(tmp_path / "c.rag", model=Coarse(document_length=33)) as opened:
        assert opened.search("words") == []


def test_another_dim_under_the_same_id(tmp_path, encoder):
    settings = replace(settings_of(encoder), dim=32, probe=None)
    collection = create_collection(tmp_path / "c.rag", settings)
    with pytest.raises(ModelMismatchError, match=r"dim 64.*32"):
        Retriever(collection, encoder).search("words")
    collection.close()


def settings_of(encoder):
    with Retriever.create(None, encoder) as made:
        return made.collection.settings


def test_a_model_that_is_gone_is_named_when_it_is_needed(tmp_path):
    made = Retriever.create(tmp_path / "c.rag", HashEncoder(model="somebody/gone-for-good"))
    made.add([Document("a", "some words")])
    made.close()
    with Retriever.open(tmp_path / "c.rag") as opened:
        assert opened.info().chunks == 1
        assert opened.delete(["a#0"]) == 1
        with pytest.raises(ModelError, match="gone-for-good"):
            opened.search("words")


def test_opening_counting_and_deleting_load_no_model(tmp_path):
    Retriever.create(tmp_path / "c.rag").close()
    program = f"""
import sys
from late_rag import Retriever
with Retriever.open({str(tmp_path / "c.rag")!r}) as retriever:
    retriever.info()
    retriever.delete(["a"])
print([name for name in ("onnxruntime", "tokenizers", "semantic_text_splitter", "pypdfium2") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wrong_arguments_are_named_before_a_model_is_loaded(tmp_path):
    Retriever.create(tmp_path / "c.rag").close()
    program = f"""
import sys
from late_rag import Retriever
from late_rag.errors import LateRAGError
retriever = Retriever.open({str(tmp_path / "c.rag")!r})
for wrong in (
    lambda: retriever.search(""), lambda: retriever.search("x", 0), lambda: retriever.search("x", filter="year >"),
    lambda: retriever.add(["\\ud800"]), lambda: retriever.sync("nowhere"), lambda: retriever.search("\\ud800"),
):
    try:
        wrong()
    except LateRAGError as error:
        print(type(error).__name__)
print([name for name in ("onnxruntime", "tokenizers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = ["InputError", "InputError", "FilterError", "InputError", "InputError", "InputError", "[]"]
    assert done.stdout.split("\n") == [*expected, ""]


def test_a_model_folder_is_found_beside_the_collection_that_moved_with_it(tmp_path):
    import late_rag_minilm

    shutil.copytree(late_rag_minilm.FOLDER, tmp_path / "here" / "model")
    with Retriever.create(tmp_path / "here" / "c.rag", tmp_path / "here" / "model") as made:
        made.add(["some words"])
        assert made.info().settings.model_relative == "../model"
    (tmp_path / "here").rename(tmp_path / "there")
    with Retriever.open(tmp_path / "there" / "c.rag") as opened:
        assert opened.search("words")[0].chunk.text == "some words"
    (tmp_path / "there" / "model").rename(tmp_path / "there" / "renamed")
    with Retriever.open(tmp_path / "there" / "c.rag", model=tmp_path / "there" / "renamed") as opened:
        assert opened.search("words")[0].chunk.text == "some words"
    with Retriever.open(tmp_path / "there" / "c.rag") as opened, pytest.raises(ModelError, match="model"):
        opened.search("words")


def test_settings_outlive_the_process(tmp_path, encoder):
    with Retriever.create(tmp_path / "c.rag", encoder, pool_factor=2, storage="float16") as made:
        expected = made.collection.settings
    opened = open_collection(tmp_path / "c.rag", "read")
    assert opened.settings == expected
    opened.close()
