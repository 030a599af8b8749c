"""Writes what the loaders read of tests/cases to tests/cases/read.jsonl, for tests and benchmarks; review its diff.

Run it where every extra is installed: ``python tools/make_case_readings.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from late_rag import load

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases"
FOLDERS = ("csv", "docx", "enc", "html", "json", "md", "pdf", "skip", "txt")


def reading(path: Path) -> dict[str, Any]:
    """Texts, titles, error and omissions of one file, with its path as seen from the cases."""
    (file,) = load(path)
    documents = list(file.documents)
    error = str(file.error).removeprefix(f"{path}: ") if file.error else None
    return {
        "path": path.relative_to(CASES).as_posix(),
        "texts": [document.text for document in documents],
        "titles": [document.metadata.get("title") for document in documents],
        "error": error,
        "omissions": [omission.what for omission in file.omissions],
    }


def cases() -> list[Path]:
    """All inputs, without the texts that stand beside some of them."""
    found = (path for name in FOLDERS for path in sorted((CASES / name).rglob("*")))
    return [path for path in found if path.is_file() and path.suffix != ".want"]


if __name__ == "__main__":
    lines = [json.dumps(reading(path), ensure_ascii=False) + "\n" for path in cases()]
    (CASES / "read.jsonl").write_text("".join(lines), encoding="utf-8")
