"""Passages brought to the width of a terminal."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from late_rag.cli.wrapping import Line, passage_lines, wrap
from late_rag.types import TextSpan

TEXTS = st.text(alphabet=st.sampled_from("ab休é. \n\t\u00a0\ufe0f\u0301"), max_size=120)
WIDTHS = st.integers(20, 40)


def spans_of(text: str, word: str) -> list[TextSpan]:
    return [TextSpan(found.start(), found.end()) for found in re.finditer(word, text)]


def is_indented(text: str) -> bool:
    return re.search(r"^(?:    |\t)", text, re.MULTILINE) is not None


def marked(lines: list[Line]) -> str:
    return "".join(line.text[start:stop] for line in lines for start, stop in line.matches)


@given(TEXTS, WIDTHS)
def test_all_is_shown_within_the_width_with_single_spaces(text, width):
    lines = passage_lines(text, [], width)
    assert all(line.text and cell_len(line.text) <= width for line in lines)
    assert all(line.text == " ".join(line.text.split()) or is_indented(text) for line in lines)
    assert "".join("".join(line.text.split()) for line in lines) == "".join(text.split())


@given(TEXTS, WIDTHS, st.integers(1, 3))
def test_a_part_is_within_the_width_with_its_dots(text, width, count):
    lines = passage_lines(text, spans_of(text, "a"), width, count)
    assert len(lines) <= count
    assert all(cell_len(line.text) <= width for line in lines)
    assert all(line.text == " ".join(line.text.split()) or is_indented(text) for line in lines)
    assert set(marked(lines)) <= {"a"}


@given(TEXTS, WIDTHS)
def test_all_matches_keep_their_place(text, width):
    assert marked(passage_lines(text, spans_of(text, "ab*"), width)) == "".join(re.findall("ab*", text))


def test_lines_are_as_full_as_can_be():
    assert [line.text for line in wrap(Line("one two three four"), 9)] == ["one two", "three", "four"]
    assert [line.text for line in wrap(Line("x 休假由组长批准 y"), 6)] == ["x", "休假由", "组长批", "准 y"]


def test_paragraphs_are_kept_apart_and_lines_of_one_joined():
    shown = passage_lines("# Head\n\nfirst\nline  goes \n on\n \n second", [], 40)
    assert [line.text for line in shown] == ["# Head", "first line goes on", "second"]


def test_the_lines_with_the_most_matches_are_shown_with_dots_where_something_is_left_out():
    text = " ".join(["aaaaaaaaaaaaaaa"] * 3 + ["hit hit bbbbbbb"] + ["ccccccccccccccc"] * 3)
    spans = spans_of(text, "hit")
    assert [line.text for line in passage_lines(text, spans, 20, 1)] == ["… hit hit bbbbbbb …"]
    assert [line.text for line in passage_lines(text, spans, 20, 2)] == ["… aaaaaaaaaaaaaaa", "hit hit bbbbbbb …"]
    assert [line.text for line in passage_lines(text, [], 20, 1)] == ["aaaaaaaaaaaaaaa …"]
    assert marked(passage_lines(text, spans, 20, 1)) == "hithit"


def test_a_match_across_words_is_marked_in_each():
    lines = passage_lines("one  two three", [TextSpan(1, 8)], 40)
    assert lines == [Line("one two three", ((1, 3), (4, 7)))]
    assert [line.matches for line in wrap(lines[0], 5)] == [((1, 3),), ((0, 3),), ()]


CODE = "def open_gate(key):\n\tif key:\n\t\treturn True\n    return False"
TABLE = "| name | height |\n| --- | --- |\n| Ben   Nevis | 1345 |"
LOG = "2026-01-02 10:00:01 INFO gate opened\n2026-01-02 10:00:05 ERROR gate stuck\n  at Gate.open"


def shown(text: str, *, width: int = 60, by_lines: bool = False) -> list[str]:
    return [line.text for line in passage_lines(text, [], width, by_lines=by_lines)]


def test_lines_of_code_tables_and_logs_are_kept():
    code = ["def open_gate(key):", "    if key:", "        return True", "    return False"]
    assert shown(CODE) == shown(CODE, by_lines=True) == code
    assert shown(TABLE) == TABLE.split("\n")
    assert shown(LOG) == LOG.split("\n")
    assert shown("so:\n```python\na\n\n  b\n```\nand\nso on") == ["so:", "```python", "a", "  b", "```", "and so on"]
    assert shown("Good\nmorning.", by_lines=True) == ["Good", "morning."]
    assert shown("    $ make\n    $ ls") == ["    $ make", "    $ ls"]


def test_items_of_lists_begin_lines():
    assert shown("Do:\n- open\n  the gate\n- close it\n12. go") == ["Do:", "- open the gate", "- close it", "12. go"]


def test_prose_with_numbers_and_brackets_is_joined():
    text = "It was opened in 1999 (by the\nmayor; see the report),\nand closed in\n2004. That is all"
    assert shown(text, width=100) == [" ".join(text.split())]


def test_kept_lines_that_are_too_wide_are_wrapped():
    assert shown("    one_two three_four five", width=20, by_lines=True) == ["    one_two", "three_four five"]
    assert shown(" " * 30 + "one", width=20, by_lines=True) == ["one"]


def test_matches_keep_their_place_behind_tabs():
    (line,) = passage_lines("\ta\tkey", spans_of("\ta\tkey", "key"), 40, by_lines=True)
    assert line == Line("    a    key", ((9, 12),))


@given(TEXTS, WIDTHS)
def test_no_line_has_room_for_what_follows(text, width):
    joined, place = " ".join(text.split()), 0
    for line, following in itertools.pairwise(wrap(Line(joined), width)):
        place = joined.index(line.text, place) + len(line.text)
        more = f" {following.text.split()[0]}" if joined[place] == " " else following.text[0]
        assert cell_len(line.text + more) > width


@pytest.mark.parametrize("piece", ["x", "休", "e\u0301", "\u0301", "\u0301\u0301 ", "👩\u200d🔬", "ab ", "ab\n", "\ta"])
def test_the_work_grows_with_the_text_whatever_it_is_made_of(monkeypatch, piece):
    measured = [0]

    def counting(text: str) -> int:
        measured[0] += len(text)
        return cell_len(text)

    monkeypatch.setattr("late_rag.cli.wrapping.cell_len", counting)
    text = piece * (40_000 // len(piece))
    spans = [TextSpan(place, place + 1) for place in range(0, len(text), 3)]
    lines = passage_lines(text, spans, 80)
    assert "".join("".join(line.text.split()) for line in lines) == "".join(text.split())
    assert measured[0] < 100 * len(text)
