"""Dot products of token rows with a query, by ONNX Runtime on one-thread sessions that worker threads share.

numpy's BLAS would do, but its threads go on spinning after a product and slow down whatever runs next on the same
cores; and integer products it has none. The graphs are written by ``tools/make_kernels.py``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from late_rag.registry import shared

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

T = TypeVar("T")
R = TypeVar("R")

WORKERS = os.cpu_count() or 1
_on_worker = threading.local()


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
    """``(tokens, dim) uint8`` with zero point 128 times ``(dim, n) int8``: ``(n, tokens) int32``, exact.

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


def _mark_worker() -> None:
    _on_worker.yes = True


def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="late-rag-scoring", initializer=_mark_worker)


def parallel(work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """``[work(part) for part in parts]`` on the process's scoring threads and this one, which does the last part."""
    listed = list(parts)
    if len(listed) < 2 or WORKERS == 1 or getattr(_on_worker, "yes", False):
        return [work(part) for part in listed]
    pool = shared.get(("kernel", "workers"), _workers)
    others = [pool.submit(work, part) for part in listed[:-1]]
    last = work(listed[-1])
    return [*(other.result() for other in others), last]
