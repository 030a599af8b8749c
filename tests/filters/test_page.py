"""The table of operators in docs/filters.md: each row says one thing in three forms, and every operator has a row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from late_rag.filters import OPERATORS, Condition, F, parse


def test_each_row_is_one_filter_in_three_forms(repository: Path) -> None:
    page = (repository / "docs" / "filters.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(.+?)` \| `(.+?)` \| `(.+)` \|$", page, re.MULTILINE)
    seen = set()
    for text, data, built in rows:
        expression = built.replace("\\|", "|")
        wanted = parse(text)
        assert parse(ast.literal_eval(data)) == wanted == eval(expression, {"F": F})
        seen |= {wanted.operator} if isinstance(wanted, Condition) else {type(wanted).__name__.lower()}
    assert seen == set(OPERATORS) | {"and", "or", "not"}
