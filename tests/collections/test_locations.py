"""What a URL holds to open a collection is nowhere shown, logged, pickled or serialised."""

from __future__ import annotations

import itertools
import logging
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from late_rag import Retriever, backends
from late_rag.adapters import location_of, shared_retriever
from late_rag.collections import create_collection, open_collection, shared_collection, shown
from late_rag.errors import LateRAGError, ModelError
from late_rag.filters.selection import Selection
from late_rag.protocols import Collection, CollectionSettings
from late_rag.testing import HashEncoder

SETTINGS = CollectionSettings(model="m", model_id="m-1", dim=8)
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.COLLECTIONS, "memory", backends.Backend("late_rag.testing", "MemoryCollection"))


@pytest.fixture
def place() -> str:
    return f"memory://user:secret@host/x{next(_numbers)}?token=secret"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/home/me@work/a?b=c.rag", "/home/me@work/a?b=c.rag"),
        ("file:///home/a.rag", "file:///home/a.rag"),
        ("s3://bucket/a/b@c", "s3://bucket/a/b@c"),
        ("db://user:secret@host:5432/x", "db://host:5432/x"),
        ("db://user:se@cret@host/x", "db://host/x"),
        ("db://secret@host", "db://host"),
        ("db://host/x?password=secret&sslmode&key=a=secret#secret", "db://host/x?password=…&sslmode=…&key=…"),
        ("db://user:se/cret@host/x", "db://host/x"),
        ("db://user:se?cret@host/x", "db://host/x"),
        ("db://user:se#cret@host/x", "db://host/x"),
        ("db://user:123/45@host/x", "db://host/x"),
        ("db://user:123?45@host/x", "db://host/x"),
        ("db://user:123#45@host/x", "db://host/x"),
        ("db://user:/secret@host", "db://host"),
        ("db://host:5432/x?user=me@work", "db://host:5432/x?user=…"),
        ("db://host:5432?user=me@work", "db://host:5432?user=…"),
        ("//user:secret@host/x", "//user:secret@host/x"),
        (Path("db://user:secret@host/x"), "db://host/x"),
        (Path("/db:/b@c.rag"), "/db:/b@c.rag"),
    ],
)
def test_what_may_be_shown(location: str | Path, expected: str) -> None:
    assert shown(location) == expected
    assert shown(expected) == expected


def told(work: Callable[[], object]) -> str:
    with pytest.raises(LateRAGError) as error:
        work()
    return str(error.value)


def test_errors_repr_info_and_pickles_have_no_secret(place: str) -> None:
    missing = told(lambda: open_collection(place))
    made = create_collection(place, SETTINGS)
    errors = [
        missing,
        told(lambda: create_collection(place, SETTINGS)),
        told(lambda: open_collection(place, "read").clear()),
        told(lambda: made.text_search(["word"], 1)),
        told(lambda: made.search([np.ones((1, 9), np.float32)], 1)),
        told(lambda: Retriever(made, HashEncoder()).search("word")),
        told(lambda: open_collection(f"{place}\0")),
        told(lambda: made.delete(Selection())),
    ]
    assert all("host/x" in error for error in errors[:-1])
    closed: Collection = open_collection(place)
    closed.close()
    texts = [*errors, told(closed.count), repr(made), str(asdict(made.info())), made.location, location_of(place)]
    assert not [text for text in texts if "secret" in text or "user" in text]
    assert b"secret" not in pickle.dumps(made)
    assert pickle.loads(pickle.dumps(made)).location == made.location == location_of(made)
    assert shared_collection(place).location == made.location


def test_logs_have_no_secret(place: str, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelError):
        shared_retriever(place, mode="write", model=tmp_path, create={})
    assert "host/x" in caplog.text
    assert "secret" not in caplog.text
