"""A PyLate checkpoint with random weights, exported as LightOn's exporter does: the same rows from both."""

from __future__ import annotations

import json
import string
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pylate_models = pytest.importorskip("pylate.models")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

from late_rag.encoders.onnx import OnnxEncoder  # noqa: E402
from late_rag.types import Chunk  # noqa: E402

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
DOCUMENTS = [
    "Wings, and nothing else!",
    "  the boundary layer (of a plate) grows: slowly.  ",
    "unknown ☃ words and a, b; c " * 3,
]
QUERIES = ["wings?", "how does a boundary layer grow", "a query that is far too long for the model " * 5]

KINDS = {
    "plain": {"query_prefix": "", "document_prefix": "", "do_query_expansion": False, "skiplist_words": []},
    "colbert": {"query_prefix": "[Q] ", "document_prefix": "[D] ", "do_query_expansion": True},
    "attended expansion": {
        "query_prefix": "[unused0]",
        "document_prefix": "[unused1]",
        "do_query_expansion": True,
        "attend_to_expansion_tokens": True,
    },
}


def small_bert(folder):
    """A BERT with two layers and a vocabulary of letters and punctuation."""
    letters = string.ascii_lowercase
    vocabulary = [
        *SPECIAL,
        *letters,
        *(f"##{letter}" for letter in letters),
        *string.punctuation,
        "wings",
        "layer",
        "boundary",
    ]
    tokenizer = Tokenizer(
        models.WordPiece({token: number for number, token in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(5)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.5,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


class Exported(torch.nn.Module):
    """Transformer, projections and normalisation as one graph."""

    def __init__(self, model):
        super().__init__()
        self.bert = model[0].auto_model
        self.projections = torch.nn.ModuleList(model[position].linear for position in range(1, len(model)))

    def forward(self, input_ids, attention_mask, token_type_ids):
        rows = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        for projection in self.projections:
            rows = projection(rows)
        return torch.nn.functional.normalize(rows, dim=-1)


def export(model, folder):
    """The files that LightOn's exporter writes, with the settings it records."""
    model[0].tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    names = (
        "query_prefix",
        "document_prefix",
        "query_prefix_id",
        "document_prefix_id",
        "query_length",
        "document_length",
        "do_query_expansion",
        "attend_to_expansion_tokens",
        "skiplist_words",
    )
    settings = {name: getattr(model, name) for name in names}
    settings |= {"embedding_dim": model[-1].out_features, "mask_token_id": model.tokenizer.mask_token_id}
    (folder / "onnx_config.json").write_text(json.dumps(settings))
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.ones(2, 6, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            Exported(model).eval(),
            (example, example, torch.zeros_like(example)),
            str(folder / "model.onnx"),
            input_names=inputs,
            output_names=["output"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in [*inputs, "output"]},
            opset_version=17,
            dynamo=False,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_pylates(kind, tmp_path):
    settings = {"query_length": 24, "document_length": 100, "embedding_size": 16, "device": "cpu"} | KINDS[kind]
    model = pylate_models.ColBERT(str(small_bert(tmp_path)), **settings)
    folder = tmp_path / "onnx"
    folder.mkdir()
    export(model, folder)
    encoder = OnnxEncoder(folder, device="cpu")

    for query, found in zip(QUERIES, encoder.encode_queries(QUERIES), strict=True):
        expected = model.encode([query], is_query=True, show_progress_bar=False)[0]
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=query)
    chunks = [Chunk(str(number), "d", text) for number, text in enumerate(DOCUMENTS)]
    for text, found in zip(DOCUMENTS, encoder.encode_documents(chunks), strict=True):
        expected = model.encode([text], is_query=False, show_progress_bar=False)[0]
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=text)
