"""A transformer as an ONNX graph, in fp32 and in int8: what all architectures share.

int8 means: symmetric weights, a scale for each output channel; word embeddings with a scale for each row; activations
quantised while they are computed, asymmetric, one scale for each text. Dense layers, norms and attention stay in fp32.
What an activation's one scale must span is made small first, by rewriting the network without a change of its result:

- each channel's middle is subtracted where norms and values add their bias, and added back by the biases of what reads
  them (as in Outlier Suppression+, https://arxiv.org/abs/2304.09145);
- channels that are still wide are divided before the feed-forward layer, whose weights are multiplied instead (as in
  SmoothQuant, https://arxiv.org/abs/2211.10438);
- the few hidden units that become largest are computed in fp32 beside the rest (as in LLM.int8(),
  https://arxiv.org/abs/2208.07339).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from late_rag.encoders.graphs import protobuf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from late_rag.encoders.graphs.tensors import Array

Weights: TypeAlias = "Mapping[str, Array]"

MICROSOFT = "com.microsoft"
LARGEST = 127  # of symmetric int8
LARGE_UNITS = 16  # hidden units of a layer that are computed in fp32, at most
WIDEST = 1.5  # times the median: how wide a channel may be before it is divided


@dataclass
class Graph:
    """An ONNX graph in the making. Values are known by name."""

    nodes: list[bytes] = field(default_factory=list)
    constants: dict[str, protobuf.Tensor] = field(default_factory=dict)

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        """A constant, stored once for each name."""
        if name not in self.constants:
            self.constants[name] = np.asarray(value)
        return name

    def add(self, kind: str, output: str, *inputs: str, domain: str = "", **attributes: protobuf.Attribute) -> str:
        """A node with one output, which is returned."""
        return self.add_many(kind, (output,), *inputs, domain=domain, **attributes)[0]

    def add_many(
        self, kind: str, outputs: tuple[str, ...], *inputs: str, domain: str = "", **attributes: protobuf.Attribute
    ) -> tuple[str, ...]:
        """A node with several outputs, which are returned."""
        self.nodes.append(protobuf.node(kind, inputs, outputs, domain, attributes))
        return outputs

    def write(self, file: Path, output: str, dim: int, observed: Sequence[str] = ()) -> None:
        """Writes the model: (batch, tokens) int64 ids and mask to (batch, tokens, dim) float32, and the observed."""
        inputs = [protobuf.value(name, protobuf.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")]
        outputs = [protobuf.value(output, protobuf.FLOAT, ["batch", "tokens", dim])]
        outputs += [protobuf.value(name, protobuf.FLOAT, ["batch", "tokens", f"{name} dim"]) for name in observed]
        protobuf.write_model(file, self.nodes, self.constants, inputs, outputs, "a late-interaction encoder")


@dataclass(frozen=True)
class Ranges:
    """The least and the largest value of each channel, by the name of what is quantised."""

    lowest: Mapping[str, Array]
    highest: Mapping[str, Array]

    def middle(self, name: str) -> Array:
        """The middle of each channel, rounded so that it is the same wherever it is measured."""
        middle: Array = (np.round((self.lowest[name] + self.highest[name]) * 8) / 16).astype(np.float32)
        return middle

    def divisors(self, name: str) -> Array:
        """For each channel the power of two that makes it about as wide as most, 1 where it is."""
        width = self.highest[name] - self.lowest[name]
        excess = width / max(WIDEST * float(np.median(width)), 1e-6)
        powers: Array = np.exp2(np.round(np.log2(np.maximum(excess, 1)))).astype(np.float32)
        return powers

    def largest(self, name: str, count: int) -> npt.NDArray[np.intp]:
        """The channels with the largest values, in their order."""
        size = np.maximum(self.highest[name], -self.lowest[name])
        return np.sort(np.argsort(-size, kind="stable")[:count])


@dataclass(frozen=True)
class Edge:
    """A value that is quantised, and where its middle goes: taken from the bias of ``source``.

    ``readers`` get what it would have made of it. Where the value also goes on beside them, the bias of ``beside``
    gives it back.
    """

    value: str
    source: str
    readers: tuple[str, ...]
    beside: str | None = None


class Network(ABC):
    """A transformer whose weights have the names of its architecture, without a prefix.

    Args:
        weights: float32, matrices as PyTorch's Linear has them, ``(out, in)``.
        layers: how many there are.
        heads: of attention.
        activation: of the feed-forward layer, as configs call it.
        ranges: makes it int8.
    """

    def __init__(
        self, weights: Weights, layers: int, heads: int, activation: str, ranges: Ranges | None = None
    ) -> None:
        self.graph = Graph()
        self.layers, self.heads, self.activation = layers, heads, activation
        self.weights = dict(weights)
        self._ranges = ranges
        self._quantised: dict[str, tuple[str, ...]] = {}
        if ranges is not None:
            self._centre(ranges)

    @abstractmethod
    def build(self) -> str:
        """Adds all nodes; the name of the last layer's rows, ``(batch, tokens, hidden)``."""

    @abstractmethod
    def edges(self) -> list[Edge]:
        """The quantised values that can be centred."""

    @abstractmethod
    def wide_values(self) -> list[str]:
        """The values of the feed-forward layers' hidden units."""

    @abstractmethod
    def _wide(self, state: str, prefix: str, inner: Sequence[str]) -> str:
        """The hidden units of a feed-forward layer: its activation and what it multiplies; named ``{prefix}wide``."""

    def observed(self) -> list[str]:
        """The values whose ranges int8 must know."""
        return [*(edge.value for edge in self.edges()), *self.wide_values()]

    def _centre(self, ranges: Ranges) -> None:
        for edge in self.edges():
            middle = ranges.middle(edge.value)
            for reader in edge.readers:
                self._add_bias(reader, self.weights[f"{reader}.weight"] @ middle)
            self._add_bias(edge.source, -middle)
            if edge.beside is not None:
                self._add_bias(edge.beside, middle)

    def _add_bias(self, name: str, value: Array) -> None:
        bias = self.weights.get(f"{name}.bias")
        self.weights[f"{name}.bias"] = value if bias is None else bias + value

    def words(self, table: Array) -> str:
        """The rows of the word embeddings."""
        graph = self.graph
        if self._ranges is None:
            return graph.add("Gather", "words", graph.constant("words.table", table), "input_ids")
        values, scales = quantise(table, axis=1)
        graph.add("Gather", "words.int8", graph.constant("words.table", values), "input_ids")
        graph.add("Gather", "words.scale", graph.constant("words.scales", scales), "input_ids")
        graph.add("Cast", "words.float", "words.int8", to=protobuf.FLOAT)
        return graph.add("Mul", "words", "words.float", "words.scale")

    def norm(self, value: str, name: str, epsilon: float) -> str:
        """Layer normalisation, with a bias where there is one."""
        parts = [f"{name}.{part}" for part in ("weight", "bias") if f"{name}.{part}" in self.weights]
        constants = [self.graph.constant(part, self.weights[part]) for part in parts]
        return self.graph.add("LayerNormalization", f"{name}.out", value, *constants, axis=-1, epsilon=float(epsilon))

    def linear(self, value: str, name: str, *, exact: bool = False) -> str:
        """Product and bias; in fp32 where it is ``exact``."""
        product = self.product(value, name, exact=exact)
        if f"{name}.bias" not in self.weights:
            return product
        bias = self.graph.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.graph.add("Add", f"{name}.out", product, bias)

    def product(self, value: str, name: str, *, exact: bool = False) -> str:
        """The product alone; in int8 in the form that ONNX Runtime fuses into one kernel."""
        graph, matrix = self.graph, self.weights[f"{name}.weight"].T
        if exact or self._ranges is None:
            return graph.add("MatMul", f"{name}.product", value, graph.constant(f"{name}.weight", matrix))
        if value not in self._quantised:
            names = tuple(f"{value}.{part}" for part in ("int8", "scale", "zero"))
            self._quantised[value] = graph.add_many("DynamicQuantizeLinear", names, value)
        activation, scale, zero = self._quantised[value]
        values, scales = quantise(matrix, axis=0)
        weight = graph.constant(f"{name}.weight", values)
        weight_zero = graph.constant(f"{name}.zero", np.zeros(values.shape[1], np.int8))
        graph.add("MatMulInteger", f"{name}.integer", activation, weight, zero, weight_zero)
        graph.add("Cast", f"{name}.float", f"{name}.integer", to=protobuf.FLOAT)
        graph.add("Mul", f"{name}.scale", scale, graph.constant(f"{name}.scales", scales[0]))
        return graph.add("Mul", f"{name}.product", f"{name}.float", f"{name}.scale")

    def activate(self, value: str, output: str, kind: str) -> str:
        """An activation function, by the name that configs give it."""
        graph = self.graph
        if kind in GELUS:
            return graph.add("Gelu", output, value, approximate=GELUS[kind])
        if kind in ("silu", "swish"):
            return graph.add("Mul", output, value, graph.add("Sigmoid", f"{output}.gate", value))
        return graph.add({"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[kind], output, value)

    def feed_forward(self, state: str, prefix: str, inner: Sequence[str], outer: str) -> str:
        """The feed-forward layer: ``inner`` products give the hidden units, ``outer`` reads them."""
        if self._ranges is None:
            return self.linear(self._wide(state, prefix, inner), outer)
        divisors = self._ranges.divisors(state)
        for name in inner:
            self.weights[f"{name}.weight"] = self.weights[f"{name}.weight"] * divisors
        narrow = self.graph.add("Mul", f"{prefix}narrow", state, self.graph.constant(f"{prefix}factors", 1 / divisors))
        units = len(self.weights[f"{inner[0]}.weight"])
        large = self._ranges.largest(f"{prefix}wide", min(LARGE_UNITS, units // 8))
        few = self._units(narrow, prefix, "few", large, inner, outer)
        most = self._units(narrow, prefix, "most", np.setdiff1d(np.arange(units), large), inner, outer)
        return self.graph.add("Add", f"{prefix}both", most, few)

    def _units(
        self, state: str, prefix: str, part: str, units: npt.NDArray[np.intp], inner: Sequence[str], outer: str
    ) -> str:
        """What some of the hidden units add up to; the few in fp32, and without the bias that is added once."""
        names = [f"{prefix}{part}.in{number}" for number in range(len(inner))]
        for name, whole in zip(names, inner, strict=True):
            self.weights[f"{name}.weight"] = self.weights[f"{whole}.weight"][units]
            if f"{whole}.bias" in self.weights:
                self.weights[f"{name}.bias"] = self.weights[f"{whole}.bias"][units]
        out = f"{prefix}{part}.out"
        self.weights[f"{out}.weight"] = self.weights[f"{outer}.weight"][:, units]
        if part == "most" and f"{outer}.bias" in self.weights:
            self.weights[f"{out}.bias"] = self.weights[f"{outer}.bias"]
        wide = self._wide(state, f"{prefix}{part}.", names)
        return self.linear(wide, out, exact=part == "few")

    def is_exact(self, prefix: str) -> bool:
        """Whether the units of this prefix are the few in fp32."""
        return prefix.endswith(".few.")


GELUS = {"gelu": "none", "gelu_python": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_fast": "tanh"}
ACTIVATIONS = frozenset({*GELUS, "silu", "swish", "relu", "tanh", "sigmoid"})


def quantise(matrix: Array, axis: int) -> tuple[npt.NDArray[np.int8], Array]:
    """int8 values and their scales: the largest of every vector along ``axis`` becomes 127."""
    scales = np.abs(matrix).max(axis=axis, keepdims=True) / LARGEST
    scales[scales == 0] = 1
    return np.round(matrix / scales).astype(np.int8), scales.astype(np.float32)
