"""ModernBERT (https://arxiv.org/abs/2412.13663): rotary positions, local attention, gated hidden units, norms first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from late_rag.encoders.graphs.network import MICROSOFT, Edge, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from late_rag.encoders.graphs.network import Form, Weights
    from late_rag.encoders.graphs.tensors import Array

_NEVER = np.float32(-1e9)
"""Added to the score of a token that is too far away."""


@dataclass(frozen=True)
class Attention:
    """One kind of attention: ``theta`` of its rotary positions, and how far it reaches; None is everywhere."""

    theta: float
    window: int | None = None


class ModernBert(Network):
    """ModernBERT, its products for query, key and value apart, and so those of unit and gate.

    Args:
        kinds: the attention of each layer.
        positions: how many tokens a sequence may have.
    """

    def __init__(
        self,
        weights: Weights,
        kinds: Sequence[Attention],
        heads: int,
        activation: str,
        *,
        epsilon: float,
        positions: int,
        form: Form,
    ) -> None:
        self._kinds, self._epsilon, self._positions = kinds, epsilon, positions
        super().__init__(weights, len(kinds), heads, activation, form=form)

    def edges(self) -> list[Edge]:
        found = []
        for layer, prefix in enumerate(self._prefixes()):
            parts = tuple(f"{prefix}attn.{name}" for name in ("query", "key", "value"))
            out, norm = f"{prefix}attn.Wo", f"{prefix}attn_norm" if layer else "embeddings.norm"
            found += [
                Edge(f"{norm}.out", norm, parts, beside=None if layer else out),
                Edge(f"{prefix}context", parts[-1], (out,)),
                Edge(f"{prefix}mlp_norm.out", f"{prefix}mlp_norm", (f"{prefix}mlp.unit", f"{prefix}mlp.gate")),
            ]
        return found

    def wide_values(self) -> list[str]:
        return [f"{prefix}wide" for prefix in self._prefixes()]

    def _prefixes(self) -> list[str]:
        return [f"layers.{layer}." for layer in range(self.layers)]

    def _build(self) -> str:
        self._place()
        words = self.words(self.weights["embeddings.tok_embeddings.weight"])
        state = self.norm(words, "embeddings.norm", self._epsilon)
        for layer, prefix in enumerate(self._prefixes()):
            state = self._layer(state, prefix, layer)
        return self.norm(state, "final_norm", self._epsilon)

    def _place(self) -> None:
        """The number of each token, and who is in whose window."""
        graph = self.graph
        zero, one = (graph.constant(name, np.array(at, np.int64)) for at, name in enumerate(("zero", "one")))
        graph.add("Gather", "length", graph.add("Shape", "shape", "input_ids"), one)
        graph.add("Range", "range", zero, "length", one)
        graph.add("Expand", "places", "range", "shape")
        graph.add("Unsqueeze", "row", "range", graph.constant("last", np.ones(1, np.int64)))
        graph.add("Abs", "distance", graph.add("Sub", "difference", "row", self.seen("places")))
        for window in sorted({kind.window for kind in self._kinds if kind.window is not None}):
            graph.add("Greater", f"far.{window}", "distance", graph.constant(f"window.{window}", np.array(window)))
            numbers = graph.constant("never", _NEVER), graph.constant("always", np.float32(0))
            graph.add("Where", f"near.{window}.flat", f"far.{window}", *numbers)
            axes = graph.constant("batch and head", np.arange(2, dtype=np.int64))
            graph.add("Unsqueeze", f"near.{window}", f"near.{window}.flat", axes)
            if self.masked:  # query expansion can be out of sight of all words
                graph.add("Add", f"sight.{window}", "seen tokens", f"window.{window}")
                graph.add("Less", f"any.{window}", "row", f"sight.{window}")

    def _layer(self, state: str, prefix: str, layer: int) -> str:
        add = self.graph.add
        read = self.norm(state, f"{prefix}attn_norm", self._epsilon) if layer else state
        state = add("Add", f"{prefix}attention.sum", self._attention(read, prefix, self._kinds[layer]), state)
        read = self.norm(state, f"{prefix}mlp_norm", self._epsilon)
        inner = (f"{prefix}mlp.unit", f"{prefix}mlp.gate")
        return add("Add", f"{prefix}sum", self.feed_forward(read, prefix, inner, f"{prefix}mlp.Wo"), state)

    def _attention(self, state: str, prefix: str, kind: Attention) -> str:
        query, key, value = (self.linear(state, f"{prefix}attn.{name}") for name in ("query", "key", "value"))
        rotated = self._rotated(query, kind.theta)
        size = len(self.weights[f"{prefix}attn.value.weight"])
        inputs = rotated, self.seen(self._rotated(key, kind.theta), size), self.seen(value, size)
        if kind.window is None:
            context = self.attention(f"{prefix}context", *inputs)
        elif self.masked:
            attended = self.attention(f"{prefix}attended", *inputs, near=f"near.{kind.window}")
            blank = self.graph.constant(f"{prefix}blank", self._blank(prefix))
            context = self.graph.add("Where", f"{prefix}context", f"any.{kind.window}", attended, blank)
        else:
            context = self.attention(f"{prefix}context", *inputs, near=f"near.{kind.window}")
        return self.linear(context, f"{prefix}attn.Wo")

    def _blank(self, prefix: str) -> Array:
        """What attention gives where there is nothing to attend to: 0, as PyTorch does, less the middle for int8."""
        if self._ranges is None:
            return np.zeros(len(self.weights[f"{prefix}attn.value.weight"]), np.float32)
        return -self._ranges.middle(f"{prefix}context")

    def _rotated(self, value: str, theta: float) -> str:
        size = len(self.weights["layers.0.attn.query.weight"]) // self.heads
        places = np.arange(self._positions, dtype=np.float32)[:, None]
        angles = places / np.float32(theta) ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))
        tables = [
            self.graph.constant(f"{name}.{theta:g}", turn(angles).astype(np.float32))
            for name, turn in (("cos", np.cos), ("sin", np.sin))
        ]
        return self.graph.add(
            "RotaryEmbedding", f"{value}.rotated", value, "places", *tables, domain=MICROSOFT, num_heads=self.heads
        )

    def _wide(self, state: str, prefix: str, inner: Sequence[str]) -> str:
        unit, gate = (self.linear(state, name) for name in inner)
        active = self.activate(unit, f"{prefix}active", self.activation)
        return self.graph.add("Mul", f"{prefix}wide", active, gate)
