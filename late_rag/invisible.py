"""Characters that change how a word is set, not which word it is: hints for line breaks, and ligatures.

The joiners U+200C and U+200D are not among them: they are spelling in Persian, in India's scripts and in emoji.
"""

from __future__ import annotations

import unicodedata

INVISIBLE = "\u00ad\u200b\u2060\ufeff"
"""The soft hyphen, the zero-width space, the word joiner and the byte order mark."""

LIGATURES = {letter: unicodedata.normalize("NFKC", letter) for letter in map(chr, range(0xFB00, 0xFB07))}
"""The ligature letters ff, fi, fl, ffi, ffl, long st and st, and the letters that each stands for."""
