"""``config.json`` and the weights of a transformer to the network that becomes a graph."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from late_rag.encoders.checkpoint.modules import unknown
from late_rag.encoders.checkpoint.settings import checked, read_settings
from late_rag.encoders.graphs.bert import Bert
from late_rag.encoders.graphs.modernbert import Attention, ModernBert
from late_rag.encoders.graphs.network import ACTIVATIONS
from late_rag.encoders.graphs.tensors import Tensors
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from late_rag.encoders.graphs.network import Form, Network
    from late_rag.encoders.graphs.tensors import Array

_BERTS = ("bert", "roberta", "xlm-roberta", "camembert")
ARCHITECTURES = (*_BERTS, "distilbert", "modernbert")
"""By their ``model_type``."""

_DISTIL = {"hidden_size": "dim", "num_layers": "n_layers", "num_heads": "n_heads", "intermediate_size": "hidden_dim"}
_USUAL = {
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
}
_DISTIL_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


class MakesNetwork(Protocol):
    """Makes the network anew, in any form."""

    def __call__(self, *, form: Form) -> Network: ...


def read_network(folder: Path, longest: int) -> tuple[MakesNetwork, int]:
    """The network of a transformer's folder, and how many dims its rows have.

    Args:
        folder: has ``config.json`` and ``model.safetensors``, or its shards.
        longest: how many tokens a sequence will have.

    Raises:
        ModelError: an architecture that is not known; a setting or a tensor that is missing or does not fit.
    """
    file = folder / "config.json"
    data = read_settings(file)
    kind = checked_architecture(data, file)
    names = _DISTIL if kind == "distilbert" else _USUAL
    sizes = _sizes({ours: data.get(theirs) for ours, theirs in names.items()}, file, names)
    tensors = Tensors(folder)
    if kind == "modernbert":
        return _modernbert(data, file, sizes, tensors, longest), sizes["hidden_size"]
    return _bert(kind, data, file, sizes, tensors, longest), sizes["hidden_size"]


def checked_architecture(data: Mapping[str, Any], file: Path) -> str:
    """The architecture that ``config.json`` names.

    Raises:
        NotCompiledError: it is none that becomes a graph.
    """
    kind = data.get("model_type")
    if kind not in ARCHITECTURES:
        raise unknown(f"architecture {str(kind)[:200]!r}", file)
    return str(kind)


def _sizes(values: Mapping[str, Any], file: Path, names: Mapping[str, str]) -> dict[str, int]:
    sizes = checked(values, tuple(values), file)
    if missing := [names[name] for name in values if name not in sizes]:
        raise ModelError(f"{file} lacks {', '.join(missing)}")
    if sizes["hidden_size"] % sizes["num_heads"]:
        raise ModelError(f"{file}: {sizes['num_heads']} heads do not divide a hidden size of {sizes['hidden_size']}")
    return sizes


def _activation(value: object, file: Path) -> str:
    if value not in ACTIVATIONS:
        raise unknown(f"activation {str(value)[:200]!r}", file)
    return str(value)


def _number(value: object, name: str, file: Path) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e12:
        raise ModelError(f"{file}: {name} is {str(value)[:200]}, not a positive number")
    return float(value)


def _whole(value: object, name: str, file: Path, most: int = 1 << 20) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ModelError(f"{file}: {name} is {str(value)[:200]}, not a number from 0 to {most:,}")
    return value


class _Reader:
    """Reads tensors by the architecture's names, whatever stands in front of them in the file."""

    def __init__(self, tensors: Tensors, landmark: str) -> None:
        self._tensors = tensors
        self._prefix = next((name[: -len(landmark)] for name in tensors if name.endswith(landmark)), "")
        self.weights: dict[str, Array] = {}

    def has(self, name: str) -> bool:
        return f"{self._prefix}{name}" in self._tensors

    def read(self, name: str, *shape: int, source: str | None = None) -> Array:
        source = name if source is None else source
        old = {".weight": ".gamma", ".bias": ".beta"}  # of checkpoints from 2018
        if not self.has(source) and "LayerNorm" in source:
            stem, dot, part = source.rpartition(".")
            source = stem + old[dot + part]
        self.weights[name] = self._tensors.read(f"{self._prefix}{source}", shape)
        return self.weights[name]

    def linear(self, name: str, out: int, into: int, source: str | None = None, *, bias: bool = True) -> None:
        source = name if source is None else source
        self.read(f"{name}.weight", out, into, source=f"{source}.weight")
        if bias:
            self.read(f"{name}.bias", out, source=f"{source}.bias")

    def norm(self, name: str, size: int, source: str | None = None, *, bias: bool = True) -> None:
        source = name if source is None else source
        self.read(f"{name}.weight", size, source=f"{source}.weight")
        if bias:
            self.read(f"{name}.bias", size, source=f"{source}.bias")

    def table(self, name: str, size: int) -> None:
        """A table of any number of rows."""
        rows = self._tensors.rows(f"{self._prefix}{name}")
        self.read(name, rows, size)


def _bert(
    kind: str, data: Mapping[str, Any], file: Path, sizes: Mapping[str, int], tensors: Tensors, longest: int
) -> MakesNetwork:
    if data.get("position_embedding_type", "absolute") != "absolute" or data.get("sinusoidal_pos_embds"):
        raise unknown("positions that are not learned and absolute", file)
    if data.get("is_decoder"):
        raise unknown("decoder", file)
    distil = kind == "distilbert"
    hidden, wide = sizes["hidden_size"], sizes["intermediate_size"]
    reader = _Reader(tensors, "embeddings.word_embeddings.weight")
    for table in ("word", "position") if distil else ("word", "position", "token_type"):
        reader.table(f"embeddings.{table}_embeddings.weight", hidden)
    reader.norm("embeddings.LayerNorm", hidden)
    for layer in range(sizes["num_layers"]):
        ours = f"encoder.layer.{layer}."
        theirs = {
            name: f"transformer.layer.{layer}.{_DISTIL_NAMES[name]}" if distil else f"{ours}{name}"
            for name in _DISTIL_NAMES
        }
        for name, source in theirs.items():
            if name.endswith("LayerNorm"):
                reader.norm(f"{ours}{name}", hidden, source)
            else:
                out, into = (
                    (wide if name == "intermediate.dense" else hidden),
                    (wide if name == "output.dense" else hidden),
                )
                reader.linear(f"{ours}{name}", out, into, source)
    padding = None if kind in ("bert", "distilbert") else _whole(data.get("pad_token_id", 1), "pad_token_id", file)
    places = len(reader.weights["embeddings.position_embeddings.weight"]) - (0 if padding is None else padding + 1)
    _check_length(longest, places, file)
    return partial(
        Bert,
        reader.weights,
        sizes["num_layers"],
        sizes["num_heads"],
        _activation(data.get("activation" if distil else "hidden_act", "gelu"), file),
        epsilon=1e-12 if distil else _number(data.get("layer_norm_eps", 1e-12), "layer_norm_eps", file),
        padding=padding,
    )


def _check_length(longest: int, places: int, file: Path) -> None:
    if longest > places:
        raise ModelError(
            f"{file}: the network has positions for {places:,} tokens, the checkpoint asks for {longest:,}"
        )


def _modernbert(
    data: Mapping[str, Any], file: Path, sizes: Mapping[str, int], tensors: Tensors, longest: int
) -> MakesNetwork:
    hidden, wide, layers = sizes["hidden_size"], sizes["intermediate_size"], sizes["num_layers"]
    _check_length(longest, _whole(data.get("max_position_embeddings", 8192), "max_position_embeddings", file), file)
    reader = _Reader(tensors, "embeddings.tok_embeddings.weight")
    reader.table("embeddings.tok_embeddings.weight", hidden)
    biased = {name: data.get(name, False) is True for name in ("norm_bias", "attention_bias", "mlp_bias")}
    norm = partial(reader.norm, bias=biased["norm_bias"])
    norm("embeddings.norm", hidden)
    for layer in range(layers):
        prefix = f"layers.{layer}."
        if layer:
            norm(f"{prefix}attn_norm", hidden)
        norm(f"{prefix}mlp_norm", hidden)
        for source, out, parts in (
            ("attn.Wqkv", hidden, ("attn.query", "attn.key", "attn.value")),
            ("mlp.Wi", wide, ("mlp.unit", "mlp.gate")),
        ):
            bias = biased["attention_bias" if source == "attn.Wqkv" else "mlp_bias"]
            reader.linear(f"{prefix}{source}", out * len(parts), hidden, bias=bias)
            for place, part in enumerate(parts):
                for what in ("weight", "bias") if bias else ("weight",):
                    whole = reader.weights[f"{prefix}{source}.{what}"]
                    reader.weights[f"{prefix}{part}.{what}"] = whole[place * out : (place + 1) * out]
            for what in ("weight", "bias") if bias else ("weight",):
                del reader.weights[f"{prefix}{source}.{what}"]
        reader.linear(f"{prefix}attn.Wo", hidden, hidden, bias=biased["attention_bias"])
        reader.linear(f"{prefix}mlp.Wo", hidden, wide, bias=biased["mlp_bias"])
    norm("final_norm", hidden)
    return partial(
        ModernBert,
        reader.weights,
        _attentions(data, file, layers),
        sizes["num_heads"],
        _activation(data.get("hidden_activation", "gelu"), file),
        epsilon=_number(data.get("norm_eps", 1e-5), "norm_eps", file),
        positions=longest,
    )


def _attentions(data: Mapping[str, Any], file: Path, layers: int) -> list[Attention]:
    """The attention of each layer, as configs of transformers 4 and 5 say it."""
    every = _whole(data.get("global_attn_every_n_layers", 3), "global_attn_every_n_layers", file) or 1
    kinds = data.get("layer_types") or [
        "sliding_attention" if layer % every else "full_attention" for layer in range(layers)
    ]
    if not isinstance(kinds, list) or len(kinds) != layers or set(map(str, kinds)) - set(_THETAS):
        raise ModelError(f"{file}: layer_types is no list of {layers} of {', '.join(_THETAS)}")
    rotary = data.get("rope_parameters") or {}
    if data.get("rope_scaling") or not isinstance(rotary, dict):
        raise unknown("scaling of rotary positions", file)
    window = _whole(data.get("local_attention", 128), "local_attention", file) // 2
    known = {}
    for kind, (name, theta) in _THETAS.items():
        told = rotary.get(kind) or {}
        if not isinstance(told, dict) or told.get("rope_type", "default") != "default":
            raise unknown("scaling of rotary positions", file)
        base = told.get("rope_theta") or data.get(name) or theta
        known[kind] = Attention(_number(base, name, file), window if kind == "sliding_attention" else None)
    return [known[str(kind)] for kind in kinds]


_THETAS = {"full_attention": ("global_rope_theta", 160_000.0), "sliding_attention": ("local_rope_theta", 10_000.0)}
