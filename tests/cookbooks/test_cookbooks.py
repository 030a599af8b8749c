"""Every cookbook runs to its end, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COOKBOOKS = sorted((Path(__file__).resolve().parents[2] / "cookbooks").glob("*.py"))


@pytest.mark.parametrize("page", COOKBOOKS, ids=lambda page: page.stem)
def test_a_cookbook_runs_and_reads_as_a_notebook(page: Path, tmp_path: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# %% [markdown]"
    assert lines[1].startswith("# # ")
    ran = subprocess.run([sys.executable, str(page)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


def test_there_are_cookbooks() -> None:
    assert [page.stem for page in COOKBOOKS] == ["haystack_rag", "langchain_rag", "llama_index_rag"]
