"""Scripts that are written without spaces between words: Han, Kana, Thai, Lao, Khmer, Burmese."""

from __future__ import annotations

import re

_LETTERS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)

LETTER = re.compile(f"[{_LETTERS}]")
RUN = re.compile(f"([{_LETTERS}]+)")
"""Grouped, so that splitting by it keeps the runs."""
