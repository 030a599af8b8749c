"""The ONNX encoder against its definition, and its options, identity, limits and errors."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import shutil
import subprocess
import sys
import threading

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from late_rag.encoders import _identity
from late_rag.encoders._tokens import Sequences, load_tokenizer
from late_rag.encoders.checkpoint import read_config
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.errors import InputError, ModelError
from late_rag.testing.encoder import QUERIES, TEXTS, chunk, chunks


def naive(weights, ids, mask, token_types):
    """The checkpoints' graph, in numpy."""
    words = weights["table"][ids] + (weights["types"][0] if token_types else 0)
    mean = words[mask == 1].mean(axis=0)
    rows = (words + weights["share"] * mean) @ weights["matrix"]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["plain", "markers", "expansion", "attended expansion", "bytes", "no special tokens"])
def test_rows_are_those_of_the_definition(make_checkpoint, weights, name):
    folder = make_checkpoint(name)
    encoder, built = OnnxEncoder(folder), Sequences(load_tokenizer(folder), read_config(folder))
    constants = weights(built.tokenizer.get_vocab_size())

    def rows(item):
        return naive(constants, item.ids, item.mask, name == "expansion")[item.rows]

    for ids, found in zip(built.tokenize(QUERIES), encoder.encode_queries(QUERIES), strict=True):
        np.testing.assert_allclose(found, rows(built.query_pass(ids)), atol=1e-5)
    for ids, found in zip(built.tokenize(TEXTS), encoder.encode_documents(chunks()), strict=True):
        np.testing.assert_allclose(found, np.concatenate([rows(p) for p in built.document_passes(ids)]), atol=1e-5)


def test_int8_comes_first_and_either_can_be_asked_for(make_checkpoint):
    folder = make_checkpoint(files=("model.onnx", "model_int8.onnx"), model_id="small-1")
    encoders = [OnnxEncoder(folder, device="cpu", precision=precision) for precision in (None, "int8", "fp32")]
    assert [encoder.variant for encoder in encoders] == ["onnx-int8-cpu", "onnx-int8-cpu", "onnx-fp32-cpu"]
    assert len({encoder.model_id for encoder in encoders}) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "precision is 'int4'"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"workers": 0}, "workers is 0"),
        ({"workers": "2"}, "workers is '2'"),
        ({"window_tokens": -1}, "window_tokens is -1"),
    ],
)
def test_an_option_that_cannot_be_is_named(make_checkpoint, options, message):
    with pytest.raises(InputError, match=message):
        OnnxEncoder(make_checkpoint(), **options)


def test_a_precision_that_is_not_there_is_named(make_checkpoint):
    with pytest.raises(ModelError, match=r"no model_int8\.onnx"):
        OnnxEncoder(make_checkpoint(), precision="int8")


def test_cuda_needs_fp32_weights_and_a_device(make_checkpoint):
    with pytest.raises(ModelError, match="fp32"):
        OnnxEncoder(make_checkpoint(files=("model_int8.onnx",)), device="cuda")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(ModelError, match="onnxruntime-gpu"):
            OnnxEncoder(make_checkpoint(), device="cuda")


def test_the_number_of_workers_may_stand_in_a_variable(make_checkpoint, monkeypatch, caplog):
    monkeypatch.setenv("LATE_RAG_WORKERS", "3")
    with caplog.at_level(logging.INFO):
        OnnxEncoder(make_checkpoint())
    assert "3 workers" in caplog.text
    monkeypatch.setenv("LATE_RAG_WORKERS", "many")
    with pytest.raises(InputError, match="LATE_RAG_WORKERS is 'many'"):
        OnnxEncoder(make_checkpoint())


class TestIdentity:
    def test_a_recorded_id_names_the_weights(self, make_checkpoint):
        assert OnnxEncoder(make_checkpoint(model_id="small-1")).model_id.startswith("small-1/")

    def test_a_revision_names_them_where_nothing_is_recorded(self, make_checkpoint):
        encoder = OnnxEncoder(make_checkpoint(), revision="org/name@c0ffee")
        assert encoder.model_id.startswith("org/name@c0ffee/")

    @pytest.mark.parametrize(
        "changes",
        [
            {"document_length": 30},
            {"query_length": 23},
            {"document_prefix": "[D] "},
            {"skiplist_words": ["."]},
            {"do_query_expansion": True},
        ],
    )
    def test_a_setting_that_changes_embeddings_changes_it(self, make_checkpoint, changes):
        one, other = make_checkpoint(model_id="small-1"), make_checkpoint(folder="other", model_id="small-1", **changes)
        assert OnnxEncoder(one).model_id != OnnxEncoder(other).model_id

    def test_a_copied_folder_keeps_it_and_other_weights_or_tokens_do_not(self, make_checkpoint):
        first = make_checkpoint()
        copied, weights, tokens = (shutil.copytree(first, first.parent / name) for name in "bcd")
        data = bytearray((weights / "model.onnx").read_bytes())
        data[-200] ^= 1
        (weights / "model.onnx").write_bytes(data)
        (tokens / "tokenizer.json").write_bytes((tokens / "tokenizer.json").read_bytes() + b" ")
        ids = [OnnxEncoder(folder).model_id for folder in (first, copied, weights, tokens)]
        assert ids[0] == ids[1]
        assert len(set(ids)) == 3

    def test_quantised_weights_alone_need_a_recorded_id(self, make_checkpoint):
        encoder = OnnxEncoder(make_checkpoint(files=("model_int8.onnx",)))
        with pytest.raises(ModelError, match=r"model_id into onnx_config\.json"):
            _ = encoder.model_id
        assert encoder.encode_queries(["wings"])

    def test_the_hash_is_computed_once(self, make_checkpoint, monkeypatch, private_cache):
        folder = make_checkpoint()
        first = OnnxEncoder(folder).model_id
        assert (private_cache / "model_hashes.json").is_file()
        monkeypatch.setattr(_identity, "_digest", lambda files: pytest.fail("hashed again"))
        assert OnnxEncoder(folder).model_id == first

    @pytest.mark.parametrize("content", ["not json", "[]", None])
    def test_a_cache_that_is_of_no_use_does_no_harm(self, make_checkpoint, private_cache, content):
        folder = make_checkpoint()
        if content is None:
            private_cache.write_text("a file where the folder should be")
        else:
            private_cache.mkdir()
            (private_cache / "model_hashes.json").write_text(content)
        assert OnnxEncoder(folder).model_id == OnnxEncoder(folder).model_id


class TestBrokenFolders:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"query_length": None}, "lacks query_length"),
            ({"document_length": 0}, "document_length is 0"),
            ({"document_length": "32"}, "document_length is '32'"),
            ({"document_length": True}, "document_length is True"),
            ({"skiplist_words": [1]}, "skiplist_words"),
            ({"query_prefix": 1}, "query_prefix is 1"),
        ],
    )
    def test_a_setting_that_cannot_be_is_named(self, make_checkpoint, changes, message):
        with pytest.raises(ModelError, match=message):
            OnnxEncoder(make_checkpoint(**changes))

    def test_a_missing_config_is_named(self, make_checkpoint):
        folder = make_checkpoint()
        (folder / "onnx_config.json").unlink()
        with pytest.raises(ModelError, match=r"neither onnx_config\.json nor"):
            OnnxEncoder(folder)

    def test_the_older_name_of_the_config_is_read(self, make_checkpoint):
        folder = make_checkpoint()
        (folder / "onnx_config.json").rename(folder / "config_sentence_transformers.json")
        assert OnnxEncoder(folder).query_length == 24

    @pytest.mark.parametrize("content", ["{", "[]", b"\xff\xfe"])
    def test_a_config_that_is_no_object_is_named(self, make_checkpoint, content):
        folder = make_checkpoint()
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "onnx_config.json").write_bytes(data)
        with pytest.raises(ModelError, match=r"onnx_config\.json"):
            OnnxEncoder(folder)

    def test_a_model_that_cannot_be_loaded_is_named(self, make_checkpoint):
        folder = make_checkpoint()
        (folder / "model.onnx").write_bytes(b"not a model")
        with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded"):
            OnnxEncoder(folder).encode_queries(["wings"])

    def test_another_dim_than_the_config_says_is_named(self, make_checkpoint):
        encoder = OnnxEncoder(make_checkpoint(embedding_dim=96))
        with pytest.raises(ModelError, match="dim 24, its config says 96"):
            encoder.encode_queries(["wings"])

    def test_an_input_that_is_no_texts_is_named(self, make_checkpoint):
        folder = make_checkpoint()
        value = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", "tokens", 3])
        output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", "tokens", 3])
        graph = helper.make_graph([helper.make_node("Identity", ["pixels"], ["output"])], "image", [value], [output])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="asks for pixels"):
            OnnxEncoder(folder).encode_queries(["wings"])


def test_a_query_without_tokens_is_refused(make_checkpoint):
    with pytest.raises(InputError, match=r"queries\[1\].*no token"):
        OnnxEncoder(make_checkpoint()).encode_queries(["wings", "\u200b"])


def test_bad_queries_are_refused_before_anything_is_loaded(make_checkpoint):
    folder = make_checkpoint()
    (folder / "model.onnx").write_bytes(b"not a model")
    (folder / "tokenizer.json").write_bytes(b"not a tokenizer")
    with pytest.raises(InputError, match=r"queries\[0\]"):
        OnnxEncoder(folder).encode_queries([" "])


def test_no_more_is_under_way_than_the_window_holds(make_checkpoint):
    encoder = OnnxEncoder(make_checkpoint(), workers=2, window_tokens=640)
    taken = 0

    def source():
        nonlocal taken
        for number in range(400):
            taken += 1
            yield chunk(f"word {number}", str(number))

    for done, _ in enumerate(encoder.encode_documents(source())):
        assert taken - done <= 640 // 32 + 32 + 1


def test_pickling_and_copying_take_the_configuration_along(make_checkpoint):
    encoder = OnnxEncoder(make_checkpoint(), precision="fp32", workers=1)
    (rows,) = encoder.encode_queries(["wings"])
    for other in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder)):
        assert (other.model, other.model_id, other.variant) == (encoder.model, encoder.model_id, encoder.variant)
        np.testing.assert_array_equal(other.encode_queries(["wings"])[0], rows)


def test_close_ends_the_workers(make_checkpoint):
    before = set(threading.enumerate())
    encoder = OnnxEncoder(make_checkpoint(), workers=3)
    list(encoder.encode_documents(chunks(TEXTS * 5)))
    workers = set(threading.enumerate()) - before
    assert 0 < len(workers) <= 3
    encoder.close()
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()


MILLION = """
import json, resource, sys
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.types import Chunk
encoder = OnnxEncoder(sys.argv[1], workers=2)
list(encoder.encode_documents([Chunk("a", "b", "wings and travel " * 2000)]))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)
before = peak()
text = "the committee approves travel " * 33_334
(rows,) = encoder.encode_documents([Chunk("c", "d", text)])
print(json.dumps({"characters": len(text), "rows": rows.shape, "megabytes": peak() - before}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resident memory is measured by the module resource")
def test_a_million_characters_take_little_more_memory_than_their_rows(make_checkpoint):
    folder = make_checkpoint(document_length=256)
    done = subprocess.run([sys.executable, "-c", MILLION, str(folder)], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["characters"] >= 1_000_000
    assert report["rows"][0] > 130_000
    rows_megabytes = np.prod(report["rows"]) * 4 / (1 << 20)
    assert report["megabytes"] < rows_megabytes + 100
