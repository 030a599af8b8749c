"""Notebooks of formats 3 and 4: cells as Markdown, outputs by choice."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.errors import LoadError
from late_rag.loaders import load
from late_rag.loaders.notebook import NotebookLoader
from late_rag.loading import LoadOptions

NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"language": "python", "name": "python3"}, "language_info": {"name": "python"}},
    "cells": [
        {
            "cell_type": "markdown",
            "source": ["```\n", "# no heading\n", "```\n", "# Tides of Brest #\n", "\n", "Words."],
        },
        {
            "cell_type": "code",
            "source": "height = 7\nprint('```')",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["```\n"]},
                {"output_type": "execute_result", "data": {"text/plain": ["7"], "image/png": "aGk="}},
                {
                    "output_type": "display_data",
                    "data": {"text/plain": "<x>", "text/html": "<table><tr><td>q</td></tr></table>"},
                },
                {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": ["\x1b[31mx\x1b[0m"]},
            ],
        },
        {"cell_type": "raw", "source": "raw *text*"},
        {"cell_type": "code", "source": "", "outputs": []},
    ],
}
TEXT = "```\n# no heading\n```\n# Tides of Brest #\n\nWords.\n\n````python\nheight = 7\nprint('```')\n````"


def write(tmp_path, content, name="a.ipynb"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_cells_are_markdown_and_outputs_are_left_out_with_a_word(tmp_path, one_document):
    path = write(tmp_path, NOTEBOOK)
    document = one_document(path)
    assert document.text == f"{TEXT}\n\nraw *text*"
    assert document.metadata == {"mime_type": "application/x-ipynb+json", "title": "Tides of Brest"}
    (file,) = load(path)
    list(file.documents)
    what = 'outputs (read with include=["outputs"] or --include outputs)'
    assert [(omission.what, omission.lost) for omission in file.omissions] == [(what, False)]


def test_outputs_by_choice(tmp_path, one_document):
    text = one_document(write(tmp_path, NOTEBOOK), include=["outputs"]).text
    assert text.startswith(f"{TEXT}\n\n````\n```\n````\n\n```\n7\n```\n\n")
    assert text.endswith("\n\n```\nValueError: bad\n```\n\nraw *text*")
    assert "q" in text.partition("7\n```")[2].partition("ValueError")[0]
    assert "aGk=" not in text


def test_nothing_is_said_about_outputs_where_there_are_none(tmp_path):
    (file,) = load(write(tmp_path, {"cells": [{"cell_type": "code", "source": "x = 1", "outputs": []}]}))
    assert [document.text for document in file.documents] == ["```\nx = 1\n```"]
    assert file.omissions == []


def test_format_3(tmp_path, one_document):
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["The ", "sea"]},
        {
            "cell_type": "code",
            "language": "julia",
            "input": ["f(x) = x"],
            "outputs": [{"output_type": "pyout", "text": "3"}],
        },
    ]
    document = one_document(write(tmp_path, {"nbformat": 3, "worksheets": [{"cells": cells}]}), include=["outputs"])
    assert document.text == "## The sea\n\n```julia\nf(x) = x\n```\n\n```\n3\n```"
    assert document.metadata["title"] == "The sea"


def test_a_language_cannot_end_its_fence(tmp_path, one_document):
    notebook = {
        "metadata": {"language_info": {"name": "x\n```\n# oops"}},
        "cells": [{"cell_type": "code", "source": "1"}],
    }
    assert one_document(write(tmp_path, notebook)).text == "```\n1\n```"


def test_broken_cells_are_named_and_the_rest_is_read(tmp_path):
    cells = [7, {"cell_type": "code", "source": {"a": 1}}, {"cell_type": "markdown", "source": "good \ud800"}]
    (file,) = load(write(tmp_path, {"cells": cells}))
    assert [document.text for document in file.documents] == ["good ?"]
    assert [omission.what for omission in file.omissions] == [
        "cell 1 is no cell but a number",
        "cell 2 has an object where its text should be",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"cells":[]}', "has no text"),
        ("", "is empty"),
        ("[]", "is no notebook: it is JSON of a list, not an object with cells"),
        ('{"a": 1}', "is no notebook: it has no list of cells"),
        ("print(1)", "is no notebook: it is not JSON (Expecting value: line 1 column 1 (char 0))"),
    ],
)
def test_what_is_no_notebook_is_told(tmp_path, problem_of, content, message):
    assert problem_of(write(tmp_path, content)) == message


@pytest.mark.parametrize("content", ["[" * 200_000, '{"cells": ' + "9" * 10_000 + "}"])
def test_hostile_json_is_told(tmp_path, problem_of, content):
    assert problem_of(write(tmp_path, content)).startswith("is no notebook: it is not JSON (")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "source", "outputs", "cell_type", "data", "text", "metadata", "worksheets", "level"]
            ),
            inner | st.sampled_from(["code", "heading", "html", "stream"]),
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(["cells", "metadata", "worksheets"]), VALUES))
def test_any_json_is_read_or_told(tmp_path_factory, notebook):
    path = tmp_path_factory.mktemp("notebook") / "a.ipynb"
    path.write_text(json.dumps(notebook))
    with suppress(LoadError):  # no list of cells
        items = list(NotebookLoader()(path, LoadOptions(include=["outputs"])))
        assert [key for item in items if isinstance(item, tuple) for key in item[:1]] == [""]
