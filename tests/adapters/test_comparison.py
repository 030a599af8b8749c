"""The comparison with the usual stores, as the documentation shows it, is what comes out of trying."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.comparison import QUESTIONS, LangChainMemory, keeps, replaces, table


def test_the_table_is_what_comes_out(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "stores.md").read_text("utf-8")
    shown = [line for line in page.splitlines() if line.startswith(("| ", "|---"))]
    assert shown == table(str(tmp_path))
    assert len(shown) == 8
    assert all(question in shown[0] for question in QUESTIONS)


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
    assert keeps(Forgetful, "") == "all but whole number, number, truth, None, list, dict, date, datetime"
    assert replaces(Forgetful, "") == "no"
