"""What the tests of both encoders on PyTorch share; each runs in the environment of its library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from late_rag import Retriever
from late_rag.encoders import load_encoder
from late_rag.encoders.base import SequenceEncoder
from late_rag.errors import ModelError
from late_rag.testing import EncoderContract
from late_rag.types import Chunk
from tests.encoders.trained import write_trained
from tests.random_checkpoints import QUERIES, TEXTS, write_pylate


def chunks(texts: list[str]) -> list[Chunk]:
    return [Chunk(str(place), "d", text) for place, text in enumerate(texts)]


def words_first(folder: Path) -> Path:
    """A checkpoint in which a word is nearest to itself, as in a trained one, that transformers reads too."""
    write_trained(folder, "bert", depth=0.03, do_query_expansion=False, document_length=48)
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    size = len(tokenizer["model"]["vocab"]) + sum(
        token["content"] not in tokenizer["model"]["vocab"] for token in tokenizer["added_tokens"]
    )
    file.write_text(json.dumps(settings | {"vocab_size": size, "architectures": ["BertModel"]}))
    modules = json.loads((folder / "modules.json").read_text())
    named = [{"idx": place, "name": str(place)} | module for place, module in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(named))
    roles = {f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | roles))
    return folder


def assert_rows_are(encoder: SequenceEncoder, expected: SequenceEncoder, atol: float = 1e-4) -> None:
    """Whether both give the same rows for all texts and queries, windows of long ones and empty ones included."""
    items = chunks([*TEXTS, "", *TEXTS])
    for found, rows in zip(encoder.encode_documents(items), expected.encode_documents(items), strict=True):
        np.testing.assert_allclose(found, rows, atol=atol)
    for found, rows in zip(encoder.encode_queries(QUERIES), expected.encode_queries(QUERIES), strict=True):
        np.testing.assert_allclose(found, rows, atol=atol)


class TorchEncoderContract(EncoderContract):
    """The contract, and what is common to both backends; a subclass names its own."""

    backend: str

    @pytest.fixture
    def folder(self, words) -> Path:
        return words

    @pytest.fixture
    def encoder(self, folder):
        return load_encoder(folder, backend=self.backend, device="cpu")

    def test_shares_collections_with_the_compiled_graph(self, encoder, folder):
        assert encoder.model_id == load_encoder(folder, backend="onnx").model_id
        assert encoder.variant == f"{self.backend}-float32-cpu"

    def test_a_collection_made_with_it_is_searched_with_the_graph(self, folder, tmp_path):
        location = tmp_path / "made.rag"
        with Retriever.create(location, load_encoder(folder, backend=self.backend, device="cpu")) as made:
            made.add(["the committee approves travel", "a boundary layer is thin", "zebras"])
            assert made.collection.settings.variant == f"{self.backend}-float32-cpu"
            expected = made.search("boundary layer", top_k=3)
        with Retriever(location, encoder_options={"backend": "onnx"}) as opened:
            found = opened.search("boundary layer", top_k=3)
        assert [hit.chunk.text for hit in found] == [hit.chunk.text for hit in expected]
        assert found[0].chunk.text == "a boundary layer is thin"
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], rel=0.02)

    def test_batches_are_of_texts_that_are_as_long(self, folder, monkeypatch):
        encoder = load_encoder(folder, backend=self.backend, batch_size=3, device="cpu")
        runtime, seen = encoder._opened(), []
        rows = runtime._rows
        monkeypatch.setattr(runtime, "_rows", lambda ids, mask: seen.append(mask.sum(axis=1)) or rows(ids, mask))
        texts = ["wings " * (number % 7 + 1) for number in range(14)]
        assert len(list(encoder.encode_documents(chunks(texts)))) == 14
        lengths = np.concatenate(seen)
        assert [len(batch) for batch in seen] == [3, 3, 3, 3, 2]
        assert list(lengths) == sorted(lengths, reverse=True)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_sixteen_bits_are_near(self, encoder, folder, dtype):
        half = load_encoder(folder, backend=self.backend, dtype=dtype, attention="eager", device="cpu")
        assert half.variant == f"{self.backend}-{dtype}-cpu"
        for exact, near in zip(encoder.encode_queries(QUERIES), half.encode_queries(QUERIES), strict=True):
            assert near.dtype == np.float32
            assert 0.99 < np.einsum("ij,ij->i", exact, near).mean() < 0.9999999

    def test_a_device_that_is_not_there(self, folder):
        with pytest.raises(ModelError, match="PyTorch finds no CUDA device; use device='cpu'"):
            load_encoder(folder, backend=self.backend, device="cuda:1").encode_queries(["wings"])

    def test_no_code_of_a_folder_is_run(self, tmp_path):
        """Both libraries would import pylate.py of a folder that names pylate.Dense, and unpickle weights."""
        folder = words_first(tmp_path / "hostile")
        (folder / "pylate.py").write_text("raise SystemExit('run')")
        modules = json.loads((folder / "modules.json").read_text())
        modules[1]["type"] = "pylate.Dense"
        (folder / "modules.json").write_text(json.dumps(modules))
        with pytest.raises(ModelError, match=r"'pylate\.Dense', which could run any code"):
            load_encoder(folder, backend=self.backend)
        modules[1]["type"] = "pylate.models.Dense.Dense"
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Dense" / "model.safetensors").rename(folder / "1_Dense" / "pytorch_model.bin")
        with pytest.raises(ModelError, match=r"is not complete: there is no .*1_Dense/model\.safetensors"):
            load_encoder(folder, backend=self.backend).encode_queries(["wings"])

    def test_what_the_model_raises_names_the_batch(self, folder, monkeypatch):
        encoder = load_encoder(folder, backend=self.backend, device="cpu", window_tokens=64)
        runtime = encoder._opened()

        def out_of_memory(ids, mask):
            raise RuntimeError("not enough memory")

        monkeypatch.setattr(runtime, "_forward", out_of_memory)
        stream = encoder.encode_documents(chunks(["wings"]))
        with pytest.raises(ModelError, match=r"fails on 1 texts of up to 4 tokens: not enough .*smaller batch_size"):
            next(stream)

    def test_reads_what_cannot_be_compiled(self, tmp_path, caplog):
        """The graph has no softplus: PyTorch has, and is chosen."""
        folder = write_pylate("bert", tmp_path / "odd")
        file = folder / "1_Dense" / "config.json"
        odd = "torch.nn.modules.activation.Softplus"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"activation_function": odd}))
        with caplog.at_level("INFO"):
            encoder = load_encoder(folder)
        assert encoder.variant == f"{self.backend}-float32-cpu"
        assert f"read by {self.backend}; " in caplog.text
        assert "names the activation 'torch.nn.modules.activation.Softplus'" in caplog.text
        (rows,) = encoder.encode_queries(["wings"])
        assert rows.shape == (32, 16)
        assert (rows > 0).all()  # as softplus is
