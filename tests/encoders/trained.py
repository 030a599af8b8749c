"""Checkpoints as they are trained, small and random, written without PyTorch; and their networks in numpy."""

from __future__ import annotations

import json
from math import erf
from pathlib import Path
from typing import Any

import numpy as np

from tests.encoders.conftest import KINDS, make_tokenizer

HIDDEN, WIDE, LAYERS, HEADS, DIM = 16, 32, 3, 2, 8
WINDOW = 2  # to either side
SIZES = {
    "hidden_size": HIDDEN,
    "intermediate_size": WIDE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": 64,
}
CONFIGS = {
    "bert": SIZES | {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12},
    "modernbert": SIZES | {"model_type": "modernbert", "local_attention": 2 * WINDOW, "norm_eps": 1e-5},
}


def write_safetensors(file: Path, tensors: dict[str, np.ndarray], kind: str = "F32") -> None:
    """The format's definition: length of the header, header, data."""
    file.parent.mkdir(parents=True, exist_ok=True)
    entries, parts, at = {}, [], 0
    for name, tensor in tensors.items():
        data = _encoded(tensor, kind)
        entries[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    header = json.dumps({"__metadata__": {"format": "pt"}} | entries).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + b"".join(parts))


def _encoded(tensor: np.ndarray, kind: str) -> bytes:
    if kind == "BF16":
        return (tensor.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return tensor.astype({"F32": "<f4", "F16": "<f2", "F64": "<f8"}[kind]).tobytes()


def random_weights(kind: str, vocabulary: int, depth: float = 0.4) -> dict[str, np.ndarray]:  # noqa: C901
    """Weights by the architecture's names; ``depth`` is the deviation of those of the layers."""
    random = np.random.default_rng(3)

    def matrix(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.4).astype(np.float32)

    def small(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * depth).astype(np.float32)

    weights: dict[str, np.ndarray] = {}

    def linear(name: str, out: int, into: int, bias: bool) -> None:
        weights[f"{name}.weight"] = small(out, into)
        if bias:
            weights[f"{name}.bias"] = small(out)

    def norm(name: str, bias: bool) -> None:
        weights[f"{name}.weight"] = small(HIDDEN) + 1
        if bias:
            weights[f"{name}.bias"] = small(HIDDEN)

    if kind == "modernbert":
        weights["embeddings.tok_embeddings.weight"] = matrix(vocabulary, HIDDEN)
        norm("embeddings.norm", bias=False)
        for layer in range(LAYERS):
            prefix = f"layers.{layer}."
            if layer:
                norm(f"{prefix}attn_norm", bias=False)
            norm(f"{prefix}mlp_norm", bias=False)
            linear(f"{prefix}attn.Wqkv", 3 * HIDDEN, HIDDEN, bias=False)
            linear(f"{prefix}attn.Wo", HIDDEN, HIDDEN, bias=False)
            linear(f"{prefix}mlp.Wi", 2 * WIDE, HIDDEN, bias=False)
            linear(f"{prefix}mlp.Wo", HIDDEN, WIDE, bias=False)
        norm("final_norm", bias=False)
        return weights
    for name, rows in (("word", vocabulary), ("position", 64), ("token_type", 2)):
        weights[f"embeddings.{name}_embeddings.weight"] = (matrix if name == "word" else small)(rows, HIDDEN)
    norm("embeddings.LayerNorm", bias=True)
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            linear(f"{prefix}{name}", HIDDEN, HIDDEN, bias=True)
        linear(f"{prefix}intermediate.dense", WIDE, HIDDEN, bias=True)
        linear(f"{prefix}output.dense", HIDDEN, WIDE, bias=True)
        norm(f"{prefix}attention.output.LayerNorm", bias=True)
        norm(f"{prefix}output.LayerNorm", bias=True)
    return weights


def write_trained(
    folder: Path, kind: str = "modernbert", tensor_type: str = "F32", *, depth: float = 0.4, **settings: Any
) -> Path:
    """A checkpoint as PyLate saves it: the transformer, a Dense layer with residual and activation, another."""
    tokenizer = make_tokenizer(KINDS["plain"])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {
        "model_type": "ColBERT",
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 16,
        "document_length": 32,
        "skiplist_words": [","],
    }
    types = ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense", "pylate.models.Dense.Dense"]
    modules = [{"type": name, "path": f"{place}_Dense" if place else ""} for place, name in enumerate(types)]
    files = {
        "config.json": CONFIGS[kind],
        "config_sentence_transformers.json": told | settings,
        "modules.json": modules,
        "1_Dense/config.json": _dense(HIDDEN, 12, bias=True, name="activation.Tanh", use_residual=True),
        "2_Dense/config.json": _dense(12, DIM, bias=False, name="linear.Identity"),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    weights = random_weights(kind, tokenizer.get_vocab_size(), depth)
    write_safetensors(folder / "model.safetensors", weights, tensor_type)
    for place, tensors in enumerate(dense_weights(), start=1):
        write_safetensors(folder / f"{place}_Dense" / "model.safetensors", tensors, tensor_type)
    return folder


def _dense(into: int, out: int, *, bias: bool, name: str, **more: Any) -> dict[str, Any]:
    settings = {"in_features": into, "out_features": out, "bias": bias}
    return settings | {"activation_function": f"torch.nn.modules.{name}"} | more


def dense_weights() -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(4)
    shapes = [{"linear.weight": (12, HIDDEN), "linear.bias": (12,), "residual.weight": (12, HIDDEN)}]
    shapes.append({"linear.weight": (DIM, 12)})
    return [{name: random.standard_normal(shape).astype(np.float32) for name, shape in each.items()} for each in shapes]


def naive_rows(kind: str, weights: dict[str, np.ndarray], ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The rows of one sequence, by the papers' definitions."""
    rows = {"bert": _naive_bert, "modernbert": _naive_modernbert}[kind](weights, ids, mask)
    first, second = dense_weights()
    rows = np.tanh(rows @ first["linear.weight"].T + first["linear.bias"]) + rows @ first["residual.weight"].T
    rows = rows @ second["linear.weight"].T
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _norm(rows: np.ndarray, weights: dict[str, np.ndarray], name: str, epsilon: float) -> np.ndarray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    return scaled * weights[f"{name}.weight"] + weights.get(f"{name}.bias", 0)


def _linear(rows: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    return rows @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)


def _gelu(rows: np.ndarray) -> np.ndarray:
    return rows * (1 + np.vectorize(erf)(rows / np.sqrt(2))) / 2


def _attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, seen: np.ndarray) -> np.ndarray:
    out = []
    for part in (slice(head * HIDDEN // HEADS, (head + 1) * HIDDEN // HEADS) for head in range(HEADS)):
        scores = np.where(seen, query[:, part] @ key[:, part].T / np.sqrt(HIDDEN // HEADS), -np.inf)
        largest = np.where(seen.any(axis=1), scores.max(axis=1), 0)[:, None]
        shares = np.exp(scores - largest)
        total = shares.sum(axis=1, keepdims=True)
        out.append(shares / np.where(total > 0, total, 1) @ value[:, part])
    return np.concatenate(out, axis=1)


def _naive_bert(weights: dict[str, np.ndarray], ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    tables = {name: weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
    rows = tables["word"][ids] + tables["position"][: len(ids)] + tables["token_type"][0]
    rows = _norm(rows, weights, "embeddings.LayerNorm", 1e-12)
    seen = np.broadcast_to(mask[None] == 1, (len(ids), len(ids)))
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        parts = (_linear(rows, weights, f"{prefix}attention.self.{name}") for name in ("query", "key", "value"))
        mixed = _linear(_attention(*parts, seen), weights, f"{prefix}attention.output.dense")
        rows = _norm(rows + mixed, weights, f"{prefix}attention.output.LayerNorm", 1e-12)
        wide = _gelu(_linear(rows, weights, f"{prefix}intermediate.dense"))
        rows = _norm(
            rows + _linear(wide, weights, f"{prefix}output.dense"), weights, f"{prefix}output.LayerNorm", 1e-12
        )
    return rows


def _rotated(rows: np.ndarray, theta: float) -> np.ndarray:
    size = HIDDEN // HEADS
    angles = np.arange(len(rows))[:, None] / theta ** (np.arange(0, size, 2) / size)
    out = rows.copy()
    for start in range(0, HIDDEN, size):
        left, right = rows[:, start : start + size // 2], rows[:, start + size // 2 : start + size]
        out[:, start : start + size // 2] = left * np.cos(angles) - right * np.sin(angles)
        out[:, start + size // 2 : start + size] = right * np.cos(angles) + left * np.sin(angles)
    return out


def _naive_modernbert(weights: dict[str, np.ndarray], ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    rows = _norm(weights["embeddings.tok_embeddings.weight"][ids], weights, "embeddings.norm", 1e-5)
    places = np.arange(len(ids))
    attended = np.broadcast_to(mask[None] == 1, (len(ids), len(ids)))
    near = np.abs(places[:, None] - places) <= WINDOW
    for layer in range(LAYERS):
        prefix, local = f"layers.{layer}.", layer % 3 != 0
        read = _norm(rows, weights, f"{prefix}attn_norm", 1e-5) if layer else rows
        query, key, value = np.split(_linear(read, weights, f"{prefix}attn.Wqkv"), 3, axis=1)
        theta = 10_000.0 if local else 160_000.0
        seen = attended & near if local else attended
        mixed = _attention(_rotated(query, theta), _rotated(key, theta), value, seen)
        rows = rows + _linear(mixed, weights, f"{prefix}attn.Wo")
        unit, gate = np.split(
            _linear(_norm(rows, weights, f"{prefix}mlp_norm", 1e-5), weights, f"{prefix}mlp.Wi"), 2, axis=1
        )
        rows = rows + _linear(_gelu(unit) * gate, weights, f"{prefix}mlp.Wo")
    return _norm(rows, weights, "final_norm", 1e-5)
