"""A transformer as an ONNX graph, in fp32 and in int8: what all architectures share.

One run is one text, without padding. int8 means: symmetric weights, a scale for each output channel; word embeddings
with a scale for each row; activations asymmetric, with one scale, found beforehand from what they are over built-in
texts. Dense layers, norms and attention stay in fp32. What an activation's one scale must span is made small first, by
rewriting the network without a change of its result:

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
MARGIN = 1.1  # times what was seen of an activation: what it may span before its largest values are cut off
LARGE_UNITS = 16  # hidden units of a layer that are computed in fp32, at most
WIDEST = 1.5  # times the median: how wide a channel may be before it is divided


@dataclass
class Graph:
    """An ONNX graph in the making. Values are known by name."""

    opset: int = protobuf.OPSET
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

    def write(self, file: Path, inputs: Sequence[str], output: str, dim: int, observed: Sequence[str] = ()) -> None:
        """Writes the model: inputs ``(1, tokens) int64`` to ``(1, tokens, dim) float32``, and the observed."""
        known = [protobuf.value(name, protobuf.INT64, [1, "tokens"]) for name in inputs]
        outputs = [protobuf.value(output, protobuf.FLOAT, [1, "tokens", dim])]
        outputs += [protobuf.value(name, protobuf.FLOAT, [1, "tokens", f"{name} dim"]) for name in observed]
        about = "a late-interaction encoder"
        protobuf.write_model(file, self.nodes, self.constants, known, outputs, about, self.opset)


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
class Form:
    """Which graph a network becomes.

    Attributes:
        masked: the last tokens of a sequence may be such that none attends to, and the graph has a mask for them.
        ranges: makes it int8.
        opset: of the operators, which says what ONNX Runtime it needs.
    """

    masked: bool = False
    ranges: Ranges | None = None
    opset: int = protobuf.OPSET


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
        form: of the graph.
        ranges: makes it int8.
    """

    def __init__(
        self,
        weights: Weights,
        layers: int,
        heads: int,
        activation: str,
        form: Form,
    ) -> None:
        self.graph = Graph(form.opset)
        self.layers, self.heads, self.activation, self.masked = layers, heads, activation, form.masked
        self.weights = dict(weights)
        self._ranges = form.ranges
        self._bounds: dict[str, tuple[float, float]] = {}
        self._quantised: dict[str, tuple[str, ...]] = {}
        if form.ranges is not None:
            self._centre(form.ranges)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the graph takes."""
        return ("input_ids", "attention_mask") if self.masked else ("input_ids",)

    def build(self) -> str:
        """Adds all nodes; the name of the last layer's rows, ``(1, tokens, hidden)``."""
        if self.masked:
            axis = self.graph.constant("token axis", np.array([1]))
            self.graph.add("ReduceSum", "seen tokens", "attention_mask", axis, keepdims=0)
        return self._build()

    @abstractmethod
    def _build(self) -> str:
        """As :meth:`build`."""

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
            self._bound(edge.value, ranges.lowest[edge.value] - middle, ranges.highest[edge.value] - middle)
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
        if self._ranges is not None and not exact:
            return self._quantised_linear(value, name)
        product = self.product(value, name)
        if f"{name}.bias" not in self.weights:
            return product
        bias = self.graph.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.graph.add("Add", f"{name}.out", product, bias)

    def product(self, value: str, name: str) -> str:
        """The product alone, in fp32."""
        matrix = self.graph.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self.graph.add("MatMul", f"{name}.product", value, matrix)

    def _quantised_linear(self, value: str, name: str) -> str:
        """Product and bias in int8, as the one kernel that ONNX Runtime makes of them.

        Written out (MatMulInteger, Cast, Mul, Add), its constants would be folded before it is seen to be that kernel.
        """
        constant = self.graph.constant
        activation, scale, zero = self._quantise(value)
        values, scales = quantise(self.weights[f"{name}.weight"].T, axis=0)
        parts = [
            constant(f"{name}.weight", values),
            scale,
            constant(f"{name}.scales", scales[0]),
            zero,
            constant(f"{name}.zero", np.zeros(values.shape[1], np.int8)),
        ]
        if f"{name}.bias" in self.weights:
            parts.append(constant(f"{name}.bias", self.weights[f"{name}.bias"]))
        return self.graph.add("MatMulIntegerToFloat", f"{name}.out", activation, *parts, domain=MICROSOFT)

    def _bound(self, value: str, lowest: Array, highest: Array) -> None:
        """Says what a value that is quantised spans: 0, and a little more than what was seen of it."""
        self._bounds[value] = MARGIN * min(0.0, float(lowest.min())), MARGIN * max(0.0, float(highest.max()))

    def _quantise(self, value: str) -> tuple[str, ...]:
        """The value as uint8, with its scale and zero point, which are the same for every text."""
        if value not in self._quantised:
            lowest, highest = self._bounds[value]
            scale = np.float32(max(highest - lowest, 1e-6) / 255)
            zero = np.uint8(np.clip(np.round(-lowest / scale), 0, 255))
            parts = self.graph.constant(f"{value}.scale", scale), self.graph.constant(f"{value}.zero", zero)
            self._quantised[value] = self.graph.add("QuantizeLinear", f"{value}.uint8", value, *parts), *parts
        return self._quantised[value]

    def attention(self, output: str, query: str, key: str, value: str, near: str | None = None) -> str:
        """Attention in fp32; ``near`` is added to its scores."""
        inputs, last = (query, key, value), () if near is None else (near,)
        add, heads = self.graph.add, self.heads
        if self.graph.opset >= protobuf.ATTENTION_OPSET:
            return add("Attention", output, *inputs, *last, q_num_heads=heads, kv_num_heads=heads)
        nothing = ("", "") if last else ()
        return add("MultiHeadAttention", output, *inputs, *nothing, *last, domain=MICROSOFT, num_heads=heads)

    def activate(self, value: str, output: str, kind: str) -> str:
        """An activation function, by the name that configs give it."""
        graph = self.graph
        if kind in GELUS:  # int8 rounds more than the quicker form is off
            form = GELUS[kind] if self._ranges is None else "tanh"
            return graph.add("Gelu", output, value, approximate=form)
        if kind in ("silu", "swish"):
            return graph.add("Mul", output, value, graph.add("Sigmoid", f"{output}.gate", value))
        return graph.add({"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[kind], output, value)

    def feed_forward(self, state: str, prefix: str, inner: Sequence[str], outer: str) -> str:
        """The feed-forward layer: ``inner`` products give the hidden units, ``outer`` reads them."""
        if self._ranges is None:
            return self.linear(self._wide(state, prefix, inner), outer)
        ranges, wide = self._ranges, f"{prefix}wide"
        divisors = ranges.divisors(state)
        narrow = self.graph.add("Mul", f"{prefix}narrow", state, self.graph.constant(f"{prefix}factors", 1 / divisors))
        middle = ranges.middle(state)
        self._bound(narrow, (ranges.lowest[state] - middle) / divisors, (ranges.highest[state] - middle) / divisors)
        units = len(ranges.highest[wide])
        large = ranges.largest(wide, min(LARGE_UNITS, units // 8))
        most = np.setdiff1d(np.arange(units), large)
        self._bound(wide, ranges.lowest[wide][most], ranges.highest[wide][most])
        self._order(inner, outer, divisors, np.concatenate((most, large)))
        return self._outer(self._wide(narrow, prefix, inner), outer, len(most))

    def _order(self, inner: Sequence[str], outer: str, divisors: Array, order: npt.NDArray[np.intp]) -> None:
        """Hidden units in another order, made of what was divided."""
        for name in inner:
            self.weights[f"{name}.weight"] = (self.weights[f"{name}.weight"] * divisors)[order]
            if f"{name}.bias" in self.weights:
                self.weights[f"{name}.bias"] = self.weights[f"{name}.bias"][order]
        self.weights[f"{outer}.weight"] = self.weights[f"{outer}.weight"][:, order]

    def _outer(self, wide: str, outer: str, most: int) -> str:
        """What reads the hidden units: in int8, whose weights for the large ones are 0, and these in fp32 beside it."""
        graph, weight = self.graph, self.weights[f"{outer}.weight"]
        self.weights[f"{outer}.large.weight"] = weight[:, most:]
        self.weights[f"{outer}.weight"] = np.where(np.arange(weight.shape[1]) < most, weight, 0)
        edges = [
            graph.constant(f"{name}", np.array([at]))
            for name, at in (("most", most), ("all", weight.shape[1]), ("last axis", 2))
        ]
        graph.add("Slice", f"{wide}.large", wide, *edges)
        few = self.product(f"{wide}.large", f"{outer}.large")
        return graph.add("Add", f"{outer}.sum", self.linear(wide, outer), few)

    def seen(self, value: str, *dims: int) -> str:
        """A value, ``(1, tokens, *dims)``, less the tokens that none attends to."""
        if not self.masked:
            return value
        graph = self.graph
        first, axis = graph.constant("first", np.zeros(1, np.int64)), graph.constant("token axis", np.array([1]))
        part = graph.add("Slice", f"{value}.part", value, first, "seen tokens", axis)
        shape = graph.constant(f"seen shape {dims}", np.array([1, -1, *dims]))  # which Attention must be told
        return graph.add("Reshape", f"{value}.seen", part, shape)


GELUS = {"gelu": "none", "gelu_python": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_fast": "tanh"}
ACTIVATIONS = frozenset({*GELUS, "silu", "swish", "relu", "tanh", "sigmoid"})


def quantise(matrix: Array, axis: int) -> tuple[npt.NDArray[np.int8], Array]:
    """int8 values and their scales: the largest of every vector along ``axis`` becomes 127."""
    scales = np.abs(matrix).max(axis=axis, keepdims=True) / LARGEST
    scales[scales == 0] = 1
    return np.round(matrix / scales).astype(np.int8), scales.astype(np.float32)
