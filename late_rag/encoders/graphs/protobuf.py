"""ONNX files, written without the ``onnx`` library: the few messages of onnx.proto that a graph needs.

Numbers of fields are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Weights are written from where
they lie, so a file takes no memory beside them. ``onnx.checker`` reads the files in the tests.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Attribute: TypeAlias = int | float | str
Tensor: TypeAlias = npt.NDArray[np.generic]
Buffers: TypeAlias = list["bytes | memoryview"]

OPSET, ATTENTION_OPSET = 20, 23
"""Gelu is an operator since opset 20, which ONNX Runtime 1.20 reads, and Attention since 23, which 1.25 runs."""

_ATTENTION_SINCE = 1, 25  # of ONNX Runtime; its kernel makes int8 3 to 8 % faster than MultiHeadAttention
_IR_VERSIONS = {OPSET: 9, ATTENTION_OPSET: 10}
LONGEST = 1 << 30
"""Bytes of weights that are written into the file itself; protobuf ends at twice as many."""

_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
INT64, FLOAT, INT32 = 7, 1, 6
_SMALL = 1024  # bytes of a tensor that always stands in the file itself


def newest_opset() -> int:
    """The operators with which this ONNX Runtime is quickest."""
    import onnxruntime

    version = tuple(int(part) for part in onnxruntime.__version__.split(".")[:2])
    return ATTENTION_OPSET if version >= _ATTENTION_SINCE else OPSET


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _size(buffers: Buffers) -> int:
    return sum(len(buffer) for buffer in buffers)


def _message(field: int, content: Buffers) -> Buffers:
    return [_varint(field << 3 | 2) + _varint(_size(content)), *content]


def _text(field: int, value: str) -> bytes:
    data = value.encode("utf-8")
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def node(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, attributes: Mapping[str, Attribute]
) -> bytes:
    """A node, named for its first output."""
    parts = [_text(1, name) for name in inputs] + [_text(2, name) for name in outputs]
    parts += [_text(3, f"/{outputs[0]}"), _text(4, kind)]
    for name, value in attributes.items():
        parts += _message(5, [_attribute(name, value)])  # type: ignore[arg-type]
    return b"".join([*parts, _text(7, domain)] if domain else parts)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    if isinstance(value, float):
        return _text(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)
    return _text(1, name) + _number(3, int(value)) + _number(20, 2)


def value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    """What goes in or comes out: its name, element type and shape."""
    dims = [part for dim in shape for part in _message(1, [_text(2, dim) if isinstance(dim, str) else _number(1, dim)])]
    tensor = [_number(1, kind), *_message(2, dims)]
    return b"".join([_text(1, name), *_message(2, _message(1, tensor))])


def write_model(
    file: Path,
    nodes: Sequence[bytes],
    constants: Mapping[str, Tensor],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    about: str,
    opset: int = OPSET,
) -> None:
    """Writes a model; weights that are too large for one file go into ``<file>_data`` beside it."""
    if sum(array.nbytes for array in constants.values()) <= LONGEST:
        tensors = [_inside(name, array) for name, array in constants.items()]
    else:
        with file.with_name(f"{file.name}_data").open("wb") as data:
            tensors = [_beside(name, array, data) for name, array in constants.items()]
    graph: Buffers = [part for item in nodes for part in _message(1, [item])]
    graph.append(_text(2, "encoder"))
    graph += [part for tensor in tensors for part in _message(5, tensor)]
    graph += [part for item in inputs for part in _message(11, [item])]
    graph += [part for item in outputs for part in _message(12, [item])]
    head: Buffers = [_number(1, _IR_VERSIONS[opset]), _text(2, "late_rag"), _text(6, about)]
    opsets = _message(8, [_text(1, ""), _number(2, opset)]) + _message(8, [_text(1, "com.microsoft"), _number(2, 1)])
    with file.open("wb") as stream:
        for buffer in (*head, *_message(7, graph), *opsets):
            stream.write(buffer)


def _about_tensor(name: str, array: Tensor) -> Buffers:
    return [*(_number(1, size) for size in array.shape), _number(2, _TYPES[array.dtype.name]), _text(8, name)]


def _bytes(array: Tensor) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _inside(name: str, array: Tensor) -> Buffers:
    return [*_about_tensor(name, array), *_message(9, [_bytes(array)])]


def _beside(name: str, array: Tensor, data: BinaryIO) -> Buffers:
    if array.nbytes <= _SMALL:
        return _inside(name, array)
    data.write(bytes(-data.tell() % 4096))  # so that each can be mapped
    told = {"location": Path(data.name).name, "offset": str(data.tell()), "length": str(array.nbytes)}
    data.write(_bytes(array))
    entries = [part for key, text in told.items() for part in _message(13, [_text(1, key), _text(2, text)])]
    return [*_about_tensor(name, array), *entries, _number(14, 1)]
