"""CSV, JSON and JSONL: which field is text, key and metadata, and that no record is lost."""

from __future__ import annotations

import csv
import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag.errors import InputError
from late_rag.loaders import RecordFields, load
from late_rag.types import digest


def jsonl(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_the_usual_fields(tmp_path, records_of):
    file = jsonl(tmp_path / "a.jsonl", {"_id": 7, "title": "T", "text": "one", "year": 2020}, {"content": "two"})
    first, second = records_of(file)
    assert (first.text, second.text) == ("one", "two")
    assert first.metadata == {"mime_type": "application/jsonl", "row": 1, "title": "T", "year": 2020}
    assert second.metadata == {"mime_type": "application/jsonl", "row": 2}
    assert first.id == digest(tmp_path.as_posix(), "a.jsonl", "7")


def test_chosen_fields(tmp_path, records_of):
    file = jsonl(tmp_path / "a.jsonl", {"q": "why?", "a": "so", "nr": "x1", "year": 1, "text": "rest"}, {"a": "b"})
    fields = RecordFields(text=("q", "a"), key="nr", metadata=["year"])
    first, second = records_of(file, fields=fields)
    assert first.text == "why?\nso"
    assert first.metadata == {"mime_type": "application/jsonl", "row": 1, "year": 1}
    assert first.id == digest(tmp_path.as_posix(), "a.jsonl", "x1")
    assert second.text == "b"


def test_other_fields_make_it_another_state_of_the_file(tmp_path):
    file = jsonl(tmp_path / "a.jsonl", {"q": "why?", "text": "so"})
    (tmp_path / "b.txt").write_text("words")
    hashes = [[f.hash for f in load(tmp_path, fields=f)] for f in (None, RecordFields(), RecordFields(text="q"))]
    assert hashes[0] == hashes[1]
    assert hashes[0][0] != hashes[2][0]
    assert hashes[0][1] == hashes[2][1]
    assert next(load(file, fields=RecordFields(text=["q"]))).hash == next(load(file, fields=RecordFields(("q",)))).hash


def test_fields_that_cannot_be():
    with pytest.raises(InputError, match=r"RecordFields\.metadata takes names of fields, not 'year'"):
        RecordFields(metadata="year")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"RecordFields\.text takes names of fields, not 3"):
        RecordFields(text=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"RecordFields\.text"):
        RecordFields(text=(1,))  # type: ignore[arg-type]


def test_a_record_without_text_is_an_error(tmp_path, problem_of):
    file = jsonl(tmp_path / "a.jsonl", {"text": "x"}, {"name": "n", "size": 3})
    assert problem_of(file) == "record 2 has no field text or content or body for its text; it has name, size"
    assert (
        problem_of(file, fields=RecordFields(text="answer")) == "record 1 has no field answer for its text; it has text"
    )


def test_equal_records_and_keys_are_all_kept(tmp_path, records_of, caplog):
    records = [{"text": "same"}, {"text": "same"}, {"id": "a", "text": "1"}, {"id": "a", "text": "2"}]
    records += [
        {"id": "a#2", "text": "3"},
        {"id": "a", "text": "4"},
        {"id": "", "text": "5"},
        {"id": None, "text": "5"},
    ]
    documents = records_of(jsonl(tmp_path / "a.jsonl", *records))
    assert len({document.id for document in documents}) == len(records)
    assert caplog.text.count("the key 'a' comes more than once") == 1


def test_keys_do_not_depend_on_the_place_of_a_record(tmp_path, records_of):
    one, two = {"text": "one", "n": 1}, {"n": 2, "text": "two"}
    before = records_of(jsonl(tmp_path / "a.jsonl", one, two))
    after = records_of(jsonl(tmp_path / "a.jsonl", {"text": "zero"}, two, one))
    assert {document.id for document in before} < {document.id for document in after}


def test_what_cannot_be_stored_is_made_storable(tmp_path, records_of):
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a\\u0000b \\ud83d c", "big": 18446744073709551616, "deep": [{"\\udc00": "\\u0000"}]}')
    (document,) = records_of(file)
    assert document.text == "a b ? c"
    assert document.metadata["big"] == "18446744073709551616"
    assert document.metadata["deep"] == [{"?": " "}]


def test_json_is_a_list_of_records_or_one(tmp_path, records_of):
    file = tmp_path / "a.json"
    file.write_text('[{"text": "one"}, "two"]')
    assert [document.text for document in records_of(file)] == ["one", "two"]
    file.write_text('{"body": {"a": 1}, "id": [1]}')
    (document,) = records_of(file)
    assert document.text == '{"a":1}'
    assert document.metadata == {"mime_type": "application/json", "row": 1}
    file.write_text("[]")
    assert records_of(file) == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", '[{"text": "x"}', "is not JSON: "),
        ("a.json", "[3]", "record 1: a record is an object or a text, not int"),
        ("a.json", "[" * 100_000, "is not JSON: "),
        ("a.jsonl", '{"text": "x"}\n\n{"text": ', "line 3: is not JSON: "),
        ("a.jsonl", "7\n", "line 1: a record is an object or a text, not int"),
    ],
)
def test_broken_json(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    (file,) = load(tmp_path)
    documents = list(file.documents)
    assert says in str(file.error)
    assert len(documents) == (1 if name == "a.jsonl" and "x" in content else 0)


def test_an_error_goes_when_the_file_is_mended(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text')
    (file,) = load(path)
    assert len(list(file.documents)) == 1
    assert file.error
    path.write_text('{"text": "one"}\n{"text": "two"}')
    assert len(list(file.documents)) == 2
    assert file.error is None


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


def test_csv_without_a_text_column(tmp_path, problem_of):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    assert problem_of(tmp_path / "a.csv") == "record 1 has no field text or content or body for its text; it has x, y"


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


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1), max_size=20))
def test_every_record_comes_out_in_order(tmp_path, texts):
    path = jsonl(tmp_path / "any.jsonl", *({"text": text} for text in texts))
    (file,) = load(path)
    documents = list(file.documents)
    assert [document.text for document in documents] == texts
    assert len({document.id for document in documents}) == len(texts)
