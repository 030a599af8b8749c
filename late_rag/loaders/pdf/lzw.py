"""LZW as PDF has it (ISO 32000-1, 7.4.4): codes of 9 to 12 bits, high bits first."""

from __future__ import annotations

_CLEAR = 256
_END = 257
_WIDEST = 12


def lzw_decoded(data: bytes, longest: int, early: int = 1) -> bytes:
    """The bytes behind the codes, as far as there are any, up to the code that passes ``longest``.

    Args:
        data: the codes.
        longest: bytes that are wanted.
        early: how many codes early they get wider (``EarlyChange``).

    Raises:
        ValueError: a code stands for nothing.
    """
    table, before, out = [bytes((byte,)) for byte in range(256)] + [b"", b""], b"", bytearray()
    width, held, bits = 9, 0, 0
    for byte in data:
        held, bits = held << 8 | byte, bits + 8
        if bits < width:
            continue
        bits -= width
        code, held = held >> bits, held & ((1 << bits) - 1)
        if code == _END or len(out) >= longest:
            break
        if code == _CLEAR:
            del table[_END + 1 :]
            before = b""
        else:
            entry = _entry(table, code, before)
            out += entry
            if before and len(table) < 1 << _WIDEST:
                table.append(before + entry[:1])
            before = entry
        width = min(_WIDEST, (len(table) + early).bit_length())
    return bytes(out)


def _entry(table: list[bytes], code: int, before: bytes) -> bytes:
    """What a code stands for, which may be the entry that it makes."""
    if code < len(table):
        return table[code]
    if code > len(table) or not before:
        raise ValueError(f"LZW: the code {code} stands for nothing")
    return before + before[:1]
