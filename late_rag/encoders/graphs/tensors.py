"""Safetensors files, read with numpy: https://github.com/huggingface/safetensors#format."""

from __future__ import annotations

import json
import mmap
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from late_rag.encoders.checkpoint.weights import INDEX, WEIGHTS, read_index, weight_files
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Array: TypeAlias = npt.NDArray[np.float32]

_LONGEST_HEADER = 100_000_000  # bytes, as the format says
_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}


class Tensors:
    """The tensors of a module by name, in one file or in shards; each is read when it is asked for.

    Raises:
        ModelError: there are none, or a file is not of this format; two files have a tensor of one name, or the index
            says that one has a tensor that it lacks.
    """

    def __init__(self, folder: Path) -> None:
        self._places: dict[str, _File] = {}
        files = {file.name: _File(file) for file in weight_files(folder)}
        if not files:
            raise ModelError(
                f"{folder} has no {WEIGHTS}; weights in another form, such as pytorch_model.bin, can run code when "
                "they are read. Save the checkpoint anew as safetensors"
            )
        self.file = folder / (WEIGHTS if WEIGHTS in files else INDEX)
        for file in files.values():
            for name in file:
                if name in self._places:
                    raise ModelError(f"{self._places[name].file} and {file.file} both have a tensor {name[:200]!r}")
                self._places[name] = file
        if WEIGHTS not in files:
            for name, place in read_index(folder).items():
                if self._places.get(name) is not files[place]:
                    raise ModelError(f"{self.file} says that {place} has a tensor {name[:200]!r}, which it lacks")

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def rows(self, name: str) -> int:
        """How many rows a table has, 0 where it is none; :meth:`read` says what is wrong with it."""
        return self._places[name].rows(name) if name in self._places else 0

    def read(self, name: str, shape: tuple[int, ...]) -> Array:
        """The tensor with this name, float32, which must have this shape.

        Raises:
            ModelError: it is not there, of another shape, no floating point numbers, or cut off.
        """
        if name not in self._places:
            raise ModelError(f"{self.file} has no tensor {name!r}, which the checkpoint's config asks for")
        return self._places[name].read(name, shape)


class _File:
    """The tensors of one file by name.

    Raises:
        ModelError: the file is not of this format, or cut off.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with file.open("rb") as stream:
                self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise ModelError(f"{file} cannot be read: {error}") from error
        length = int.from_bytes(self._data[:8], "little")
        self._start = 8 + length
        if len(self._data) < 8 or length > min(_LONGEST_HEADER, len(self._data) - 8):
            raise self._broken("its header does not fit into it")
        self._entries = self._header(length)

    def _header(self, length: int) -> dict[str, Any]:
        try:
            header = json.loads(self._data[8 : 8 + length].decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise self._broken("its header is no JSON") from error
        if not isinstance(header, dict):
            raise self._broken("its header is no object")
        return {name: entry for name, entry in header.items() if name != "__metadata__"}

    def _broken(self, why: str) -> ModelError:
        return ModelError(f"{self.file} is no safetensors file, or cut off: {why}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def rows(self, name: str) -> int:
        """As :meth:`Tensors.rows`."""
        entry = self._entries.get(name)
        shape = entry.get("shape") if isinstance(entry, dict) else None
        return shape[0] if isinstance(shape, list) and shape and type(shape[0]) is int else 0

    def read(self, name: str, shape: tuple[int, ...]) -> Array:
        """As :meth:`Tensors.read`."""
        entry = self._entries[name]
        try:
            kind, (start, stop) = str(entry["dtype"]), map(int, entry["data_offsets"])
            found = tuple(map(int, entry["shape"]))
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise self._broken(f"it says nothing of {name!r} that can be read") from error
        if found != shape:
            raise ModelError(f"{self.file}: {name} has the shape {found}, the checkpoint's config says {shape}")
        if kind not in _TYPES:
            raise ModelError(f"{self.file}: {name} is {kind[:20]}; weights are {', '.join(_TYPES)}")
        dtype = _TYPES[kind]
        if not 0 <= start <= stop <= len(self._data) - self._start or stop - start != prod(shape) * dtype.itemsize:
            raise self._broken(f"{name!r} does not fit into it")
        values = np.frombuffer(self._data, dtype, prod(shape), self._start + start).reshape(shape)
        if kind == "BF16":  # the upper half of a float32
            widened: Array = (values.astype(np.uint32) << 16).view(np.float32)
            return widened
        return np.ascontiguousarray(values, np.float32)
