"""What cannot be read of a file: the rest is in the collection, and the next run tells it again."""

from __future__ import annotations

import pytest

from late_rag import Retriever
from late_rag.errors import InputError
from late_rag.retriever import FileOmission
from late_rag.testing import HashEncoder

GOOD = '{"id": "a", "text": "the quay"}\n{"id": "b", "text": "the mill"}\n'
BAD = '{"id": "a", "text": "the quay"}\n{"id": "b", "text": \n{"id": "c", "text": "the barn"}\n'


def texts(retriever) -> list[str]:
    return sorted(item[0].text for batch in retriever.collection.iterate() for item in batch)


def test_a_bad_record_costs_that_record_only(retriever, files):
    folder = files({"a.jsonl": BAD})
    result = retriever.sync(folder)
    assert len(result.added) == 1
    assert not result.failed
    assert not result.complete
    (omission,) = result.omissions
    assert omission == FileOmission(f"{folder}/a.jsonl", omission.what, lost=True)
    assert omission.what.startswith("line 2: is not JSON")
    assert texts(retriever) == ["the barn", "the quay"]


def test_it_is_told_again_until_it_is_mended_and_nothing_is_encoded_twice(retriever, files):
    folder = files({"a.jsonl": BAD})
    retriever.sync(folder)
    again = retriever.sync(folder)
    assert (again.chunks, again.encoded, len(again.omissions)) == (0, 0, 1)
    files({"a.jsonl": GOOD})
    assert retriever.sync(folder).complete
    assert texts(retriever) == ["the mill", "the quay"]
    assert len(retriever.sync(folder).unchanged) == 1


def test_a_record_that_may_be_in_a_bad_line_is_kept(retriever, files):
    folder = files({"a.jsonl": GOOD})
    retriever.sync(folder)
    files({"a.jsonl": BAD})
    retriever.sync(folder)
    assert texts(retriever) == ["the barn", "the mill", "the quay"]


@pytest.mark.parametrize("content", ["", " \n "])
def test_a_file_without_text_is_told_each_time(retriever, files, content):
    folder = files({"a.txt": content, "b.txt": "words"})
    for _ in range(2):
        result = retriever.sync(folder)
        assert [failed.location for failed in result.failed] == [f"{folder}/a.txt"]
        assert not result.complete


def test_what_is_recorded_decides_what_is_read(tmp_path, files):
    folder = files({"a.ipynb": NOTEBOOK})
    plain = Retriever.create(tmp_path / "plain.rag", HashEncoder())
    whole = Retriever.create(tmp_path / "whole.rag", HashEncoder(), include=["outputs"])
    (omission,) = plain.sync(folder).omissions
    assert not omission.lost
    assert "--include outputs" in omission.what
    assert plain.sync(folder).complete
    assert not whole.sync(folder).omissions
    assert "forty-two" not in "".join(texts(plain))
    assert "forty-two" in "".join(texts(whole))
    whole.close()
    with pytest.raises(InputError, match=r"include is \(\), but the collection .* was made with \('outputs',\)"):
        Retriever.open(tmp_path / "whole.rag", include=[])


NOTEBOOK = """{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
{"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "answer()",
 "outputs": [{"output_type": "stream", "name": "stdout", "text": "forty-two"}]}]}"""
