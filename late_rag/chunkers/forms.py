"""What form the text of a document has, by its mime type and, for logs, by the text itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto

from late_rag.types import Document


class Form(Enum):
    """How a text is written, which says where it may be broken."""

    PROSE = auto()
    """Running text: paragraphs, sentences, lines that end anywhere."""

    MARKDOWN = auto()
    """Markdown: headings, tables, code in fences, and prose between them."""

    MIXED = auto()
    """Prose in which Markdown's tables and fences are known, but what looks like a heading may be none: mail."""

    LINES = auto()
    """Each line stands for itself: subtitles, logs."""

    CODE = auto()
    """Lines whose indentation says what belongs together: source code, configuration, XML."""


_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_SLIDES = frozenset({f"{_OFFICE}presentationml.presentation", f"{_OPEN_DOCUMENT}presentation"})

_FORMS: Mapping[str, Form] = {
    **dict.fromkeys(
        (
            *("text/markdown", "text/x-markdown", "text/html", "application/xhtml+xml", "application/epub+zip"),
            *("application/x-ipynb+json", "application/vnd.ms-excel"),
            *(f"{_OFFICE}wordprocessingml.document", f"{_OFFICE}spreadsheetml.sheet"),
            *(f"{_OPEN_DOCUMENT}text", f"{_OPEN_DOCUMENT}spreadsheet"),
            *_SLIDES,
        ),
        Form.MARKDOWN,
    ),
    "message/rfc822": Form.MIXED,
    **dict.fromkeys(("application/x-subrip", "text/vtt", "text/x-ssa", "text/x-log"), Form.LINES),
    **dict.fromkeys(
        (
            *("application/yaml", "application/toml", "application/xml", "text/xml", "text/yaml", "text/toml"),
            *("text/css", "text/javascript", "application/javascript", "application/sql"),
        ),
        Form.CODE,
    ),
}
"""Mime types whose text has a form of its own, or is given one when it is loaded; all other text is prose."""

_CODE_PREFIX = "text/x-"

_TABLES = frozenset({"text/csv", "text/tab-separated-values"})

_PAGED = frozenset({"application/pdf", *_SLIDES})
"""Mime types of documents whose pages are separated by form feeds."""


def form_of(document: Document) -> Form:
    """The form of the document's text; that of text without a form of its own is told from its lines."""
    mime_type = document.metadata.get("mime_type")
    if isinstance(mime_type, str):
        if mime_type in _FORMS:
            return _FORMS[mime_type]
        if mime_type.startswith(_CODE_PREFIX):
            return Form.CODE
    if mime_type in (None, "text/plain") and _is_log(document.text):
        return Form.LINES
    return Form.PROSE


def has_title(document: Document) -> bool:
    """Whether ``metadata["title"]`` is the title of the text; in a table it is a column like any other."""
    return document.metadata.get("mime_type") not in _TABLES


def is_paged(document: Document) -> bool:
    """Whether form feeds separate the pages of the document."""
    return document.metadata.get("mime_type") in _PAGED


_DATE = r"(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{2,4}|\d\d?[/-][A-Z][a-z]{2}[/-]\d{4})"
_TIME = r"\d\d?:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
_DAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d\d?"
_LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE)"
ENTRY = re.compile(
    r"[ \t]{0,4}(?:"
    rf"(?:<\d{{1,3}}>\d? ?)?[\[(]?(?:{_DATE}|{_TIME}(?![\d:])|{_DAY},? (?:\d{{4}} )?{_TIME})(?:[T \],:-]|$)"
    rf"|\[? {{0,9}}\d{{1,10}}\.\d{{3,9}}\]?[ \t:]"  # seconds
    rf"|[\[(]?{_LEVEL}\b[\]): |-]"
    r"|[IWEF]\d{4} \d\d:"
    r"|\d{10}(?:\d{3})?[ \t:]"  # seconds or milliseconds since 1970
    r"|[\w.-]{1,60} [\w./-]{1,60}\[\d{1,10}\]: "  # host and process
    r"|\{[ \t]{0,4}\"[^\n]{1,99999}\}[ \t\r]{0,9}(?=\n|\Z)"  # an object of JSON
    r"|(?:[\w.-]{1,60}=(?:\"[^\"\n]{0,999}\"|[^\s\"]{0,999})(?:[ \t]{1,9}|(?=\n|\Z))){2}"  # logfmt
    r"|\S{1,60} \S{1,60} \S{1,60} \[\d\d?/[A-Z][a-z]{2}/\d{4}:"  # web servers
    r")"
)
"""How the line that begins an entry of a log begins: a time, a level, a process; or what it is: fields."""

_TRACE = re.compile(
    r"[ \t]{1,20}(?:at [\w.$<>/]{1,200}[(\[]|\.{3} \d{1,9} (?:more|common)|File \"[^\"\n]{1,500}\", line \d)"
    r"|Caused by: |Traceback \(most recent call last\):"
)
"""How lines of a stack trace begin, which belong to the entry above them."""

_SAMPLE = 1 << 16
_LEAST_LINES = 6


def _is_log(text: str) -> bool:
    """Whether at least half of the lines, as far as they are looked at, begin an entry or are of a stack trace."""
    lines = [line for line in text[:_SAMPLE].split("\n") if line.strip()]
    told = sum(1 for line in lines if ENTRY.match(line) or _TRACE.match(line))
    return len(lines) >= _LEAST_LINES and 2 * told >= len(lines)
