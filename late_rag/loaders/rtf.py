r"""Rich Text Format, by striprtf (https://github.com/joshy/striprtf).

What it drops and should not (notes, text boxes), what it cannot decode, and what takes it a time that grows with the
square of the length (addresses of links, tables of fonts) is rewritten in front of it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.archive import old_office
from late_rag.loaders.decoding import MARK, UNDECODED, signature, tidy
from late_rag.loaders.properties import sane
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

MIME_TYPE = "application/rtf"
LARGEST = 32 << 20
"""Bytes, without pictures and the like."""

_START = re.compile(r"\s{0,99}\{\\rtf\d{0,9}")
_BINARY = re.compile(rb"\\\\|\\bin(\d{1,9})[ ]?")
_DATA = re.compile(r"\\(?:pict|objdata|themedata|datastore|colorschememapping)(?![a-zA-Z])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BOXES = re.compile(r"\\\*\\shpinst\b|\\shptxt\b|\\shp\b")
_NOTES = re.compile(r"(?:\\\*)?\\footnote\b ?")
_COMMENTS = re.compile(r"(?:\\\*)?\\annotation\b ?")
_MARGINS = re.compile(r"\\(?:header|footer)[lrf]?\b ?")
_LINK = re.compile(r"\\fldinst\{", re.IGNORECASE)
_UNICODE = re.compile(r"\\(?:u(-?\d{5,10})|uc(?![\da-zA-Z]))")
_CODE_PAGE = re.compile(r"\\ansicpg(\d{1,5})")
_CODECS = {"10000": "mac_roman", "65001": "utf-8"}
_FONT = re.compile(r"\\f(\d{1,5})\b")
_CHARSET = re.compile(r"\\fcharset(\d{1,3})\b")
_LONGEST_TABLE = 1 << 20
_CHARSETS = {78: 128, 79: 136, 80: 129, 81: 178, 82: 177, 85: 134, 86: 238, 87: 204, 88: 222, 89: 238}
"""Of the old Macintosh, for which Python has no codec: those of Windows for the same script."""

_RAISED = re.compile(r"\\super(?![a-zA-Z0-9-]) ?(?:[{}\r\n]|\\[a-z]{1,32}-?\d{0,10} ?){0,20}(?=[+-]?\d)")
_PIECE = re.compile(r"\\[a-zA-Z]{1,32}-?\d{0,10} ?|\\.|[{}\r\n]|[^\\{}\r\n]+", re.DOTALL)
_SETTINGS_AT_MOST = 300
"""Characters of settings that may stand between a number and its power."""

_ENDS = re.compile(r"\\(?:par|line|cell|row|tab|sect|page)\b")

_FIELDS = re.compile(r"\{\\(title|author|creatim|revtim)\b([^{}]{0,2000})\}")
_TIMES = {"creatim": "created", "revtim": "modified"}
_BLANK_LINES = re.compile(r"\n{3,}")


class RtfLoader:
    """One document for the file, as plain text; the cells of a table stand between bars."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        rtf, codec, is_cut = _read(path)
        fonts, rtf = _take_fonts(rtf)
        for part, what, pattern in (
            ("headers", "headers or footers", _MARGINS),
            ("comments", "comments", _COMMENTS),
        ):
            if part in options.include:
                rtf = pattern.sub(r"\\par ", rtf)
            elif pattern.search(rtf):
                yield Omission(unless_included(what, part), lost=False)
        rtf = _NOTES.sub(r"\\plain  ", _BOXES.sub("", _with_powers(rtf)))
        text = _BLANK_LINES.sub("\n\n", _plain(rtf, fonts, codec)).strip()
        if broken := text.count(UNDECODED):
            what = f"{broken:,} letters that are not in the encoding of the file or of their font: U+FFFD is there"
            yield Omission(what, lost=False)
            text = text.replace(UNDECODED, "\ufffd")
        yield "", Document(text=text, metadata={"mime_type": MIME_TYPE, **_properties(rtf, codec)})
        if is_cut:
            yield Omission("its end, which is cut off: groups that it begins are not ended")


def _read(path: Path) -> tuple[str, str, bool]:
    """The markup without pictures, the codec of its 8-bit letters, and whether its end is missing."""
    data = path.read_bytes()
    if data.lstrip()[:5].lower() != b"{\\rtf":
        kind = old_office(path) or signature(data[:8])
        raise LoadError(f"{path}: is no RTF file" + (f", but {kind}" if kind else ": it does not begin with {\\rtf"))
    rtf = _without_binary(data).decode("latin-1").replace("\\\\", r"\'5c")  # no control words begin in a path
    is_cut = rtf.count("{") - rtf.count("\\{") > rtf.count("}") - rtf.count("\\}")
    rtf = _without_data(rtf)
    if len(rtf) > LARGEST:
        raise LoadError(f"{path}: has {len(rtf):,} bytes without its pictures; the limit is {LARGEST:,}")
    codec = _codec(rtf)
    return rtf.encode("latin-1").decode(codec, MARK), codec, is_cut


def _without_binary(data: bytes) -> bytes:
    r"""Without what follows ``\bin``, in which braces mean nothing."""
    if b"\\bin" not in data:
        return data
    pieces, place = [], 0
    for found in _BINARY.finditer(data):
        if found[1] and found.start() >= place:
            pieces.append(data[place : found.start()])
            place = found.end() + int(found[1])
    return b"".join(pieces) + data[place:]


def _without_data(rtf: str) -> str:
    """Without pictures and embedded files, which are long and no text."""
    pieces, place = [], 0
    for found in _DATA.finditer(rtf):
        if found.start() >= place:
            pieces.append(rtf[place : found.start()])
            place = _group_end(rtf, found.end())
    return "".join(pieces) + rtf[place:]


def _group_end(rtf: str, place: int) -> int:
    """Where the brace stands that ends the group around a place."""
    depth = 0
    for brace in _BRACE.finditer(rtf, place):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth < 0:
            return brace.start()
    return len(rtf)


def _codec(rtf: str) -> str:
    found = _CODE_PAGE.search(rtf, 0, 10_000)
    if found is None:
        return "mac_roman" if r"\mac" in rtf[:100] else "cp1252"
    name = _CODECS.get(found[1], f"cp{found[1]}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


def _take_fonts(rtf: str) -> tuple[str, str]:
    """The table of fonts written anew, one a line, with what says their encoding; and the text without it."""
    start = rtf.find(r"\fonttbl")
    if start < 0:
        return "", rtf
    end = _group_end(rtf, start)
    lines = []
    for font in rtf[start : min(end, start + _LONGEST_TABLE)].split(";"):
        number, charset = _FONT.search(font), _CHARSET.search(font)
        if number and charset:
            lines.append(rf"{{\f{number[1]}\fcharset{_CHARSETS.get(int(charset[1]), int(charset[1]))} x;}}")
    return "{\\fonttbl" + "\n".join(lines) + "}", (rtf[:start] + rtf[end:]).replace(r"\fonttbl", r"\*\fonts")


def _with_powers(rtf: str) -> str:
    """10⁶ as 10^6, where digits stand raised behind a letter or digit."""
    pieces, place, seen = [], 0, 0
    for found in _RAISED.finditer(rtf):
        before = ""
        for piece in _PIECE.finditer(rtf, max(seen, found.start() - _SETTINGS_AT_MOST), found.start()):
            if _ENDS.match(piece[0]):
                before = ""
            elif piece[0][0] not in "\\{}\r\n":
                before = piece[0][-1]
        seen = found.end()
        if before.isalnum():
            pieces += [rtf[place : found.end()], "^"]
            place = found.end()
    return "".join(pieces) + rtf[place:]


def _plain(rtf: str, fonts: str, codec: str) -> str:
    """The text, with a mark where letters cannot be decoded."""
    from striprtf.striprtf import rtf_to_text

    start = _START.match(rtf)
    place = start.end() if start else 0
    rtf = f"{rtf[:place]}{fonts}{rtf[place:]}"
    rtf = rtf.replace(r"\bin", r"\*\data")
    rtf = _UNICODE.sub(_sane_unicode, _LINK.sub(r"\\fldinst {", rtf))
    text = str(rtf_to_text(rtf, encoding=codec, errors=MARK))  # type: ignore[no-untyped-call]
    return tidy(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", MARK))  # pairs are one letter


def _sane_unicode(found: re.Match[str]) -> str:
    """Numbers that no character has, and a control word that lacks its number, would end the reading."""
    if found[1] is None:
        return r"\uc1"
    return found[0] if -0x8000 <= int(found[1]) <= 0x10FFFF else r"\u65533"


def _properties(rtf: str, codec: str) -> dict[str, str]:
    values: dict[str, str] = {}
    start = rtf.find(r"{\info")
    for field in _FIELDS.finditer(rtf, start, start + 20_000) if start >= 0 else ():
        if field[1] in _TIMES:
            values.setdefault(_TIMES[field[1]], _time(field[2]))
        else:
            words = _plain(rf"{{\rtf1 {field[2]}}}", "", codec)
            values.setdefault(field[1], words.replace(UNDECODED, "\ufffd"))
    return sane(values.items())


def _time(words: str) -> str:
    parts = {name: int(number) for name, number in re.findall(r"\\(yr|mo|dy|hr|min)(\d{1,4})", words)}
    date = "{:04}-{:02}-{:02}".format(*(parts.get(name, 0) for name in ("yr", "mo", "dy")))
    return f"{date}T{parts['hr']:02}:{parts.get('min', 0):02}" if "hr" in parts else date
