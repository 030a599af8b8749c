"""The distribution: where its classes are, what an import loads, what the wheel holds."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import haystack_integrations.document_stores.late_rag
from tests.frameworks import HEAVY, check_module, loaded_by, project, requirements, wheel

ROOT = Path(haystack_integrations.document_stores.late_rag.__file__).parents[2]
MODULES = sorted(ROOT.rglob("*.py"))
PACKAGES = {
    "components.converters.late_rag": ("converter", "LateInteractionConverter"),
    "components.preprocessors.late_rag": ("document_splitter", "LateInteractionDocumentSplitter"),
    "components.rankers.late_rag": ("ranker", "LateInteractionRanker"),
    "components.retrievers.late_rag": ("retriever", "LateInteractionRetriever"),
    "document_stores.late_rag": ("document_store", "LateInteractionDocumentStore"),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_exports_the_class_that_its_module_defines(package: str) -> None:
    module, name = PACKAGES[package]
    exported = importlib.import_module(f"haystack_integrations.{package}")
    assert exported.__all__ == [name]
    made = getattr(exported, name)
    assert made.__module__ == f"haystack_integrations.{package}.{module}"
    assert (made.__doc__ or "").strip()


@pytest.mark.parametrize("package", [package for package in PACKAGES if package.startswith("components")])
def test_a_component_runs_in_both_ways_alike(package: str) -> None:
    made = getattr(importlib.import_module(f"haystack_integrations.{package}"), PACKAGES[package][1])
    assert inspect.iscoroutinefunction(made.run_async)
    one, other = (list(inspect.signature(each).parameters.values()) for each in (made.run, made.run_async))
    assert one == other


def test_the_names_that_are_shared_with_others_are_namespaces() -> None:
    found = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.rglob("__init__.py")}
    assert found == {package.replace(".", "/") for package in PACKAGES}
    assert found == {path.parent.relative_to(ROOT).as_posix() for path in ROOT.rglob("py.typed")}


def test_no_component_loads_a_model_runtime(tmp_path: Path) -> None:
    lines = [f"from haystack_integrations.{package} import {name}" for package, (_, name) in PACKAGES.items()]
    loaded = loaded_by(
        "\n".join(lines) + f"\nstore = LateInteractionDocumentStore({str(tmp_path / 'not-there.rag')!r})\n"
        "LateInteractionRetriever(store); LateInteractionRanker(document_store=store)\n"
        "LateInteractionDocumentSplitter(); LateInteractionConverter()"
    )
    assert loaded.isdisjoint(HEAVY)
    assert "haystack" in loaded
    assert not (tmp_path / "not-there.rag").exists()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_stay_small_and_import_haystack_only(module: Path) -> None:
    check_module(module, {"haystack", "haystack_integrations"})


def test_it_depends_on_haystack_and_the_core_only(repository: Path) -> None:
    folder = repository / "integrations/haystack"
    assert requirements(folder) == {"late-rag", "haystack-ai"}
    assert project(folder)["version"] == "0.1.0"


def test_the_wheel(repository: Path, tmp_path: Path) -> None:
    packed, metadata = wheel(repository / "integrations/haystack", tmp_path)
    expected = {path.relative_to(ROOT.parent).as_posix() for path in [*MODULES, *ROOT.rglob("py.typed")]}
    assert packed == expected
    assert "License-Expression: Apache-2.0" in metadata


def test_the_examples_of_the_readme_run(repository: Path, tmp_path: Path) -> None:
    page = (repository / "integrations/haystack/README.md").read_text("utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Travel is approved" in ran.stdout
