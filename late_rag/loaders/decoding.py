r"""Bytes to text: which encoding a file is in, found in bounded memory, and the file opened in it.

A byte order mark decides; else UTF-8 where the whole file is valid; else what the bytes themselves look like.
What comes out is what ``Path.read_text`` gives in that encoding (line ends become ``\n``), without the byte order
mark, with a space for NUL, with U+FFFD for what cannot be decoded, which is told, and never with a lone surrogate.
"""

from __future__ import annotations

import codecs
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, TextIO

from late_rag.errors import LoadError
from late_rag.types import Omission

logger = logging.getLogger(__name__)

_BLOCK = 1 << 20
_SAMPLE = 1 << 15
_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or Office file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or encrypted Office file"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"{\\rtf", "an RTF document"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
_LEAST_WIDE = 12
_HIGH = re.compile(rb"[\x80-\xff]+")
_C1 = re.compile(rb"[\x80-\x9f]")
_SIGN_IN_WORD = re.compile(r"\w[^\w\s\x00-\x7f]\w")
_CONTROL = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
_LATIN = ("cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "iso8859-2")
_OTHERS = (
    *("cp1251", "cp1253", "cp1255", "cp1256", "iso8859-5", "iso8859-7", "koi8-r", "koi8-u", "cp866", "cp874"),
    *("cp932", "euc_jis_2004", "gb18030", "big5hkscs", "cp949"),
)
"""Encodings without those that others contain: what is in iso8859-1 is read as cp1252."""

_ESCAPES = (
    (re.compile(rb"\x1b\$(?:[@B]|\(D)|\x1b\(I"), "iso2022_jp_ext"),
    (re.compile(rb"\x1b\$\)C"), "iso2022_kr"),
)
_SCRIPTS = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp874", "euc_jp", "gb2312", "euc_kr", "big5")
"""Encodings that have the letters of one language or a few: text in UTF-16 has hardly any others."""


LONGEST_LINE = 1 << 26
"""Characters of a line that is a record, or a part of one."""

UNDECODED = "\udcff"
"""Stands for what cannot be decoded, in text that is read with :data:`MARK`; no text that can be decoded has it."""

MARK = "late_rag.mark"
"""The name of the error handler that leaves :data:`UNDECODED` in a text."""

codecs.register_error(MARK, lambda error: (UNDECODED, error.end if isinstance(error, UnicodeDecodeError) else 0))


_UNDECODED_PLACE = re.compile(f"{UNDECODED}+")


class Decoded(NamedTuple):
    """What bytes say."""

    text: str
    """With U+FFFD for what cannot be decoded."""

    omissions: tuple[Omission, ...] = ()
    """Where that is, if anywhere: for the loader to give."""


@contextmanager
def open_text(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    r"""The file as text in the encoding that its bytes show, with :data:`UNDECODED` for what cannot be decoded.

    Args:
        path: the file.
        newline: as for :func:`open`; None makes every line end ``\n``.

    Raises:
        LoadError: the file looks binary, or its encoding cannot be told.
    """
    encoding = detect_encoding(path)
    with path.open(encoding=encoding, errors=MARK, newline=newline) as file:
        yield file


def bounded_lines(file: IO[str]) -> Iterator[str | None]:
    """The lines of a file with their ends; None in place of one of more than :data:`LONGEST_LINE` characters.

    Such a one is passed over, in bounded memory.
    """
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) <= LONGEST_LINE:
            yield line
            continue
        while line and not line.endswith(("\n", "\r")):
            line = file.readline(_BLOCK)
        yield None


def read_text(path: Path) -> Decoded:
    r"""The whole file as text: line ends as ``\n``, NUL as a space.

    Raises:
        LoadError: the file looks binary, or its encoding cannot be told.
    """
    with open_text(path) as file:
        return decoded(file.read().replace("\0", " "), file.encoding)


def signature(head: bytes) -> str | None:
    """What kind of binary file begins with these bytes, in words; None where it is none of those known."""
    return next((name for start, name in _SIGNATURES if head.startswith(start)), None)


def detect_encoding(path: Path) -> str:
    """The name of the codec that reads this file.

    Raises:
        LoadError: the file looks binary, or its encoding cannot be told.
    """
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
        if marked:
            return marked
        kind = signature(head)
        if kind:
            raise LoadError(f"{path}: looks binary: it begins like {kind}")
        file.seek(0)
        valid, sample, escaped = _scan(file)
    return escaped or _judge(path, head, valid=valid, sample=sample)


def decode(data: bytes, path: Path, declared: str | None = None) -> Decoded:
    """Bytes that are in memory as text, by the same rules; ``declared`` is the encoding that the file itself names.

    UTF-8 that is valid and not plain ASCII is UTF-8 whatever the file says: no other text is so by accident.

    Raises:
        LoadError: the bytes look binary, or their encoding cannot be told.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if marked is None and declared and (data.isascii() or not is_utf8(data)):
        try:
            return Decoded(tidy(data.decode(declared)))
        except (LookupError, UnicodeDecodeError, ValueError):
            logger.info("%s: is not in the encoding that it declares, %s", path, declared)
    if marked is None and (kind := signature(data[:16])):
        raise LoadError(f"{path}: looks binary: it begins like {kind}")
    if marked is None:
        sample = b"".join(_telling_lines(data))[:_SAMPLE]
        escaped = _escaped(data) if data.isascii() else None
        marked = escaped or _judge(path, data[:_SAMPLE], valid=is_utf8(data), sample=sample)
    return decoded(tidy(data.decode(marked, errors=MARK)), marked)


def decoded(text: str, encoding: str) -> Decoded:
    """A text with :data:`UNDECODED` in it, and by its lines where that is."""
    places = len(_UNDECODED_PLACE.findall(text)) if UNDECODED in text else 0
    if not places:
        return Decoded(text)
    line = f"line {text.count(chr(10), 0, text.find(UNDECODED)) + 1}"
    where = line if places == 1 else f"{places:,} places, the first in {line},"
    name = encoding.removesuffix("-sig").upper() if encoding.startswith("utf") else encoding
    what = f"bytes in {where} that are not in the encoding of the file, which is taken for {name}: U+FFFD is there"
    return Decoded(text.replace(UNDECODED, "\ufffd"), (Omission(what, lost=False),))


def tidy(text: str) -> str:
    r"""A text that was decoded: line ends as ``\n``, NUL as a space."""
    return text.replace("\0", " ").replace("\r\n", "\n").replace("\r", "\n")


def is_utf8(data: bytes) -> bool:
    """Whether all of it is valid UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _scan(file: IO[bytes]) -> tuple[bool, bytes, str | None]:
    """Whether all of the file is valid UTF-8, some lines that are not ASCII, and the encoding by escapes, if any."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    valid, sample, escaped = True, bytearray(), None
    while block := file.read(_BLOCK):
        if block.isascii():
            escaped = escaped or _escaped(block)
        elif len(sample) < _SAMPLE:
            sample += b"".join(_telling_lines(block))
        if valid:
            valid = _feed(decoder, block)
        elif len(sample) >= _SAMPLE:
            break
    return valid and _feed(decoder, b"", final=True), bytes(sample[:_SAMPLE]), None if sample else escaped


def _escaped(block: bytes) -> str | None:
    """Which encoding of seven bits, where escapes change the letters, a block is in."""
    if b"\x1b" not in block:
        return None
    return next((encoding for escape, encoding in _ESCAPES if escape.search(block)), None)


def _feed(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _telling_lines(block: bytes) -> Iterator[bytes]:
    """The lines of a block that are not ASCII, about one sample's length of them; of a long one the telling part."""
    length = 0
    for line in block.splitlines(keepends=True):
        high = None if line.isascii() else _HIGH.search(line)
        if high:
            yield line[max(0, high.start() - 80) :][:_SAMPLE]
            length += len(line)
            if length > _SAMPLE:
                return


def _judge(path: Path, head: bytes, *, valid: bool, sample: bytes) -> str:
    controls = len(_CONTROL.findall(head))
    if valid and controls <= max(1, 0.1 * len(head)):
        return "utf-8"
    wide = (_wide_encoding(head) if b"\0" in head else None) or _wide_script(head)
    if wide:
        return wide
    if valid or controls > max(1, 0.02 * len(head)):
        raise LoadError(f"{path}: looks binary: {controls} of its first {len(head)} bytes are no part of any text")
    guess = _guess(sample.replace(b"\0", b" "))
    if guess is None:
        raise LoadError(f"{path}: is neither UTF-8 nor in any encoding that can be told; save it as UTF-8")
    logger.info("%s: read as %s", path, guess)
    return guess


def _wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: letters of most scripts share their high bytes, which are often zero."""
    for encoding, width, zeros in (
        ("utf-32-le", 4, (2, 3)),
        ("utf-32-be", 4, (0, 1)),
        ("utf-16-le", 2, (1,)),
        ("utf-16-be", 2, (0,)),
    ):
        whole = head[: len(head) // width * width]
        units = len(whole) // width
        expected = all(whole[at::width].count(0) > units * (0.9 if width == 4 else 0.1) for at in zeros)
        others = sum(whole[at::width].count(0) for at in range(width) if at not in zeros)
        if not units or not expected or others > units * (1 if width == 4 else 0.02):
            continue
        if _is_text(whole, encoding) and (width == 4 or _is_regular(whole[zeros[0] :: 2])):
            return encoding
    return None


def _is_regular(high: bytes) -> bool:
    """Whether high bytes of UTF-16 are mostly zero, or those of one script or two with a few zeros for spaces.

    Other bytes, among which a zero stands by accident, are as different in every second place as in all.
    """
    zeros = high.count(0)
    if 2 * zeros > len(high):
        return True
    return zeros > 1 and sum(number for _, number in Counter(high).most_common(3)) >= 0.9 * len(high)


def _is_text(data: bytes, encoding: str) -> bool:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data)
    strange = sum(not (char.isprintable() or char.isspace()) or char == "\ufffd" for char in text)
    return strange <= len(text) * 0.02


def _wide_script(head: bytes) -> str | None:
    """UTF-16 without a mark in a script whose letters have few zeros, such as Chinese.

    Other bytes become rare letters of many scripts when they are read in pairs.
    """
    high = sum(map(len, _HIGH.findall(head)))
    if len(head) % 2 or len(head) < _LEAST_WIDE or high > 0.85 * len(head):
        return None
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        rare = min(text.encode(script, "replace").count(b"?") for script in _SCRIPTS) - text.count("?")
        if rare <= len(text) * 0.03 and _is_text(head, encoding):
            return encoding
    return None


def _guess(sample: bytes) -> str | None:
    """The likeliest encoding of lines that are not valid UTF-8.

    Broken characters do not make UTF-8 another encoding: text in others is hardly ever valid in passing.
    """
    alone = _letters_stand_alone(sample)
    if _is_mostly_utf8(sample, alone=alone):
        return "utf-8"
    from chardet import detect

    candidates = _LATIN if alone else (*_LATIN, *_OTHERS)
    found = detect(sample, include_encodings=(*candidates, "ascii"), compat_names=False, no_match_encoding="ascii")[
        "encoding"
    ]
    if found == "cp1250" and _is_latin2(sample):
        found = "iso8859-2"
    return found if found and found != "ascii" and _is_text(sample, found) else None


def _is_mostly_utf8(sample: bytes, *, alone: bool) -> bool:
    """Whether most of what is not ASCII is valid; half of it where letters stand alone, hardly ever valid by chance."""
    text = sample.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if alone:
        return 2 * broken <= len(b"".join(_HIGH.findall(sample)))
    return 2 * broken <= sum(char > "\x7f" for char in text)


def _is_latin2(sample: bytes) -> bool:
    """Whether letters of iso8859-2 stand where cp1250 has signs in the middle of words."""
    inside = (len(_SIGN_IN_WORD.findall(sample.decode(name, "replace"))) for name in ("cp1250", "iso8859-2"))
    return _C1.search(sample) is None and next(inside) > next(inside)


def _letters_stand_alone(sample: bytes) -> bool:
    """Whether what is not ASCII stands among letters that are, as in languages written with Latin letters."""
    runs = list(map(len, _HIGH.findall(sample)))
    return sum(run for run in runs if run > 2) <= 0.2 * sum(runs)
