"""Mail folders in mbox format (RFC 4155), mail by mail.

A mail begins behind an empty line, with ``From``, an address and a date, and a header follows; a line of its text that
begins with ``From`` does not, whether or not it was marked by a ``>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

_LONGEST_LINE = 1 << 16
_LONGEST_SEPARATOR = 1_000
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = re.compile(
    rb"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s{1,3}"
    rb"(?:%(month)s\s{1,3}\d{1,2}|\d{1,2}\s{1,3}%(month)s)\s{1,3}(?:\d{4}\s{1,3})?"
    rb"\d{1,2}:\d\d(?::\d\d)?(?:\s{1,3}\S{1,9}){0,3}\s{0,9}$" % {b"month": _MONTH}
)
_YEAR = re.compile(rb"\b(?:19|20)\d\d\b")
_HEADER = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,9}:")


def mails(file: IO[bytes], longest: int) -> Iterator[bytes]:
    """The mails of a folder without the lines between them, in one pass.

    Args:
        file: at its beginning, a line with ``From``. Where that has no date, no other needs one.
        longest: bytes of a mail that are kept; of a longer one, one byte more.
    """
    dated, mail = _is_dated(file.readline(_LONGEST_LINE)), bytearray()
    begins, blank = True, False
    line = file.readline(_LONGEST_LINE)
    while line:
        following = file.readline(_LONGEST_LINE)
        if blank and line.startswith(b"From ") and (not dated or _is_dated(line)) and _HEADER.match(following):
            yield _without_end(mail)
            mail, blank = bytearray(), False
        else:
            mail += line[: longest + 1 - len(mail)]
            blank = begins and line in (b"\n", b"\r\n")
        begins, line = line.endswith(b"\n"), following
    yield _without_end(mail)


def _is_dated(line: bytes) -> bool:
    return len(line) <= _LONGEST_SEPARATOR and bool(_DATE.search(line) and _YEAR.search(line))


def _without_end(mail: bytearray) -> bytes:
    """The mail without the empty line that stands before the next one."""
    end = next((end for end in (b"\r\n\r\n", b"\n\n") if mail.endswith(end)), b"")
    return bytes(mail[: len(mail) - len(end) // 2])
