"""Titles that say nothing, and dates that are as exact as they are given, whatever the format."""

from __future__ import annotations

import pytest

from late_rag.loaders.properties import sane
from late_rag.loaders.titles import is_title


@pytest.mark.parametrize(
    "title",
    ["", "x", "Untitled 1", "Microsoft PowerPoint - deck.ppt", "Microsoft Word - a letter", "Unknown", "Document3"],
)
def test_titles_that_say_nothing(title):
    assert not is_title(title)
    assert sane([("title", title)]) == {}


@pytest.mark.parametrize("title", ["Microsoft Word for beginners", "Pages of a diary", "Document management", "水"])
def test_titles_that_somebody_gave(title):
    assert sane([("title", title)]) == {"title": title}


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2020-01-02", "2020-01-02"),
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05+00:00"),
        ("2020-01-02T03:04", "2020-01-02T03:04:00"),
    ],
)
def test_dates_are_as_exact_as_they_are_given(text, date):
    assert sane([("created", text)]) == {"created": date}
