"""Checkpoints with random weights, compiled without PyTorch: the rows that PyLate gives."""

from __future__ import annotations

import logging

import numpy as np
import pytest

pytest.importorskip("pylate.models")

from late_rag.encoders import load_encoder
from late_rag.types import Chunk
from tests.random_checkpoints import CHECKPOINTS, QUERIES, TEXTS
from tests.torch.checkpoints import make_checkpoint


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATE_RAG_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=CHECKPOINTS)
def model(request, tmp_path):
    return make_checkpoint(request.param, tmp_path)


def pylates(model, text, *, is_query):
    return model.encode([text], is_query=is_query, show_progress_bar=False)[0]


def test_rows_are_pylates(model, tmp_path):
    encoder = load_encoder(tmp_path / "checkpoint", precision="fp32", device="cpu")
    for query, found in zip(QUERIES, encoder.encode_queries(QUERIES), strict=True):
        np.testing.assert_allclose(found, pylates(model, query, is_query=True), atol=1e-4, err_msg=query)
    for text in TEXTS:
        (ids,) = encoder._sequences.tokenize([text])
        fits = len(ids) <= encoder.document_capacity
        (found,) = encoder.encode_documents([Chunk("c", "d", text)])
        expected = pylates(model, text, is_query=False)
        if fits:
            np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=text)
        else:  # windows, where PyLate cuts off: the first rows are those of the first window
            assert len(found) > len(expected)
            np.testing.assert_allclose(found[: len(expected) // 2], expected[: len(expected) // 2], atol=1e-4)
    assert [rows.shape for rows in encoder.encode_documents([Chunk("c", "d", "")])] == [(0, encoder.dim)]


def test_int8_is_close_or_is_not_used(model, tmp_path, caplog, capsys):
    with caplog.at_level(logging.WARNING):
        quantised = load_encoder(tmp_path / "checkpoint", device="cpu")
        used = quantised.variant
    exact = load_encoder(tmp_path / "checkpoint", precision="fp32", device="cpu")
    assert quantised.model_id == exact.model_id
    if used == "onnx-fp32-cpu":
        assert "too far from those of fp32" in caplog.text
    chunks = [Chunk(str(place), "d", text) for place, text in enumerate(TEXTS)]
    pairs = zip(quantised.encode_documents(chunks), exact.encode_documents(chunks), strict=True)
    cosine = np.concatenate([np.einsum("ij,ij->i", one, other) for one, other in pairs]).mean()
    with capsys.disabled():
        print(f"\n{used}: mean cosine with fp32 {cosine:.4f}")
    assert cosine > 0.98
