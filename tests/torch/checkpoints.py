"""PyLate checkpoints with random weights, of the architectures and modules that are compiled."""

from __future__ import annotations

import string

import torch
import transformers
from pylate import models as pylate_models
from sentence_transformers.models import Transformer
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


def dense(into: int, out: int, **options) -> pylate_models.Dense:
    """A layer with weights large enough that activations bend."""
    layer = pylate_models.Dense(into, out, **({"bias": False} | options))
    for tensor in layer.parameters():
        torch.nn.init.normal_(tensor, std=0.5)
    return layer


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
    "bert": (_bert, lambda: [dense(32, 16)], {"document_length": 100}),
    "bert, activation and bias": (
        lambda: _bert(hidden_act="gelu_new"),
        lambda: [dense(32, 24, bias=True, activation_function=torch.nn.Tanh()), dense(24, 16, bias=True)],
        {"attend_to_expansion_tokens": True, "document_length": 100},
    ),
    "distilbert": (
        _distilbert,
        lambda: [dense(32, 16)],
        {"do_query_expansion": False, "skiplist_words": [], "document_length": 100},
    ),
    "xlm-roberta": (_xlm_roberta, lambda: [dense(32, 16)], {"document_length": 100}),
    "modernbert, the shape of LateOn": (
        _modernbert,
        lambda: [dense(32, 64, use_residual=True), dense(64, 32, use_residual=True), dense(32, 16)],
        {"query_length": 32, "document_length": 300},
    ),
    "modernbert with all biases": (
        lambda: _modernbert(norm_bias=True, attention_bias=True, mlp_bias=True),
        lambda: [dense(32, 16, activation_function=torch.nn.GELU())],
        {"query_prefix": "", "document_prefix": "", "document_length": 300},
    ),
}


def make_checkpoint(name: str, folder) -> pylate_models.ColBERT:
    """Writes the checkpoint as PyLate does; the model, read again from there."""
    torch.manual_seed(5)
    network, layers, settings = CHECKPOINTS[name]
    kind, config, tokenizer = network()
    config.vocab_size = len(tokenizer)
    base = folder / "base"
    tokenizer.save_pretrained(base)
    model = kind(config)
    for tensor in model.parameters():
        if tensor.ndim == 1:  # norms and biases that do something
            torch.nn.init.normal_(tensor, mean=float(tensor.detach().mean()), std=0.1)
    model.save_pretrained(base)
    made = pylate_models.ColBERT(modules=[Transformer(str(base)), *layers()], device="cpu", **settings)
    made.save(str(folder / "checkpoint"))
    return pylate_models.ColBERT(str(folder / "checkpoint"), device="cpu")
