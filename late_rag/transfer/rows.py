"""Stored rows as JSON: the fewest bytes that give back the same float32 values."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.errors import InputError
from late_rag.scoring.packing import pack, unpack

if TYPE_CHECKING:
    from late_rag.types import TokenEmbeddings

_TYPES: Mapping[str, np.dtype[Any]] = {"int8": np.dtype("i1"), "float16": np.dtype("<f2"), "float32": np.dtype("<f4")}
_LARGEST_SCALE = 1e6
"""Rows are of about unit norm; what is far beyond makes infinite scores."""


def rows_to_json(rows: TokenEmbeddings) -> dict[str, Any]:
    """``(tokens, dim) float32`` as base64 of int8 values with one scale, of float16, or of float32.

    The rows are ``values * float32(scale)``, where there is a scale.
    """
    packed = pack(rows)
    if np.array_equal(unpack(packed), rows):
        values = (packed.values.astype(np.int16) - 128).astype(np.int8)
        return {"dtype": "int8", "shape": list(rows.shape), "scale": packed.scale, "base64": _text(values)}
    dtype = "float16" if np.array_equal(rows.astype(np.float16).astype(np.float32), rows) else "float32"
    return {"dtype": dtype, "shape": list(rows.shape), "base64": _text(rows.astype(_TYPES[dtype]))}


def _text(values: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def rows_from_json(data: Any, dim: int) -> TokenEmbeddings:
    """What :func:`rows_to_json` wrote.

    Raises:
        InputError: anything else, or rows of another dim; says what is wrong.
    """
    try:
        dtype, (tokens, width), scale = _TYPES[data["dtype"]], data["shape"], float(data.get("scale", 1.0))
        values = np.frombuffer(base64.b64decode(data["base64"], validate=True), dtype).reshape(tokens, width)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
            rows: TokenEmbeddings = values.astype(np.float32) * np.float32(scale)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, binascii.Error) as error:
        raise InputError(f"embeddings that cannot be read ({error})") from error
    if width != dim:
        raise InputError(f"embeddings have dim {width}, the settings say {dim}")
    if not 0 <= scale <= _LARGEST_SCALE or isinstance(tokens, bool) or tokens < 0:
        raise InputError(f"embeddings of shape {tokens} × {width} and scale {scale}")
    if not np.isfinite(rows).all():
        raise InputError("embeddings hold NaN or infinity")
    return rows
