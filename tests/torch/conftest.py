"""Tests that need torch, transformers and PyLate: ``make test-torch``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REASON = "needs the torch environment (make test-torch)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.torch)


@pytest.fixture(scope="session")
def make(repository) -> ModuleType:
    """The script models/minilm/make.py."""
    file = repository / "models" / "minilm" / "make.py"
    spec = importlib.util.spec_from_file_location("make_minilm", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def words(tmp_path_factory) -> Path:
    """A checkpoint in which a word is nearest to itself."""
    from tests.torch_encoders import words_first

    return words_first(tmp_path_factory.mktemp("words") / "first")
