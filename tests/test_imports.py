"""Modules can be imported by many threads at once, whichever of them comes first."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = {
    "late_rag": ROOT,
    "langchain_late_rag": ROOT / "integrations" / "langchain",
    "llama_index": ROOT / "integrations" / "llama_index",
    "haystack_integrations": ROOT / "integrations" / "haystack",
}
"""By the name that its modules begin with where each lies."""

IMPORTING = """
import faulthandler, importlib, json, os, random, sys, threading
names, trials = json.load(sys.stdin)

def scout(pipe):
    for name in names:
        importlib.import_module(name)
    os.write(pipe, "\\n".join(name for name in sys.modules if "late_rag" not in name).encode())
    os._exit(0)

end, begin = os.pipe()
if not os.fork():
    scout(begin)
os.close(begin)
with open(end) as pipe:
    for name in pipe.read().split():  # what is not ours is there before: others deadlock, too
        try:
            importlib.import_module(name)
        except ImportError:
            pass
os.wait()
sys.setswitchinterval(1e-6)

def trial(seed):
    picked, failed = random.Random(seed), []
    start = threading.Barrier(8)

    def work(own):
        start.wait()
        for name in own:
            try:
                importlib.import_module(name)
            except BaseException as error:
                failed.append(f"{name}: {error!r}")

    threads = [threading.Thread(target=work, args=(picked.sample(names, len(names)),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        print(seed, *failed[:3], sep="\\n", flush=True)
    return bool(failed)

for seed in range(trials):
    child = os.fork()  # a process in which none of these modules was imported
    if not child:
        faulthandler.dump_traceback_later(20, exit=True)  # threads that wait for each other
        os._exit(trial(seed))
    if os.waitpid(child, 0)[1]:
        sys.exit(f"trial {seed} failed")
"""


@cache
def modules() -> Mapping[str, Path]:
    """All modules by name."""
    found = {}
    for name, root in DISTRIBUTIONS.items():
        for path in sorted((root / name).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imported(name: str) -> set[str]:
    """The modules of ours that a module imports as it is loaded."""
    return {found for found in _imported(ast.parse(modules()[name].read_text("utf-8"))) if found in modules()}


def _imported(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif not isinstance(child, ast.FunctionDef) and not (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        ):
            yield from _imported(child)


@cache
def loaded_with(package: str) -> frozenset[str]:
    """The modules of a package that its ``__init__`` imports, and what these import of it."""
    found: set[str] = set()
    wanted = {package}
    while wanted:
        wanted = {name for module in wanted for name in imported(module) if name.startswith(f"{package}.")} - found
        found |= wanted
    return frozenset(found)


def packages() -> list[str]:
    return [name for name, path in modules().items() if path.name == "__init__.py"]


def test_what_a_package_imports_itself_nobody_imports_past_it() -> None:
    """Else one thread holds the package and waits for the module, and another holds that and waits for the package."""
    past = [
        (module, name)
        for package in packages()
        for module in modules()
        if module != package and not module.startswith(f"{package}.")
        for name in imported(module) & loaded_with(package)
    ]
    assert past == []


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_public_packages_of_adapters_import_nothing_of_their_own(distribution: str) -> None:
    eager = [name for name in packages() if name.startswith(distribution) and loaded_with(name)]
    assert distribution == "late_rag" or eager == []


@pytest.mark.parametrize("trials", [1, pytest.param(15, marks=pytest.mark.slow)])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_many_threads_import_all_modules_at_once(distribution: str, trials: int) -> None:
    inside = {name for package in packages() for name in loaded_with(package)}
    names = [
        name
        for name in modules()
        if name.startswith(distribution)
        and name not in inside
        and not name.startswith(("late_rag.testing", "late_rag.__"))
    ]
    given = json.dumps([names, trials])
    done = subprocess.run([sys.executable, "-c", IMPORTING], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
