"""The forms a filter is written in, what they have in common, and what is said about broken ones."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from late_rag.errors import FilterError
from late_rag.filters import And, Condition, F, Filter, Not, Or, parse
from late_rag.filters.selection import Selection
from late_rag.filters.tree import MAX_CONDITIONS, MAX_DEPTH

SAME = [
    ("year >= 2020", {"field": "year", "op": ">=", "value": 2020}, F("year") >= 2020),
    ("year != null", {"field": "year", "op": "!=", "value": None}, F("year") != None),  # noqa: E711
    (
        'year > 1 AND topic == "x" and NOT (lang IN ["en", "de"])',
        {
            "and": [
                {"field": "year", "op": ">", "value": 1},
                {"field": "topic", "op": "==", "value": "x"},
                {"not": {"field": "lang", "op": "in", "value": ["en", "de"]}},
            ]
        },
        (F("year") > 1) & (F("topic") == "x") & ~F("lang").in_({"en": 1, "de": 2}.keys()),
    ),
    (
        "a < 1 or b <= 1.5 or c not in [true, null]",
        {
            "or": [
                {"field": "a", "op": "<", "value": 1},
                {"field": "b", "op": "<=", "value": 1.5},
                {"field": "c", "op": "not_in", "value": [True, None]},
            ]
        },
        (F("a") < 1) | (F("b") <= 1.5) | F("c").not_in([True, None]),
    ),
    (
        "published >= 2020-01-31 and seen < 2020-01-31T10:00:00+02:00",
        {
            "and": [
                {"field": "published", "op": ">=", "value": date(2020, 1, 31)},
                {"field": "seen", "op": "<", "value": {"$datetime": "2020-01-31T10:00:00+02:00"}},
            ]
        },
        (F("published") >= date(2020, 1, 31))
        & (F("seen") < datetime(2020, 1, 31, 10, tzinfo=timezone(timedelta(hours=2)))),
    ),
    ('a contains "x"', {"field": "a", "op": "contains", "value": "x"}, F("a").contains("x")),
    ("a any [1]", {"field": "a", "op": "any", "value": [1]}, F("a").any([1])),
    ("a all [1, 2]", {"field": "a", "op": "all", "value": [1, 2]}, F("a").all((1, 2))),
    ("a matches 'x'", {"field": "a", "op": "matches", "value": "x"}, F("a").matches("x")),
    ("a imatches 'x'", {"field": "a", "op": "imatches", "value": "x"}, F("a").matches("x", ignore_case=True)),
    ("a like 'x%'", {"field": "a", "op": "like", "value": "x%"}, F("a").like("x%")),
    ("`a b` exists", {"field": "a b", "op": "exists"}, F("a b").exists()),
    ("in is_empty", {"field": "in", "op": "is_empty"}, F("in").is_empty()),
    ('a == "\\u00e9\\n\\ud83d\\ude00"', {"field": "a", "op": "==", "value": "é\n😀"}, F("a") == "é\n😀"),
    ("((a == 1))", {"and": [{"or": [{"field": "a", "op": "==", "value": 1}]}]}, F("a") == 1),
]


@pytest.mark.parametrize(("text", "data", "built"), SAME)
def test_the_three_forms_give_one_filter(text: str, data: dict[str, object], built: Filter) -> None:
    assert parse(text) == parse(data) == built
    assert len({parse(text), parse(data), built}) == 1


BROKEN_TEXTS = [
    ("", "the filter is empty"),
    ("year =~ 2020", "unknown operator '=~' at character 6; there are ==, !=, >"),
    ("year is 2020", "unknown operator 'is' at character 6"),
    ("year", "expected an operator after year, found the end of the filter"),
    ("year ==", "expected a value after ==, found the end of the filter"),
    ("year == x", 'a text stands in quotes: "x"\\), found x at character 9'),
    ("(year == 1", "expected '\\)', found the end"),
    ("year == 1 topic == 2", "expected `and`, `or` or the end, found topic at character 11"),
    ('year == "x', 'the quote " at character 9 is never closed'),
    ("and == 1", "expected the name of a field, found and at character 1"),
    ("a == 2020-02-30", "2020-02-30 at character 6 is no date"),
    ("a == 1a", "'1a' at character 6 means nothing here"),
    ("a # 3", "'#' at character 3 means nothing here"),
    ("a in [1 2]", "expected ',' or ']', found 2 at character 9"),
    ("a == {b: 1}", "expected a key in quotes, found b"),
    ("a in 3", "a in takes a list, got 3"),
    ("a > true", "a > takes a number, a text, a date or a datetime, got True"),
    ("a > null", "a > takes a number"),
    ("a > [1]", "a > takes a number"),
    ("a matches 3", "a matches takes a text, got 3"),
    ("a == 9223372036854775808", "does not fit into 64 bits"),
    ("a == " + "9" * 5000, "integer at character 6 does not fit into 64 bits"),
    ('a == "\\ud800"', "lone surrogate"),
    ("$page == 1", r"unknown field '\$page'; there are \$id, \$document_id, \$text, \$source"),
    ("(" * 500 + "a == 1" + ")" * 500, "brackets are open at character"),
    ("a == " + "[" * 500, "lists and dicts are open at character"),
    ("not " * 25 + "a == 1", f"may have {MAX_DEPTH} levels"),
    (
        " or ".join(["a == 1"] * (MAX_CONDITIONS + 1)),
        f"may have {MAX_CONDITIONS} conditions, it has {MAX_CONDITIONS + 1}",
    ),
    ("a all [" + "1," * MAX_CONDITIONS + "1]", f"may have {MAX_CONDITIONS} conditions"),
    ("a like '" + "%" * 10_001 + "'", "at most 10,000 characters"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN_TEXTS, ids=range(len(BROKEN_TEXTS)))
def test_a_broken_text_is_told_where(text: str, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        parse(text)


def nested(levels: int) -> dict[str, object]:
    data: dict[str, object] = {"field": "a", "op": "exists"}
    for _ in range(levels):
        data = {"not": data}
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "got the keys of an empty dict"),
        ({"year": 2020}, "got the keys 'year'"),
        ({"field": "a", "operator": "=="}, 'has the keys "field", "op" and "value"'),
        ({"field": "a", "op": "==", "value": 1, "boost": 2}, "'boost'"),
        ({"field": "a", "op": "$eq", "value": 1}, r"unknown operator '\$eq'; there are =="),
        ({"field": "a", "op": ["=="], "value": 1}, "unknown operator"),
        ({"field": "a", "op": "=="}, 'the key "value" is missing'),
        ({"field": 3, "op": "==", "value": 1}, "name is a string, not 3"),
        ({"field": "a", "op": "exists", "value": 1}, "takes no value"),
        ({"field": "a", "op": "==", "value": {1, 2}}, "a set cannot be stored"),
        ({"field": "a", "op": "==", "value": {1: 2}}, "keys must be str"),
        ({"field": "a", "op": "==", "value": {"$date": "soon"}}, r"\$date: Invalid isoformat"),
        ({"and": []}, "'and' needs at least one filter"),
        ({"and": {"field": "a"}}, "'and' takes a list of filters"),
        ({"or": ["a == 1"]}, "expected a filter as a dict, got 'a == 1'"),
        ({"not": [1]}, "expected a filter as a dict"),
        (nested(25), f"{MAX_DEPTH} levels"),
        (nested(5000), f"{MAX_DEPTH} levels"),
        (3, "not 3"),
    ],
    ids=range(19),
)
def test_a_broken_dict_is_told_why(data: object, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        parse(data)  # type: ignore[arg-type]


def test_python_is_stopped_where_it_would_decide_by_itself() -> None:
    with pytest.raises(FilterError, match=r"join filters with & \| ~"):
        (F("a") == 1) and (F("b") == 2)
    with pytest.raises(FilterError, match="chained comparisons"):
        assert 1 < F("a") < 3
    with pytest.raises(FilterError, match=r"F\('a'\)\.exists\(\)"):
        bool(F("a"))
    with pytest.raises(FilterError, match="put comparisons in parentheses"):
        (F("a") == 1) & 2
    with pytest.raises(FilterError, match="a in takes a list, got 'abc'"):
        F("a").in_("abc")
    with pytest.raises(FilterError, match="unknown field"):
        F("$page")


def test_filters_of_different_kinds_of_value_differ() -> None:
    keys = {F("a") == 1, F("a") == True, F("a") == "1", F("a") == 1.0, F("b") == 1, F("a") != 1}  # noqa: E712
    assert len(keys) == 6
    assert F("a").in_([1, 2]) != F("a").in_([2, 1])


def test_a_filter_keeps_its_own_copy_of_the_value() -> None:
    value = {"b": [1]}
    condition = F("a") == value
    value["b"].append(2)
    assert condition == parse('a == {"b": [1]}')


def test_a_datetime_with_a_zone_is_kept_with_its_offset() -> None:
    berlin = F("a") == datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert str(berlin) == "a == 2020-07-01T12:00:00+02:00"


def test_joining_keeps_the_tree_flat() -> None:
    a, b, c = (F(name).exists() for name in "abc")
    assert a & b & c == And((a, b, c)) == And((And((a, b)), c)) == a & (b & c)
    assert a | b | c == Or((a, b, c))
    assert And((Or((a,)), b)) == a & b
    assert Not(And((a,))) == ~a
    assert str(Or((a, And((Or((And((Or((b, c)),)),)),))))) == "a exists or b exists or c exists"
    assert a & b | c != a & (b | c)


def test_a_selection_reads_its_filter() -> None:
    assert Selection(filter="a >= 1") == Selection(filter={"field": "a", "op": ">=", "value": 1})
    with pytest.raises(FilterError, match="unknown operator"):
        Selection(filter="a ~ 1")


def test_repr_and_text_are_short_and_readable() -> None:
    built = (F("year") >= 2020) & (F("topic").in_(["a", 'b"']) | ~F("x y").exists())
    assert str(built) == 'year >= 2020 and (topic in ["a", "b\\""] or not `x y` exists)'
    assert repr(Condition("a", "==", True)) == "parse('a == true')"


def test_a_text_is_read_once_unless_it_is_long():
    assert parse("number == 41") is parse("number == 41")
    assert parse("number == 41") != parse("number == 42")
    text = "number in [" + ", ".join(map(str, range(300))) + "]"
    assert parse(text) is not parse(text)
    assert parse(text) == parse(text)
    for _ in range(2):
        with pytest.raises(FilterError, match="expected a value"):
            parse("number ==")
