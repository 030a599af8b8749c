"""Checkpoints on sentence-transformers 6: the contract, and the rows that its MultiVectorEncoder gives."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers.multi_vector_encoder")

from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling, MultiVectorMask

from late_rag.encoders import load_encoder
from late_rag.errors import MissingExtraError
from tests.random_checkpoints import CHECKPOINTS, QUERIES, TEXTS, bend, write_network, write_pylate
from tests.torch_encoders import TorchEncoderContract, assert_rows_are, chunks


class TestSentenceTransformers(TorchEncoderContract):
    backend = "sentence-transformers"


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATE_RAG_CACHE", str(tmp_path / "cache"))


def write_native(name, folder, *more):
    """Writes the checkpoint as sentence-transformers does."""
    _, layers, settings = CHECKPOINTS[name]
    expansion = {"strategy": "fixed", "attend": settings.get("attend_to_expansion_tokens", False), "length": 24}
    network = Transformer(
        str(write_network(name, folder.parent / "base")),
        document_length=settings["document_length"],
        query_length=24,
        query_expansion=expansion if settings.get("do_query_expansion", True) else None,
    )
    dense = [bend(Dense(module_input_name="token_embeddings", **each)) for each in layers]
    modules = [network, *dense, MultiVectorMask(["!", ","]), Normalize(module_input_name="token_embeddings"), *more]
    prompts = {"query": "query: ", "document": "document: "}
    MultiVectorEncoder(modules=modules, device="cpu", prompts=prompts).save(str(folder))
    return folder


@pytest.mark.parametrize("form", [write_pylate, write_native])
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_rows_are_those_of_the_library_and_of_the_graph(name, form, tmp_path):
    folder = form(name, tmp_path / "checkpoint")
    model = MultiVectorEncoder(str(folder), device="cpu")
    encoder = load_encoder(folder, backend="sentence-transformers", batch_size=4)
    expected = model.encode_query(QUERIES, show_progress_bar=False, convert_to_numpy=True)
    for found, rows in zip(encoder.encode_queries(QUERIES), expected, strict=True):
        np.testing.assert_allclose(found, rows, atol=1e-5)
    short = [text.strip() for text in TEXTS if len(text) < 100]  # which PyLate does, and this library does not
    expected = model.encode_document(short, show_progress_bar=False, convert_to_numpy=True)
    for found, rows in zip(encoder.encode_documents(chunks(short)), expected, strict=True):
        np.testing.assert_allclose(found, rows, atol=1e-5)
    compiled = load_encoder(folder, backend="onnx", precision="fp32")
    assert_rows_are(encoder, compiled)
    assert encoder.model_id == compiled.model_id


def test_a_pooling_of_the_checkpoint_is_left_to_the_collection(tmp_path, caplog):
    folder = write_native("bert", tmp_path / "checkpoint", HierarchicalTokenPooling(2.0))
    encoder = load_encoder(folder, backend="sentence-transformers")
    assert "pools the rows of documents by 2.0; that is left out" in caplog.text
    assert_rows_are(encoder, load_encoder(folder, backend="onnx", precision="fp32"))


def test_the_other_backend_is_not_there(words):
    with pytest.raises(MissingExtraError) as caught:
        load_encoder(words, backend="pylate")
    assert str(caught.value).endswith(
        'needs pylate, which is not installed. Install it with: pip install "late-rag[pylate]"'
    )
