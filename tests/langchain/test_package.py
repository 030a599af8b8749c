"""The distribution: what it exports, what an import loads, what the wheel holds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import langchain_late_rag
from tests.frameworks import HEAVY, check_module, loaded_by, project, requirements, wheel

LIBRARY = Path(langchain_late_rag.__file__).parent
MODULES = sorted(LIBRARY.rglob("*.py"))
NEVER = HEAVY | {"langchain", "langchain_classic", "langchain_community"}


def test_all_is_sorted_and_every_name_in_it_resolves() -> None:
    assert langchain_late_rag.__all__ == sorted(langchain_late_rag.__all__)
    assert set(langchain_late_rag.__all__) == set(langchain_late_rag._HOMES) | {"__version__"}
    for name in langchain_late_rag.__all__:
        assert getattr(langchain_late_rag, name) is not None
    assert set(langchain_late_rag.__all__) <= set(dir(langchain_late_rag))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = langchain_late_rag.nothing


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    (block,) = [
        node for node in ast.parse((LIBRARY / "__init__.py").read_text("utf-8")).body if isinstance(node, ast.If)
    ]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == langchain_late_rag._HOMES


def test_importing_the_package_loads_nothing_at_all() -> None:
    loaded = loaded_by("import langchain_late_rag")
    assert loaded.isdisjoint(NEVER | {"langchain_core", "late_rag", "numpy", "pydantic"})


def test_no_component_loads_a_model_runtime_or_more_of_langchain_than_its_core(tmp_path: Path) -> None:
    names = [name for name in langchain_late_rag.__all__ if name != "__version__"]
    loaded = loaded_by(
        f"from langchain_late_rag import {', '.join(names)}\n"
        f"LateInteractionRetriever(collection={str(tmp_path / 'not-there')!r}); LateInteractionReranker()"
    )
    assert loaded.isdisjoint(NEVER)
    assert "langchain_core" in loaded


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_stay_small_and_import_the_core_of_langchain_only(module: Path) -> None:
    check_module(module, {"langchain_core", "langchain_late_rag", "langchain_text_splitters", "pydantic"})


def test_it_depends_on_the_two_cores_only(repository: Path) -> None:
    folder = repository / "integrations/langchain"
    assert requirements(folder) == {"late-rag", "langchain-core"}
    assert project(folder)["version"] == langchain_late_rag.__version__


def test_the_wheel(repository: Path, tmp_path: Path) -> None:
    packed, metadata = wheel(repository / "integrations/langchain", tmp_path)
    assert packed == {f"langchain_late_rag/{path.name}" for path in MODULES} | {"langchain_late_rag/py.typed"}
    assert "License-Expression: Apache-2.0" in metadata
