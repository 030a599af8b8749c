"""Rows of Markdown tables: what is written is what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.loaders.html import html_to_markdown
from late_rag.tables import cells, delimiter_row, has_header, is_header, narrow_header, row

WORDS = st.text("ab|` ", max_size=6).map(str.strip)


@given(st.lists(WORDS, min_size=1, max_size=5).filter(lambda names: names[-1]))
def test_cells_come_back_from_their_row(names):
    found = cells(row(names))
    assert [cell.replace("\\|", "|") for cell in found] == names
    assert is_header(row(names), delimiter_row(len(names)))
    assert has_header(f"text\n{narrow_header(found)}", found)


@pytest.mark.parametrize(
    ("line", "delimiter", "expected"),
    [
        ("| a | b |", "| --- | :-: |", True),
        ("a | b", "--- | ---", True),
        ("| a \\| b |", "| --- |", True),
        ("| a \\| b |", "| --- | --- |", False),
        ("| a | b |", "| --- |", False),
        ("a", "---", False),
        ("| a |", "| a |", False),
    ],
)
def test_a_header_has_as_many_cells_as_the_row_below_it(line, delimiter, expected):
    assert is_header(line, delimiter) is expected


def test_a_bar_is_escaped_only_where_it_would_part_cells():
    assert row(["a|b", ""]) == "| a\\|b | |"
    assert html_to_markdown("<table><tr><td>a|b<tr><td>c|d</table>")[0] == "a|b\n\nc|d\n"
