"""The distribution: its namespaces, what it exports, what an import loads, what the wheel holds."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frameworks import HEAVY, check_module, loaded_by, project, requirements, wheel

ROOT = Path(__file__).parents[2] / "integrations" / "llama_index"
MODULES = sorted(ROOT.glob("llama_index/**/*.py"))
PACKAGES = sorted(".".join(path.parent.relative_to(ROOT).parts) for path in MODULES if path.name == "__init__.py")


def test_only_late_rags_own_folders_are_packages() -> None:
    kinds = {"indices", "node_parser", "postprocessor", "readers", "retrievers", "vector_stores"}
    assert {f"llama_index.{kind}.late_rag" for kind in kinds} == set(PACKAGES)
    for name in PACKAGES:
        package = importlib.import_module(name)
        parent = importlib.import_module(name.rpartition(".")[0])
        assert parent.__file__ is None  # a namespace, which other distributions may add to
        assert (Path(package.__file__ or "").parent / "py.typed").exists()


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted_and_every_name_in_it_resolves(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__doc__
    assert package.__all__ == sorted(package.__all__)
    assert all(getattr(package, exported) is not None for exported in package.__all__)


def test_no_component_loads_a_model_runtime(tmp_path: Path) -> None:
    code = "".join(f"from {name} import *\n" for name in PACKAGES)
    made = f"LateInteractionRetriever({str(tmp_path / 'not-there')!r}); LateInteractionRerank()"
    loaded = loaded_by(f"{code}{made}; LateInteractionNodeParser(); LateInteractionReader()")
    assert loaded.isdisjoint(HEAVY)
    assert "llama_index.core" in loaded


@pytest.mark.parametrize("module", MODULES, ids=lambda path: "/".join(path.parts[-3:]))
def test_modules_stay_small_and_import_the_core_of_llama_index_only(module: Path) -> None:
    check_module(module, {"llama_index", "pydantic"})
    imported = re.findall(r"^\s*(?:from|import) (llama_index[\w.]*)", module.read_text("utf-8"), re.MULTILINE)
    assert all(name.startswith("llama_index.core") or ".late_rag" in name for name in imported)


def test_it_depends_on_the_two_cores_only() -> None:
    assert requirements(ROOT) == {"late-rag", "llama-index-core"}
    assert project(ROOT)["name"] == "llama-index-retrievers-late-rag"


def test_the_wheel_adds_to_llama_index_and_replaces_nothing_of_it(tmp_path: Path) -> None:
    packed, metadata = wheel(ROOT, tmp_path / "built")
    typed = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("llama_index/*/late_rag/py.typed")}
    assert packed == {path.relative_to(ROOT).as_posix() for path in MODULES} | typed
    assert len(typed) == len(PACKAGES)
    assert "License-Expression: Apache-2.0" in metadata
    (built,) = (tmp_path / "built").glob("*.whl")
    target = tmp_path / "site"
    install = ["pip", "install", "--no-deps", "--no-index", "-q", "--target", str(target), str(built)]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    found = loaded_by(
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        "import llama_index.core, llama_index.retrievers.late_rag as ours\n"
        f"assert ours.__file__.startswith({str(target)!r})"
    )
    assert {"llama_index.core", "llama_index.retrievers.late_rag"} <= found
