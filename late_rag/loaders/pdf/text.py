"""The text of a PDF page in the order in which it is read, told from where its characters stand.

pdfium gives the characters of a page in lines. What it does not tell right is mended here: text that is turned, lines
that are cells of one row, two columns that were drawn row by row, letters outside the page, and ligatures of scripts
that run from right to left.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from late_rag.loaders.pdf.characters import LEFT_OUT, Area, Characters, Line, plain
from late_rag.loaders.pdf.columns import Row, read_by_columns
from late_rag.loaders.pdf.gibberish import has_unknown_letters, is_gibberish
from late_rag.loaders.pdf.pieces import number_apart, part_pieces
from late_rag.loaders.pdf.words import DIVIDED

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_SAME_LINE = 0.12  # of the height of the letters; how far two baselines may be apart
_RAISED = 0.4  # of the height of the letters that stand at one height where a superscript ends or begins
_MOST_DROP = 12.0  # points: that of letters of 100 points; saves a look at each line
_LEAST_DROP = 1.0  # points: saves a look at each line
_LOWERED = 0.6  # of the height of the letters: more is another line
_OVERLAP = 0.25  # of the height of the letters: how far letters of one line may reach into each other
_SAMPLE = 8  # lines of an ordinary page whose direction is looked at twice
_SPACE = 0.13  # of the height of the letters: a gap between words
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff]{2,}")
_MARKS = "".join(chr(code) for code in range(0x64B, 0x660))
_BLANKS = re.compile(" +")
_SPACES = re.compile(r" {2,}")


class PageText(NamedTuple):
    """What can be read on a page: None where its fonts do not tell which letters they show."""

    text: str | None
    lacks_letters: bool = False


def page_text(page: PdfPage) -> PageText:
    r"""The text that a page shows, with ``\n`` between lines, and DIVIDED where a hyphen ends one.

    What runs in the direction of most of the page comes first, and several lines of another direction behind it.
    """
    with closing(Characters(page)) as characters:
        if is_gibberish(characters):
            return PageText(None)
        lacks_letters = has_unknown_letters(characters)
        lines = list(characters.lines())
        main, *others = _directions(characters, lines)
        if main == characters.turn and not others:
            return PageText(_compose(characters, lines), lacks_letters)
        area = characters.area
    every = frozenset(range(4))
    texts = [_turned_text(page, area, main, every.intersection(others))]
    texts += [_turned_text(page, area, turn, every - {turn}) for turn in others]
    return PageText("\n".join(filter(None, texts)), lacks_letters)


def _directions(characters: Characters, lines: list[Line]) -> list[int]:
    """The turn in which most text stands upright, and those of several other lines."""
    turns = [characters.turn_of(line.first) for line in lines]
    every = 1 if set(turns) - {characters.turn} else max(1, len(lines) // _SAMPLE)
    runs = [characters.run_of(line) for line in lines[::every]]
    if any(run not in (None, turn) for run, turn in zip(runs, turns[::every], strict=True)):
        known = {run for run in runs if run is not None}
        return [*known] if len(known) == 1 else [characters.turn]
    letters = Counter({characters.turn: 0})
    for turn, line in zip(turns, lines, strict=True):
        letters[turn] += line.end - line.start
    main, count = letters.most_common(1)[0][0], Counter(turns)
    return [main, *sorted(turn for turn in count if turn != main and count[turn] > 1)]


def _turned_text(page: PdfPage, area: Area, turn: int, without: frozenset[int]) -> str:
    """The text of the page when it is turned so, without the characters of some directions."""
    page.set_rotation(90 * turn)
    with closing(Characters(page, area)) as characters:
        if without:
            characters.leave_out(lambda index: characters.turn_of(index) in without)
        return _compose(characters, list(characters.lines()))


def _compose(characters: Characters, lines: list[Line]) -> str:
    _mend_ligatures(characters)
    lines = [part for line in lines for part in _parted(characters, line)]
    rows = read_by_columns(characters, _rows(characters, lines))
    return "".join(_row_text(characters, row) for row in part_pieces(characters, rows)).rstrip("\n")


def _parted(characters: Characters, line: Line) -> Iterator[Line]:
    """The lines in what pdfium takes for one line, as it does with rows of cells that have one letter."""
    if _is_below(characters, line.first, line.last):
        for found in _BLANKS.finditer(characters.units, line.first, line.last):
            before, after = found.start() - 1, found.end()
            if _is_below(characters, before, after) and characters.origin(after) < characters.origin(before):
                yield line._replace(end=found.start(), ending="\n", last=before)
                line = line._replace(start=after, first=after)
    yield line


def _is_below(characters: Characters, index: int, other: int) -> bool:
    """Whether a character stands lower than another, by more than a subscript."""
    drop = characters.origin(index)[1] - characters.origin(other)[1]
    if drop <= _LEAST_DROP:
        return False
    box = characters.box(index)
    return drop > _LOWERED * (box.top - box.bottom)


def _rows(characters: Characters, lines: list[Line]) -> list[Row]:
    """Lines that stand beside each other, such as the cells of a table, in one row."""
    rows = [[line] for line in lines[:1]]
    for line, following in pairwise(lines):
        gap = None if line.ending == DIVIDED else _gap(characters, line, following)
        if gap is None:
            rows.append([following])
        else:
            rows[-1][-1] = line._replace(ending=_between(characters, line, following, gap))
            rows[-1].append(following)
    return rows


def _between(characters: Characters, line: Line, following: Line, gap: float) -> str:
    """What stands between a line and the rest of it: no blank where one stands already, or letters touch.

    A superscript that touches a letter or number is apart from it all the same: 10^2 is not 102.
    """
    units = characters.units
    before, after = units[line.last], units[following.first]
    if line.last + 1 < line.end or following.start < following.first or unicodedata.category(after) == "Mn":
        return ""
    apart = number_apart(characters, line.last, following.first)
    if apart and gap <= _SPACE:
        return apart
    drop = abs(characters.origin(line.last)[1] - characters.origin(following.first)[1])
    raised = drop > _LEAST_DROP and before.isalnum() and after.isalnum()
    return " " if raised or gap > _SPACE else ""


def _gap(characters: Characters, line: Line, following: Line) -> float | None:
    """How far a line stands behind another that it goes on, by the height of its letters; None where it does not."""
    drop = abs(characters.origin(line.last)[1] - characters.origin(following.first)[1])
    if drop > _MOST_DROP:
        return None
    box, other = characters.box(line.last), characters.box(following.first)
    size = box.top - box.bottom
    backwards = _right_to_left(characters.units[line.last]) and _right_to_left(characters.units[following.first])
    gap = box.left - other.right if backwards else other.left - box.right
    overlap = min(box.top, other.top) - max(box.bottom, other.bottom)
    raised = gap <= size and overlap >= _RAISED * min(size, other.top - other.bottom)
    beside = drop <= _SAME_LINE * size or (raised and characters.is_straight(line.last))
    return gap / size if size and beside and gap >= -_OVERLAP * size else None


def _right_to_left(unit: str) -> bool:
    return unicodedata.bidirectional(unit) in ("R", "AL")


def _row_text(characters: Characters, row: Row) -> str:
    text = "".join(characters.units[line.start : line.end] + line.ending for line in row)
    if LEFT_OUT in text:
        ending = row[-1].ending
        text = _SPACES.sub(" ", text.removesuffix(ending).replace(LEFT_OUT, "")).strip() + ending
    return plain(text)


def _mend_ligatures(characters: Characters) -> None:
    """Turns the letters of a ligature round, where pdfium gives those of Arabic with the rest of the line reversed.

    The letters of one stand at one place. Where the font names the ligature by a code point of its own, their order is
    right.
    """

    def mended(found: re.Match[str]) -> str:
        if characters.origin(found.start()) < characters.origin(found.end() - 1):  # drawn and read from the left
            return found.group()
        places = groupby(range(*found.span()), characters.origin)
        return "".join(_in_order("".join(characters.units[index] for index in group)) for _, group in places)

    if not characters.units.isascii():
        characters.units = _ARABIC.sub(mended, characters.units)


def _in_order(letters: str) -> str:
    """The letters of one place in the order in which they are read."""
    count = sum(map(str.isalpha, letters))
    if count < 2 or (letters in _ligatures() and letters[::-1] not in _ligatures()) or letters[::-1] == letters:
        return letters
    backwards = letters[::-1]
    marks = len(backwards) - len(backwards.lstrip(_MARKS))
    return backwards[marks:] + backwards[:marks]


@lru_cache(maxsize=1)
def _ligatures() -> frozenset[str]:
    """What the ligatures of Arabic that have code points of their own consist of."""
    codes = (*range(0xFB50, 0xFDFC), *range(0xFE70, 0xFEFD))
    return frozenset(unicodedata.normalize("NFKC", chr(code)) for code in codes)
