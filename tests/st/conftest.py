"""Tests that need sentence-transformers 6 and torch: ``make test-torch``."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.torch)


@pytest.fixture(scope="session")
def words(tmp_path_factory) -> Path:
    """A checkpoint in which a word is nearest to itself."""
    from tests.torch_encoders import words_first

    return words_first(tmp_path_factory.mktemp("words") / "first")
