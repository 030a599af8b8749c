"""BERT and its like: absolute positions, a norm behind each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from late_rag.encoders.graphs import protobuf
from late_rag.encoders.graphs.network import Edge, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from late_rag.encoders.graphs.network import Form, Weights


class Bert(Network):
    """BERT, RoBERTa, XLM-RoBERTa and DistilBERT, whose weights have BERT's names.

    Args:
        padding: RoBERTa's positions begin behind the number of its padding token, and leave such tokens out.
    """

    def __init__(
        self,
        weights: Weights,
        layers: int,
        heads: int,
        activation: str,
        *,
        epsilon: float,
        padding: int | None,
        form: Form,
    ) -> None:
        self._epsilon, self._padding = epsilon, padding
        super().__init__(weights, layers, heads, activation, form=form)

    def edges(self) -> list[Edge]:
        found, before = [], "embeddings.LayerNorm"
        for prefix in self._prefixes():
            attention, norm = f"{prefix}attention.", f"{prefix}attention.output.LayerNorm"
            parts = tuple(f"{attention}self.{name}" for name in ("query", "key", "value"))
            found += [
                Edge(f"{before}.out", before, parts, beside=f"{attention}output.dense"),
                Edge(f"{attention}context", parts[-1], (f"{attention}output.dense",)),
                Edge(f"{norm}.out", norm, (f"{prefix}intermediate.dense",), beside=f"{prefix}output.dense"),
            ]
            before = f"{prefix}output.LayerNorm"
        return found

    def wide_values(self) -> list[str]:
        return [f"{prefix}wide" for prefix in self._prefixes()]

    def _prefixes(self) -> list[str]:
        return [f"encoder.layer.{layer}." for layer in range(self.layers)]

    def _build(self) -> str:
        graph = self.graph
        words = self.words(self.weights["embeddings.word_embeddings.weight"])
        graph.add("Add", "embedded", words, self._positions())
        state = self.norm("embedded", "embeddings.LayerNorm", self._epsilon)
        for prefix in self._prefixes():
            state = self._layer(state, prefix)
        return state

    def _positions(self) -> str:
        graph, table = self.graph, self.weights["embeddings.position_embeddings.weight"]
        types = self.weights.get("embeddings.token_type_embeddings.weight")
        if types is not None:
            table = table + types[0]  # every token is of type 0
        constant = graph.constant("position_table", table)
        if self._padding is None:
            graph.add("Shape", "shape", "input_ids", start=1)
            zero = graph.constant("zero", np.zeros(1, np.int64))
            return graph.add("Slice", "positions", constant, zero, "shape", zero)
        padding = graph.constant("padding", np.array(self._padding, np.int64))
        graph.add("Equal", "is_padding", "input_ids", padding)
        graph.add("Cast", "is_word", graph.add("Not", "is_no_padding", "is_padding"), to=protobuf.INT64)
        graph.add("CumSum", "counted", "is_word", graph.constant("one", np.array(1, np.int64)))
        graph.add("Add", "position", graph.add("Mul", "counted_words", "counted", "is_word"), padding)
        return graph.add("Gather", "positions", constant, "position")

    def _layer(self, state: str, prefix: str) -> str:
        add = self.graph.add
        mixed = add("Add", f"{prefix}attention.sum", self._attention(state, f"{prefix}attention."), state)
        state = self.norm(mixed, f"{prefix}attention.output.LayerNorm", self._epsilon)
        inner = (f"{prefix}intermediate.dense",)
        summed = add("Add", f"{prefix}sum", self.feed_forward(state, prefix, inner, f"{prefix}output.dense"), state)
        return self.norm(summed, f"{prefix}output.LayerNorm", self._epsilon)

    def _attention(self, state: str, prefix: str) -> str:
        query, key, value = (self.linear(state, f"{prefix}self.{name}") for name in ("query", "key", "value"))
        size = len(self.weights[f"{prefix}self.value.weight"])
        context = self.attention(f"{prefix}context", query, self.seen(key, size), self.seen(value, size))
        return self.linear(context, f"{prefix}output.dense")

    def _wide(self, state: str, prefix: str, inner: Sequence[str]) -> str:
        return self.activate(self.linear(state, inner[0]), f"{prefix}wide", self.activation)
