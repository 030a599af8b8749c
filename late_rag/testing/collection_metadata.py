"""What the collection contract says about metadata as a whole: fields, their values and ranges."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from late_rag.errors import InputError
from late_rag.filters.selection import Selection
from late_rag.protocols import Collection
from late_rag.testing.collection_base import CollectionContractBase, chunk, document, rows, source
from late_rag.types import FieldValue

_EAST = timezone(timedelta(hours=2))


class MetadataContract(CollectionContractBase):
    """What a collection says about the metadata of its chunks."""

    def test_fields(self, collection: Collection) -> None:
        assert collection.fields() == {}
        put(collection, {"year": 2020, "tags": ["x"], "deep": {"er": "y"}}, {"year": None, "day": date(2020, 1, 1)})
        assert collection.fields() == {
            "day": frozenset({"time"}),
            "deep": frozenset({"dict"}),
            "deep.er": frozenset({"text"}),
            "tags": frozenset({"list"}),
            "year": frozenset({"number", "null"}),
        }

    def test_values_keep_their_type_and_come_in_order(self, collection: Collection) -> None:
        midnight = datetime(2020, 1, 1)
        ordered = [
            *(False, True, -2.5, 1, 1.0, 2**53, 2**53 + 1, math.inf, "", "1", "2020-01-01", "Z", "a", "é"),
            *(date(2020, 1, 1), midnight, midnight.replace(tzinfo=UTC), midnight.replace(tzinfo=_EAST)),
            midnight.replace(hour=3),
        ]
        put(collection, *({"v": value} for value in [*reversed(ordered), 1]))
        found, total = collection.field_values("v")
        assert [(type(item.value), item.value) for item in found] == [(type(value), value) for value in ordered]
        assert [item.chunks for item in found] == [2 if item.value is found[3].value else 1 for item in found]
        assert total == len(ordered)
        put(collection, {"v": math.nan}, {"v": math.nan})
        assert [item.chunks for item in collection.field_values("v")[0] if item.value != item.value] == [2]

    def test_lists_count_for_their_elements(self, collection: Collection) -> None:
        given: list[Any] = [["b", "a", "a", None, 7, ["c"], {"d": "e"}], "a", [], None, {}]
        put(collection, *({"t": value} for value in given))
        assert values(collection, "t") == [(7, 1), ("a", 2), ("b", 1)]
        assert collection.count_distinct(["t", "t.d"]) == {"t": 3, "t.d": 0}

    def test_names_descend_into_dicts(self, collection: Collection) -> None:
        put(collection, {"a": {"b": 1, "$c": "x"}}, {"a.b": 2}, {"a": 3}, {"$source": "mine"})
        assert values(collection, "a.b") == [(1, 1), (2, 1)]
        assert values(collection, "a.$c") == [("x", 1)]
        assert values(collection, "a") == [(3, 1)]
        assert values(collection, "$$source") == [("mine", 1)]

    def test_pages_of_values(self, collection: Collection) -> None:
        put(collection, *({"n": f"v{number}", "k": number % 3} for number in range(10)))
        for offset in range(0, 13, 3):
            found, total = collection.field_values("n", offset=offset, limit=3)
            assert [item.value for item in found] == [f"v{number}" for number in range(10)][offset : offset + 3]
            assert total == 10
        assert collection.field_values("n", limit=0) == ([], 10)
        assert len(collection.field_values("n", offset=4)[0]) == 6
        assert collection.field_values("n", offset=10**30, limit=10**30) == ([], 10)
        assert values(collection, "k", order="count") == [(0, 4), (1, 3), (2, 3)]

    def test_values_are_searched_as_texts(self, collection: Collection) -> None:
        day = date(2020, 1, 31)
        put(collection, *({"v": value} for value in ["All_Beauty", "beauty", "STRASSE", 15, 1.5, True, day, "100%"]))
        for search, expected in (
            ("beaut", ["All_Beauty", "beauty"]),
            ("straße", ["STRASSE"]),
            ("5", [1.5, 15]),
            ("true", [True]),
            ("0-01", [day]),
            ("%", ["100%"]),
            ("nothing", []),
        ):
            found, total = collection.field_values("v", search=search)
            assert [item.value for item in found] == expected, search
            assert total == len(expected)
        assert collection.field_values("v", search="")[1] == 8
        assert collection.field_values("v", search="BEAUTY", limit=1) == ([FieldValue("All_Beauty", 1)], 2)

    def test_values_of_a_selection(self, collection: Collection) -> None:
        put(collection, *({"n": number, "even": number % 2 == 0, "few": number < 3} for number in range(2500)))
        for selection, expected in (
            (Selection(ids=("m1", "m4", "nope")), [1, 4]),
            (Selection(filter="few == true and even == true"), [0, 2]),
            (Selection(filter="n > 10000"), []),
            (Selection(ids=()), []),
            (Selection(filter="even == true"), list(range(0, 2500, 2))),
        ):
            assert values(collection, "n", selection) == [(number, 1) for number in expected]
            assert collection.count_distinct(["n"], selection) == {"n": len(expected)}
            ends = (expected[0], expected[-1]) if expected else None
            assert collection.field_range("n", selection) == ends
        assert collection.count_distinct(["few", "even", "n", "no"]) == {"few": 2, "even": 2, "n": 2500, "no": 0}

    def test_built_in_fields_are_texts(self, collection: Collection) -> None:
        parts = [chunk("a", "some text", document="d"), chunk("b", "some text", document="d")]
        collection.replace(source("file.txt"), [document("d")], parts, rows(2))
        collection.add([chunk("c", "2020-01-01")], rows(1))
        assert values(collection, "$id") == [("a", 1), ("b", 1), ("c", 1)]
        assert values(collection, "$document_id", order="count") == [("d", 2), ("doc-c", 1)]
        assert values(collection, "$source") == [("/root/file.txt", 2)]
        assert values(collection, "$text", Selection(ids=("b", "c"))) == [("2020-01-01", 1), ("some text", 1)]
        assert collection.field_range("$id", Selection(document_ids=("d",))) == ("a", "b")
        assert collection.count_distinct(["$source", "$document_id"]) == {"$source": 1, "$document_id": 2}

    def test_values_follow_writes(self, collection: Collection) -> None:
        put(collection, {"v": 1}, {"v": 2}, {"v": 3})
        collection.update_metadata(Selection(ids=("m0",)), {"v": 2})
        collection.delete(Selection(ids=("m2",)))
        assert values(collection, "v") == [(2, 2)]
        assert collection.field_range("v") == (2, 2)
        collection.clear()
        assert collection.field_values("v") == ([], 0)
        assert collection.field_range("v") is None

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ([5, 1, 10, 3], (1, 10)),
            ([0.8, 2, -math.inf, math.nan, True, "0", date(1, 1, 1)], (-math.inf, 2)),
            ([[4, 9], [2], 3], (2, 9)),
            ([2**53 + 1, 2.0**53], (2.0**53, 2**53 + 1)),
            (["b", "é", "Z", "2020-01-01", date(2030, 1, 1)], ("2020-01-01", "é")),
            (["2020-01-01", ["2019-12-31T10:00", date(2021, 5, 5)]], ("2019-12-31T10:00", date(2021, 5, 5))),
            (["2020-01-01T00:00Z", datetime(2020, 1, 1, 1, tzinfo=_EAST)], "reversed"),
            (["2020-01-01T00:00Z", datetime(2020, 1, 1, 1, tzinfo=_EAST), "2020-01-01T00:30"], (0, 1)),
            ([True, None, math.nan, {}, []], None),
            ([1.0, 1], (1.0, 1.0)),
        ],
    )
    def test_ranges(self, collection: Collection, given: list[Any], expected: Any) -> None:
        put(collection, *({"v": value} for value in given))
        if expected == "reversed":
            expected = given[1], given[0]
        elif expected == (0, 1):
            expected = given[0], given[1]
        found = collection.field_range("v")
        assert found == expected
        assert found is None or [type(end) for end in found] == [type(end) for end in expected]

    def test_bad_arguments_are_named(self, collection: Collection) -> None:
        names: list[Any] = [5, None, "$nothing", "\ud800"]
        for name in names:
            for ask in (collection.field_values, collection.field_range):
                with pytest.raises(InputError, match="field"):
                    ask(name)
            with pytest.raises(InputError, match="field"):
                collection.count_distinct(["v", name])
        with pytest.raises(InputError, match="fields must be a sequence of names, not 'year'"):
            collection.count_distinct("year")
        bad: list[tuple[str, Any]] = [("offset", -1), ("offset", True), ("limit", 1.5), ("limit", "3"), ("limit", -1)]
        for name, value in [*bad, ("search", 5), ("order", "age")]:
            with pytest.raises(InputError, match=f"{name} must be .*not {value!r}"):
                collection.field_values("v", **{name: value})

    def test_async_twins_of_metadata_queries(self, collection: Collection) -> None:
        put(collection, {"v": 1}, {"v": 2})

        async def ask() -> list[Any]:
            twins: Any = collection
            return [
                await twins.afield_values("v", limit=1),
                await twins.afield_range("v"),
                await twins.acount_distinct(["v"]),
            ]

        assert asyncio.run(ask()) == [([FieldValue(1, 1)], 2), (1, 2), {"v": 2}]


def put(collection: Collection, *metadata: dict[str, Any]) -> None:
    """A chunk for each metadata, after those that are there: ``m0``, ``m1``, …"""
    first = collection.count()
    chunks = [chunk(f"m{first + number}", "text", **found) for number, found in enumerate(metadata)]
    collection.add(chunks, rows(1, shortest=1, longest=1) * len(chunks))


def values(collection: Collection, name: str, selection: Selection | None = None, **options: Any) -> list[Any]:
    """Pairs of a value and the number of chunks."""
    return [(found.value, found.chunks) for found in collection.field_values(name, selection, **options)[0]]
