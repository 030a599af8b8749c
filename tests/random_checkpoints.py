"""Checkpoints with random weights, of the architectures and modules that are compiled, for every library on PyTorch."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

TEXTS = [
    "Wings, and nothing else!",
    "  the boundary layer (of a plate) grows: slowly.  ",
    "中文的一个句子，关于飞机的机翼。",
    "جملة عربية عن طبقة الحدود",
    "emoji 🛫🪽 and 👩‍👩‍👧 too",
    "a long text about the boundary layer; " * 40,
]
QUERIES = ["wings?", "机翼", "كيف؟", "🛫", "a query that is far too long for the model " * 20]

_SMALL = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 64}
_SPECIAL = {
    "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "xlm": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
}


def word_pieces() -> transformers.PreTrainedTokenizerFast:
    """WordPiece of letters, some of other scripts, and a few words."""
    letters = [*string.ascii_lowercase, *"中文的一个句子机翼", *"جملةعربيطبقاحدودكف"]
    words = [*_SPECIAL["bert"], *letters, *(f"##{letter}" for letter in letters), *string.punctuation, "wings", "layer"]
    tokenizer = Tokenizer(
        models.WordPiece({token: place for place, token in enumerate(dict.fromkeys(words))}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _finished(tokenizer, "[CLS]", "[SEP]", ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))


def byte_pairs() -> transformers.PreTrainedTokenizerFast:
    """Byte-level, as ModernBERT's."""
    words = [*_SPECIAL["bert"], *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġl", "Ġla"]
    merges = [("Ġ", "l"), ("Ġl", "a")]
    tokenizer = Tokenizer(models.BPE({token: place for place, token in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _finished(tokenizer, "[CLS]", "[SEP]", ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))


def pieces_of_many_scripts() -> transformers.PreTrainedTokenizerFast:
    """Unigram with ▁ for spaces, as XLM-RoBERTa's."""
    letters = ["▁", *string.ascii_letters, *string.punctuation, *"中文的一个句子机翼，。", *"جملةعربيطبقاحدودكف؟", "🛫"]
    scores = [(token, 0.0) for token in _SPECIAL["xlm"]]
    scores += [(letter, -5.0) for letter in dict.fromkeys(letters)] + [
        ("▁the", -3.0),
        ("▁wings", -3.0),
        ("layer", -3.0),
    ]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return _finished(tokenizer, "<s>", "</s>", ("<pad>", "<unk>", "<s>", "</s>", "<mask>"))


def _finished(tokenizer: Tokenizer, start: str, stop: str, names: tuple[str, ...]):
    tokenizer.add_special_tokens(list(names))
    pairs = [(token, tokenizer.token_to_id(token)) for token in (start, stop)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{start} $A {stop}", special_tokens=pairs)
    roles = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict(zip(roles, names, strict=True)))


def layer(
    into: int, out: int, bias: bool = False, activation: str = "Identity", residual: bool = False
) -> dict[str, Any]:
    """The settings of a Dense layer, as its libraries name them."""
    return {
        "in_features": into,
        "out_features": out,
        "bias": bias,
        "activation_function": getattr(torch.nn, activation)(),
        "use_residual": residual,
    }


def bend(dense: torch.nn.Module) -> torch.nn.Module:
    """The layer with weights large enough that activations bend."""
    for tensor in dense.parameters():
        torch.nn.init.normal_(tensor, std=0.5)
    return dense


def _bert(**changes):
    config = transformers.BertConfig(max_position_embeddings=128, initializer_range=0.3, **(_SMALL | changes))
    return transformers.BertModel, config, word_pieces()


def _distilbert():
    config = transformers.DistilBertConfig(
        dim=32, n_layers=3, n_heads=4, hidden_dim=64, max_position_embeddings=128, initializer_range=0.3
    )
    return transformers.DistilBertModel, config, word_pieces()


def _xlm_roberta():
    config = transformers.XLMRobertaConfig(
        max_position_embeddings=130, pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1,
        initializer_range=0.3, layer_norm_eps=1e-5, **_SMALL,
    )  # fmt: skip
    return transformers.XLMRobertaModel, config, pieces_of_many_scripts()


def _modernbert(**changes):
    config = transformers.ModernBertConfig(
        max_position_embeddings=512, pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
        local_attention=16, initializer_range=0.3, **(_SMALL | changes),
    )  # fmt: skip
    return transformers.ModernBertModel, config, byte_pairs()


CHECKPOINTS = {
    "bert": (_bert, [layer(32, 16)], {"document_length": 100}),
    "bert, activation and bias": (
        lambda: _bert(hidden_act="gelu_new"),
        [layer(32, 24, bias=True, activation="Tanh"), layer(24, 16, bias=True)],
        {"attend_to_expansion_tokens": True, "document_length": 100},
    ),
    "distilbert": (
        _distilbert,
        [layer(32, 16)],
        {"do_query_expansion": False, "skiplist_words": [], "document_length": 100},
    ),
    "xlm-roberta": (_xlm_roberta, [layer(32, 16)], {"document_length": 100}),
    "modernbert, the shape of LateOn": (
        _modernbert,
        [layer(32, 64, residual=True), layer(64, 32, residual=True), layer(32, 16)],
        {"query_length": 32, "document_length": 300},
    ),
    "modernbert with all biases": (
        lambda: _modernbert(norm_bias=True, attention_bias=True, mlp_bias=True),
        [layer(32, 16, activation="GELU")],
        {"query_prefix": "", "document_prefix": "", "document_length": 300},
    ),
}
"""Network, Dense layers and PyLate's settings."""


def write_network(name: str, folder: Path) -> Path:
    """Writes the network and its tokenizer, as transformers does; the folder."""
    torch.manual_seed(5)
    kind, config, tokenizer = CHECKPOINTS[name][0]()
    config.vocab_size = len(tokenizer)
    tokenizer.save_pretrained(folder)
    model = kind(config)
    for tensor in model.parameters():
        if tensor.ndim == 1:  # norms and biases that do something
            torch.nn.init.normal_(tensor, mean=float(tensor.detach().mean()), std=0.1)
    model.save_pretrained(folder)
    return folder


def write_dense(folder: Path, settings: dict[str, Any]) -> None:
    """Writes a Dense layer with random weights, as PyLate does."""
    folder.mkdir()
    into, out = settings["in_features"], settings["out_features"]
    shapes = {"linear.weight": (out, into)}
    if settings["bias"]:
        shapes["linear.bias"] = (out,)
    if settings["use_residual"] and into != out:
        shapes["residual.weight"] = (out, into)
    save_file({name: torch.randn(shape) / 2 for name, shape in shapes.items()}, folder / "model.safetensors")
    activation = type(settings["activation_function"])
    told = settings | {"activation_function": f"{activation.__module__}.{activation.__name__}"}
    (folder / "config.json").write_text(json.dumps(told))


def write_pylate(name: str, folder: Path) -> Path:
    """Writes the checkpoint as PyLate does, without PyLate; the folder."""
    _, layers, settings = CHECKPOINTS[name]
    _with_prefixes(write_network(name, folder), settings)
    types = ["sentence_transformers.models.Transformer", *["pylate.models.Dense.Dense"] * len(layers)]
    modules = []
    for place, kind in enumerate(types):
        modules.append({"idx": place, "name": str(place), "path": f"{place}_Dense" if place else "", "type": kind})
    for place, each in enumerate(layers, start=1):
        write_dense(folder / f"{place}_Dense", each)
    told = {"model_type": "ColBERT", "query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 32}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(told | settings))
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 511, "do_lower_case": False}))
    return folder


def _with_prefixes(folder: Path, settings: dict[str, Any]) -> None:
    """Gives tokenizer and network the tokens of the prefixes."""
    prefixes = [token for token in (settings.get(f"{side}_prefix", default) for side, default in PREFIXES) if token]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(prefixes)
    tokenizer.save_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)


PREFIXES = (("query", "[Q] "), ("document", "[D] "))
