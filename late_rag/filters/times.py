"""Times: ISO 8601 texts, dates and datetimes as numbers that compare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

_PATTERN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"(?:(Z)|([+-])(\d\d)(?::?(\d\d)(?::(\d\d)(?:\.(\d{6}))?)?)?)?)?",
    re.ASCII,
)
_START = datetime(1, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Time:
    """A point in time in microseconds since the year 1.

    ``wall`` is what the clock on the wall showed; ``instant`` the same moment in UTC, None where no offset is known.
    """

    wall: int
    instant: int | None


def time_of(value: str | date) -> Time | None:
    """The time that a date (its first moment), datetime or text stands for; None for a text that is none.

    Texts are those of ISO 8601's extended format with a whole date: ``2020-01-31``, ``2020-01-31T10:30``,
    ``2020-01-31 10:30:59.5Z``, ``2020-01-31T10:30:00+01:00``; digits past the microsecond are cut off.
    """
    if isinstance(value, str):
        if len(value) < 10 or value[4] != "-":  # most texts are none, and this is cheap to see
            return None
        moment = read_datetime(value)
        return None if moment is None else _of_datetime(moment)
    if isinstance(value, datetime):
        return _of_datetime(value)
    return Time((value - date(1, 1, 1)) // _MICROSECOND, None)


def _of_datetime(value: datetime) -> Time:
    wall = (value.replace(tzinfo=None) - _START) // _MICROSECOND
    offset = value.utcoffset()
    return Time(wall, None if offset is None else wall - offset // _MICROSECOND)


def read_datetime(text: str) -> datetime | None:
    """The datetime that an ISO 8601 text names; None where it names none (the 30th of February, 25 o'clock)."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, utc, sign, *offset = match.groups()
    try:
        zone = UTC if utc else _offset(sign, *offset) if sign else None
        micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
        return datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro, tzinfo=zone
        )
    except ValueError:
        return None


def _offset(sign: str, hours: str, minutes: str | None, seconds: str | None, micro: str | None) -> timezone:
    if int(minutes or 0) > 59 or int(seconds or 0) > 59:
        raise ValueError("an offset's minutes and seconds end at 59")
    size = timedelta(
        hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0), microseconds=int(micro or 0)
    )
    return timezone(size if sign == "+" else -size)
