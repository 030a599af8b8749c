"""The package as a whole: what it exports, what an import loads, what the distributions hold."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import late_rag
from late_rag import backends
from late_rag.backends import Backend

LIBRARY = Path(late_rag.__file__).parent
MODULES = sorted(LIBRARY.rglob("*.py"))
HEAVY = ("asyncio", "numpy", "onnxruntime", "rich", "sqlite3", "tokenizers", "torch", "typer")
MOST_LINES = 400

FRAMEWORKS = {"haystack", "langchain", "llamaindex"}
"""Extras that bring a framework, which nobody gets who does not ask for it."""
TORCH = {"plaid", "pylate", "sentence-transformers"}
"""Extras of gigabytes that exclude each other: not in "all"."""


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after the code and had not before."""
    script = f"import sys; before = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()
    )


def test_all_is_sorted_and_every_name_in_it_resolves() -> None:
    assert late_rag.__all__ == sorted(late_rag.__all__)
    assert set(late_rag.__all__) == set(late_rag._HOMES) | {"__version__"}
    for name in late_rag.__all__:
        assert getattr(late_rag, name) is not None
    assert set(late_rag.__all__) <= set(dir(late_rag))


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    (block,) = [
        node for node in ast.parse((LIBRARY / "__init__.py").read_text("utf-8")).body if isinstance(node, ast.If)
    ]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == late_rag._HOMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = late_rag.nothing


def imported(path: Path, names: Mapping[str, Path]) -> set[str]:
    """The modules of the library that a module imports: also in functions, and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {inner[name] if inner[name] in names else str(node.module) for name in inner}
    return found & set(names)


def circle(imports: Mapping[str, Collection[str]]) -> list[str]:
    """Modules each of which imports the next, the last the first; none if there are no such."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1][::-1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not in functions either, where a circle hides, nor for types, for then none can be understood alone."""
    assert circle({"a": ["b"], "b": ["c"], "c": ["b"]}) in (["b", "c", "b"], ["c", "b", "c"])
    parts = {path: path.relative_to(LIBRARY.parent).with_suffix("").parts for path in MODULES}
    names = {".".join(each[:-1] if each[-1] == "__init__" else each): path for path, each in parts.items()}
    imports = {name: imported(path, names) for name, path in names.items()}
    assert "late_rag.errors" in imports["late_rag.filters.selection"]
    assert circle(imports) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import late_rag")
    assert {name for name in loaded if name.startswith("late_rag")} == {"late_rag"}
    assert loaded.isdisjoint(HEAVY)
    assert {name.partition(".")[0] for name in loaded} <= {*sys.stdlib_module_names, "late_rag"}


@pytest.mark.parametrize("name", [name for name in late_rag.__all__ if name != "__version__"])
def test_no_public_name_loads_a_model_runtime(name: str) -> None:
    assert loaded_by(f"from late_rag import {name}").isdisjoint({"onnxruntime", "rich", "tokenizers", "torch", "typer"})


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_modules_stay_small(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def project(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tables() -> dict[str, dict[str, Backend]]:
    """The tables of backends, by name."""
    return {name: table for name, table in vars(backends).items() if name.isupper() and isinstance(table, dict)}


def extras_in_use() -> Iterator[str]:
    """Every extra that a MissingExtraError can name."""
    for table in tables().values():
        yield from (backend.extra for backend in table.values() if backend.extra)
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("MissingExtraError", "needs_extra"):
                yield from (a.value for a in node.args[1:] if isinstance(a, ast.Constant))


def test_every_extra_that_an_error_names_exists(repository: Path) -> None:
    extras = project(repository)["optional-dependencies"]
    assert {"images", "minilm", "office"} <= set(extras_in_use()) <= set(extras)
    (everything,) = extras["all"]
    assert set(re.findall(r"[\w-]+", everything.partition("[")[2])) == set(extras) - {"all"} - FRAMEWORKS - TORCH


def test_every_backend_is_where_its_row_says() -> None:
    assert tables().keys() >= {"CHUNKERS", "COLLECTIONS", "ENCODERS", "INDEXES", "LOADERS", "MODELS", "POOLINGS"}
    for name, table in tables().items():
        for key in table:
            assert backends.resolve(table, key, name) is not None


def test_every_dependency_is_used(repository: Path) -> None:
    names = {"pyspellchecker": "spellchecker", "pyyaml": "yaml"}
    imported = set()
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    required = {re.match(r"[\w-]+", line)[0] for line in project(repository)["dependencies"]}
    assert {names.get(name, name.replace("-", "_")) for name in required} <= imported


def test_the_command_line_is_installed() -> None:
    (script,) = entry_points(group="console_scripts", name="late-rag")
    assert script.value == "late_rag.cli:main"
    assert callable(script.load())


def built(folder: Path, output: Path) -> dict[str, bytes]:
    """The files of the wheel of a distribution, built without the network."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    options = ["--disable-pip-version-check", "--wheel-dir", str(output), str(folder)]
    done = subprocess.run([*command, *options], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = output.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def licence_of(files: dict[str, bytes]) -> str:
    (name,) = (name for name in files if name.endswith("/licenses/LICENSE"))
    return files[name].decode()


def test_the_wheel_of_the_library_holds_all_of_it_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    files = built(repository, tmp_path)
    inside = {name for name in files if not name.partition("/")[0].endswith(".dist-info")}
    there = {path for path in LIBRARY.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert inside == {path.relative_to(LIBRARY.parent).as_posix() for path in there}
    kernels = {f"late_rag/scoring/{name}.onnx" for name in ("double", "float", "integer")}
    assert inside >= {"late_rag/py.typed", *kernels}
    assert "Apache License" in licence_of(files)
    (metadata,) = (content.decode() for name, content in files.items() if name.endswith("/METADATA"))
    assert f"\nVersion: {late_rag.__version__}\n" in metadata
    assert "Requires-Dist: torch" not in metadata


def test_the_wheel_of_the_embedded_model_holds_the_model(repository: Path, tmp_path: Path) -> None:
    files = built(repository / "models" / "minilm", tmp_path)
    model = "late_rag_minilm/model"
    assert files.keys() >= {f"{model}/model_int8.onnx", f"{model}/tokenizer.json", f"{model}/onnx_config.json"}
    assert len(files[f"{model}/model_int8.onnx"]) < 25_000_000
    assert "Apache License" in licence_of(files)
    assert any(name.endswith("/licenses/NOTICE") and content.strip() for name, content in files.items())
    assert "late_rag_minilm/make.py" not in files
