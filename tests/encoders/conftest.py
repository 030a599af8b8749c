"""Small checkpoint folders with random weights, of the kinds that exports come in."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from late_rag.testing.encoder import ENDING, QUERIES, TEXTS

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HIDDEN, DIM = 64, 24
KNOWN = [*TEXTS, *QUERIES, ENDING, *string.punctuation, *string.ascii_lowercase, *string.digits]


@dataclass(frozen=True)
class Kind:
    """What sort of checkpoint: its settings, tokenizer and graph."""

    settings: dict[str, Any] = field(default_factory=dict)
    bytes_level: bool = False
    special_tokens: bool = True
    token_types: bool = False
    files: tuple[str, ...] = ("model.onnx",)


KINDS = {
    "plain": Kind(),
    "markers": Kind({"query_prefix": "[Q] ", "document_prefix": "[D] ", "skiplist_words": list(string.punctuation)}),
    "expansion": Kind(
        {"query_prefix": "[Q] ", "document_prefix": "[D] ", "do_query_expansion": True}, token_types=True
    ),
    "attended expansion": Kind({"do_query_expansion": True, "attend_to_expansion_tokens": True}),
    "bytes": Kind({"query_prefix": "[Q] ", "document_prefix": "[D] ", "embedding_dim": None}, bytes_level=True),
    "no special tokens": Kind({"document_prefix": "[D] ", "do_lower_case": True}, special_tokens=False),
}


def words_tokenizer() -> Tokenizer:
    """WordPiece over the words of the contract's texts and the characters of all words."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    normalized = (tokenizer.normalizer.normalize_str(text) for text in KNOWN)
    words = sorted({word for text in normalized for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)})
    parts = [f"##{character}" for character in sorted(set("".join(words)))]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys([*SPECIAL, *words, *parts]))}
    tokenizer.model = models.WordPiece(vocabulary, unk_token="[UNK]")
    return tokenizer


def bytes_tokenizer() -> Tokenizer:
    """Byte-level BPE that knows a few words, white space in front."""
    vocabulary = dict.fromkeys([*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())])
    merges = []
    for word in ("Ġthe", "Ġof", "Ġone", "Ġtravel", "Ġwings"):
        for end in range(1, len(word)):
            if word[: end + 1] not in vocabulary:
                merges.append((word[:end], word[end]))
            vocabulary[word[: end + 1]] = None
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def make_tokenizer(kind: Kind) -> Tokenizer:
    """A tokenizer as a training run leaves it: with truncation and padding, which must not be kept."""
    tokenizer = bytes_tokenizer() if kind.bytes_level else words_tokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens(["[Q] ", "[D] "])
    if kind.special_tokens:
        pairs = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=pairs)
    tokenizer.enable_truncation(7)
    tokenizer.enable_padding(length=9)
    return tokenizer


def make_weights(vocabulary: int, dim: int) -> dict[str, np.ndarray]:
    """Random weights, float32, the same every time."""
    random = np.random.default_rng(7)
    table = random.standard_normal((vocabulary, HIDDEN))
    table[SPECIAL.index("[MASK]")] = 0  # what a mask token gives is the mean of the query, as training would have it
    weights = {
        "table": table,
        "matrix": random.standard_normal((HIDDEN, dim)),
        "types": random.standard_normal((2, HIDDEN)) * 0.02,
        "share": np.array(0.3),
    }
    return {name: value.astype(np.float32) for name, value in weights.items()}


def make_graph(vocabulary: int, dim: int, token_types: bool) -> bytes:
    """Embedding lookup, mixed with the mean of all that is attended to, times a matrix; of no particular norm."""
    constants = make_weights(vocabulary, dim)
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["words"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "last"], ["weights"]),
        node("Mul", ["words", "weights"], ["attended"]),
        node("ReduceSum", ["attended", "middle"], ["sum"]),
        node("ReduceSum", ["weights", "middle"], ["count"]),
        node("Div", ["sum", "count"], ["mean"]),
        node("Mul", ["mean", "share"], ["context"]),
        node("Add", ["words", "context"], ["mixed"]),
        node("MatMul", ["mixed", "matrix"], ["output"]),
    ]
    inputs = ["input_ids", "attention_mask"]
    if token_types:
        inputs.append("token_type_ids")
        nodes[0] = node("Gather", ["table", "input_ids"], ["bare words"])
        nodes[1:1] = [
            node("Gather", ["types", "token_type_ids"], ["type"]),
            node("Add", ["bare words", "type"], ["words"]),
        ]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    tensors += [numpy_helper.from_array(np.array([axis]), name) for name, axis in (("last", 2), ("middle", 1))]
    describe = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "small",
        [describe(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
        [describe("output", TensorProto.FLOAT, ["batch", "tokens", "dim"])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def write_checkpoint(folder: Path, kind: Kind, **settings: Any) -> Path:
    """A folder as an export leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(kind)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "query_length": 24,
        "document_length": 32,
        "query_prefix": "",
        "document_prefix": "",
        "do_query_expansion": False,
        "skiplist_words": [],
        "embedding_dim": DIM,
        "mask_token_id": tokenizer.token_to_id("[MASK]"),
    }
    config |= kind.settings | settings
    (folder / "onnx_config.json").write_text(json.dumps(config), encoding="utf-8")
    graph = make_graph(tokenizer.get_vocab_size(), DIM, kind.token_types)
    for file in kind.files:
        (folder / file).write_bytes(graph)
    return folder


@pytest.fixture(scope="session", params=KINDS)
def checkpoint(request, tmp_path_factory) -> Path:
    """A checkpoint folder of each kind."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), KINDS[request.param])


@pytest.fixture
def make_checkpoint(tmp_path) -> Callable[..., Path]:
    """Writes a checkpoint folder of the kind with that name, with other settings where they are given."""

    def make(name: str = "plain", folder: str = "model", **settings: Any) -> Path:
        kind = KINDS[name]
        files = settings.pop("files", kind.files)
        kind = Kind(kind.settings, kind.bytes_level, kind.special_tokens, kind.token_types, files)
        return write_checkpoint(tmp_path / folder, kind, **settings)

    return make


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch) -> Path:
    """The cache of model ids, away from the user's."""
    monkeypatch.setenv("LATE_RAG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def weights() -> Callable[[int], dict[str, np.ndarray]]:
    """The weights of the checkpoints by the size of their vocabulary: for the definition beside the encoder."""
    return lambda vocabulary: make_weights(vocabulary, DIM)
