"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")  # read when Haystack is imported, also by a subprocess

REPOSITORY = Path(__file__).resolve().parent.parent
DATA_MISSING = "test collections not found: set LATE_RAG_DATA to the folder that holds cranfield/ and xquad-en/"


def data_path() -> Path:
    """Where the BEIR collections are."""
    return Path(os.environ.get("LATE_RAG_DATA") or REPOSITORY.parent / "shared" / "data")


def pytest_configure() -> None:
    """What is started in the background of a shell ignores Ctrl-C, and so would all that tests start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: "wheels" not in item.path.parts)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the BEIR collections cranfield/ and xquad-en/."""
    folder = data_path()
    if not (folder / "cranfield" / "corpus.jsonl").is_file():
        if os.environ.get("LATE_RAG_REQUIRE_DATA"):
            pytest.fail(DATA_MISSING)
        pytest.skip(DATA_MISSING)
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY
