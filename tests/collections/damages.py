"""What happens to files: bytes flipped, overwritten, zeroed, or cut off, at a place drawn by chance."""

from __future__ import annotations

import random
from pathlib import Path

_KINDS = ("flip", "noise", "zeros", "cut")


def damaged(path: Path, rng: random.Random) -> str:
    """Changes a file; says how."""
    before = path.read_bytes()
    while True:
        kind = rng.choice(_KINDS)
        place = rng.randrange(max(1, len(before)))
        length = min(len(before) - place, rng.choice((1, 16, 512, 4096)))
        after = _changed(before, kind, place, length, rng)
        if after != before:
            path.write_bytes(after)
            return f"{kind} of {length} bytes at {place} of {len(before)}"


def _changed(before: bytes, kind: str, place: int, length: int, rng: random.Random) -> bytes:
    if kind == "cut":
        return before[:place]
    if kind == "flip":
        return before[:place] + bytes([before[place] ^ 1 << rng.randrange(8)]) + before[place + 1 :]
    new = bytes(length) if kind == "zeros" else rng.randbytes(length)
    return before[:place] + new + before[place + length :]
