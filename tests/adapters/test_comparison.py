"""The comparison with the usual stores, as the documentation shows it, is what comes out of trying."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.comparison import KINDS, QUESTIONS, LangChainMemory, keeps, replaces, table
from tests.adapters.elsewhere import ELSEWHERE


def test_the_table_is_what_comes_out(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "stores.md").read_text("utf-8")
    shown = [line for line in page.splitlines() if line.startswith(("| ", "|---"))]
    assert all(question in shown[0] for question in QUESTIONS)
    there = [kind for kind in ELSEWHERE if kind.installed()]
    missing = {kind.name for kind in ELSEWHERE if kind not in there}  # theirs are figures of another environment
    assert [line for line in shown if name(line) not in missing] == table(str(tmp_path), (*KINDS, *there))
    assert [name(line) for line in shown[2:]] == [kind.name for kind in (*KINDS, *ELSEWHERE)]


def name(line: str) -> str:
    """The store that a line is of."""
    return line.split("|")[1].strip()


class Forgetful(LangChainMemory):
    """Loses what is no text, and keeps what was written first."""

    def write(self, documents):
        kept = self.read()
        super().write(
            [
                (key, text, {k: v for k, v in meta.items() if isinstance(v, str)})
                for key, text, meta in documents
                if key not in kept
            ]
        )


def test_what_a_store_loses_is_noticed() -> None:
    assert keeps(Forgetful, "") == "all but whole number, number, truth, None, list, mixed list, dict, date, datetime"
    assert replaces(Forgetful, "") == "no"
