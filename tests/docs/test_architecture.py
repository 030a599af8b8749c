"""What docs/architecture.md lists is what there is."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import late_rag
from late_rag import Retriever, errors
from late_rag.testing import HashEncoder
from tests.docs.pages import REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
LIBRARY = Path(late_rag.__file__).parent
_FTS5_TABLES = ("fulltext_config", "fulltext_content", "fulltext_data", "fulltext_docsize", "fulltext_idx")


def test_the_tree_lists_every_module_and_package() -> None:
    listed = set(re.findall(r"^      (\w+(?:\.py|/)) ", PAGE, re.MULTILINE))
    packages = {f"{path.parent.name}/" for path in LIBRARY.glob("*/__init__.py")}
    assert listed == packages | {path.name for path in LIBRARY.glob("*.py")}


def test_the_tables_are_those_of_a_collection(tmp_path: Path) -> None:
    Retriever.create(tmp_path / "c.rag", HashEncoder()).close()
    database = sqlite3.connect(tmp_path / "c.rag" / "collection.sqlite")
    there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    section = PAGE[PAGE.index("| table | holds |") : PAGE.index("Rules:")]
    listed = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert listed == {name for name in there if not name.startswith("sqlite_")} - set(_FTS5_TABLES)


def test_the_error_tree_is_that_of_the_module() -> None:
    kinds = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.LateRAGError)
    }
    section = PAGE[PAGE.index("## Errors") : PAGE.index("## What is not there yet")]
    assert set(re.findall(r"\b\w+Error\b", section)) & kinds == kinds
