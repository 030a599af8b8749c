"""The distribution: what it exports, what an import loads, what the wheel holds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import langchain_late_rag

LIBRARY = Path(langchain_late_rag.__file__).parent
MODULES = sorted(LIBRARY.rglob("*.py"))
HEAVY = {
    "torch",
    "onnxruntime",
    "tokenizers",
    "langchain",
    "langchain_classic",
    "langchain_community",
    "late_rag_minilm",
}
MOST_LINES = 250


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after the code."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()
    )


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
    assert loaded.isdisjoint(HEAVY | {"langchain_core", "late_rag", "numpy", "pydantic"})


def test_no_component_loads_a_model_runtime_or_more_of_langchain_than_its_core(tmp_path: Path) -> None:
    names = [name for name in langchain_late_rag.__all__ if name != "__version__"]
    loaded = loaded_by(
        f"from langchain_late_rag import {', '.join(names)}\n"
        f"LateInteractionRetriever(collection={str(tmp_path / 'not-there')!r}); LateInteractionReranker()"
    )
    assert loaded.isdisjoint(HEAVY)
    assert "langchain_core" in loaded


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_stay_small_and_import_the_core_of_langchain_only(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    imported = {match.split(".")[0] for match in re.findall(r"^\s*(?:from|import) ([\w.]+)", text, re.MULTILINE)}
    allowed = {"langchain_core", "langchain_late_rag", "late_rag", "pydantic", "__future__"}
    assert imported - set(sys.stdlib_module_names) <= allowed


def test_it_depends_on_the_two_cores_only(repository: Path) -> None:
    project = tomllib.loads((repository / "integrations/langchain/pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[<>=\[]", requirement)[0] for requirement in project["dependencies"]}
    assert names == {"late-rag", "langchain-core"}
    assert project["version"] == langchain_late_rag.__version__


def test_the_wheel(repository: Path, tmp_path: Path) -> None:
    build = ["pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    subprocess.run(
        [sys.executable, "-m", *build, str(repository / "integrations/langchain")], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        (metadata,) = [archive.read(name).decode() for name in held if name.endswith("METADATA")]
    packed = {name for name in held if ".dist-info/" not in name}
    assert packed == {f"langchain_late_rag/{path.name}" for path in MODULES} | {"langchain_late_rag/py.typed"}
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert "License-Expression: Apache-2.0" in metadata
