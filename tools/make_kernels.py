"""Writes the ONNX graphs behind late_rag.scoring.products. Needs ``onnx``; run from the repository root.

``integer.onnx``: (tokens, dim) uint8 with zero point 128 × (dim, query tokens) int8 → (tokens, query tokens) int32.
``double.onnx``: (tokens, dim) float64 × (dim, query tokens) float64 → (query tokens, tokens) float64.
``float.onnx``: the same in float32.

The transposes of the other two stand in the graph because they are cheaper there than strided maxima in numpy
afterwards; the integer one's maxima are taken in the order of its output (see late_rag.indexes.blocks).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

FOLDER = Path(__file__).resolve().parent.parent / "late_rag" / "scoring"
OPSET, IR_VERSION = 17, 8  # old enough for every onnxruntime that late_rag admits


def _model(name: str, nodes: list, left: int, right: int, output: int, initializers: list) -> ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        name,
        [value("tokens", left, ["tokens", "dim"]), value("query", right, ["dim", "query_tokens"])],
        [value("scores", output, ["rows", "columns"])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "late_rag"
    checker.check_model(model)
    return model


def models() -> dict[str, ModelProto]:
    """The graphs by file name."""
    transpose = helper.make_node("Transpose", ["products"], ["scores"], perm=[1, 0])
    zero = numpy_helper.from_array(np.array(128, np.uint8), "zero")
    integer = [helper.make_node("MatMulInteger", ["tokens", "query", "zero"], ["scores"])]
    real = [helper.make_node("MatMul", ["tokens", "query"], ["products"]), transpose]
    uint8, int8, int32 = TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32
    single, double = TensorProto.FLOAT, TensorProto.DOUBLE
    return {
        "integer.onnx": _model("integer", integer, uint8, int8, int32, [zero]),
        "float.onnx": _model("float", real, single, single, single, []),
        "double.onnx": _model("double", real, double, double, double, []),
    }


if __name__ == "__main__":
    for name, model in models().items():
        (FOLDER / name).write_bytes(model.SerializeToString())
