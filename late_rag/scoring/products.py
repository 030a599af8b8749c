"""Dot products of token rows with a query, by ONNX Runtime on one-thread sessions that all threads share.

numpy's BLAS would do, but its threads go on spinning after a product and slow down whatever runs next on the same
cores; and integer products it has none. The graphs are written by ``tools/make_kernels.py``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.registry import shared

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def _session(name: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = Path(__file__).with_name(f"{name}.onnx")
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _products(name: str, tokens: Any, query: Any) -> Any:
    session = shared.get(("kernel", name), partial(_session, name))
    return session.run(None, {"tokens": tokens, "query": query})[0]


def integer_products(tokens: npt.NDArray[np.uint8], query: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """``(tokens, dim) uint8`` with zero point 128 times ``(dim, n) int8``: ``(tokens, n) int32``, exact.

    Query values must stay within ±63: beyond, processors without VNNI saturate silently.
    """
    result: npt.NDArray[np.int32] = _products("integer", tokens, query)
    return result


def float_products(tokens: npt.NDArray[np.float32], query: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``(tokens, dim) float32`` times ``(dim, n) float32``: ``(n, tokens) float32``."""
    result: npt.NDArray[np.float32] = _products("float", tokens, query)
    return result


def double_products(tokens: npt.NDArray[np.float64], query: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``(tokens, dim) float64`` times ``(dim, n) float64``: ``(n, tokens) float64``."""
    result: npt.NDArray[np.float64] = _products("double", tokens, query)
    return result
