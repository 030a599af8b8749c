"""Charts of Office files (DrawingML, ECMA-376 part 1, chapter 21.2; and ChartEx) as titles and a table of values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_CELLS = 20_000
"""Of the table of a chart."""

TOO_LONG = f"row of a chart of more than {MOST_CELLS:,} values"
"""What the rows beyond that are called where they are told."""


def local_name(element: Any) -> str:
    """The element's name without its namespace or prefix; empty for comments and the like."""
    return element.tag.rpartition("}")[2].rpartition(":")[2] if isinstance(element.tag, str) else ""


def outermost(root: Any, *names: str) -> Iterator[Any]:
    """The elements of these local names below another, in order, and none inside each other.

    Those inside each other would be read again and again, a time that grows with the square of a file.
    """
    stack = list(reversed(root))
    while stack:
        node = stack.pop()
        if local_name(node) in names:
            yield node
        else:
            stack.extend(reversed(node))


def chart_texts(root: Any) -> list[str]:
    """The titles of a chart, and the values of a kind that has no series."""
    titles = [" ".join("".join(_texts(node, "t", "v")).split()) for node in outermost(root, "title")]
    points = [] if _series(root) else [(node.text or "").strip() for node in outermost(root, "pt")]
    return [text for text in (*titles, *points) if text]


def chart_table(root: Any) -> tuple[list[list[str]], int]:
    """Rows of categories and the values of each series, and how many rows more there are than are read.

    The names of the series come first; there are no rows without series.
    """
    series = _series(root)
    columns = [_points(node, "val", "yVal") for node in series]
    categories = next(filter(None, (_points(node, "cat", "xVal") for node in series)), {})
    numbers = sorted(set(categories).union(*columns))
    read = numbers[: MOST_CELLS // max(1, len(series))]
    names = [" ".join(_points(node, "tx").values()) for node in series]
    rows = [[categories.get(number, ""), *(column.get(number, "") for column in columns)] for number in read]
    return [["", *names], *rows] if series else [], len(numbers) - len(read)


def _series(root: Any) -> list[Any]:
    return list(outermost(root, "ser"))


def _texts(node: Any, *names: str) -> Iterator[str]:
    return (found.text or "" for found in outermost(node, *names))


def _points(series: Any, *names: str) -> dict[int, str]:
    """The values that a program stored beside the formula, by their number."""
    part = next((child for child in series if local_name(child) in names), None)
    if part is None:
        return {}
    found = {}
    for point in outermost(part, "pt"):
        number = point.get("idx", "")
        if number.isdecimal() and len(number) < 7:
            found[int(number)] = "".join(_texts(point, "v"))
    return found or {0: " ".join(_texts(part, "v"))}  # a series may be named by a value of its own
