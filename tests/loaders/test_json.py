"""JSON and JSON lines: records wherever they stand, and what is wrong with one costs that one only."""

from __future__ import annotations

import io
import json
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.loaders import RecordFields, load
from late_rag.loaders.json.values import Values
from late_rag.types import digest

CASES = Path(__file__).parents[1] / "cases" / "json"


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
    ("name", "texts", "lost"),
    [
        ("array_named.jsonl", ["one", "two"], []),
        ("jsonl_named.json", ["one", "two"], []),
        ("wrapped.json", ["The pier is long", "The quay"], []),
        ("dict_of_records.json", ["The pier is long", "The quay"], []),
        ("chat.json", ["user: hello there\n\nassistant: general"], []),
        ("bad_line.jsonl", ["one", "three"], ["line 2: is not JSON: Expecting ',' delimiter at character 21"]),
        ("mixed.jsonl", ["one", "three"], ["line 2: has no field text or content or body"]),
        ("nulltext.json", ["", "ok"], ["record 1 (line 1): its text is null (field text)"]),
        ("trailing.json", ["x"], ["record 2 (line 1): is not JSON: there is nothing behind the last comma"]),
        ("hugeint.json", ["x"], []),
        ("bigint.json", ["x"], []),
        ("deep90.json", ["x"], []),
        ("dollar.json", ["x", "y", "z"], []),
        ("dupkeys.json", ["second"], []),
        ("hugefloat.json", ["x"], []),
        ("idtypes.jsonl", ["int", "str", "float", "bool", "dict"], []),
        ("listofstr.json", ["one about piers", "two about quays"], []),
        ("nan.json", ["x"], []),
        ("numtext.json", ["42", '["a","b"]', "true"], []),
        ("scalar.json", ["just a text about piers"], []),
        ("surrogate.json", ["bad ? half"], []),
        ("u2028.jsonl", ["one\u2028two\x85three", "x"], []),
        ("utf16.json", ["löng"], []),
        ("bom.jsonl", ["one", "two"], []),
    ],
)
def test_cases(name, texts, lost, outcome_of):
    documents, found, error = outcome_of(CASES / name)
    assert [document.text for document in documents] == texts
    assert [what[: len(start)] for what, start in zip(found, lost, strict=True)] == lost
    assert error == ""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("deep200.json", "record 1 (line 1): its metadata cannot be stored: d[0]"),
        ("empty.json", "is empty"),
        (
            "emptyobj.json",
            "line 1: has no field text or content or body for its text; it has no fields; name the field",
        ),
        (
            "package.json",
            "line 1: has no field text or content or body for its text; it has name, version, description",
        ),
    ],
)
def test_cases_that_are_told(name, says, problem_of):
    assert problem_of(CASES / name).startswith(says)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", '{"text": "x"', "line 1: is not JSON: Expecting ',' delimiter at character 13"),
        (
            "a.json",
            '{\n"text": "x",,\n}',
            "line 1: is not JSON: Expecting property name enclosed in double quotes in line 2",
        ),
        ("a.json", '{"text": "x", "rows": [{"text": "y"}],, "a": 1}', "line 1: is not JSON"),
        ("a.json", " \n", "is not JSON: there is nothing in it but white space"),
        ("a.json", "[3]", "record 1 (line 1): a record is an object or a text, not int"),
        ("a.json", "7", "line 1: a record is an object or a text, not int"),
        (
            "a.json",
            "[" * 100_000,
            "nothing of it can be read; the first of 2 reasons: record 1 (line 1): has lists and",
        ),
        ("a.json", '{"a":' * 100_000, "line 1: has lists and objects that are nested too deep"),
        ("a.jsonl", "7\n", "line 1: a record is an object or a text, not int"),
        ("a.jsonl", "null\n", "line 1: a record is an object or a text, not null"),
    ],
)
def test_broken_json(tmp_path, name, content, says, problem_of):
    (tmp_path / name).write_text(content)
    assert problem_of(tmp_path / name).startswith(says)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    ("content", "texts", "lost"),
    [
        ('[\n  {"text": "a"},\n  {"text": "b"\n  {"text": "c"}\n]', ["a", "c"], ["record 2 (line 3): is not JSON"]),
        (
            '[\n  {"text": "a"},\n  {"text": "b\n  },\n  {"text": "c"}\n]',
            ["a", "c"],
            ["record 2 (line 3): is not JSON"],
        ),
        ('[{"text": "a"}, {"text": 1,,}, {"text": "c"}]', ["a", "c"], ["record 2 (line 1): is not JSON"]),
        ('[{"text": "a"}', ["a"], ["record 2 (line 1): is not JSON: the list that begins in line 1 is never closed"]),
        ('{\n "text": "a"\n}\n{\n "text": "b"\n}\n', ["a", "b"], []),
        ('{"text": "a"\n{"text": "b"}\n{"text": "c"}}\n', ["b"], ["line 1: is not JSON", "line 3: is not JSON"]),
    ],
)
def test_one_bad_record_costs_that_record_only(tmp_path, name, content, texts, lost, outcome_of):
    if name == "a.json" and lost[1:]:
        texts = [*texts, "c"]  # the value is whole, and what is behind it is told
    (tmp_path / name).write_text(content)
    documents, found, error = outcome_of(tmp_path / name)
    assert [document.text for document in documents] == texts
    assert [what[: len(start)] for what, start in zip(found, lost, strict=True)] == lost
    assert error == ""


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("content", "texts", "lost"),
    [
        (
            '{"n": 3, "rows": [{"text": "a"}, {"text": "b" "x"}, {"text": "c"}]}',
            ["a", "c"],
            ["record 2 of rows (line 1): is not JSON"],
        ),
        ('{"k": {"text": "a"}, "l": {"text": "b",,}, "m": {"text": "c"}}', ["a", "c"], ["record l: is not JSON"]),
        ('{"k": {"text": "a"}, "l": 5, "m": {"text": "c"}}', ["a", "c"], ["record l: a record is an object or a text"]),
        ('{"k": {"text": "a"}, "l": "b", "m": {"text": "c"}}', ["a", "c"], ["record l: a record among objects is"]),
        (
            f'{{"k": {{"text": "a", "x": {DEEP}}}, "l": {{"text": "b"}}}}',
            ["b"],
            ["record k: has lists and objects that"],
        ),
        (f'{{"n": {DEEP}, "rows": [{{"text": "a"}}]}}', ["a"], []),
        (
            '{\n "k": {\n  "text": "a\n },\n "l": {\n  "text": "b"\n },\n "m": {\n  "text": "c"\n }\n}\n',
            ["b", "c"],
            ["record k: is not JSON"],
        ),
        (
            '{"rows": [{"text": "a"}, {"text": "b',
            ["a"],
            [
                "record 2 of rows (line 1): is not JSON",
                "record 3 of rows (line 1): is not JSON: the list",
                "line 1: is not JSON: the obj",
            ],
        ),
        (
            '{"data": {\n "items": [\n  {"text": "a"},\n  {"text": "b" "x"},\n  {"text": "c"}\n ],\n "n": 2\n}}',
            ["a", "c"],
            ["record 2 of data.items (line 4): is not JSON"],
        ),
        (
            '{"a": {"b": {"c": {"d": [{"text": "a"}, {"text": tru}, {"text": "c"}]}}}, "e": {"f": [nul]}}',
            ["a", "c"],
            ["record 2 of a.b.c.d (line 1): is not JSON"],
        ),
        (
            '{"data": {"items": [{"text": "a"}, 5]},\n "meta": {"total": 2,\n  "took": nul}}',
            ["a"],
            ["record 2 of data.items: a record is", "line 3: is not JSON: Expecting value"],
        ),
        (
            '{"data": {\n "items": [\n  {"text": "a",\n  {"text": "b"},\n  {"text": "c"}\n ]\n}}',
            ["b", "c"],
            ["record 1 of data.items (line 3): is not JSON", "line 7: is not JSON: the object that begins in line 1"],
        ),
        (
            '{"data": {"items": [{"text": "a"}, {"text": "b',
            ["a"],
            [
                "record 2 of data.items (line 1)",
                "record 3 of data.items (line 1)",
                *["line 1: is not JSON: the obj"] * 2,
            ],
        ),
        ('{"k": {"text": "a"}, 7: {"text": "b"}}', ["a"], ["line 1: is not JSON: a name is missing"]),
        ('{"k": {"text": "a"}, "l": , "m": {"text": "c"}}', ["a", "c"], ["line 1: is not JSON: a value is missing"]),
    ],
)
def test_one_bad_record_inside_an_object_costs_that_record_only(tmp_path, content, texts, lost, outcome_of):
    (tmp_path / "a.json").write_text(content)
    documents, found, error = outcome_of(tmp_path / "a.json")
    assert [document.text for document in documents] == texts
    assert [what[: len(start)] for what, start in zip(found, lost, strict=True)] == lost
    assert error == ""


@given(st.text('[]{}",:\\\n 1ax', max_size=60))
def test_whatever_stands_in_an_object_ends_in_names_and_reasons(text):
    values = Values(io.StringIO("{" + text), in_lines=False)
    values.skip()
    for name, value in values.members():
        assert name or isinstance(value, list) or value.problem or value.value is not None


@pytest.mark.parametrize(
    "part", ['"a": {"b": 1,, ', '"a": [1, ', '"a": ', "7: {", '"a": {"b": 1,,}, ', '"', "{", ",", "]"]
)
def test_broken_objects_take_linear_time(part):
    began = time.process_time()
    values = Values(io.StringIO("{" + part * (400_000 // len(part))), in_lines=False)
    values.skip()
    for _ in values.members():
        pass
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "content",
    [
        '{"data": {"a": [{"text": "a"},, {"text": "b"}], "b": [{"text": "c"}]}}',
        '{"text": "x", "data": {"a": [{"text": "a"},, {"text": "b"}]}}',
        '{"1": {"2": {"3": {"4": {"5": [{"text": "a"},, {"text": "b"}]}}}}}',
    ],
)
def test_broken_objects_without_an_only_list_are_told_as_a_whole(tmp_path, content, problem_of):
    (tmp_path / "a.json").write_text(content)
    assert problem_of(tmp_path / "a.json").startswith("line 1: is not JSON: Expecting ")


def test_broken_objects_in_objects_take_linear_time(tmp_path):
    (tmp_path / "a.json").write_text('{"a":{"a":{"a":{' + '"a": {"b": 1,,}, ' * 5_000 + '"c": [{"text": "a"},]')
    began = time.process_time()
    (file,) = load(tmp_path)
    assert [document.text for document in file.documents] == ["a"]
    assert time.process_time() - began < 10


def test_what_stands_beside_a_list_of_records_is_left_out_and_told(tmp_path):
    (tmp_path / "a.json").write_text('{"total": 1, "tags": ["x"], "data": [{"text": "a"}], "links": [{"href": "b"}]}')
    (file,) = load(tmp_path)
    assert [document.text for document in file.documents] == ["a"]
    assert [(gap.what, gap.lost) for gap in file.omissions] == [
        ("what stands beside the list data: total, tags, links", False)
    ]


@pytest.mark.parametrize(
    ("content", "texts", "told"),
    [
        ('{"data": {"items": [{"text": "a"}, {"text": "b"}]}}', ["a", "b"], []),
        (
            '{"ok": true, "data": {"n": 2, "page": {"hits": [{"text": "a"}, 5]}}, "tags": []}',
            ["a"],
            [
                "record 2 of data.page.hits: a record is an object or a text, not int",
                "what stands beside the list data.page.hits: ok, data.n, tags",
            ],
        ),
        (
            '{"data": {"items": [{"text": "a"}], "users": [{"name": "x"}]}}',
            ["a"],
            ["what stands beside the list data.items: data.users"],
        ),
    ],
)
def test_the_only_list_of_records_further_down(tmp_path, content, texts, told):
    (tmp_path / "a.json").write_text(content)
    (file,) = load(tmp_path)
    assert [document.text for document in file.documents] == texts
    assert [gap.what for gap in file.omissions] == told


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            '{"a": [{"text": "a"}], "b": [{"text": "b"}]}',
            "line 1: has 2 lists of records (a, b); write one of them into a file of its own",
        ),
        (
            '{"data": {"a": [{"x": 1}], "b": [{"x": 2}]}, "c": 1}',
            "line 1: has 2 lists of records (data.a, data.b); write one of them into a file of its own",
        ),
        ('{"data": {"a": [{"x": 1}]}}', "record 1 of data.a: has no field text or content or body"),
        ('{"a": {"b": {"c": {"d": {"e": [{"text": "x"}]}}}}}', "line 1: has no field text"),
    ],
)
def test_lists_of_which_none_is_that_of_the_records_are_told(tmp_path, problem_of, content, says):
    (tmp_path / "a.json").write_text(content)
    assert problem_of(tmp_path / "a.json").startswith(says)


def test_long_names_of_objects_are_not_repeated(tmp_path, problem_of):
    inner = {str(number): {"x": [{"y": 1}]} for number in range(2_000)}
    (tmp_path / "a.json").write_text(json.dumps({"n" * 1_000_000: inner, "m": 1, "o": 2}))
    tracemalloc.start()
    try:
        assert len(problem_of(tmp_path / "a.json")) < 3_000
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_exported_conversations(tmp_path, records_of):
    def node(parent, role, *parts):
        message = role and {"author": {"role": role}, "content": {"content_type": "text", "parts": list(parts)}}
        return {"message": message, "parent": parent}

    tree = {
        "r": node(None, None),
        "a": node("r", "user", "hello", {"asset": 1}),
        "c": node("a", "assistant", "the answer that was taken"),
        "b": node("a", "assistant", "another"),
    }
    loop = {"x": node("y", "user", "round"), "y": node("x", "assistant", "and round")}
    talks = [
        {"title": "T", "mapping": tree, "current_node": "c"},
        {"title": "U", "mapping": {"a": tree["a"]}},
        {"title": "V", "mapping": loop, "current_node": "y"},
    ]
    (tmp_path / "a.json").write_text(json.dumps(talks))
    first, second, third = records_of(tmp_path / "a.json")
    assert first.text == "user: hello\n\nassistant: the answer that was taken"
    assert first.metadata == {"mime_type": "application/json", "row": 1, "title": "T", "current_node": "c"}
    assert second.text == "user: hello"
    assert third.text == "user: round\n\nassistant: and round"


def test_the_names_of_records_are_their_keys(tmp_path, records_of):
    (tmp_path / "a.json").write_text('{"k": {"text": "a", "id": 7}, "m": {"q": "b", "text": "c"}}')
    first, second = records_of(tmp_path / "a.json")
    assert first.id == digest(tmp_path.as_posix(), "a.json", "k")
    assert first.metadata == {"mime_type": "application/json", "row": 1, "id": 7}
    assert second.id == digest(tmp_path.as_posix(), "a.json", "m")


def test_conversations(tmp_path, records_of):
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": "…"}]
    talks = [
        {"id": 1, "messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]},
        {"id": 2, "topic": "t", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, talks)))
    first, second = records_of(tmp_path / "a.jsonl")
    assert first.text == "user: look"
    assert second.text == "human: hi\n\ngpt: ho"
    assert second.metadata == {"mime_type": "application/jsonl", "row": 2, "topic": "t"}
    fields = RecordFields(text="topic", metadata=())
    assert outcome_texts(tmp_path / "a.jsonl", fields) == ["t"]


def outcome_texts(path, fields):
    (file,) = load(path, fields=fields)
    return [document.text for document in file.documents]


def test_numbers_of_a_million_digits(tmp_path, records_of):
    digits = "9" * 1_000_000
    (tmp_path / "a.json").write_text(f'[{{"text": "a", "n": {digits}, "m": -1234567890123456789}}, {{"text": "b"}}]')
    first, second = records_of(tmp_path / "a.json")
    assert first.metadata["n"] == digits
    assert first.metadata["m"] == -1234567890123456789
    assert second.text == "b"


def test_a_long_list_is_read_record_by_record(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"id": number, "text": "words, " * 600} for number in range(3_000)]))
    (file,) = load(path)
    tracemalloc.start()
    try:
        assert sum(1 for _ in file.documents) == 3_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    finally:
        tracemalloc.stop()
