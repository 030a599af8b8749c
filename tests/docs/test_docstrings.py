"""Every example in a docstring of the library runs.

An example is an indented part of a docstring, with a blank line before it, that reads as Python. It runs with the
names of its module, and with what a reader would have at hand.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import late_rag
from late_rag import Document, Retriever, load_encoder
from late_rag.testing import HashEncoder

LIBRARY = Path(late_rag.__file__).parent
_INDENTED = re.compile(r"(?:\A|\n[^\S\n]*\n)((?:    [^\n]*(?:\n|\Z)|[^\S\n]*\n(?=\s*    \S))+)")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True)
class Example:
    """Code from the docstring of a module, class or function."""

    module: str
    owner: str
    code: str


def examples() -> Iterator[Example]:
    """All examples of the library."""
    for path in sorted(LIBRARY.rglob("*.py")):
        name = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                owner = getattr(node, "name", "module")
                yield from (Example(name, owner, code) for code in code_of(ast.get_docstring(node) or ""))


def code_of(docstring: str) -> Iterator[str]:
    """The indented parts that read as Python; a drawing above one, with a blank line between, is left out."""
    for match in _INDENTED.finditer(docstring):
        part = "\n".join(line[4:] for line in match[1].splitlines())
        while part and not is_code(part):
            part = (*_PARAGRAPH.split(part, maxsplit=1), "")[1]
        if part:
            yield part


def is_code(text: str) -> bool:
    """Whether the text is Python that does something."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call | ast.BinOp) for node in body)


ALL = list(examples())


def at_hand() -> dict[str, Any]:
    """What examples use without making it."""
    encoder = load_encoder("minilm")
    (embeddings,) = encoder.encode_queries(["which rows become one?"])
    document = Document("d", "The head of department approves travel.")
    return {
        "MyEncoder": HashEncoder,
        "document": document,
        "embeddings": embeddings,
        "encoder": encoder,
        "pytest": pytest,
    }


@pytest.mark.parametrize("example", ALL, ids=[f"{example.module}.{example.owner}" for example in ALL])
def test_every_docstring_example_runs(example: Example, folder: Path) -> None:
    module = importlib.import_module(example.module)
    public = {name: getattr(module, name) for name in getattr(module, "__all__", ())}  # which load on first use
    names = at_hand() | dict(vars(module)) | public
    exec(compile(example.code, f"{example.module}: {example.owner}", "exec"), names)
    for value in names.values():
        if isinstance(value, Retriever):
            value.close()


def test_the_flow_of_the_package_is_found() -> None:
    (first,) = [example.code for example in ALL if example.module == "late_rag"]
    assert first.startswith("from late_rag import Retriever\n")
    assert "retriever.search(" in first
