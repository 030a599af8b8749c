"""What Office and OpenDocument files say of themselves: title, author, and the dates on which they were made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from late_rag.loaders.archive import Archive
from late_rag.loaders.titles import is_title

_LONGEST = 500
_FIELDS = {  # by the name of the element, without its namespace, and how much it is to be believed
    "title": ("title",),
    "author": ("initial-creator", "creator"),
    "created": ("creation-date", "created"),
    "modified": ("modified", "date"),
}


def properties(archive: Archive, part: str, *, expected: bool = False) -> dict[str, str]:
    """The sane ones of ``title``, ``author``, ``created`` and ``modified`` (ISO 8601), for a document's metadata.

    Args:
        archive: the file.
        part: the member that holds them; where it is damaged there are none, and an omission of the archive.
        expected: whether a file without this member lacks it.
    """
    root = archive.xml_if_sound(part) if expected or part in archive.names else None
    if root is None:
        return {}
    texts: dict[str, str] = {}
    for element in root.iter():
        if isinstance(element.tag, str):
            texts.setdefault(element.tag.rpartition("}")[2], element.text or "")
    return sane((name, next((texts[tag] for tag in tags if tag in texts), "")) for name, tags in _FIELDS.items())


def sane(values: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names and texts, without those that say nothing: no title, a date that cannot be."""
    tidied = ((name, _date(text) if name in ("created", "modified") else _words(text)) for name, text in values)
    return {name: text for name, text in tidied if text and (name != "title" or is_title(text))}


def _words(text: str) -> str:
    words = " ".join(text[: 2 * _LONGEST].split())[:_LONGEST]
    return "" if "\ufffd" in words else "".join(filter(str.isprintable, words))


def _date(text: str) -> str:
    """In ISO 8601, as exact as it is given."""
    text = text.strip()
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return ""
    if not 1980 < date.year < 2100:
        return ""
    return date.isoformat(timespec="seconds") if len(text) > len("2020-01-31") else date.date().isoformat()
