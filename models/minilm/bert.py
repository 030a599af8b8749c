"""all-MiniLM-L6-v2 with a projection on top as ONNX graphs, in fp32 and in int8. Used by make.py.

int8 means: symmetric weights, a scale for each output channel; word embeddings with a scale for each row; activations
quantised while they are computed, asymmetric, one scale for each text. Head, norms and attention stay in fp32. What an
activation's one scale must span is made small first, by rewriting the network without changing what it computes:

- each channel's middle is subtracted where norms and values add their bias, and added back by the biases of what reads
  them (as in Outlier Suppression+, https://arxiv.org/abs/2304.09145);
- channels that are still wide are divided before the feed-forward layer, whose weights are multiplied instead (as in
  SmoothQuant, https://arxiv.org/abs/2211.10438);
- the few hidden units that become largest are computed in fp32 beside the rest (as in LLM.int8(),
  https://arxiv.org/abs/2208.07339).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array: TypeAlias = npt.NDArray[np.float32]
Weights: TypeAlias = Mapping[str, Array]

LAYERS, HEADS, HIDDEN, WIDE = 6, 12, 384, 1536
EPSILON = 1e-12
LARGEST = 127  # of symmetric int8
OPSET, IR_VERSION = 20, 9  # Gelu is an operator since opset 20; ONNX Runtime 1.20 reads both

LARGE_UNITS = 16  # hidden units of a layer that are computed in fp32
WIDEST = 1.5  # times the median: how wide a channel may be before it is divided
ABOUT = "all-MiniLM-L6-v2 (Apache-2.0, the sentence-transformers authors) as a late-interaction encoder"


@dataclass
class Graph:
    """An ONNX graph in the making. Values are known by name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        """A constant, stored once for each name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def add(self, kind: str, output: str, *inputs: str, **attributes: object) -> str:
        """A node with one output, which is returned."""
        return self.add_many(kind, (output,), *inputs, **attributes)[0]

    def add_many(self, kind: str, outputs: tuple[str, ...], *inputs: str, **attributes: object) -> tuple[str, ...]:
        """A node with several outputs, which are returned."""
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), name=f"/{outputs[0]}", **attributes))
        return outputs

    def model(self, output: str, dim: int) -> onnx.ModelProto:
        """The whole: (batch, tokens) int64 ids and mask to (batch, tokens, dim) float32."""
        describe = helper.make_tensor_value_info
        inputs = [describe(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")]
        outputs = [describe(output, TensorProto.FLOAT, ["batch", "tokens", dim])]
        graph = helper.make_graph(self.nodes, "minilm", inputs, outputs, list(self.constants.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="late-rag-minilm", doc_string=ABOUT)
        model.ir_version = IR_VERSION
        return model


class Bert:
    """The network in fp32."""

    def __init__(self, weights: Weights) -> None:
        self.weights = dict(weights)
        self.graph = Graph()

    def build(self, head: Array | None) -> onnx.ModelProto:
        """The model; without a head its output is the last layer, L2-normalised."""
        state = self._embeddings()
        self.graph.add("Cast", "mask", "attention_mask", to=TensorProto.INT32)
        for layer in range(LAYERS):
            state = self._layer(state, f"encoder.layer.{layer}.")
        if head is not None:
            state = self.graph.add("MatMul", "projected", state, self.graph.constant("head", head))
        self.graph.add("LpNormalization", "output", state, axis=-1, p=2)
        return self.graph.model("output", HIDDEN if head is None else head.shape[1])

    def _embeddings(self) -> str:
        graph, prefix = self.graph, "embeddings."
        positions = self.weights[f"{prefix}position_embeddings.weight"]
        positions = positions + self.weights[f"{prefix}token_type_embeddings.weight"][0]  # every token is of type 0
        graph.add("Shape", "shape", "input_ids", start=1)
        zero = graph.constant("zero", np.zeros(1, np.int64))
        graph.add("Slice", "positions", graph.constant("position_table", positions), zero, "shape", zero)
        graph.add("Add", "embedded", self._words(self.weights[f"{prefix}word_embeddings.weight"]), "positions")
        return self._norm("embedded", f"{prefix}LayerNorm")

    def _words(self, table: Array) -> str:
        return self.graph.add("Gather", "words", self.graph.constant("words.table", table), "input_ids")

    def _layer(self, state: str, prefix: str) -> str:
        mixed = self.graph.add("Add", f"{prefix}attention.sum", self._attention(state, f"{prefix}attention."), state)
        state = self._norm(mixed, f"{prefix}attention.output.LayerNorm")
        summed = self.graph.add("Add", f"{prefix}sum", self._feed_forward(state, prefix), state)
        return self._norm(summed, f"{prefix}output.LayerNorm")

    def _attention(self, state: str, prefix: str) -> str:
        parts = [f"{prefix}self.{name}" for name in ("query", "key", "value")]
        bias = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        products = [self._product(state, part) for part in parts]
        inputs = (*products, self.graph.constant(f"{prefix}bias", bias), "mask")
        context = f"{prefix}context"
        self.graph.add("MultiHeadAttention", context, *inputs, domain="com.microsoft", num_heads=HEADS)
        return self._linear(context, f"{prefix}output.dense")

    def _feed_forward(self, state: str, prefix: str) -> str:
        wide = self.graph.add("Gelu", f"{prefix}wide", self._linear(state, f"{prefix}intermediate.dense"))
        return self._linear(wide, f"{prefix}output.dense")

    def _norm(self, value: str, name: str) -> str:
        scale = self.graph.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.graph.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.graph.add("LayerNormalization", f"{name}.out", value, scale, bias, axis=-1, epsilon=EPSILON)

    def _linear(self, value: str, name: str) -> str:
        bias = self.graph.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.graph.add("Add", f"{name}.out", self._product(value, name), bias)

    def _product(self, value: str, name: str) -> str:
        matrix = self.graph.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self.graph.add("MatMul", f"{name}.product", value, matrix)


@dataclass(frozen=True)
class Ranges:
    """The least and the largest value of each channel, by the name of what is quantised."""

    lowest: Mapping[str, Array]
    highest: Mapping[str, Array]

    def middle(self, name: str) -> Array:
        """The middle of each channel, rounded so that it is the same wherever it is measured."""
        return (np.round((self.lowest[name] + self.highest[name]) * 8) / 16).astype(np.float32)

    def divisors(self, name: str) -> Array:
        """For each channel the power of two that makes it about as wide as most, 1 where it is."""
        width = self.highest[name] - self.lowest[name]
        excess = width / (WIDEST * np.median(width))
        return np.exp2(np.round(np.log2(np.maximum(excess, 1)))).astype(np.float32)


def quantised_values() -> list[str]:
    """The names of the activations whose ranges :class:`Int8Bert` must know."""
    layers = [f"encoder.layer.{layer}." for layer in range(LAYERS)]
    names = ("attention.context", "attention.output.LayerNorm.out", "wide", "output.LayerNorm.out")
    return ["embeddings.LayerNorm.out", *(f"{layer}{name}" for layer in layers for name in names)]


class Int8Bert(Bert):
    """The network in int8."""

    def __init__(self, weights: Weights, ranges: Ranges) -> None:
        super().__init__(centred(weights, ranges))
        self._ranges = ranges
        self._quantised: dict[str, tuple[str, ...]] = {}

    def _words(self, table: Array) -> str:
        graph = self.graph
        values, scales = quantise(table, axis=1)
        graph.add("Gather", "words.int8", graph.constant("words.table", values), "input_ids")
        graph.add("Gather", "words.scale", graph.constant("words.scales", scales), "input_ids")
        graph.add("Cast", "words.float", "words.int8", to=TensorProto.FLOAT)
        return graph.add("Mul", "words", "words.float", "words.scale")

    def _feed_forward(self, state: str, prefix: str) -> str:
        divisors = self._ranges.divisors(f"{prefix}attention.output.LayerNorm.out")
        inner = f"{prefix}intermediate.dense.weight"
        self.weights[inner] = self.weights[inner] * divisors
        narrow = self.graph.add("Mul", f"{prefix}narrow", state, self.graph.constant(f"{prefix}factors", 1 / divisors))
        large = np.sort(np.argsort(-self._ranges.highest[f"{prefix}wide"], kind="stable")[:LARGE_UNITS])
        few = self._units(narrow, prefix, "few", large)
        most = self._units(narrow, prefix, "most", np.setdiff1d(np.arange(WIDE), large))
        return self.graph.add("Add", f"{prefix}both", most, few)

    def _units(self, state: str, prefix: str, part: str, units: npt.NDArray[np.int64]) -> str:
        """What some of the hidden units add up to; the few in fp32, and without the bias that is added once."""
        inner, outer = f"{prefix}{part}.in", f"{prefix}{part}.out"
        self.weights[f"{inner}.weight"] = self.weights[f"{prefix}intermediate.dense.weight"][units]
        self.weights[f"{inner}.bias"] = self.weights[f"{prefix}intermediate.dense.bias"][units]
        self.weights[f"{outer}.weight"] = self.weights[f"{prefix}output.dense.weight"][:, units]
        self.weights[f"{outer}.bias"] = self.weights[f"{prefix}output.dense.bias"]
        wide = self.graph.add("Gelu", f"{prefix}{part}.wide", self._linear(state, inner))
        return self._product(wide, outer) if part == "few" else self._linear(wide, outer)

    def _product(self, value: str, name: str) -> str:
        """The form that ONNX Runtime fuses into one kernel."""
        if ".few." in name:
            return super()._product(value, name)
        graph = self.graph
        if value not in self._quantised:
            names = tuple(f"{value}.{part}" for part in ("int8", "scale", "zero"))
            self._quantised[value] = graph.add_many("DynamicQuantizeLinear", names, value)
        activation, scale, zero = self._quantised[value]
        values, scales = quantise(self.weights[f"{name}.weight"].T, axis=0)
        weight = graph.constant(f"{name}.weight", values)
        weight_zero = graph.constant(f"{name}.zero", np.zeros(values.shape[1], np.int8))
        graph.add("MatMulInteger", f"{name}.integer", activation, weight, zero, weight_zero)
        graph.add("Cast", f"{name}.float", f"{name}.integer", to=TensorProto.FLOAT)
        graph.add("Mul", f"{name}.scale", scale, graph.constant(f"{name}.scales", scales[0]))
        return graph.add("Mul", f"{name}.product", f"{name}.float", f"{name}.scale")


def centred(weights: Weights, ranges: Ranges) -> dict[str, Array]:
    """Weights of the same network, in which what is quantised has the middle of each channel at 0."""
    changed = dict(weights)
    before = "embeddings.LayerNorm"
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        attention, norm = f"{prefix}attention.", f"{prefix}attention.output.LayerNorm"
        parts = [f"{attention}self.{name}" for name in ("query", "key", "value")]
        _move(changed, before, ranges.middle(f"{before}.out"), parts)
        _add(changed, f"{attention}output.dense", ranges.middle(f"{before}.out"))  # what the residual lacks
        _move(changed, parts[-1], ranges.middle(f"{attention}context"), [f"{attention}output.dense"])
        _move(changed, norm, ranges.middle(f"{norm}.out"), [f"{prefix}intermediate.dense"])
        _add(changed, f"{prefix}output.dense", ranges.middle(f"{norm}.out"))
        before = f"{prefix}output.LayerNorm"
    return changed


def _move(weights: dict[str, Array], source: str, middle: Array, readers: list[str]) -> None:
    """Takes ``middle`` from the bias of ``source`` and gives what it would have made to the biases of its readers."""
    for reader in readers:
        _add(weights, reader, weights[f"{reader}.weight"] @ middle)
    _add(weights, source, -middle)


def _add(weights: dict[str, Array], name: str, value: Array) -> None:
    weights[f"{name}.bias"] = weights[f"{name}.bias"] + value


def quantise(matrix: Array, axis: int) -> tuple[npt.NDArray[np.int8], Array]:
    """int8 values and their scales: the largest of every vector along ``axis`` becomes 127."""
    scales = np.abs(matrix).max(axis=axis, keepdims=True) / LARGEST
    return np.round(matrix / scales).astype(np.int8), scales.astype(np.float32)
