"""Markdown headings and sections: a table of cases, and markdown-it as the judge of random documents."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from late_rag.chunkers.sections import LONGEST_TITLE, readable_sections, sections
from late_rag.headings import headings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A\n## B\n### C", [(1, "A"), (2, "B"), (3, "C")]),
        ("#A\n#hashtag", []),
        ("#\ttab", [(1, "tab")]),
        ("# closed ##\n## C#", [(1, "closed"), (2, "C#")]),
        ("#", [(1, "")]),
        ("####### seven", []),
        ("   # three spaces\n    # four", [(1, "three spaces")]),
        ("# carriage return\r\ntext\r\nB\r\n---\r\n", [(1, "carriage return"), (2, "text B")]),
        ("Title\n=====\n\nPart\n-\n", [(1, "Title"), (2, "Part")]),
        ("two\nlines\n===", [(1, "two lines")]),
        ("text\n\n---\n\ntext", []),
        ("- item\n---\n> quote\n---\n| a |\n---", []),
        ("# A\n---\nB\n---", [(1, "A"), (2, "B")]),
        ("```\n# no\n```\n# yes", [(1, "yes")]),
        ("- ```py\n  # no\n  ```\n\n# yes\n1. ~~~\n   # no\n   ~~~\n# also", [(1, "yes"), (1, "also")]),
        ("- ```\n  # never closed\n\n# yes", [(1, "yes")]),
        ("~~~ python\n# no\n```\n# no\n~~~~\n# yes", [(1, "yes")]),
        ("````\n```\n# no\n```\n````\n# yes", [(1, "yes")]),
        ("```\n# never closed", []),
        ("`` `not a fence` ``\n# yes", [(1, "yes")]),
        ("<!-- # no\n# no -->\n# yes", [(1, "yes")]),
        ("<PRE>\n# no\n</pre>\n# yes", [(1, "yes")]),
        ("---\ntitle: T\n---\n# A", [(1, "A")]),
        ("---\n# A", [(1, "A")]),
        ("---\ntext\n\n---\n# A", [(1, "A")]),
        ("+++\ntitle = 'T'\n+++\n# A", [(1, "A")]),
        ("<div>\n# no\n\n# yes", [(1, "yes")]),
        ("<DIV class='x'>\nno\n---\n\nyes\n---", [(2, "yes")]),
        ("</table>\nno\n===\n", []),
        ("<?php\n# no\n\n# no ?>\n# yes", [(1, "yes")]),
        ("<divided>\n# yes", [(1, "yes")]),
        ("> quote\n===\ntext\n===", []),
        ("===\n===", [(1, "===")]),
        ("# A **bold** `code` [link](url) ![image][1] \\# x {#anchor}", [(1, "A bold code link image # x")]),
        ("# snake_case_name 2 * 3 * 4", [(1, "snake_case_name 2 * 3 * 4")]),
        ("# **a *b* c** _d_ ~~e~~ ``f`` [g](h_(i)) ***j***", [(1, "a b c d e f g j")]),
        ("# 見出し\n## عنوان", [(1, "見出し"), (2, "عنوان")]),
    ],
)
def test_headings(text, expected):
    assert [(heading.level, heading.title) for heading in headings(text)] == expected


LINES = [
    *("# A", "## B ##", "### C", "#no", "text", "more text", "", "", "===", "---", "-----", "- item", "1. one"),
    *(
        "> quote",
        "    # code",
        "```",
        "~~~",
        "````",
        "```python",
        "<!-- x",
        "-->",
        "<pre>\n# no\n</pre>",
        "<div>",
        "</p>",
        "| a |\n|---|\n| 1 |",
    ),
]


def unlike(lines: list[str]) -> bool:
    """Front matter, and code below a list or table, which only a whole parser tells from what follows."""
    text = "\n".join(lines)
    return text.startswith("---") or ("    # code" in text and any(mark in text for mark in ("- item", "1. one", "|")))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12).filter(lambda lines: not unlike(lines)))
def test_headings_are_those_of_commonmark(lines):
    text = "\n".join(lines)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    top = [token for token in tokens if token.type == "heading_open" and token.level == 0]
    found = [(text.count("\n", 0, heading.start), heading.level) for heading in headings(text)]
    assert found == [(token.map[0], int(token.tag[1])) for token in top]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join))
def test_sections_are_the_whole_text(text):
    parts = list(sections(text))
    assert "".join(text[part.start : part.end] for part in parts) == text
    assert all(part.headings[: len(part.above)] == part.above for part in parts)


def test_sections_know_their_path_and_what_stands_above():
    text = "before\n# A\n## B\ntext\n### C\ntext\n## D\n### E\n# F\ntext"
    found = [(text[part.start : part.end], part.headings, part.above) for part in sections(text)]
    assert found == [
        ("before\n", (), ()),
        ("# A\n## B\ntext\n", ("A", "B"), ()),
        ("### C\ntext\n", ("A", "B", "C"), ("A", "B")),
        ("## D\n### E\n", ("A", "D", "E"), ("A",)),
        ("# F\ntext", ("F",), ()),
    ]


def test_a_skipped_level_is_no_gap_in_the_path():
    assert [part.headings for part in sections("# A\ntext\n#### D\ntext\n## B\ntext")] == [
        ("A",),
        ("A", "D"),
        ("A", "B"),
    ]


def test_an_empty_heading_is_left_out_of_the_path():
    assert [part.headings for part in sections("#\n## B\ntext")] == [("B",)]


def test_readable_sections_leave_no_heading_alone():
    text = "before\n# A\n## B\ntext\n### C\n## D\n### E\n# F\ntext\n# G"
    found = [(text[part.start : part.end], part.headings, part.above) for part in readable_sections(text)]
    assert found == [
        ("before\n", (), ()),
        ("# A\n## B\ntext\n", ("A", "B"), ()),
        ("### C\n## D\n### E\n# F\ntext\n", ("F",), ()),
        ("# G", ("G",), ()),
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join))
def test_readable_sections_are_the_whole_text_and_have_text_below_their_headings(text):
    parts = list(readable_sections(text))
    assert "".join(text[part.start : part.end] for part in parts) == text
    assert all(part.headings[: len(part.above)] == part.above for part in parts)
    assert all(text[part.body : part.end].strip() for part in parts[:-1] if part.headings)


def test_a_heading_of_any_length_costs_no_more_than_a_long_one():
    (section,) = sections("# " + "a" * 100_000)
    assert section.headings == ("a" * LONGEST_TITLE,)
