"""A checkpoint of LateOn's size with random weights, as PyLate saves it: for time and memory, not for hits.

``python -m benchmarks.checkpoints FOLDER`` writes it: ModernBERT-base, then Dense layers 768 → 1536 → 768 → 128, .6 GB.
"""

from __future__ import annotations

import json
import shutil
import string
import sys
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, WIDE, LAYERS, HEADS, WORDS = 768, 1152, 22, 12, 50_368
DENSE = ((768, 1536, True), (1536, 768, True), (768, 128, False))  # in, out, whether there is a residual
DEVIATION = 0.02  # of the weights that training begins with

_CONFIG = {
    "model_type": "modernbert",
    "architectures": ["ModernBertModel"],
    "vocab_size": WORDS,
    "hidden_size": HIDDEN,
    "intermediate_size": WIDE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": 8192,
    "local_attention": 128,
    "global_attn_every_n_layers": 3,
    "pad_token_id": 0,
    "bos_token_id": 101,
    "cls_token_id": 101,
    "eos_token_id": 102,
    "sep_token_id": 102,
    "torch_dtype": "float32",
}
_TOKENS = {
    f"{role}_token": f"[{name}]"
    for role, name in (("pad", "PAD"), ("unk", "UNK"), ("cls", "CLS"), ("sep", "SEP"), ("mask", "MASK"))
}
_PYLATE = {
    "model_type": "ColBERT",
    "query_prefix": "",
    "document_prefix": "",
    "query_length": 32,
    "document_length": 300,
    "do_query_expansion": False,
    "attend_to_expansion_tokens": False,
    "skiplist_words": list(string.punctuation),
}


def write_large(folder: Path) -> Path:
    """Writes the checkpoint, with the tokenizer of minilm, whose words are fewer than the table's rows."""
    from late_rag_minilm import FOLDER

    kinds = ["sentence_transformers.models.Transformer", *["pylate.models.Dense.Dense"] * len(DENSE)]
    paths = ["", *(f"{place}_Dense" for place in range(1, len(kinds)))]
    files: dict[str, Any] = {
        "config.json": _CONFIG,
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", **_TOKENS},
        "config_sentence_transformers.json": _PYLATE,
        "sentence_bert_config.json": {"max_seq_length": _PYLATE["document_length"], "do_lower_case": False},
        "modules.json": [
            {"idx": place, "name": str(place), "path": path, "type": kind}
            for place, (path, kind) in enumerate(zip(paths, kinds, strict=True))
        ],
    }
    random = np.random.default_rng(0)
    for path, (into, out, residual) in zip(paths[1:], DENSE, strict=True):
        files[f"{path}/config.json"] = _dense(into, out, residual=residual)
        shapes = {"linear.weight": (out, into)}
        _write_random(folder / path / "model.safetensors", shapes | _residual(into, out, residual=residual), random)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(FOLDER / "tokenizer.json", folder / "tokenizer.json")
    _write_random(folder / "model.safetensors", _transformer(), random)
    return folder


def _dense(into: int, out: int, *, residual: bool) -> dict[str, Any]:
    settings = {"in_features": into, "out_features": out, "bias": False, "use_residual": residual}
    return settings | {"activation_function": "torch.nn.modules.linear.Identity"}


def _residual(into: int, out: int, *, residual: bool) -> dict[str, tuple[int, ...]]:
    return {"residual.weight": (out, into)} if residual else {}


def _transformer() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"embeddings.tok_embeddings.weight": (WORDS, HIDDEN)}
    shapes["embeddings.norm.weight"] = (HIDDEN,)
    for layer in range(LAYERS):
        prefix = f"layers.{layer}."
        if layer:
            shapes[f"{prefix}attn_norm.weight"] = (HIDDEN,)
        shapes[f"{prefix}attn.Wqkv.weight"] = (3 * HIDDEN, HIDDEN)
        shapes[f"{prefix}attn.Wo.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{prefix}mlp_norm.weight"] = (HIDDEN,)
        shapes[f"{prefix}mlp.Wi.weight"] = (2 * WIDE, HIDDEN)
        shapes[f"{prefix}mlp.Wo.weight"] = (HIDDEN, WIDE)
    shapes["final_norm.weight"] = (HIDDEN,)
    return shapes


def _write_random(file: Path, shapes: dict[str, tuple[int, ...]], random: np.random.Generator) -> None:
    """Float32: norms near 1, all else near 0; one tensor at a time, so that little memory is needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            values = random.standard_normal(shape, np.float32) * np.float32(DEVIATION)
            stream.write((values + np.float32(name.endswith("norm.weight"))).tobytes())


if __name__ == "__main__":
    write_large(Path(sys.argv[1]))
