"""Titles that say nothing: a program made them of a file's name, or of nothing."""

from __future__ import annotations

import re

_NOTHING = """
    untitled (untitled) [untitled] anonymous (anonymous) unspecified (unspecified) unknown none null title author user
    owner admin administrator microsoft
"""
_NO_TITLE = re.compile(
    r"untitled(?:[- ]?\d+| document| presentation)?|(?:new |blank |word )?(?:document|presentation|page|slide|folie|"
    r"layout) ?\d*|powerpoint[- ](?:presentation|präsentation)|présentation powerpoint|no job name|print|"
    r"full page photo",
    re.IGNORECASE,
)
_WRITER = re.compile(
    r"(?:microsoft|ms) (?:office )?(?:word|excel|powerpoint|publisher|visio|outlook)(?:[ -]+\d{2,4})?(?: ?- .*)?",
    re.IGNORECASE,
)
_FILE = re.compile(
    r".*\.(?:docx?|docm|dotx?|rtf|odt|txt|pdf|tex|dvi|e?ps|ai|indd|qxd|fm|p65|pm[56]|cdr|pub|wp[ds]?|pptx?|pptm|pps|odp|"
    r"key|pages|xlsx?|xlsm|ods|csv|html?|xml|md|tiff?|jpe?g|png|dwg|vsdx?)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"[a-z]:[\\/]|(?:file|https?|about):|[\\/]|\\\\", re.IGNORECASE)


def says_nothing(text: str) -> bool:
    """Whether a title or name stands for none."""
    return text.lower() in _NOTHING.split()


def is_title(text: str) -> bool:
    """Whether a text in one line can be the title that somebody gave."""
    if not text or (len(text) == 1 and text.isascii()) or says_nothing(text):
        return False
    return not (any(form.fullmatch(text) for form in (_NO_TITLE, _WRITER, _FILE)) or _PLACE.match(text))
