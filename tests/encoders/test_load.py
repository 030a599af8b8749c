"""load_encoder: what a name stands for, one encoder for each, and clear words where there is none."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from late_rag.encoders import _identity, load_encoder
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.errors import InputError, MissingExtraError, ModelError, UnsupportedError
from late_rag.types import Chunk
from tests.encoders.trained import write_trained


def test_minilm_is_what_the_docs_say():
    encoder = load_encoder("minilm")
    assert (encoder.model, encoder.variant, encoder.dim) == ("minilm", "onnx-int8-cpu", 128)
    assert (encoder.query_length, encoder.document_length, encoder.document_capacity) == (256, 256, 254)
    assert encoder.model_id.startswith("late-rag-minilm-1/")


def test_a_model_is_loaded_once(make_checkpoint, monkeypatch):
    folder = make_checkpoint()
    encoder = load_encoder(folder)
    monkeypatch.chdir(folder.parent)
    assert load_encoder(str(folder)) is encoder
    assert load_encoder(f".{os.sep}{folder.name}") is encoder
    assert load_encoder(Path(folder.name)) is encoder
    assert load_encoder(folder, workers=1) is not encoder
    assert load_encoder(folder, workers=1) is load_encoder(folder, workers=1)
    assert encoder.model == str(folder.resolve())


def test_the_log_says_what_reads_it(make_checkpoint, caplog):
    with caplog.at_level(logging.INFO):
        load_encoder(make_checkpoint(), device="cpu")
    assert "ONNX Runtime, fp32 on cpu" in caplog.text


def test_without_its_distribution_minilm_names_the_install_line_and_better_models(monkeypatch):
    monkeypatch.setitem(sys.modules, "late_rag_minilm", None)
    with pytest.raises(MissingExtraError) as caught:
        load_encoder("minilm")
    assert str(caught.value).endswith('pip install "late-rag[minilm]"')
    assert "lightonai/LateOn" in str(caught.value)


@pytest.mark.parametrize("model", [None, 5, "", "  ", b"minilm"])
def test_a_model_is_a_text_or_a_path(model):
    with pytest.raises(InputError, match="model is"):
        load_encoder(model)


@pytest.mark.parametrize("model", ["minilmm", "/no/such/folder", "./models/none", "a b/c", Path("org/name"), "a//b"])
def test_what_is_no_model_is_named(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="there is no model"):
        load_encoder(model)


def test_an_option_that_the_backend_has_not_is_named(make_checkpoint):
    with pytest.raises(InputError, match="no option batch_size; it has device, precision, window_tokens, workers"):
        load_encoder(make_checkpoint(), batch_size=4)
    with pytest.raises(InputError, match="precision is 'int4'"):
        load_encoder(make_checkpoint(folder="other"), precision="int4")


def test_an_error_is_no_encoder(make_checkpoint):
    folder = make_checkpoint()
    config = (folder / "onnx_config.json").rename(folder / "away")
    with pytest.raises(ModelError, match="onnx_config"):
        load_encoder(folder)
    config.rename(folder / "onnx_config.json")
    assert load_encoder(folder).dim == 24


def test_a_checkpoint_for_one_vector_a_text_is_none_of_ours(tmp_path):
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="is no late-interaction checkpoint"):
        load_encoder(tmp_path)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ModelError, match="holds no model"):
        load_encoder(tmp_path)


def python(code: str, **variables: str) -> str:
    """What another process prints, or the last line of its error."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | variables)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def hub_cache(folder: Path, checkpoint: Path, commit: str) -> dict[str, str]:
    """The hub's cache with one model in it, and no network beside it."""
    snapshot = folder / "models--someone--small" / "snapshots" / commit
    shutil.copytree(checkpoint, snapshot)
    references = folder / "models--someone--small" / "refs"
    references.mkdir()
    (references / "main").write_text(commit)
    return {"HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1", "LATE_RAG_CACHE": str(folder)}


LOAD = """
from late_rag import load_encoder
encoder = load_encoder({!r}, device="cpu")
(rows,) = encoder.encode_queries(["wings"])
print(encoder.model, encoder.model_id, encoder.variant, rows.shape)
"""


@pytest.mark.parametrize("files", [("model.onnx",), ("model_int8.onnx",)])
def test_a_model_of_the_hub_is_identified_by_its_revision(make_checkpoint, tmp_path, files):
    commit = "c0ffee" * 6 + "c0de"
    variables = hub_cache(tmp_path / "hub", make_checkpoint(files=files), commit)
    told = python(LOAD.format("someone/small"), **variables)
    precision = "int8" if "int8" in files[0] else "fp32"
    assert told.startswith(f"someone/small someone/small@{commit}/")
    assert told.endswith(f"onnx-{precision}-cpu (3, 24)")


def test_a_checkpoint_of_the_hub_without_an_export_is_compiled(tmp_path):
    variables = hub_cache(tmp_path / "hub", write_trained(tmp_path / "model"), "c0ffee" * 6 + "c0de")
    told = python(LOAD.format("someone/small"), **variables)
    assert told.startswith("someone/small safetensors-")
    assert told.endswith("onnx-int8-cpu (16, 8)")


def test_an_alias_is_its_hub_id_and_its_weights_are_taken_where_there_is_an_export_too(tmp_path):
    """An export may lack layers; and whoever names the hub id, as a collection does, gets the same."""
    folder = write_trained(tmp_path / "model")
    (folder / "model.onnx").write_bytes(b"an export of the first layer alone")
    cache = tmp_path / "hub"
    variables = hub_cache(cache, folder, "c0ffee" * 6 + "c0de")
    (cache / "models--someone--small").rename(cache / "models--lightonai--LateOn")
    for name in ("lateon", "lightonai/LateOn"):
        told = python(LOAD.format(name), **variables)
        assert told.startswith("lightonai/LateOn safetensors-")
        assert told.endswith("onnx-int8-cpu (16, 8)")


def test_a_known_model_that_is_not_read_says_why():
    with pytest.raises(UnsupportedError) as caught:
        load_encoder("jina-colbert-v2")
    assert str(caught.value) == (
        "jina-colbert-v2 (jinaai/jina-colbert-v2) brings code of its own, which is not run; take 'mlateon'"
    )
    with pytest.raises(UnsupportedError, match=r"colpali .* reads page images, for which there is no encoder yet"):
        load_encoder("colpali")


def test_a_model_that_cannot_be_fetched_says_what_to_do(tmp_path):
    told = python(LOAD.format("someone/else"), HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1")
    assert told.startswith("late_rag.errors.ModelError: someone/else could not be fetched")
    assert "give its folder" in told


def test_loading_a_model_imports_nothing_heavy_before_the_first_text(make_checkpoint):
    told = python(
        "import sys; from late_rag import load_encoder; load_encoder('minilm').model_id;"
        "print([name for name in ('numpy', 'onnxruntime', 'tokenizers', 'torch') if name in sys.modules])"
    )
    assert told == "[]"


def test_the_hubs_token_is_named_by_its_variable(make_checkpoint, tmp_path):
    commit = "c0ffee" * 6 + "c0de"
    variables = hub_cache(tmp_path / "hub", make_checkpoint(), commit)
    named = LOAD.format("someone/small").replace('device="cpu"', 'device="cpu", token_variable="MY_TOKEN"')
    assert python(named, MY_TOKEN="hf_x", **variables).startswith("someone/small someone/small@")
    assert "(MY_TOKEN for a private model" in python(named.replace("small", "else"), **variables)
    several = named.replace('"MY_TOKEN"', '("ONE_TOKEN", "MY_TOKEN")').replace("small", "else")
    assert "(ONE_TOKEN or MY_TOKEN for a private model" in python(several, **variables)


MINILM = {"query_prefix": "", "document_prefix": "", "skiplist_words": [], "do_query_expansion": False}
LENGTHS = {"query_length": 32, "document_length": 256}
HOSTILE_CONFIGS: list[str | bytes] = [
    *("", "[]", "null", "{", "[" * 100_000, b"\xff\xfe", '{"query_length":' + "9" * 5_000 + "}"),
    *(
        json.dumps({**MINILM, **LENGTHS, "model_id": "m", **changes})
        for changes in (
            *({"query_length": value} for value in (0, -1, True, 1.5, "32", 2**31, 2**100, 1, 2)),
            *({"document_length": value} for value in (2, 2**63, 10**12)),
            *({"query_prefix": value} for value in (5, "\ud800", "x" * 100_000, "no such token")),
            *({"query_prefix": "[MASK]", "query_prefix_id": value} for value in (-1, 2**31, 2**100, True, 2**24)),
            *({"document_prefix": "x", "document_prefix_id": value} for value in (-1, -(10**9), 2**62, 2**24)),
            *({"do_query_expansion": True, "mask_token_id": value} for value in (-1, 2**63, 2**24)),
            {"do_query_expansion": True, "query_length": 513},
            *({"skiplist_words": value} for value in (5, [5], ["\ud800"], None)),
            *({"embedding_dim": value} for value in (0, 1, 127, 2**70, "128")),
            *({"model_id": value} for value in (5, [], "a\0b", "\ud800", "x" * 10**6)),
        )
    ),
]
TOKENIZERS = ["", "{}", "\0" * 100, "[" * 100_000, '{"model":{"type":"WordLevel","vocab":{},"unk_token":"x"}}', None]


def use(folder: Path) -> None:
    """Everything that reads a part of the folder."""
    encoder = OnnxEncoder(folder, workers=1)
    assert encoder.model_id
    encoder.encode_queries(["some words"])
    list(encoder.encode_documents([Chunk("a", "a", "some words here " * 30)]))
    assert encoder.dim == encoder.encode_queries(["x"])[0].shape[1]


@pytest.fixture
def minilm(tmp_path: Path) -> Path:
    """A folder of the embedded model that may be changed."""
    import late_rag_minilm

    folder = tmp_path / "model"
    shutil.copytree(late_rag_minilm.FOLDER, folder)
    use(folder)
    return folder


def test_a_hostile_folder_is_a_model_error(minilm: Path) -> None:
    config, tokenizer = minilm / "onnx_config.json", minilm / "tokenizer.json"
    good, good_tokenizer = config.read_bytes(), tokenizer.read_bytes()
    for content in HOSTILE_CONFIGS:
        config.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ModelError) as caught:
            use(minilm)
        assert len(str(caught.value)) < 1_500, content[:200]
    config.write_bytes(good)
    for text in TOKENIZERS:
        if text is None:
            shifted = json.loads(good_tokenizer)
            shifted["model"]["vocab"] = {word: number + 10**8 for word, number in shifted["model"]["vocab"].items()}
            text = json.dumps(shifted)
        tokenizer.write_text(text)
        with pytest.raises(ModelError):
            use(minilm)
    tokenizer.write_bytes(good_tokenizer)
    for content in (b"", b"\0" * 100, b"\x08\x07"):
        (minilm / "model_int8.onnx").write_bytes(content)
        with pytest.raises(ModelError):
            use(minilm)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the cache folder has another name there")
def test_ids_are_kept_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATE_RAG_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _identity._cache_file() == tmp_path / "late_rag" / "model_hashes.json"
    monkeypatch.setenv("LATE_RAG_CACHE", str(tmp_path / "other"))
    assert _identity._cache_file() == tmp_path / "other" / "model_hashes.json"
