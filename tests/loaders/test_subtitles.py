"""Subtitles: what is said and when, from files as players, editors and video platforms write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.loaders import load
from late_rag.loaders.subtitles import SubtitleLoader
from late_rag.loading import LoadOptions
from late_rag.retriever import Retriever
from late_rag.testing import HashEncoder

SUBRIP = """1
00:00:01,000 --> 00:00:02,500
<font color="red">One</font> {\\an8}two

three behind an empty line

2
00:00:03,000 --> 00:00:04,000 X1:1
four
3
00:00:05,000 --> 01:00:06,000
five < 12 & 7 &amp; 8
2019
"""

WEB = """WEBVTT - The talk
Language: en

STYLE
::cue { color: red }

NOTE nobody sees
this

intro
00:01.000 --> 00:02.500 line:0 position:20%
<v.loud Roger Bingham>We are in <i>New York</i> &amp; Boston</v>

01:01:05.000 --> 01:01:06.000
- Hi
- Ho 1 < 2
"""

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.040 --> 00:00:02.550 align:start position:0%
 
hello<00:00:00.960><c> world</c><00:00:01.200><c> again</c>

00:00:02.550 --> 00:00:02.560 align:start position:0%
hello world again
 

00:00:02.560 --> 00:00:05.100 align:start position:0%
hello world again
and<00:00:03.000><c> more</c>

00:00:05.100 --> 00:00:05.110
and more
 
"""  # noqa: W293 - lines of one space, as YouTube writes them


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def spoken(document):
    return [(document.text[mark.start : mark.end], *mark.metadata.values()) for mark in document.marks]


def parts(path):
    (file,) = load(path)
    documents = list(file.documents)
    return documents, [omission.what for omission in file.omissions]


def test_subrip_cues_have_text_and_times(tmp_path, one_document):
    document = one_document(write(tmp_path, "a.srt", SUBRIP))
    assert document.metadata == {"mime_type": "application/x-subrip"}
    assert spoken(document) == [
        ("One two\nthree behind an empty line", 1.0, 2.5),
        ("four", 3.0, 4.0),
        ("five < 12 & 7 & 8\n2019", 5.0, 3606.0),
    ]
    assert document.text == "One two\nthree behind an empty line\nfour\nfive < 12 & 7 & 8\n2019"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1251"])
def test_encodings_and_line_ends(tmp_path, one_document, encoding):
    path = tmp_path / "a.srt"
    said = "Съешь же ещё этих мягких французских булок, да выпей чаю."
    path.write_bytes(f"1\r\n00:00:01,000 --> 00:00:02,000\r\n{said}\r\n".encode(encoding))
    assert spoken(one_document(path)) == [(said, 1.0, 2.0)]


def test_web_subtitles_without_notes_styles_and_names_of_cues(tmp_path, one_document):
    document = one_document(write(tmp_path, "a.vtt", WEB))
    assert document.metadata == {"mime_type": "text/vtt", "title": "The talk", "language": "en"}
    assert spoken(document) == [
        ("Roger Bingham: We are in New York & Boston", 1.0, 2.5),
        ("- Hi\n- Ho 1 < 2", 3665.0, 3666.0),
    ]


def test_captions_that_roll_are_told_once(tmp_path, one_document):
    document = one_document(write(tmp_path, "a.vtt", ROLLING))
    assert spoken(document) == [("hello world again", 0.04, 2.56), ("and more", 2.56, 5.11)]


def test_a_word_said_again_later_stays(tmp_path, one_document):
    cues = "1\n00:00:01,000 --> 00:00:02,000\nNo.\n\n2\n00:00:05,000 --> 00:00:06,000\nNo.\n"
    assert spoken(one_document(write(tmp_path, "a.srt", cues))) == [("No.", 1.0, 2.0), ("No.", 5.0, 6.0)]


def test_cues_come_in_the_order_of_their_times(tmp_path, one_document):
    cues = "00:10.000 --> 00:12.000\nlater\n\n00:01.000 --> 00:11.000\nearlier\n"
    document = one_document(write(tmp_path, "a.vtt", "WEBVTT\n\n" + cues))
    assert spoken(document) == [("earlier", 1.0, 11.0), ("later", 10.0, 12.0)]


def test_other_formats(tmp_path, one_document):
    transcript = "0:00:01.000,0:00:02.000\nHello\n\n0:00:03.000,0:00:04.000\nThere, 1,2\n"
    assert spoken(one_document(write(tmp_path, "a.sbv", transcript))) == [("Hello", 1, 2), ("There, 1,2", 3, 4)]
    styled = (
        "[Script Info]\nTitle: x\n[Events]\nFormat: Layer, Start, End, Style, Name, L, R, V, Effect, Text\n"
        "Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,{\\i1}Hi{\\i0}, there\\Nyou\n"
        "Comment: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,nobody sees\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}\n"
    )
    assert spoken(one_document(write(tmp_path, "a.ass", styled))) == [("Hi, there\nyou", 1.5, 2.0)]


def test_broken_cues_are_named_by_their_line(tmp_path):
    text = SUBRIP.replace("00:00:03,000 -->", "00:00:0x,000 -->") + "\n4\n00:00:07,000 --> 00:00:08,000\nlast\n"
    (document,), omissions = parts(write(tmp_path, "a.srt", text))
    assert omissions == ["line 8: no times of a cue can be read in '00:00:0x,000 --> 00:00:04,000 X1:1'"]
    assert [words for words, *_ in spoken(document)][-1] == "last"
    (document,), omissions = parts(write(tmp_path, "b.vtt", WEB + "\n01:01:07 -> 01:01:08\nlost\n"))
    assert omissions == ["line 18: no times stand before '01:01:07 -> 01:01:08'"]
    (_,), omissions = parts(write(tmp_path, "c.ass", "Dialogue: x\nDialogue: 0,0:00:01.5,0:00:02.0,,,0,0,0,,Hi"))
    assert omissions == ["line 1: no dialogue can be read in 'Dialogue: x'"]


def test_files_without_cues_are_told(tmp_path, problem_of):
    assert problem_of(write(tmp_path, "a.srt", "1\n")) == "has no text"
    assert problem_of(write(tmp_path, "b.vtt", "WEBVTT\n")) == "has no text"
    assert problem_of(write(tmp_path, "c.srt", "")) == "is empty"
    assert problem_of(write(tmp_path, "d.srt", "Dear all,")) == "line 1: no times stand before 'Dear all,'"
    (tmp_path / "e.vtt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    assert "a PNG picture" in problem_of(tmp_path / "e.vtt")


def test_hits_know_the_time_and_filters_find_it(tmp_path):
    cue = "{}\n00:{:02}:00,000 --> 00:{:02}:30,000\n{}\n\n"
    said = ["alpha beta gamma", "delta epsilon zeta", "eta theta iota"]
    text = "".join(cue.format(number, number, number, f"{words}. " * 30) for number, words in enumerate(said))
    path = write(tmp_path, "a.srt", text)
    with Retriever.create(tmp_path / "c.rag", HashEncoder()) as retriever:
        retriever.sync(path)
        hit = retriever.search("theta iota", top_k=1)[0]
        assert "theta" in hit.chunk.text
        assert (hit.chunk.metadata["start"], hit.chunk.metadata["end"]) == (120.0, 150.0)
        late = retriever.search("alpha beta gamma", top_k=10, filter="start >= 60")
        assert late
        assert all(hit.chunk.metadata["start"] >= 60 for hit in late)


@pytest.mark.parametrize("unit", ["{", "<v ", "<i", "&amp", "-->", " ", "00:", "1\n", "{\\", "\n \n"])
def test_hostile_text_takes_linear_time(tmp_path, unit):
    path = write(tmp_path, "a.srt", "1\n00:00:01,000 --> 00:00:02,000\n" + unit * (500_000 // len(unit)))
    started = time.perf_counter()
    (file,) = load(path)
    list(file.documents)
    assert time.perf_counter() - started < 10


@given(st.text(alphabet="01:.,-> \n<v>{}\\&;aWEBVTNO", max_size=200))
def test_marks_lie_in_order_inside_the_text(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("cues") / "a.vtt"
    path.write_text(text)
    documents = [item[1] for item in SubtitleLoader()(path, LoadOptions()) if isinstance(item, tuple)]
    (document,) = documents
    position = 0
    for mark in document.marks:
        assert position <= mark.start < mark.end <= len(document.text)
        assert 0 <= mark.metadata["start"] <= mark.metadata["end"]
        position = mark.end
    assert "".join(words for words, *_ in spoken(document)) == document.text.replace("\n", "") or document.marks
