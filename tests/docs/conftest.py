"""The folder in which the documentation's examples run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture
def folder(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what the examples name.

    A small ``handbook/``, the repository's ``cookbooks/``, and in the place of ``data/cranfield/`` a collection in BEIR
    layout of twelve documents.
    """
    shutil.copytree(HERE / "handbook", tmp_path / "handbook")
    shutil.copytree(HERE / "beir", tmp_path / "data" / "cranfield")
    shutil.copytree(repository / "cookbooks", tmp_path / "cookbooks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path
