"""The one module that packages for frameworks import: what it names, and that a name costs no more than its home."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import late_rag
from late_rag import adapters
from tests.frameworks import HEAVY, loaded_by


def test_every_name_of_all_resolves() -> None:
    assert sorted(adapters.__all__) == sorted(adapters._HOMES)
    for name, home in adapters._HOMES.items():
        assert getattr(adapters, name) is getattr(importlib.import_module(home), adapters._RENAMED.get(name, name))
    assert set(adapters.__all__) <= set(dir(adapters))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = adapters.nothing


def test_nothing_is_named_in_two_places() -> None:
    assert set(adapters.__all__).isdisjoint(late_rag.__all__)


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    (block,) = [node for node in ast.parse(Path(adapters.__file__).read_text("utf-8")).body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.asname or alias.name: (node.module, alias.name) for node in imports for alias in node.names}
    assert seen == {name: (home, adapters._RENAMED.get(name, name)) for name, home in adapters._HOMES.items()}


def test_importing_it_loads_nothing_and_all_of_it_no_model_runtime() -> None:
    assert loaded_by("import late_rag.adapters").isdisjoint(HEAVY | {"numpy", "late_rag.types"})
    assert loaded_by("from late_rag.adapters import *").isdisjoint(HEAVY)
    assert loaded_by("from late_rag.adapters import Condition, HitFields").isdisjoint({"late_rag.retriever"})
