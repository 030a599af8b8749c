"""The options of the ONNX encoder: which file, which device, how many workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from late_rag.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Precision: TypeAlias = Literal["int8", "fp32"]
Device: TypeAlias = Literal["cpu", "cuda"]
DeviceOption: TypeAlias = Literal["auto", "cpu", "cuda"]

MODEL_FILES: Mapping[Precision, str] = {"int8": "model_int8.onnx", "fp32": "model.onnx"}
"""By precision, in order of preference on a CPU."""

WORKERS_VARIABLE = "LATE_RAG_WORKERS"


def check_options(precision: object, device: object) -> None:
    """Refuses a precision or a device that there is not.

    Raises:
        InputError: names the option, its value, and the values there are.
    """
    _check_choice("precision", precision, (None, *get_args(Precision)))
    _check_choice("device", device, get_args(DeviceOption))


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise InputError(f"{name} is {value!r}; there are {', '.join(map(repr, choices))}")


def choose(folder: Path, precision: Precision | None, device: DeviceOption) -> tuple[Precision, Device]:
    """The model file and the device to begin with: quantised weights are for a CPU, CUDA takes fp32.

    Raises:
        ModelError: the folder has no such file.
    """
    there = [name for name, file in MODEL_FILES.items() if (folder / file).is_file()]
    if not there:
        raise ModelError(f"{folder} has neither {' nor '.join(MODEL_FILES.values())}")
    if precision is not None and precision not in there:
        raise ModelError(f"{folder} has no {MODEL_FILES[precision]}, only {MODEL_FILES[there[0]]}")
    fits_cuda = "fp32" in there and precision != "int8"
    if device == "cuda" and not fits_cuda:
        raise ModelError(f"{folder}: CUDA runs fp32 weights, {MODEL_FILES['fp32']}; use device='cpu' for int8")
    if device != "cpu" and fits_cuda and cuda_available():
        return "fp32", "cuda"
    if device == "cuda":
        raise ModelError("this ONNX Runtime has no CUDA: install onnxruntime-gpu in its place, or use device='cpu'")
    return precision or there[0], "cpu"


def cuda_available() -> bool:
    """Whether this ONNX Runtime was built for CUDA; whether there is a device shows when a model is loaded."""
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def worker_count(given: int | None) -> int:
    """The number given, else that of the variable ``LATE_RAG_WORKERS``, else one for each CPU of this process.

    Raises:
        InputError: it is no number of at least 1.
    """
    text = os.environ.get(WORKERS_VARIABLE, "")
    if given is not None or not text:
        return at_least_one("workers", given) or _cpus()
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"the variable {WORKERS_VARIABLE} is {text!r}, not a number of workers")
    return int(text)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_least_one(name: str, value: object) -> int | None:
    """The value, where there is one.

    Raises:
        InputError: it is no number of at least 1.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is {value!r}, not a number of at least 1")
    return value
