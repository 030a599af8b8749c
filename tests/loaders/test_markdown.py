"""Markdown files: front matter, titles, and the text that is left as it is."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.front_matter import MOST_CHARACTERS, front_matter
from late_rag.headings import headings
from late_rag.loaders import load
from late_rag.loaders.markdown import first_heading

CASES = Path(__file__).parents[1] / "cases" / "md"


def test_markdown_stays_as_it_is(tmp_path, one_document):
    text = "Intro\n\n## A *title* ##\n\n```\n# code\n```\n\n* item \\_x\\_\n"
    (tmp_path / "a.md").write_text(text)
    document = one_document(tmp_path / "a.md")
    assert document.text == text
    assert document.metadata == {"mime_type": "text/markdown", "title": "A title"}


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# One\n# Two", "One"),
        ("words\n\nUnder lined\n====\n", "Under lined"),
        ("Second\n------\n\n# First?", "Second"),
        ("```sh\n# comment\n```\n\n### Real", "Real"),
        ("~~~\n# comment\n", None),
        ("#hashtag\n\nno heading", None),
        ("- item\n---\n", None),
        ("#\n\n# Named", "Named"),
        ("", None),
    ],
)
def test_first_heading(text, title):
    assert first_heading(text) == title


@pytest.mark.parametrize(
    ("name", "text", "metadata"),
    [
        ("front_blank.md", "Body\n", {"title": "Goats"}),
        ("front_bom.md", "Body\n", {"title": "Goats"}),
        ("front_crlf.md", "Body\n", {"title": "Goats"}),
        ("front_dots.md", "Body\n", {"title": "Goats"}),
        (
            "front_comment.md",
            "Body\n",
            {"title": "Goats", "slug": "goats", "author": "O'Brien", "empty": None, "url": "http://x/y#z"},
        ),
        (
            "front_folded.md",
            "# Real heading\n\nBody words.\n",
            {"title": "A very long title", "description": "two\nlines\n", "tags": ["one", "two"]},
        ),
        ("front_toml.md", "\nBody words.\n", {"title": "Toml title", "date": date(2020, 1, 2)}),
    ],
)
def test_cases_of_front_matter(one_document, name, text, metadata):
    document = one_document(CASES / name)
    assert document.text == text
    assert document.metadata == {"mime_type": "text/markdown", **metadata}


@pytest.mark.parametrize("name", ["hr_start.md", "front_indent_dash.md"])
def test_cases_of_text_between_rules(one_document, name):
    assert one_document(CASES / name).text == (CASES / name).read_text()
    assert one_document(CASES / "hr_start.md").metadata["title"] == "Later"


def test_front_matter(tmp_path, one_document):
    (tmp_path / "a.md").write_text(
        "---\ntitle: 'Trips: how to'\nyear: 2020\nrate: 1.5\ndraft: false\ndate: 2020-02-01\nnot-a-date: 2020-02-31\n"
        "tags: [travel, 7]\nauthor:\n  name: someone\n  born: !!binary aGk=\nbig: 12345678901234567890\n1: one\n"
        "block: |\n  a\n  ---\n  b\n---\n# Heading\n\nwords\n"
    )
    document = one_document(tmp_path / "a.md")
    assert document.text == "# Heading\n\nwords\n"
    assert document.metadata == {
        "mime_type": "text/markdown",
        "title": "Trips: how to",
        "year": 2020,
        "rate": 1.5,
        "draft": False,
        "date": date(2020, 2, 1),
        "not-a-date": "2020-02-31",
        "tags": ["travel", 7],
        "author": {"name": "someone"},
        "big": "12345678901234567890",
        "1": "one",
        "block": "a\n---\nb\n",
    }


@pytest.mark.parametrize(
    "text",
    [
        "---\nwords\n",
        "---\nwords: more\n",
        "words\n---\ntitle: x\n---\n",
        "----\ntitle: x\n----\n",
        "  ---\ntitle: x\n---\n",
        "---\n\nNote: the pump is off.\n\n---\nBody",
        "---\n- a\n- b\n---\nBody",
        "---\nno mapping\n---\nBody",
        "---\na: b: c\n---\nBody",
        "---\na: [\n---\nBody",
        "---\na: *missing\n---\nBody",
        "+++\nno toml\n+++\nBody",
        "+++\na = 1\n---\nBody",
        "---\n" + "a: b\n" * (MOST_CHARACTERS // 5) + "---\nBody",
    ],
)
def test_front_matter_that_is_none(text):
    assert front_matter(text) is None


def test_empty_front_matter_and_a_title_that_is_no_text(tmp_path, one_document):
    (tmp_path / "a.md").write_text("---\n---\nwords")
    assert one_document(tmp_path / "a.md").text == "words"
    for title in ("", "[a, b]", "{a: b}", "''"):
        (tmp_path / "a.md").write_text(f"---\ntitle: {title}\n---\n# Heading")
        assert one_document(tmp_path / "a.md").metadata["title"] == "Heading"


ALIASES = "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (f"---\na: &a [{'1,' * 10}]\n{ALIASES}---\n", "there are more than 10,000"),
        (
            f"---\na: &a {{b: 1}}\n{ALIASES.replace('[', '{<<: [').replace(']', ']}')}---\n",
            "there are more than 10,000",
        ),
        (f"---\na: {DEEP}\n---\n", "nested more than 100 deep"),
        (f"---\na: {'{a: ' * 50_000}\n---\n", "nested more than 100 deep"),
        (f"+++\n{'a.' * 100_000}a = 1\n+++\n", "nested more than 100 deep"),
    ],
)
def test_bombs_in_front_matter_are_left_out_and_told(tmp_path, block, problem):
    (tmp_path / "a.md").write_text(f"{block}Body")
    (file,) = load(tmp_path / "a.md")
    (document,) = file.documents
    assert document.text == "Body"
    assert dict(document.metadata) == {"mime_type": "text/markdown"}
    (omission,) = file.omissions
    assert omission.what.startswith("the values of its front matter: ")
    assert problem in omission.what


@given(st.text(st.sampled_from("---+++\n\n: ab[]{}&*#\"'|>!-"), max_size=60))
def test_front_matter_is_a_beginning_of_the_text(text):
    for mark in ("---\n", "+++\n"):
        front = front_matter(mark + text)
        assert front is None or (mark + text)[: front.end].rstrip("\n").rpartition("\n")[2].rstrip(" \t") in {
            *("---", "+++", "...")
        }


LONG = 500_000


@pytest.mark.parametrize(
    "text",
    [
        *(" " * LONG, "#" * LONG, "# " * (LONG // 2), "#" + " " * LONG + "x", "# a" + " #" * (LONG // 2) + "x"),
        *("<!--\n" * (LONG // 5), "```\n" * (LONG // 4), "`" * LONG + "x`", "<div>\n" * (LONG // 6)),
        *("> a\n" + "=\n" * (LONG // 2), "a\n" * 600 + "=\n" * (LONG // 2), "=" * LONG + " " * LONG + "x"),
        *(f"# {mark * (990 // len(mark))}\n" * 500 for mark in ("*a ", "`a", "_a", "[", "[](", "~~a", "{")),
        *("---\na: " + "1:" * 100_000 + "1\n---\n", "---\na: 0x" + "f" * 200_000 + "\n---\n"),
        *("+++\na = " + "[" * 200_000 + "\n+++\n", "+++\n" + "a" * 200_000 + "\n+++\n"),
    ],
)
def test_hostile_markdown_takes_linear_time(text):
    began = time.process_time()
    for _ in headings(text):
        pass
    assert time.process_time() - began < 5
