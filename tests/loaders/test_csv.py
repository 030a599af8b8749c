"""CSV and TSV: how the cells are written is told from the file, and a line that breaks the rules costs no other."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.loaders import RecordFields, load
from late_rag.loaders.csv.rows import Rows
from late_rag.types import Omission, digest

CASES = Path(__file__).parents[1] / "cases" / "csv"


def test_csv(tmp_path, records_of):
    file = tmp_path / "a.csv"
    file.write_bytes(
        b"\xef\xbb\xbfid;text;year;price;note;zip\r\n"
        b'1;"two\r\nlines; ""quoted""";2020;1.50;;00123\r\n'
        b"\r\n2;plain;x;-3;a,b;7\r\n"
    )
    first, second = records_of(file)
    assert first.text == 'two\nlines; "quoted"'
    assert first.metadata == {
        "mime_type": "text/csv",
        "row": 1,
        "year": 2020,
        "price": 1.5,
        "note": None,
        "zip": "00123",
    }
    assert second.metadata == {"mime_type": "text/csv", "row": 2, "year": "x", "price": -3, "note": "a,b", "zip": 7}
    assert second.id == digest(tmp_path.as_posix(), "a.csv", "2")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_told(tmp_path, records_of, delimiter):
    file = tmp_path / "a.csv"
    rows = [["title", "text"], ["One, two; three", "a|b"], ["x", "y, z"]]
    with file.open("w", newline="") as out:
        csv.writer(out, delimiter=delimiter).writerows(rows)
    assert [document.text for document in records_of(file)] == ["a|b", "y, z"]


def test_tsv_and_one_column(tmp_path, records_of):
    (tmp_path / "a.tsv").write_text("text\tn\none, two\t1\n")
    (document,) = records_of(tmp_path / "a.tsv")
    assert (document.text, document.metadata["n"]) == ("one, two", 1)
    (tmp_path / "b.csv").write_text("text\none two\nthree\n")
    assert [document.text for document in records_of(tmp_path / "b.csv")] == ["one two", "three"]


def test_ragged_rows_lose_nothing(tmp_path, records_of):
    (tmp_path / "a.csv").write_text("text,a,,a\none,1,2,3,4,5\ntwo\n")
    first, second = records_of(tmp_path / "a.csv")
    assert first.metadata == {
        "mime_type": "text/csv",
        "row": 1,
        "a": 1,
        "column_3": 2,
        "a_2": 3,
        "column_5": 4,
        "column_6": 5,
    }
    assert second.metadata == {"mime_type": "text/csv", "row": 2}


def test_csv_with_a_long_cell_and_odd_encoding(tmp_path, records_of):
    (tmp_path / "a.csv").write_bytes(("text,n\n" + "größe " * 50_000 + ",1\n").encode("cp1252"))
    (document,) = records_of(tmp_path / "a.csv")
    assert document.text == "größe " * 50_000


def test_a_large_csv_is_read_row_by_row(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("w") as out:
        out.write("id,text\n")
        for number in range(3_000):
            out.write(f'{number},"{"words, " * 600}"\n')
    (file,) = load(path)
    tracemalloc.start()
    try:
        assert sum(1 for _ in file.documents) == 3_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("onecol.csv", ["The pier, the quay and the lock", "Bring rope; bring tar", "plain"]),
        ("onecol_quoted.csv", ["The pier, the quay", "Bring rope"]),
        ("space_header.csv", ["The pier is long", "The quay, too"]),
        ("caps.csv", ["The pier is long"]),
        ("sepline.csv", ["The pier is long", "The quay is short"]),
        ("unclosed.csv", ['"17" screen, black', "Plain row", "Another row", 'Last "row"']),
        ("unclosed2.csv", ['"never closed', "Plain row", "Another row"]),
        ("quote_none.tsv", ['"quoted start of a sentence', "plain words", 'said "so"']),
        ("backslash.csv", ['He said "go, now" twice', "Plain"]),
        ("colnames.csv", ["hello there"]),
        ("cr.csv", ["one", "two"]),
        ("empty_text.csv", ["", "   ", "real words"]),
        ("formula.csv", ["=1+1", "-5", "007", "1e5", "TRUE", "12345678901234567890"]),
        ("header_only.csv", []),
        ("long_first.csv", [f"line one of {n}\nline; two; of; {n}\nline three" for n in range(40)]),
        ("multi_text.csv", ["T"]),
        ("nul.csv", ["one two"]),
        ("pipe.csv", ["The pier, long; and wide", "b"]),
        ("semi_commas.csv", ["Rope, tar and oakum", "Nails"]),
        ("semi_trailing.csv", ["Rope and tar", "Nails", "Screws"]),
        ("tab_in_csv.csv", ["The pier, long"]),
        ("utf16.csv", ["The pier is löng"]),
    ],
)
def test_cases(name, texts, outcome_of):
    documents, lost, error = outcome_of(CASES / name)
    assert [document.text for document in documents] == texts
    assert (lost, error) == ([], "")


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('id,text\n1,"a\n2,"b"\n3,c\n', ['"a', "b", "c"]),  # closed by the next quote only
        ('id,text\n1,"a ""b""\n2,b\n', ['a "b"', "b"]),
        ('id,text\n1,"He said "go" twice"\n2,"b\nc"\n', ['He said "go" twice', "b\nc"]),
        ('id,text\n1,"x" and "y"\n2,"a "quoted" word, here"\n', ['"x" and "y"', 'a "quoted" word, here']),
        ('text,n\n"x" and "y",1\n"He said "go" twice",2\n', ['"x" and "y"', 'He said "go" twice']),
        ('id\ttext\n1\t"x" and "y"\n2\t"x", "y"\n', ['"x" and "y"', '"x", "y"']),
        ('id,text,n\n1,"5" pipe,7\n2,"b",8\n', ['"5" pipe', "b"]),
        ('text\n"Go", he said, "now\n"b"\n', ['"Go", he said, "now', "b"]),
        ('id,text\n1,x\n2, "a, b"\n3, c\n', ["x", "a, b", "c"]),
        ('id,text\n1,x\n2,"C:\\new"\n3,"a \\"b\\", c"\n4,"d \\"e\\"\nf"\n', ["x", "C:\\new", 'a "b", c', 'd "e"\nf']),
        ("id,text\n1,a\\, b\n2,c\n", ["a, b", "c"]),
        ('"sep=|"\nid|text\n1|a,b;c\n', ["a,b;c"]),
        ("SEP=^\nid^text\n1^a\n", ["a"]),
    ],
)
def test_ways_of_writing_cells(tmp_path, content, texts, outcome_of):
    (tmp_path / "a.csv").write_text(content)
    documents, lost, error = outcome_of(tmp_path / "a.csv")
    assert [document.text for document in documents] == texts
    assert (lost, error) == ([], "")


def test_a_quote_in_a_table_with_tabs_ends_with_its_line_unless_no_tab_follows(tmp_path, records_of):
    path = tmp_path / "a.tsv"
    path.write_text('id\ttext\n1\t"Go.\n2\tShe went.\n3\tReally?"\n4\t"one\ntwo"\n')
    assert [document.text for document in records_of(path)] == ['"Go.', "She went.", 'Really?"', "one\ntwo"]


def test_lines_of_messages_are_those_of_the_file(tmp_path, outcome_of):
    (tmp_path / "a.csv").write_text('sep=,\nid,text,n\n\n1,"a\nb\u2028\x85c",1\n2\n3,d,2\n')
    documents, (what,), _ = outcome_of(tmp_path / "a.csv")
    assert [document.text for document in documents] == ["a\nb\u2028\x85c", "d"]
    assert [document.metadata["row"] for document in documents] == [1, 3]
    assert what.startswith("line 6: has no field text or content or body for its text; it has id; name the field")


def test_a_header_without_text_is_told_once(tmp_path, problem_of, records_of):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n3,4\n")
    assert problem_of(path) == (
        "the header (line 1) has no field text or content or body for its text; it has x, y; "
        "name the field that is its text with --text-field (in Python with RecordFields(text=…))"
    )
    assert [document.text for document in records_of(path, fields=RecordFields(text="Y"))] == ["2", "4"]


def test_names_of_columns_lose_no_value(tmp_path, records_of):
    (tmp_path / "a.csv").write_text("text,c,c,c_2,,column_8\nt,1,2,3,4,5,6,7\n")
    (document,) = records_of(tmp_path / "a.csv")
    assert document.metadata == {
        "mime_type": "text/csv",
        "row": 1,
        "c": 1,
        "c_3": 2,
        "c_2": 3,
        "column_5": 4,
        "column_8": 5,
        "column_7": 6,
        "column_8_2": 7,
    }


@pytest.mark.parametrize(
    "line", ['x",y,"z\n', '1,"never closed\n', '1, "a\\",b\n2,"x""\n', 'x\\",y,"z\n', '"\n', ',"a']
)
def test_hostile_quotes_take_linear_time(line):
    lines = ["id,text\n", *io.StringIO(line * (200_000 // len(line)), newline="")]
    rows = Rows(lines, ",")
    fed, feed = 0, rows._feed

    def counting(style):
        nonlocal fed
        for text in feed(style):
            fed += 1
            yield text

    rows._feed = counting
    for _ in rows:
        pass
    assert fed <= 8 * len(lines)


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), min_size=2, max_size=4)
    ),
    st.sampled_from(",;|"),
)
def test_what_a_writer_wrote_is_read(rows, delimiter):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    written.seek(0)
    assert [cells for _, cells in Rows(written, delimiter)][1:] == rows


def test_a_table_of_one_line_without_a_text_is_told(tmp_path, problem_of):
    path = tmp_path / "a.csv"
    path.write_text("The quay, which is old, is closed on Sundays.")
    assert problem_of(path).startswith("the header (line 1) has no field text or content or body for its text")


def test_cells_beyond_the_header_are_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,the quay is closed, on Sundays\n2,open,\n")
    (file,) = load(path)
    assert [document.metadata.get("column_3") for document in file.documents] == [" on Sundays", None]
    assert file.omissions == [Omission("line 2: 3 cells below a header of 2", lost=False)]


def test_an_archive_or_rtf_by_another_name_is_told(tmp_path, problem_of):
    for name, data, kind in (("a.html", b"%PDF-1.4\n", "a PDF"), ("a.txt", b"{\\rtf1 words}", "an RTF document")):
        (tmp_path / name).write_bytes(data)
        assert problem_of(tmp_path / name) == f"looks binary: it begins like {kind}"
