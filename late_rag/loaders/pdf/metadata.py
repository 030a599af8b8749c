"""What a PDF says about itself, as far as it can be believed."""

from __future__ import annotations

import ctypes
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from late_rag.loaders.titles import is_title, says_nothing

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_LONGEST = 500  # characters of a title or name
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\ufdd0\ufdd1\ufffe\uffff]")
_UNKNOWN = re.compile("[\ufffd\ue000-\uf8ff]")
_DATE = re.compile(r"(?:D:)?\s?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?|(Z))?")
_YEARS = range(1985, 2100)


def describe(pdf: PdfDocument) -> dict[str, str]:
    """Title, author and time of creation, where the PDF has them and they say something."""
    found = {"title": _title(pdf), "author": _author(pdf), "created": _created(pdf)}
    return {name: value for name, value in found.items() if value}


def _title(pdf: PdfDocument) -> str | None:
    title = _value(pdf, "Title")
    return title if title and is_title(title) else None


def _author(pdf: PdfDocument) -> str | None:
    author = _value(pdf, "Author")
    return author if author and any(map(str.isalpha, author)) else None


def _value(pdf: PdfDocument, key: str) -> str | None:
    """A text of the document's information, unless it cannot be decoded or stands for nothing."""
    from pypdfium2 import raw

    size = raw.FPDF_GetMetaText(pdf, key.encode(), None, 0)
    buffer = ctypes.create_string_buffer(size)
    raw.FPDF_GetMetaText(pdf, key.encode(), buffer, size)
    try:
        text = buffer.raw[:size].decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    text = " ".join(_UNPRINTED.sub(" ", text).split())
    return text if 0 < len(text) <= _LONGEST and not says_nothing(text) and not _UNKNOWN.search(text) else None


def _created(pdf: PdfDocument) -> str | None:
    """The time of creation in ISO 8601, as exact as it is given."""
    found = _DATE.match(_value(pdf, "CreationDate") or "")
    if not found or int(found[1]) not in _YEARS:
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[:6])
    try:
        moment = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=_zone(found))
    except ValueError:
        return None
    if day is None:
        return moment.strftime("%Y" if month is None else "%Y-%m")
    return moment.date().isoformat() if hour is None else moment.isoformat()


def _zone(found: re.Match[str]) -> timezone | None:
    sign, hours, minutes, utc = found.groups()[6:]
    if utc or not sign:
        return UTC if utc else None
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if sign == "-" else offset)
