"""The definitions of source code, told by keyword and indentation: which classes and functions a place is in.

Only languages in which the line of a definition begins with its keyword: what cannot be told is not guessed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping

_RUN = r"[ \t]++"
_PYTHON = rf"(?:async{_RUN})?(?P<name>def{_RUN}\w++(?=[ \t]*+[(\[])|class{_RUN}\w++(?=[ \t]*+[(:\[]))"
_RUBY = rf"(?P<name>(?:def|class|module){_RUN}[\w.:?!=]++)(?=[ \t]*+(?:[(<;#]|$))"
_RUST = (
    rf"(?:pub(?:\([\w: ]++\))?{_RUN})?(?:(?:async|const|unsafe|default){_RUN})*+"
    rf"(?P<name>(?:fn|struct|enum|trait|mod|union){_RUN}\w++|impl\b[^{{\n]{{0,120}}+)"
)
_GO = rf"(?P<name>func(?:{_RUN}\([^()\n]{{0,80}}+\))?{_RUN}\w++|type{_RUN}\w++(?={_RUN}(?:struct|interface)\b))"
_WITH_BRACES = (
    r"(?:(?:export|default|public|private|protected|internal|static|abstract|final|sealed|async|open|override|data|"
    rf"partial|readonly|inline|suspend|declare|const){_RUN})*+"
    rf"(?P<name>(?:class|interface|enum|struct|trait|namespace|object|record|extension|protocol){_RUN}[\w.$]++"
    rf"(?![ \t]*+[;=,)])|(?:function|fun|func)\b\*?{_RUN}[\w.$]++(?=[ \t]*+[(<]))"
)

_LANGUAGES: Mapping[str, re.Pattern[str]] = {
    f"text/x-{language}": re.compile(rf"^(?P<indent>[ \t]*+){pattern}", re.MULTILINE)
    for pattern, languages in (
        (_PYTHON, "python"),
        (_RUBY, "ruby"),
        (_RUST, "rust"),
        (_GO, "go"),
        (_WITH_BRACES, "javascript typescript java kotlin swift php csharp scala dart"),
    )
    for language in languages.split()
}

_LINE = re.compile(r"^(?P<indent>[ \t]*+)(?=(?P<ink>\S))", re.MULTILINE)
_CLOSING = ")]}"
_LONGEST_NAME = 120
_DEEPEST = 12


class Outline:
    """The path of definitions at every place of a text. One pass; the places are kept, not the paths of each line."""

    def __init__(self, text: str, mime_type: object) -> None:
        pattern = _LANGUAGES.get(mime_type) if isinstance(mime_type, str) else None
        changes = list(_changes(text, pattern)) if pattern else []
        self._places = [place for place, _ in changes]
        self._paths = [path for _, path in changes]

    def path(self, place: int) -> tuple[tuple[int, str], ...]:
        """Start and name of the definitions around a place, the outermost first."""
        number = bisect_right(self._places, place) - 1
        return self._paths[number] if number >= 0 else ()


def _changes(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, tuple[tuple[int, str], ...]]]:
    """Where the path changes, and what it is from there."""
    path: list[tuple[int, int, str]] = []  # indentation, start, name
    for line in _LINE.finditer(text):
        depth, before = len(line["indent"].expandtabs(4)), len(path)
        while path and depth <= path[-1][0] and not (depth == path[-1][0] and line["ink"] in _CLOSING):
            path.pop()
        found = pattern.match(text, line.start()) if len(path) < _DEEPEST else None
        if found:
            path.append((depth, line.start(), " ".join(found["name"].split())[:_LONGEST_NAME]))
        if found or len(path) != before:
            yield line.start(), tuple((start, name) for _, start, name in path)
