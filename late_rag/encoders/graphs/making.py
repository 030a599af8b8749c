"""Makes the graph of a checkpoint in a folder: in fp32, or in int8 where that gives nearly the same rows."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.encoders._options import MODEL_FILES
from late_rag.encoders._runtime import open_session
from late_rag.encoders._tokens import Sequences, load_tokenizer
from late_rag.encoders.graphs.compile import Source, read_source
from late_rag.encoders.graphs.network import Ranges
from late_rag.encoders.graphs.protobuf import OPSET
from late_rag.encoders.graphs.texts import CHECKED, MEASURED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from late_rag.encoders._options import Precision
    from late_rag.encoders._tokens import Pass
    from late_rag.encoders.checkpoint import CheckpointConfig
    from late_rag.encoders.graphs.tensors import Array

LEAST_COSINE = 0.99
"""Mean cosine of int8 rows with those of fp32, over texts that no range was taken from."""


@dataclass(frozen=True)
class Made:
    """What was made; ``cosine`` is that of int8 with fp32, None where int8 was not asked for.

    ``known`` are the rows of fp32, ``(rows, dim) float32``, that int8 was held against, where int8 was made.
    """

    precision: Precision
    cosine: float | None = None
    known: Array | None = field(default=None, compare=False, repr=False)


def make_graph(folder: Path, config: CheckpointConfig, out: Path, precision: Precision, opset: int = OPSET) -> Made:
    """Writes ``model_int8.onnx`` or ``model.onnx`` of a checkpoint into ``out``; see :func:`make_from`.

    Raises:
        ModelError: the checkpoint cannot be compiled.
    """
    return make_from(read_source(folder, config), Sequences(load_tokenizer(folder), config), out, precision, opset)


def make_from(source: Source, sequences: Sequences, out: Path, precision: Precision, opset: int = OPSET) -> Made:
    """Writes ``model_int8.onnx`` or ``model.onnx`` into ``out``.

    int8 whose rows are too far from those of fp32 is not kept: then fp32 is made. ``opset`` is that of int8: where it
    is not given, every ONNX Runtime from 1.20 on runs the graph.
    """
    cosine = None
    if precision == "int8":
        file = out / MODEL_FILES["int8"]
        known = _make_int8(source, sequences, file, opset)
        cosine = agreement(file, sequences, known)
        if cosine >= LEAST_COSINE:
            return Made("int8", cosine, known)
        for written in out.glob(f"{file.name}*"):
            written.unlink()
    source.write(out / MODEL_FILES["fp32"], source.form())
    return Made("fp32", cosine)


def _make_int8(source: Source, sequences: Sequences, file: Path, opset: int) -> Array:
    with tempfile.TemporaryDirectory(dir=file.parent, prefix="observed-") as work:
        whole = Path(work) / MODEL_FILES["fp32"]
        observed = source.observed()
        source.write(whole, source.form(), observed)
        session = open_session(whole, "cpu")
        ranges = _ranges(session, _passes(sequences, MEASURED), observed)
        known = _rows(session, sequences)
        del session
    source.write(file, source.form(ranges, opset))
    return known


def agreement(file: Path, sequences: Sequences, known: Array) -> float:
    """Mean cosine of a graph's rows with those that are known, ``(rows, dim) float32``, on this machine."""
    found = _rows(open_session(file, "cpu"), sequences)
    if found.shape != known.shape:
        return 0.0
    return float(np.nan_to_num(np.einsum("ij,ij->i", found, known)).mean())


def _passes(sequences: Sequences, texts: Sequence[str]) -> list[Pass]:
    """The texts as documents and, since expansion is something of its own, as queries."""
    tokens = [ids for ids in sequences.tokenize(texts) if len(ids)]
    documents = [item for ids in tokens for item in sequences.document_passes(ids)]
    return documents + [sequences.query_pass(ids) for ids in tokens]


def _ranges(session: Any, passes: Sequence[Pass], names: Sequence[str]) -> Ranges:
    lowest: dict[str, Array] = {}
    highest: dict[str, Array] = {}
    for item in passes:
        for name, (value,) in zip(names, _run(session, names, item), strict=True):
            lowest[name] = np.minimum(lowest.get(name, np.inf), value.min(axis=0))
            highest[name] = np.maximum(highest.get(name, -np.inf), value.max(axis=0))
    return Ranges(lowest, highest)


def _rows(session: Any, sequences: Sequences) -> Array:
    """The rows of the texts that int8 is checked with."""
    return np.concatenate([_run(session, ["output"], item)[0][0] for item in _passes(sequences, CHECKED)])


def _run(session: Any, names: Sequence[str], item: Pass) -> list[Array]:
    inputs = {"input_ids": item.ids[None], "attention_mask": item.mask[None]}
    values: list[Array] = session.run(list(names), {node.name: inputs[node.name] for node in session.get_inputs()})
    return values
