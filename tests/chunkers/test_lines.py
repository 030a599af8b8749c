"""Tables, code and logs are cut between lines, and a heading is never left alone: the cases, and anything like them."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.chunkers import load_chunker
from late_rag.chunkers.forms import Form, form_of
from late_rag.loaders import load
from late_rag.types import Document, Mark

CASES = Path(__file__).parents[1] / "cases"
MARKDOWN = {"mime_type": "text/markdown"}


def chunked(measures, text, mime_type="text/markdown", **options):
    chunks = list(load_chunker(options, measures)(Document(id="d", text=text, metadata={"mime_type": mime_type})))
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    assert all(letter.isspace() or place in covered for place, letter in enumerate(text))
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert all(measures.count(chunk.encoded_text) <= measures.document_capacity for chunk in chunks)
    return chunks


def case(name):
    return (CASES / name).read_text(encoding="utf-8")


def front(chunk):
    return chunk.encoded_text.removesuffix(chunk.text)


def whole_lines(text, chunks):
    """Whether all chunks begin and end where lines do, but for white space."""
    return all(
        not text[: chunk.start].rpartition("\n")[2].strip() and not text[chunk.end :].partition("\n")[0].strip()
        for chunk in chunks
    )


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("md/table_sentences.md", "Gates\n| No | Duty | Oil |\n| --- | --- | --- |\n"),
        ("md/table_long.md", "Rates\n| Clause | Condition | Penalty |\n|---|---|---|\n"),
    ],
)
def test_a_table_is_cut_between_rows_and_every_part_has_its_header(measures_of, name, header):
    text = case(name)
    first, *others = chunks = chunked(measures_of(254), text)
    assert len(others) >= 4
    assert whole_lines(text, chunks)
    assert front(first) == ""
    assert first.text.startswith("# ")
    assert {front(chunk) for chunk in others} == {header}


def test_a_row_that_is_too_long_alone_is_cut_between_words_below_its_header(measures_of):
    text = case("md/wide_row.md")
    first, *others = chunked(measures_of(254), text)
    assert first.text.startswith("# Wide\n\n| A | B |\n|---|---|\n| x | long text")
    assert {front(chunk) for chunk in others} == {"Wide\n| A | B |\n|---|---|\n"}
    assert "| y | short |" in others[-1].text.splitlines()


def test_code_in_fences_is_cut_between_lines_and_keeps_its_indentation(measures_of):
    text = case("md/code_long.md")
    chunks = chunked(measures_of(254), text)
    assert len(chunks) >= 5
    assert whole_lines(text, chunks)
    assert all(chunk.text.startswith("    step_") for chunk in chunks[1:])
    assert not any(chunk.text.strip() == "```" for chunk in chunks)


def test_a_log_is_cut_between_lines(measures_of):
    text = case("txt/service.log")
    chunks = chunked(measures_of(254), text, "text/plain")
    assert len(chunks) >= 8
    assert whole_lines(text, chunks)


def test_an_entry_of_a_log_keeps_the_lines_that_follow_it(measures_of):
    entry = "[2026-01-01T10:00:{:02}Z] ERROR gate failed. Cause follows.\n  at open.one(gate)\n  at open.two(gate)\n"
    text = "".join(entry.format(number) + f"2026-01-01 10:01:{number:02} INFO idle.\n" * 3 for number in range(40))
    chunks = chunked(measures_of(254), text, "text/plain")
    assert len(chunks) > 5
    assert all(re.match(r"\[?2026", chunk.text) for chunk in chunks)


@pytest.mark.parametrize(
    "line",
    [
        "Jan  2 10:00:01 host sshd[7]: Session opened. Then closed.",
        '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 7. Ok.',
        "10:00:01.123 Boot. Ready.",
        "[    0.000001] Linux version. Booting.",
        "WARN  gate is open. Close it.",
        "I0102 10:00:01.123456 7 gate.cc:1] Opened. Closed.",
        "<34>Oct 11 22:14:15 host su: failed. Again.",
        "31/12/20, 22:15 - Ann: Happy new year. Really.",
        "1700000000.123 gate opened. Then closed.",
        "1700000000 gate opened. Then closed.",
        "gate1 app[7]: Opened. Then closed.",
        '{"ts": 7, "msg": "Opened. Then closed; ok"}',
        'time=2024-01-02T10:00:00Z level=info msg="Opened. Then closed"',
    ],
)
def test_lines_that_begin_with_a_time_or_level_are_a_log(measures_of, line):
    text = f"{line}\n" * 100
    chunks = chunked(measures_of(64), text, "text/plain")
    assert whole_lines(text, chunks)
    assert all(chunk.text.startswith(line) for chunk in chunks)


def test_stack_traces_do_not_hide_that_a_text_is_a_log(measures_of):
    frames = "".join(f"\tat org.gate.Gate.open(Gate.java:{number})\n" for number in range(8))
    message = "2024-01-02 10:00:00 ERROR boom. It failed; retry\njava.lang.Error: bad. Very bad\n"
    text = f"{message}{frames}Caused by: no. Never\n" * 20
    assert whole_lines(text, chunked(measures_of(200), text, "text/plain"))


def test_a_file_named_log_is_cut_between_lines_whatever_it_looks_like(measures_of, tmp_path):
    path = tmp_path / "a.log"
    path.write_text("Ship passed. The gate is open; all is well here\n" * 60)
    (file,) = load(path)
    (document,) = file.documents
    chunks = list(load_chunker({}, measures_of(64))(document))
    assert len(chunks) > 5
    assert whole_lines(document.text, chunks)


def test_no_prose_is_taken_for_a_log(data_folder):
    lines = (data_folder / "cranfield" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert len(texts) > 900
    assert not any(form_of(Document(text=re.sub(r"(.{60}\S*) ", r"\1\n", text))) is Form.LINES for text in texts)


def test_no_chunk_of_marked_text_spans_a_long_pause_or_a_long_time(measures_of):
    times = [1, 4, 3600, *range(3700, 6000, 9)]
    text = "".join(f"cue {number}\n" for number in range(len(times)))
    places = [found.span() for found in re.finditer(".+", text)]
    marks = tuple(
        Mark(*place, {"start": float(time), "end": time + 2.0}) for place, time in zip(places, times, strict=True)
    )
    document = Document(text=text, metadata={"mime_type": "text/vtt"}, marks=marks)
    chunks = list(load_chunker({}, measures_of(5000))(document))
    spans = [(chunk.metadata["start"], chunk.metadata["end"]) for chunk in chunks]
    assert spans[:2] == [(1, 6), (3600, 3602)]
    assert all(end - start <= 300 for start, end in spans)
    assert len(spans) < 12
    assert "".join(chunk.text + "\n" for chunk in chunks) == text


def test_a_long_cue_and_marks_without_times_are_no_break(measures_of):
    marks = (Mark(0, 5, {"start": 0.0, "end": 900.0}), Mark(6, 10, {"start": 1000.0}), Mark(11, 15, {"speaker": "Ann"}))
    document = Document(text="alone late also", metadata={}, marks=marks)
    assert [chunk.text for chunk in load_chunker({}, measures_of(64))(document)] == ["alone", "late also"]


def test_prose_with_some_dates_is_no_log(measures_of):
    text = (
        "2026-01-01: a day.\n" + "A sentence that was wrapped\nafter some words. Another sentence goes\non here. " * 40
    )
    chunks = chunked(measures_of(64), text, "text/plain")
    assert all(chunk.text.endswith(".") for chunk in chunks)


def test_headings_are_not_left_alone(measures_of):
    (chunk,) = chunked(measures_of(254), case("md/lone_headings.md"))
    assert chunk.text == "# A\n\n## B\n\n### C\n\n## D\n\n# E"
    first, *others = chunked(measures_of(254), case("md/heading_then_big.md"))
    assert first.text.startswith("# Alpha\n\nword word")
    assert others[-1].text == "## Beta\n\nshort"


def test_a_heading_joins_what_follows_it_whatever_its_level(measures_of):
    text = "# A\n\ntext\n\n## B\n\n# C\n\ntext\n\n## D"
    chunks = chunked(measures_of(254), text)
    assert [chunk.text for chunk in chunks] == ["# A\n\ntext", "## B\n\n# C\n\ntext", "## D"]
    assert [chunk.metadata["heading"] for chunk in chunks] == ["A", "C", "C > D"]
    assert [front(chunk) for chunk in chunks] == ["", "", "C\n"]


@pytest.mark.parametrize("body", ["| A | B |\n|---|---|\n| {} | y |\n", "```\n{}\n```\n", "{}\n", "- {}\n"])
def test_a_heading_stays_with_the_first_of_what_does_not_fit(measures_of, body):
    text = "# Heading\n\n" + body.format("word and more " * 200)
    first = chunked(measures_of(64), text)[0]
    assert "word and more" in first.text


def test_a_fence_is_not_alone_at_either_end(measures_of):
    text = "Before. " * 20 + "\n\n```python\n" + "x = 1  # one. two.\n" * 60 + "```\n\n" + "After. " * 50
    for chunk in chunked(measures_of(64), text):
        lines = chunk.text.split("\n")
        assert not lines[-1].startswith("```python")
        assert lines[0] != "```"


def test_a_header_that_is_too_wide_is_cut_by_columns(measures_of):
    names = " | ".join(f"column {number}" for number in range(60))
    text = f"| {names} |\n|{'---|' * 60}\n" + "| x " * 12 + "|\n"
    text += ("| x " * 12 + "|\n") * 20
    others = chunked(measures_of(64), text)
    others = [chunk for chunk in others if chunk.start > text.index("| x ")]
    assert others
    for chunk in others:
        assert re.fullmatch(r"\| column 0( \| column \d+)* \|\n\|(---\|)+\n", front(chunk))
        assert measures_of(64).count(front(chunk)) <= 32


def test_a_header_stands_whole_where_half_of_the_chunk_is_left_to_rows(measures_of):
    names = [f"gate {letter} {letter}" for letter in "abcdefghijkl"]
    header = f"| {' | '.join(names)} |\n|{'---|' * 12}\n"
    count = measures_of(32).count
    capacity = 2 * count(header) + 2
    assert count(header) > capacity // 4
    text = f"# A\n\n{header}" + ("| x " * 12 + "|\n") * 60
    _, *others = chunked(measures_of(capacity), text)
    assert len(others) > 3
    assert {front(chunk) for chunk in others} == {f"A\n{header}"}


def test_padding_of_the_delimiter_row_does_not_cost_columns(measures_of):
    text = f"| a | b |\n|{'-' * 40}|{'-' * 40}|\n" + "| gate | opens at noon |\n" * 60
    others = [chunk for chunk in chunked(measures_of(80), text) if chunk.start > text.index("| gate")]
    assert len(others) > 5
    assert {front(chunk) for chunk in others} == {"| a | b |\n|---|---|\n"}


def test_a_header_without_room_is_left_out(measures_of):
    text = f"| {'unquestionably ' * 40} | B |\n|---|---|\n" + "| gate | opens |\n" * 60
    assert front(chunked(measures_of(64), text)[-1]) == ""


def test_without_headings_no_header_stands_in_front(measures_of):
    chunks = chunked(measures_of(64), case("md/table_long.md"), headings=False)
    assert {chunk.embed_text for chunk in chunks} == {None}


def test_slides_have_their_titles_and_tables_and_no_chunk_spans_two(measures_of):
    text = "# One\n\nFirst.\f| A | B |\n|---|---|\n" + "| x | y is long |\n" * 30 + "\f\f# Four\n\nLast."
    mime_type = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    chunks = chunked(measures_of(64), text, mime_type)
    found = [(chunk.metadata["page"], chunk.metadata.get("heading")) for chunk in chunks]
    assert (found[0], found[-1]) == ((1, "One"), (4, "Four"))
    assert {page for page, _ in found[1:-1]} == {2}
    assert {front(chunk) for chunk in chunks[2:-1]} == {"| A | B |\n|---|---|\n"}


def test_mail_has_tables_but_no_headings(measures_of):
    text = "# 1 thing\n\nHello.\nRegards\n-- \nAnn\n\n| A | B |\n|---|---|\n" + "| x | y. Z |\n" * 40
    chunks = chunked(measures_of(64), text, "message/rfc822")
    assert not any("heading" in chunk.metadata for chunk in chunks)
    assert front(chunks[-1]) == "| A | B |\n|---|---|\n"
    assert whole_lines(text, chunks)


WORDS = st.sampled_from(
    ["gate", "opens. Then", "it, the", "layer!", "плоской", "平板。", "x", "`a`", "a\\|b", "1.", "("]
)
CELLS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
PROSE = st.lists(WORDS, min_size=1, max_size=80).map(" ".join)
CODE_LINES = st.builds(lambda depth, words: "    " * depth + words, st.integers(0, 3), CELLS)


@st.composite
def tables(draw):
    columns = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(CELLS, min_size=columns, max_size=columns), min_size=2, max_size=40))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * columns}", *lines[1:]])


def fences(lines):
    return "```python\n" + "\n".join(lines) + "\n```"


PIECES = st.one_of(
    tables(), st.lists(st.one_of(CODE_LINES, st.just("")), max_size=40).map(fences), PROSE, PROSE.map("# {}".format)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=6).map("\n\n".join), st.integers(64, 128), st.sampled_from([0, 0, 20]))
def test_no_row_and_no_line_of_code_is_cut_and_every_part_of_a_table_has_its_header(
    measures_of, text, capacity, overlap
):
    measures = measures_of(capacity)
    chunks = chunked(measures, text, overlap=overlap)
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert overlap or before.end <= after.start
    fenced, header = False, ""
    offset = 0
    for line in text.split("\n"):
        start, offset = offset, offset + len(line) + 1
        if line.startswith("```"):
            fenced = not fenced
        is_row = line.startswith("| ") and not fenced
        if not is_row and not line.startswith("|--"):
            header = ""
        if (is_row or fenced) and 4 * measures.count(line) < capacity:
            for chunk in chunks:
                assert not start + len(line) - len(line.lstrip()) < chunk.start < start + len(line.rstrip())
                assert not start < chunk.end < start + len(line.rstrip())
        if is_row and header and measures.count(f"{header}\n{'|---' * 4}|\n") <= capacity // 4:
            inside = [chunk for chunk in chunks if chunk.start == start]
            assert all(header in front(chunk).split("\n") for chunk in inside)
        if is_row and not header:
            header = line


@settings(max_examples=30, deadline=None)
@given(st.lists(CELLS, min_size=6, max_size=80), st.integers(64, 128))
def test_no_line_of_a_log_is_cut(measures_of, messages, capacity):
    text = "\n".join(f"2026-01-01 10:00:{number:02} {message}" for number, message in enumerate(messages))
    assert whole_lines(text, chunked(measures_of(capacity), text, "text/plain"))


@pytest.mark.parametrize(
    "unit", [" ", '"', ".", "\n", "|", "|-", ". ", '."', "`", "```\n", "|a|\n|-|\n|b|\n\n", "#", ">"]
)
@pytest.mark.parametrize("mime_type", ["text/plain", "text/markdown", "text/x-python"])
def test_what_is_hostile_is_linear(measures_of, unit, mime_type):
    """A quadratic way would take minutes."""
    text = f"a{unit * (120_000 // len(unit))}b"
    chunks = load_chunker(None, measures_of(254, "function"))(Document(text=text, metadata={"mime_type": mime_type}))
    assert sum(len(chunk.text) for chunk in chunks) <= len(text)
