"""Values of a JSON text, read as they come: those of the whole text, wherever reading stops."""

from __future__ import annotations

import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.loaders.json.values import Values

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_objects_without_indentation_are_whole_wherever_reading_stops():
    items = [{"text": "x", "inner": [{"a": "b" * 50}] * 3}] * 20
    text = json.dumps(items, indent=0)
    values = Values(Trickle(text), in_lines=False)
    assert values.peek() == "["
    values.skip()
    assert [(value.value, value.problem) for value in values.elements()] == [(item, "") for item in items]


class Trickle(io.StringIO):
    """Gives few characters at a time, so that many places are once the end of what is read."""

    def read(self, size: int | None = -1) -> str:
        return super().read(7)


@settings(max_examples=40, deadline=None)
@given(st.lists(ANYTHING, max_size=8), st.sampled_from([None, 1]), st.booleans())
def test_values_are_those_of_the_whole_text(items, indent, ascii_only):
    values = Values(Trickle(json.dumps(items, indent=indent, ensure_ascii=ascii_only)), in_lines=False)
    assert values.peek() == "["
    values.skip()
    found = [(value.value, value.problem) for value in values.elements()]
    plain = [_with_long_integers_as_texts(item) for item in items]
    assert found == [(item, "") for item in plain]
    assert values.peek() == ""


def _with_long_integers_as_texts(value):
    if isinstance(value, dict):
        return {key: _with_long_integers_as_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_long_integers_as_texts(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) > 20:
        return str(value)
    return value


@given(st.text('[]{}",:\\\n 1ax', max_size=60), st.booleans())
def test_whatever_stands_there_ends_in_values_and_reasons(text, in_lines):
    values = Values(io.StringIO(text), in_lines=in_lines)
    found = list(values.sequence())
    assert all(value.line <= text.count("\n") + 1 for value in found)
    assert values.peek() == ""
    assert bool(found) == bool(text.strip())
