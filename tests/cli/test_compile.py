"""late-rag compile."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from late_rag.cli.application import application
from late_rag.encoders.graphs import making
from tests.encoders.trained import write_trained


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATE_RAG_CACHE", str(tmp_path / "cache"))


def test_a_checkpoint_is_compiled_and_said_how_close_int8_is(tmp_path):
    source = write_trained(tmp_path / "model")
    done = CliRunner().invoke(application, ["compile", str(source), str(tmp_path / "out"), "--int8"])
    assert done.exit_code == 0
    assert f"compiled to int8 in {tmp_path / 'out'}; mean cosine of int8 rows with those of fp32: 0.99" in done.stdout
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "model_int8.onnx",
        "onnx_config.json",
        "tokenizer.json",
    }


def test_int8_that_is_not_close_enough_is_fp32_and_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(making, "LEAST_COSINE", 1.1)
    source = write_trained(tmp_path / "model")
    done = CliRunner().invoke(application, ["compile", str(source), str(tmp_path / "out"), "--int8", "--json"])
    assert done.exit_code == 3
    assert json.loads(done.stdout)["precision"] == "fp32"
    assert (tmp_path / "out" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("minilm", "minilm is an ONNX export already; load it as it is"),
        ("latoen", "there is no model 'latoen': it is not a folder, not 'minilm', no name that late-rag models lists"),
        ("", "model is ''; give 'minilm', a folder, or a hub id"),
        ("x" * 300, "there is no model"),
        ("~nobody-of-this-name/model", "there is no model"),
        (".", "holds no checkpoint: expected modules.json or config.json"),
        ("colpali", "reads page images, for which there is no encoder yet"),
    ],
)
def test_what_cannot_be_compiled_is_said_as_where_it_is_loaded(model, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(application, ["compile", model, "out"])
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())
