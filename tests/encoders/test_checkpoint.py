"""What a checkpoint folder says, in each of the formats, and what it may not say."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest

from late_rag.encoders._tokens import MARKER, Sequences
from late_rag.encoders.checkpoint import CheckpointConfig, Dense, Expansion, Normalize, Transformer, read_config
from late_rag.errors import ModelError
from late_rag.types import TextSpan
from tests.encoders.conftest import KINDS, make_tokenizer

TYPES = "sentence_transformers.base.modules"


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def modules(*kinds: str) -> list[dict[str, Any]]:
    return [
        {"idx": place, "name": str(place), "path": f"{place}_{kind.rpartition('.')[2]}" if place else "", "type": kind}
        for place, kind in enumerate(kinds)
    ]


def dense(rows: int, columns: int, **changes: Any) -> dict[str, Any]:
    settings = {"in_features": rows, "out_features": columns, "bias": False}
    return settings | {"activation_function": "torch.nn.modules.linear.Identity"} | changes


PYLATE = {
    "config_sentence_transformers.json": {
        "model_type": "ColBERT",
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 32,
        "document_length": 300,
        "attend_to_expansion_tokens": True,
        "skiplist_words": [",", "."],
        "do_query_expansion": True,
    },
    "modules.json": modules(
        "sentence_transformers.models.Transformer", "pylate.models.Dense.Dense", "pylate.models.Dense.Dense"
    ),
    "sentence_bert_config.json": {"max_seq_length": 299, "do_lower_case": True},
    "1_Dense/config.json": dense(768, 1536, use_residual=True),
    "2_Dense/config.json": dense(1536, 128, bias=True, activation_function="torch.nn.modules.activation.GELU"),
}
NATIVE = {
    "config.json": {"max_position_embeddings": 512},
    "config_sentence_transformers.json": {
        "model_type": "MultiVectorEncoder",
        "prompts": {"query": "query: ", "document": ""},
    },
    "modules.json": modules(
        f"{TYPES}.transformer.Transformer",
        f"{TYPES}.dense.Dense",
        "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask",
        f"{TYPES}.normalize.Normalize",
    ),
    "sentence_bert_config.json": {
        "transformer_task": "feature-extraction",
        "query_length": 64,
        "document_length": 512,
        "query_expansion": {"strategy": "min", "attend": True, "length": 24, "token": "[SEP]"},
    },
    "1_Dense/config.json": dense(
        32, 16, module_input_name="token_embeddings", module_output_name="token_embeddings", bias=True
    ),
    "2_MultiVectorMask/config.json": {
        "skiplist_words": ["!"],
        "skiplist_tasks": ["document", "query"],
        "keep_only_token_ids": [3, 5],
    },
}
STANFORD = {
    "config.json": {"architectures": ["HF_ColBERT"], "hidden_size": 768},
    "artifact.metadata": {
        "query_token_id": "[unused0]",
        "doc_token_id": "[unused1]",
        "query_maxlen": 32,
        "doc_maxlen": 180,
        "mask_punctuation": True,
        "attend_to_mask_tokens": False,
        "dim": 128,
    },
}


def test_pylates_checkpoint(tmp_path):
    assert read_config(write(tmp_path, PYLATE)) == CheckpointConfig(
        query_length=32,
        document_length=300,
        query_prefix="[Q] ",
        document_prefix="[D] ",
        expansion=Expansion(32, attend=True),
        skiplist_words=(",", "."),
        do_lower_case=True,
        embedding_dim=128,
        modules=(
            Transformer(),
            Dense("1_Dense", 768, 1536, bias=False, activation="identity", residual=True),
            Dense("2_Dense", 1536, 128, bias=True, activation="gelu"),
        ),
    )


def test_what_pylate_takes_where_a_checkpoint_does_not_say(tmp_path):
    silent = PYLATE | {"config_sentence_transformers.json": {"model_type": "ColBERT"}}
    config = read_config(write(tmp_path, silent))
    assert (config.query_length, config.document_length, config.expansion) == (32, 180, Expansion(32))
    assert (config.query_prefix, config.document_prefix) == ("[Q] ", "[D] ")
    assert config.skiplist_words == tuple(string.punctuation)


def test_sentence_transformers_own_checkpoint(tmp_path):
    config = read_config(write(tmp_path, NATIVE))
    assert config == CheckpointConfig(
        query_length=64,
        document_length=512,
        query_prefix="",
        document_prefix="",
        expansion=Expansion(24, attend=True, strategy="min", token="[SEP]"),
        skiplist_words=("!",),
        skiplist_sides=("query", "document"),
        keep_only_token_ids=(3, 5),
        query_prompt="query: ",
        embedding_dim=16,
        modules=(Transformer(), Dense("1_Dense", 32, 16, bias=True, activation="identity"), Normalize()),
    )


def test_stanfords_checkpoint(tmp_path):
    config = read_config(write(tmp_path, STANFORD))
    assert (config.query_prefix, config.document_prefix) == ("[unused0]", "[unused1]")
    assert (config.query_length, config.document_length, config.expansion) == (32, 180, Expansion(32))
    assert config.skiplist_words == tuple(string.punctuation)
    assert config.modules == (Transformer(), Dense("", 768, 128, bias=False, activation="identity"))


def test_every_format_can_be_written_as_an_export_and_read_again(tmp_path):
    for name, files in {"pylate": PYLATE, "native": NATIVE, "stanford": STANFORD}.items():
        config = read_config(write(tmp_path / name, files))
        export = write(tmp_path / f"{name} export", {"onnx_config.json": config.settings(), "model.onnx": ""})
        assert read_config(export).fingerprint == config.fingerprint
        assert read_config(export).settings() == config.settings()


def changed(files: dict[str, Any], name: str, **changes: Any) -> dict[str, Any]:
    return files | {name: files[name] | changes}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (changed(PYLATE, "config_sentence_transformers.json", query_length="32"), "query_length is '32', not int"),
        (changed(PYLATE, "config_sentence_transformers.json", document_length=0), "document_length is 0"),
        (PYLATE | {"modules.json": "{}"}, "modules.json holds no list"),
        (PYLATE | {"modules.json": modules(f"{TYPES}.Normalize")}, "does not begin with the one Transformer"),
        (PYLATE | {"modules.json": " " * (5 << 20)}, "more than 4 MiB"),
        (
            PYLATE | {"modules.json": modules("sentence_transformers.models.Transformer", "custom_st.Head")},
            r"modules.json names the module 'custom_st.Head'.*give an ONNX export",
        ),
        (
            PYLATE | {"modules.json": modules("sentence_transformers.models.Transformer", f"{TYPES}.Pooling")},
            "names the module '.*Pooling'",
        ),
        (
            changed(PYLATE, "1_Dense/config.json", activation_function="os.system"),
            "names the activation 'os.system'",
        ),
        (PYLATE | {"1_Dense/config.json": {"in_features": 3}}, "1_Dense/config.json lacks out_features"),
        (changed(PYLATE, "1_Dense/config.json", in_features=2**40), "in_features is 1099511627776, not from 1"),
        (
            PYLATE | {"modules.json": [{"path": "../../etc", "type": "sentence_transformers.models.Transformer"}]},
            "'../../etc' is no folder inside",
        ),
        (
            changed(NATIVE, "sentence_bert_config.json", query_expansion={"strategy": "most", "length": 4}),
            "query_expansion is .*strategy 'fixed' or 'min'",
        ),
        (changed(NATIVE, "2_MultiVectorMask/config.json", skiplist_tasks=["passage"]), "the skip list is for"),
        (changed(NATIVE, "2_MultiVectorMask/config.json", keep_only_token_ids=[-1]), "not the id of a token"),
        (changed(NATIVE, "config_sentence_transformers.json", prompts={"query": 5}), "query_prompt is 5"),
        (changed(STANFORD, "artifact.metadata", doc_maxlen=True), "doc_maxlen is True, not int"),
        ({"config.json": {}, "model.safetensors": ""}, "is no late-interaction checkpoint"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_file(tmp_path, files, message):
    with pytest.raises(ModelError, match=message) as caught:
        read_config(write(tmp_path, files))
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value)) < 1_500


def sequences(**changes: Any) -> Sequences:
    settings = {
        "query_length": 16,
        "document_length": 16,
        "query_prefix": "",
        "document_prefix": "",
        "expansion": None,
        "skiplist_words": (),
    }
    tokenizer = make_tokenizer(KINDS["plain"])
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Sequences(tokenizer, CheckpointConfig(**(settings | changes)))


def tokens(built: Sequences, ids: Any) -> list[str]:
    return [built.tokenizer.id_to_token(int(token)) for token in ids]


def test_a_prompt_stands_behind_the_first_marker_and_is_of_no_token_of_the_text():
    built = sequences(query_prompt="the: ", document_prompt="[D] ")
    (ids,) = built.tokenize([" wings"], "query")
    item = built.query_pass(ids)
    assert tokens(built, item.ids) == ["[CLS]", "the", ":", "wings", "[SEP]"]
    assert list(item.tokens) == [MARKER, MARKER, MARKER, 0, MARKER]
    assert built.located(" wings", "query")[1] == [TextSpan(1, 6)]
    (document,) = built.document_passes(built.tokenize(["wings"])[0])
    assert document.ids[1] == built.tokenizer.token_to_id("[D] ")
    assert tokens(built, document.ids[2:]) == ["wings", "[SEP]"]


def test_a_least_length_fills_up_and_does_not_cut():
    built = sequences(expansion=Expansion(6, attend=True, strategy="min", token="[SEP]"))
    short, long = (built.query_pass(ids) for ids in built.tokenize(["wings", "a b c d e f g"], "query"))
    assert tokens(built, short.ids) == ["[CLS]", "wings", "[SEP]", "[SEP]", "[SEP]", "[SEP]"]
    assert short.mask.all()
    assert len(long.ids) == 9
    with pytest.raises(ModelError, match=r"token '\[X\]' is no token"):
        sequences(expansion=Expansion(6, token="[X]"))


def test_the_skip_list_of_both_sides_and_the_only_ids_of_documents():
    words = sequences(skiplist_words=("!",), skiplist_sides=("query",))
    (ids,) = words.tokenize(["wings !"])
    assert tokens(words, words.query_pass(ids).ids[words.query_pass(ids).rows]) == ["[CLS]", "wings", "[SEP]"]
    assert len(words.document_passes(ids)[0].rows) == 4
    only = sequences(keep_only_token_ids=(int(ids[0]), 10**7))
    (item,) = only.document_passes(ids)
    assert tokens(only, item.ids[item.rows]) == ["wings"]
    assert len(only.query_pass(ids).rows) == 4
