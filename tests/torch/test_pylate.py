"""Checkpoints on PyLate: the contract, and the rows that PyLate itself gives."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pylate.models")

from late_rag.encoders import load_encoder
from late_rag.errors import MissingExtraError, ModelError
from tests.random_checkpoints import CHECKPOINTS, QUERIES, TEXTS
from tests.torch.checkpoints import make_checkpoint
from tests.torch_encoders import TorchEncoderContract, assert_rows_are, chunks, words_first


class TestPyLate(TorchEncoderContract):
    backend = "pylate"


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_rows_are_pylates_and_those_of_the_graph(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LATE_RAG_CACHE", str(tmp_path / "cache"))
    model = make_checkpoint(name, tmp_path)
    encoder = load_encoder(tmp_path / "checkpoint", backend="pylate", batch_size=4)
    expected = model.encode(QUERIES, is_query=True, show_progress_bar=False)
    for found, rows in zip(encoder.encode_queries(QUERIES), expected, strict=True):
        np.testing.assert_allclose(found, rows, atol=1e-5)
    short = [text for text in TEXTS if len(text) < 100]
    expected = model.encode(short, is_query=False, show_progress_bar=False)
    for found, rows in zip(encoder.encode_documents(chunks(short)), expected, strict=True):
        np.testing.assert_allclose(found, rows, atol=1e-5)
    compiled = load_encoder(tmp_path / "checkpoint", backend="onnx", precision="fp32")
    assert_rows_are(encoder, compiled)
    assert encoder.model_id == compiled.model_id


def test_the_other_backend_says_why_it_is_not_there(words):
    with pytest.raises(MissingExtraError) as caught:
        load_encoder(words, backend="sentence-transformers")
    assert "needs sentence-transformers from version 6 on (5." in str(caught.value)
    assert str(caught.value).endswith('pip install "late-rag[sentence-transformers]"')


def test_weights_that_are_broken_are_named(tmp_path):
    folder = words_first(tmp_path / "a")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="a cannot be loaded by pylate: "):
        load_encoder(folder, backend="pylate").encode_queries(["wings"])
