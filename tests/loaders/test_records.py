"""CSV, JSON and JSONL: which field is text, key and metadata, and that no record is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag.errors import InputError
from late_rag.loaders import RecordFields, decoding, load
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


NAME_IT = "; name the field that is its text with --text-field (in Python with RecordFields(text=…))"


def test_a_record_without_text_costs_that_record_only(tmp_path, outcome_of):
    file = jsonl(tmp_path / "a.jsonl", {"text": "x"}, {"name": "n", "size": 3}, {"text": None}, {"text": "y"})
    documents, lost, error = outcome_of(file)
    assert [document.text for document in documents] == ["x", "y"]
    assert [document.metadata["row"] for document in documents] == [1, 4]
    assert error == ""
    assert lost == [
        f"line 2: has no field text or content or body for its text; it has name, size{NAME_IT}",
        "line 3: its text is null (field text)",
    ]
    _, _, error = outcome_of(file, fields=RecordFields(text="answer"))
    assert f"line 1: has no field answer for its text; it has text{NAME_IT}" in error


def test_fields_match_in_any_case(tmp_path, records_of):
    file = jsonl(tmp_path / "a.jsonl", {"ID": "k", "Text": "one", "Year": 1}, {"id": "m", "TEXT": "no", "text": "two"})
    first, second = records_of(file)
    assert (first.text, second.text) == ("one", "two")
    assert first.id == digest(tmp_path.as_posix(), "a.jsonl", "k")
    assert second.metadata["TEXT"] == "no"
    file = jsonl(tmp_path / "b.jsonl", {"Text": "one", "Year": 1})
    (document,) = records_of(file, fields=RecordFields(text="YEAR", metadata=("text", "year")))
    assert document.text == "1"
    assert document.metadata == {"mime_type": "application/jsonl", "row": 1, "Text": "one"}


def test_a_field_called_as_ours_changes_nothing_else(tmp_path, records_of):
    file = jsonl(
        tmp_path / "a.jsonl",
        {"text": "# a\n\nb", "mime_type": "text/html", "mime_type_2": 2, "row": 9, "heading": "H", "page": 3},
    )
    (document,) = records_of(file)
    assert document.metadata == {
        "mime_type": "application/jsonl",
        "row": 9,
        "mime_type_2": 2,
        "mime_type_3": "text/html",
        "heading": "H",
        "page": 3,
    }


def test_metadata_that_cannot_be_stored_costs_its_record_only(tmp_path, outcome_of):
    deep = "[" * 600 + "]" * 600
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a"}}\n{{"text": "b", "d": {deep}}}\n{{"text": "c"}}\n')
    documents, (what,), _ = outcome_of(tmp_path / "a.jsonl")
    assert [document.text for document in documents] == ["a", "c"]
    assert what.startswith("line 2: ")
    assert "nested" in what


def test_many_equal_keys_beside_their_numbered_names(tmp_path, records_of):
    records = [{"id": f"a#{n}", "text": "x"} for n in range(2, 2000)] + [{"id": "a", "text": "y"}] * 2000
    documents = records_of(jsonl(tmp_path / "a.jsonl", *records))
    assert len({document.id for document in documents}) == len(records)


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


@pytest.mark.parametrize(
    ("name", "content", "texts", "told"),
    [
        ("a.json", b'{"\xff": {"text": "Caf\xc3\xa9"}, "k": {"text": "b"}}', ["Café", "b"], []),
        (
            "a.jsonl",
            b'{"text": "Caf\xc3\xa9"}\n{"text": "M\xfcller"}\n{"text": "gr\xc3\xb6\xc3\x9fe"}\n',
            ["Café", "M\ufffdller", "größe"],
            ["line 2: has bytes that are not"],
        ),
        (
            "a.csv",
            b"id,text\n1,caf\xc3\xa9\n2,bad \xff\xfe byte\n3,ok\n",
            ["café", "bad \ufffd\ufffd byte", "ok"],
            ["line 3: has bytes that"],
        ),
        (
            "a.json",
            b'[{"text": "Caf\xc3\xa9 gr\xc3\xb6"}, {"id": "\xff", "text": "b"}]',
            ["Café grö", "b"],
            ["record 2 (line 1): has bytes"],
        ),
        ("a.json", '[{"text": "Caf\ufffd \\udcfe"}]'.encode(), ["Caf\ufffd ?"], []),
        ("a.csv", b"id,text\n1,caf\xe9\n2,M\xfcller\n", ["café", "Müller"], []),
    ],
)
def test_what_cannot_be_decoded_is_named(tmp_path, name, content, texts, told):
    (tmp_path / name).write_bytes(content)
    (file,) = load(tmp_path / name)
    assert [document.text for document in file.documents] == texts
    assert [gap.what[: len(start)] for gap, start in zip(file.omissions, told, strict=True)] == told
    assert not any(gap.lost for gap in file.omissions)
    assert file.error is None


@pytest.mark.parametrize(
    ("name", "content", "places"),
    [
        ("a.csv", "id,text\n1,\n2,real\n3,   \n", ["line 2", "line 4"]),
        ("a.json", '[{"text": ""}, {"text": "real"}, " \\n"]', ["record 1 (line 1)", "record 3 (line 1)"]),
    ],
)
def test_an_empty_text_is_a_document_and_told(tmp_path, name, content, places):
    (tmp_path / name).write_text(content)
    (file,) = load(tmp_path / name)
    assert [document.text.strip() for document in file.documents] == ["", "real", ""]
    assert [(gap.what, gap.lost) for gap in file.omissions] == [(f"{at}: its text is empty", False) for at in places]


def test_a_reason_goes_when_the_file_is_mended(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text')
    (file,) = load(path)
    assert len(list(file.documents)) == 1
    assert file.omissions
    path.write_text('{"text": "one"}\n{"text": "two"}')
    assert len(list(file.documents)) == 2
    assert not file.omissions


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1), max_size=20))
def test_every_record_comes_out_in_order(tmp_path, texts):
    path = jsonl(tmp_path / "any.jsonl", *({"text": text} for text in texts))
    (file,) = load(path)
    documents = list(file.documents)
    assert [document.text for document in documents] == texts
    assert len({document.id for document in documents}) == len(texts)


def test_a_line_without_an_end_is_told_and_not_held(tmp_path, outcome_of, monkeypatch):
    monkeypatch.setattr(decoding, "LONGEST_LINE", 1000)
    path = tmp_path / "a.jsonl"
    long = json.dumps({"text": "x" * 200_000})
    path.write_text(f'{{"text": "one"}}\n{long}\n\n{{"text": "two"}}\n')
    documents, lost, problem = outcome_of(path)
    assert [document.text for document in documents] == ["one", "two"]
    assert (lost, problem) == (["line 2: has more than 1,000 characters, which is the limit"], "")
    path.write_text(f'{long}\n{{"text": "two"}}\n')
    documents, lost, problem = outcome_of(path)
    assert [document.text for document in documents] == ["two"]
    assert (lost, problem) == (["line 1: has more than 1,000 characters, which is the limit"], "")
    path.write_text(f"[{long}, {long}]")  # one text, which is read value by value
    documents, lost, problem = outcome_of(path)
    assert (len(documents), lost, problem) == (2, [], "")


def test_a_line_as_long_as_may_be_is_read(tmp_path, outcome_of, monkeypatch):
    line = json.dumps({"text": "x" * 50})
    monkeypatch.setattr(decoding, "LONGEST_LINE", len(line) + 1)
    (tmp_path / "a.jsonl").write_text(f"{line}\n{line[:-2]}y{line[-2:]}\n{line}\n")
    documents, lost, _ = outcome_of(tmp_path / "a.jsonl")
    assert len(documents) == 2
    assert lost == [f"line 2: has more than {len(line) + 1} characters, which is the limit"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_row_without_an_end_is_told_and_not_held(tmp_path, outcome_of, monkeypatch, end):
    monkeypatch.setattr(decoding, "LONGEST_LINE", 1000)
    path = tmp_path / "a.csv"
    rows = [*(f"{number},{'short ' * 100}" for number in range(500)), "7," + "x" * 200_000, "8,short"]
    path.write_text(end.join(["id,text", *rows, ""]), newline="")
    documents, lost, problem = outcome_of(path)
    assert [document.text.strip() for document in documents[499:]] == [("short " * 100).strip(), "short"]
    assert (lost, problem) == (["line 502: has more than 1,000 characters, which is the limit"], "")
    path.write_text("x" * 200_000)
    told = f"{path}: line 1: has more than 1,000 characters, which is the limit; is it a table?"
    assert outcome_of(path)[2] == told


def test_a_line_too_long_in_the_first_rows_or_below_an_open_quote_costs_its_row(tmp_path, outcome_of, monkeypatch):
    monkeypatch.setattr(decoding, "LONGEST_LINE", 1000)
    path, long = tmp_path / "a.csv", "x" * 2000
    path.write_text(f'id,text\n1,"{long}\n2,two\n3,"a\n{long}\nb"\n4,four\n')
    documents, lost, problem = outcome_of(path)
    assert [document.text for document in documents] == ["two", "a\n\nb", "four"]
    expected = [f"line {line}: has more than 1,000 characters, which is the limit" for line in (2, 5)]
    assert (lost, problem) == (expected, "")
