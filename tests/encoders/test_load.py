"""load_encoder: what a name stands for, one encoder for each, and clear words where there is none."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from late_rag.encoders import load_encoder
from late_rag.errors import InputError, MissingExtraError, ModelError


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


def test_a_pytorch_checkpoint_is_told_how_to_go_on(tmp_path):
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="pylate-onnx-export"):
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
