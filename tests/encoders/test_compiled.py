"""Checkpoints as they were trained, compiled: rows by the definition, the cache, and what cannot be compiled."""

from __future__ import annotations

import errno
import json
import logging
import pickle
import threading

import numpy as np
import onnx
import pytest

from late_rag.encoders import load_encoder
from late_rag.encoders.compilation import compile_model
from late_rag.encoders.compiled import CompiledEncoder
from late_rag.encoders.graphs import cache, making, protobuf
from late_rag.encoders.graphs.network import Network
from late_rag.errors import InputError, ModelError
from late_rag.testing import EncoderContract
from late_rag.testing.encoder import QUERIES, TEXTS, chunks
from tests.encoders.trained import CONFIGS, naive_rows, random_weights, write_trained


@pytest.fixture(scope="module", params=CONFIGS)
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def trained(architecture, tmp_path_factory):
    return write_trained(tmp_path_factory.mktemp("trained"), architecture)


@pytest.fixture(scope="module")
def words_first(architecture, tmp_path_factory):
    """A checkpoint whose layers change little, so that a word is nearest to itself, as in a trained one."""
    folder = tmp_path_factory.mktemp("words first")
    return write_trained(folder, architecture, depth=0.03, do_query_expansion=False)


class TestCompiled(EncoderContract):
    @pytest.fixture
    def encoder(self, words_first):
        return load_encoder(words_first, workers=2)


def test_rows_are_those_of_the_definition(trained, architecture):
    encoder = CompiledEncoder(trained, precision="fp32")
    built = encoder._sequences
    weights = random_weights(architecture, built.tokenizer.get_vocab_size())
    for ids, found in zip(built.tokenize(QUERIES, "query"), encoder.encode_queries(QUERIES), strict=True):
        item = built.query_pass(ids)
        assert 0 in item.mask or len(ids) > 10  # expansion, out of the window of every word
        np.testing.assert_allclose(found, naive_rows(architecture, weights, item.ids, item.mask)[item.rows], atol=1e-4)
    for ids, found in zip(built.tokenize(TEXTS), encoder.encode_documents(chunks()), strict=True):
        parts = [
            naive_rows(architecture, weights, item.ids, item.mask)[item.rows] for item in built.document_passes(ids)
        ]
        np.testing.assert_allclose(found, np.concatenate([np.empty((0, encoder.dim)), *parts]), atol=1e-4)


def test_int8_rows_are_close_and_its_id_is_that_of_fp32(trained):
    quantised, exact = CompiledEncoder(trained), CompiledEncoder(trained, precision="fp32")
    assert (quantised.variant, exact.variant) == ("onnx-int8-cpu", "onnx-fp32-cpu")
    assert quantised.model_id == exact.model_id
    pairs = zip(quantised.encode_documents(chunks()), exact.encode_documents(chunks()), strict=True)
    cosine = np.concatenate([np.einsum("ij,ij->i", one, other) for one, other in pairs])
    assert 0.99 < cosine.mean() < 0.999999


def graph_of(encoder):
    model = onnx.load(encoder._graph())
    return (
        model.opset_import[0].version,
        [item.name for item in model.graph.input],
        {node.op_type for node in model.graph.node},
    )


def test_a_graph_without_expansion_has_no_mask_and_gives_the_rows_of_the_definition(architecture, tmp_path):
    folder = write_trained(tmp_path / "model", architecture, do_query_expansion=False)
    encoder = CompiledEncoder(folder, precision="fp32")
    assert graph_of(encoder)[1] == ["input_ids"]
    weights = random_weights(architecture, encoder._sequences.tokenizer.get_vocab_size())
    for ids, found in zip(encoder._sequences.tokenize(QUERIES, "query"), encoder.encode_queries(QUERIES), strict=True):
        item = encoder._sequences.query_pass(ids)
        np.testing.assert_allclose(found, naive_rows(architecture, weights, item.ids, item.mask)[item.rows], atol=1e-4)


@pytest.mark.parametrize("expands", [False, True])
@pytest.mark.parametrize(("runtime", "opset"), [("1.24.4", 20), ("1.25.0", 23), ("2.0.0rc1", 23)])
def test_int8_uses_the_operators_that_the_runtime_has(architecture, tmp_path, monkeypatch, runtime, opset, expands):
    monkeypatch.setattr("onnxruntime.__version__", runtime)
    folder = write_trained(tmp_path / "model", architecture, depth=0.03, do_query_expansion=expands)
    encoder, exact = CompiledEncoder(folder), CompiledEncoder(folder, precision="fp32")
    found, _, kinds = graph_of(encoder)
    assert (found, graph_of(exact)[0]) == (opset, 20)
    assert kinds & {"Attention", "MultiHeadAttention"} == {"Attention" if opset == 23 else "MultiHeadAttention"}
    pairs = zip(encoder.encode_queries(QUERIES), exact.encode_queries(QUERIES), strict=True)
    assert np.concatenate([np.einsum("ij,ij->i", one, other) for one, other in pairs]).mean() > 0.995


def test_what_int8_rewrites_computes_the_same(architecture, tmp_path, monkeypatch):
    """Centred, divided and ordered for int8, yet computed in fp32: but for the quicker Gelu nothing is different."""

    def product_and_bias(self, value, name):
        product, bias = self.product(value, name), self.weights.get(f"{name}.bias")
        return (
            product
            if bias is None
            else self.graph.add("Add", f"{name}.out", product, self.graph.constant(f"{name}.b", bias))
        )

    monkeypatch.setattr(Network, "_quantised_linear", product_and_bias)
    monkeypatch.setattr(
        "late_rag.encoders.graphs.network.quantise", lambda table, axis: (table, np.ones((len(table), 1), np.float32))
    )
    folder = write_trained(tmp_path / "model", architecture, depth=0.2)
    rewritten, plain = CompiledEncoder(folder), CompiledEncoder(folder, precision="fp32")
    for found, expected in zip(rewritten.encode_queries(QUERIES), plain.encode_queries(QUERIES), strict=True):
        np.testing.assert_allclose(found, expected, atol=0.01)
    assert rewritten.variant == "onnx-int8-cpu"


def test_int8_that_is_too_far_is_not_used_and_said(trained, monkeypatch, caplog):
    monkeypatch.setattr(making, "LEAST_COSINE", 1.1)
    encoder = CompiledEncoder(trained)
    with caplog.at_level(logging.WARNING):
        assert encoder.variant == "onnx-fp32-cpu"
    assert "too far from those of fp32 (mean cosine" in caplog.text
    assert sorted(file.name for file in encoder._graph().parent.iterdir()) == ["compiled.json", "model.onnx"]


def test_int8_is_checked_again_by_another_runtime(trained, monkeypatch, caplog):
    monkeypatch.setattr("onnxruntime.__version__", "1.24.0")
    first = CompiledEncoder(trained)
    assert first.variant == "onnx-int8-cpu"
    checked = []
    agreement = making.agreement
    monkeypatch.setattr(making, "agreement", lambda *args: checked.append(agreement(*args)) or checked[-1])
    for runtime, times in (("1.24.0", 0), ("1.24.1", 1), ("1.24.1", 1)):
        monkeypatch.setattr("onnxruntime.__version__", runtime)
        assert CompiledEncoder(trained).variant == "onnx-int8-cpu"
        assert len(checked) == times
    assert checked[0] > 0.99
    known = first._graph().parent / "known.npy"
    np.save(known, -np.load(known))  # what a processor would give whose products are wrong
    monkeypatch.setattr("onnxruntime.__version__", "1.24.2")
    with caplog.at_level(logging.WARNING):
        assert CompiledEncoder(trained).variant == "onnx-fp32-cpu"
    assert "on this machine the rows of int8 are too far from those of fp32" in caplog.text
    known.write_bytes(b"cut off")
    with pytest.raises(ModelError, match="is damaged; remove that folder"):
        CompiledEncoder(trained).encode_queries(["wings"])


def test_int8_is_checked_again_on_another_kind_of_processor(trained, tmp_path, monkeypatch):
    processor = tmp_path / "cpuinfo"
    monkeypatch.setattr(cache, "_PROCESSOR", processor)
    processor.write_text("processor : 0\nflags : sse avx2 avx512_vnni\ncpu MHz : 2800\n")
    assert CompiledEncoder(trained).variant == "onnx-int8-cpu"
    checked = []
    agreement = making.agreement
    monkeypatch.setattr(making, "agreement", lambda *args: checked.append(agreement(*args)) or checked[-1])
    for flags, mhz, times in (("sse avx2 avx512_vnni", 3100, 0), ("sse avx2", 2800, 1), ("sse avx2", 3100, 1)):
        processor.write_text(f"processor : 0\nflags : {flags}\ncpu MHz : {mhz}\n")
        assert CompiledEncoder(trained).variant == "onnx-int8-cpu"
        assert len(checked) == times


def test_half_precision_weights_are_read(architecture, tmp_path):
    rows = []
    for tensor_type in ("F32", "F64", "F16", "BF16"):
        folder = write_trained(tmp_path / tensor_type, architecture, tensor_type)
        rows.append(CompiledEncoder(folder, precision="fp32").encode_queries(["wings"])[0])
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-6)
    np.testing.assert_allclose(rows[2], rows[0], atol=0.03)
    np.testing.assert_allclose(rows[3], rows[0], atol=0.3)


def test_a_graph_is_valid_onnx_in_one_file_and_with_its_weights_beside(trained, monkeypatch):
    encoder = CompiledEncoder(trained, precision="fp32")
    onnx.checker.check_model(encoder._graph(), full_check=False)
    (expected,) = encoder.encode_queries(["wings"])
    monkeypatch.setattr(protobuf, "LONGEST", 0)
    monkeypatch.setattr(cache, "RECIPE", "with data beside")
    again = CompiledEncoder(trained, precision="fp32")
    np.testing.assert_array_equal(again.encode_queries(["wings"])[0], expected)
    assert (again._graph().parent / "model.onnx_data").stat().st_size > 1000


def test_a_graph_is_made_once_by_whoever_comes_first(trained, private_cache, monkeypatch):
    made = []
    make = making.make_graph
    monkeypatch.setattr(making, "make_graph", lambda *args: made.append(args) or make(*args))
    encoders = [CompiledEncoder(trained, precision="fp32") for _ in range(4)]
    threads = [threading.Thread(target=encoder.encode_queries, args=(["wings"],)) for encoder in encoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    (rows,) = pickle.loads(pickle.dumps(encoders[0])).encode_queries(["wings"])
    np.testing.assert_array_equal(rows, encoders[1].encode_queries(["wings"])[0])
    assert len(made) == 1
    assert not list((private_cache / "graphs").glob("making-*"))


def test_other_weights_or_settings_are_another_graph_and_another_id(tmp_path):
    folders = [
        write_trained(tmp_path / "one", "bert"),
        write_trained(tmp_path / "copy", "bert"),
        write_trained(tmp_path / "longer", "bert", document_length=40),
        write_trained(tmp_path / "half", "bert", "F16"),
    ]
    encoders = [CompiledEncoder(folder, precision="fp32") for folder in folders]
    assert encoders[0].model_id == encoders[1].model_id
    assert len({encoder.model_id for encoder in encoders}) == 3
    assert encoders[0]._graph() == encoders[1]._graph()
    assert len({encoder._graph() for encoder in encoders}) == 3


def test_a_cache_that_cannot_be_written_says_so(trained, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LATE_RAG_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be kept in .*LATE_RAG_CACHE"):
        CompiledEncoder(trained).encode_queries(["wings"])


def test_making_an_encoder_reads_settings_only(trained, private_cache):
    encoder = load_encoder(trained)
    assert (encoder.dim, encoder.query_length, encoder.document_length) == (8, 16, 32)
    assert not (private_cache / "graphs").exists()


def change(folder, name, **changes):
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("config.json", {"model_type": "t5"}, r"config.json names the architecture 't5'.*give an ONNX export"),
        ("config.json", {"hidden_act": "exotic"}, "names the activation 'exotic'"),
        ("config.json", {"position_embedding_type": "relative_key"}, "positions that are not learned"),
        ("config.json", {"num_attention_heads": 3}, "3 heads do not divide a hidden size of 16"),
        ("config.json", {"num_hidden_layers": 4}, "has no tensor 'encoder.layer.3.attention.self.query.weight'"),
        ("config.json", {"num_hidden_layers": 2**30}, "num_layers is 1073741824, not from 1"),
        ("config.json", {"hidden_size": 32}, r"has the shape \(\d+, 16\), the checkpoint's config says \(\d+, 32\)"),
        ("config.json", {"layer_norm_eps": "x"}, "layer_norm_eps is x, not a positive number"),
        ("config_sentence_transformers.json", {"document_length": 65}, "positions for 64 tokens, .* asks for 65"),
        ("1_Dense/config.json", {"in_features": 17}, "takes rows of dim 17, what is before it gives 16"),
    ],
)
def test_what_does_not_fit_is_named_with_its_file(tmp_path, name, changes, message):
    folder = write_trained(tmp_path / "model", "bert")
    change(folder, name, **changes)
    with pytest.raises(ModelError, match=message) as caught:
        CompiledEncoder(folder, precision="fp32").encode_queries(["wings"])
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("int8", [False, True])
def test_a_folder_to_ship_gives_the_same_rows_under_the_same_id(trained, tmp_path, int8):
    made = compile_model(trained, tmp_path / "shipped" / "model", int8=int8)
    shipped = load_encoder(tmp_path / "shipped" / "model", device="cpu")
    compiled = CompiledEncoder(trained, precision="int8" if int8 else "fp32")
    assert (shipped.variant, made.precision) == (compiled.variant, "int8" if int8 else "fp32")
    assert shipped.model_id == compiled.model_id
    for found, expected in zip(shipped.encode_queries(QUERIES), compiled.encode_queries(QUERIES), strict=True):
        np.testing.assert_allclose(found, expected, atol=0.02 if int8 else 0)  # operators that older runtimes have, too
    assert [file.name for file in (tmp_path / "shipped").iterdir()] == ["model"]


def test_a_folder_that_is_there_and_an_export_are_refused(trained, tmp_path):
    with pytest.raises(InputError, match="is there already"):
        compile_model(trained, tmp_path)
    compile_model(trained, tmp_path / "export")
    with pytest.raises(ModelError, match="is an ONNX export already"):
        compile_model(tmp_path / "export", tmp_path / "again")


def test_a_disk_that_is_full_leaves_nothing_and_is_named(trained, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("late_rag.encoders.compilation.shutil.copyfile", full)
    with pytest.raises(ModelError, match=r"cannot be compiled into .*shipped: .*No space left on device"):
        compile_model(trained, tmp_path / "new" / "shipped")
    assert list((tmp_path / "new").iterdir()) == []
