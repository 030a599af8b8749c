"""Retrievers that are pickled and copied: configuration goes along, open files and locks do not."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

from late_rag import Document, Retriever
from late_rag.chunkers import load_chunker
from late_rag.errors import CollectionError, CollectionReadOnlyError
from late_rag.testing import HashEncoder

COPIES = [lambda given: pickle.loads(pickle.dumps(given)), copy.deepcopy]
DOCUMENTS = [Document("a", "one two"), Document("b", "three four")]


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_answers_the_same(tmp_path, copied):
    with Retriever.create(tmp_path / "c.rag", HashEncoder()) as given:
        given.add(DOCUMENTS)
        expected = given.search("four one")
        with copied(given) as made:
            assert type(made) is Retriever
            assert made.search("four one") == expected
            made.add(["five"])
        assert given.info().chunks == 3
        assert copied(made).search("five")[0].chunk.text == "five"
    assert copied(given).search("four one", 2) == expected


@pytest.mark.parametrize("copied", COPIES)
def test_mode_and_chunker_go_along(tmp_path, copied):
    Retriever.create(tmp_path / "c.rag", HashEncoder()).close()
    reader = copied(Retriever.open(tmp_path / "c.rag", mode="read", model=HashEncoder()))
    with pytest.raises(CollectionReadOnlyError):
        reader.add(["more"])
    chunker = load_chunker({"kind": "recursive", "max_tokens": 32}, HashEncoder())
    made = copied(Retriever(tmp_path / "c.rag", HashEncoder(), chunker))
    made.add([Document("long", "word " * 60)])
    assert made.info().chunks == 2


def test_another_process_answers_the_same(tmp_path):
    with Retriever.create(tmp_path / "c.rag", HashEncoder()) as given:
        given.add(DOCUMENTS)
        code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).search('four', 1)[0].chunk.id)"
        ran = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(given), capture_output=True, check=True)
        assert ran.stdout.decode().strip() == "b#0"


@pytest.mark.parametrize("copied", COPIES)
def test_a_temporary_collection_refuses(copied):
    with Retriever.create(None, HashEncoder()) as given, pytest.raises(CollectionError, match="temporary"):
        copied(given)
