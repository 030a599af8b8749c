"""The messages on the page are those of the code, and every kind of error is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from late_rag import errors
from tests.docs.pages import REPOSITORY

_PAGE = REPOSITORY / "docs" / "troubleshooting.md"
_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
_PLACEHOLDERS = re.compile(r"%(?:\.\d+)?[srd]|'?\{[^{}]*\}'?|…")
GAP = "\0"
"""Stands for whatever a message is filled with."""


def templates() -> Iterator[str]:
    """Every text in the source but its docstrings, with a gap for each value that is put in."""
    for folder in ("late_rag", "integrations"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if id(node) in told:
                    continue
                if isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
                    yield "".join(map(str, parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield _PLACEHOLDERS.sub(GAP, node.value)


@pytest.fixture(scope="module")
def source() -> list[str]:
    return list(dict.fromkeys(templates()))


def test_every_message_on_the_page_is_one_of_the_code(source: list[str]) -> None:
    messages = _ROW.findall(_PAGE.read_text("utf-8"))
    assert len(messages) > 40
    missing = [message for message in messages if not said(message, source)]
    assert missing == []


def said(message: str, source: list[str]) -> bool:
    """Whether a text of the source has the message, as far as it is the same whatever it is filled with."""
    wanted = message.replace("…", GAP).strip(f"{GAP} ")
    return any(wanted in template for template in source)


def test_a_message_that_nothing_says_is_noticed(source: list[str]) -> None:
    assert not said("there is no collection in …", source)
    assert not said("the collection … was made by the model … (model_id …), use another", source)


def test_every_kind_of_error_is_on_the_page() -> None:
    page = _PAGE.read_text("utf-8")
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert {name for name in kinds if f"`{name}`" not in page} <= {"NoTextError"}
