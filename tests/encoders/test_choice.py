"""Which backend reads a model, and what is said where none does; nothing here needs PyTorch."""

from __future__ import annotations

import json
import logging
import sys
import types

import pytest

from late_rag.encoders import _choice, load_encoder
from late_rag.encoders.compiled import CompiledEncoder
from late_rag.encoders.pylate import PyLateEncoder
from late_rag.encoders.sentence_transformers import SentenceTransformersEncoder
from late_rag.errors import InputError, MissingExtraError, ModelError
from tests.encoders.trained import write_trained


@pytest.fixture
def trained(tmp_path):
    return write_trained(tmp_path / "trained", "bert")


@pytest.fixture
def installed(monkeypatch):
    """Says what is installed."""

    def say(**versions):
        named = {name.replace("_", "-"): version for name, version in versions.items()}
        monkeypatch.setattr(_choice, "_version", named.get)

    say()
    return say


def changed(file, **settings):
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def test_onnx_compiles_what_was_trained_and_runs_what_was_exported(trained, make_checkpoint, installed):
    installed(pylate="1.6.0")
    for backend in ("auto", "onnx"):
        assert type(load_encoder(trained, backend=backend)) is CompiledEncoder
        assert load_encoder(make_checkpoint(), backend=backend, device="cpu").variant == "onnx-fp32-cpu"


def test_a_backend_that_there_is_not(trained):
    with pytest.raises(InputError) as caught:
        load_encoder(trained, backend="torch")
    assert str(caught.value) == (
        "unknown backend 'torch'; there are: auto, compiled, onnx, pylate, sentence-transformers"
    )


@pytest.mark.parametrize("backend", ["pylate", "sentence-transformers"])
def test_a_backend_that_is_not_installed_ends_in_the_line_that_installs_it(backend, trained, installed):
    with pytest.raises(MissingExtraError) as caught:
        load_encoder(trained, backend=backend)
    told, line = str(caught.value).split("Install it with: ")
    assert told == f"backend {backend!r} needs {backend}, which is not installed. "
    assert line == f'pip install "late-rag[{backend}]"'


def test_the_fifth_sentence_transformers_is_not_the_sixth(trained, installed):
    installed(pylate="1.6.0", sentence_transformers="5.3.0")
    with pytest.raises(MissingExtraError, match=r"needs sentence-transformers from version 6 on \(5.3.0 is there\)"):
        load_encoder(trained, backend="sentence-transformers")


def test_a_model_is_not_looked_for_if_its_backend_is_not_there(installed):
    with pytest.raises(MissingExtraError):
        load_encoder("someone/absent", backend="pylate")


def test_both_libraries_read_a_checkpoint_as_it_was_trained(trained, installed):
    """None of them is needed until a text is encoded."""
    graph = load_encoder(trained)
    installed(pylate="1.6.0")
    one = load_encoder(trained, backend="pylate", batch_size=4)
    installed(sentence_transformers="6.2.0")
    other = load_encoder(trained, backend="sentence-transformers", dtype="float16", attention="sdpa")
    assert (type(one), type(other)) == (PyLateEncoder, SentenceTransformersEncoder)
    assert one.model_id == other.model_id == graph.model_id
    assert one.dim == graph.dim
    assert one.document_capacity == graph.document_capacity


def test_pylate_reads_nothing_of_sentence_transformers_6(trained, installed):
    changed(trained / "config_sentence_transformers.json", model_type="MultiVectorEncoder")
    installed(pylate="1.6.0")
    with pytest.raises(ModelError, match="holds no model that pylate reads"):
        load_encoder(trained, backend="pylate")


ODD = {
    "architecture": ("config.json", {"model_type": "qwen3"}, "names the architecture 'qwen3'"),
    "activation": (
        "1_Dense/config.json",
        {"activation_function": "torch.nn.Mish"},
        "names the activation 'torch.nn.Mish'",
    ),
}


@pytest.mark.parametrize(("file", "settings", "what"), ODD.values(), ids=ODD)
def test_what_cannot_be_compiled_names_the_extras_that_read_it(file, settings, what, trained, installed):
    changed(trained / file, **settings)
    for backend in ("auto", "onnx"):
        with pytest.raises(ModelError, match=what) as caught:
            load_encoder(trained, backend=backend)
        assert 'pip install "late-rag[sentence-transformers]" or "late-rag[pylate]"' in str(caught.value)


@pytest.mark.parametrize(("file", "settings", "what"), ODD.values(), ids=ODD)
def test_what_cannot_be_compiled_is_read_by_what_is_installed_and_said(
    file, settings, what, trained, installed, caplog
):
    changed(trained / file, **settings)
    installed(sentence_transformers="6.2.0")
    with caplog.at_level(logging.INFO):
        assert type(load_encoder(trained)) is SentenceTransformersEncoder
    assert "read by sentence-transformers; " in caplog.text
    assert what in caplog.text


def test_options_of_onnx_are_not_forgotten_for_another_backend(trained, installed):
    changed(trained / "config.json", model_type="qwen3")
    installed(pylate="1.6.0")
    with pytest.raises(ModelError, match="names the architecture 'qwen3'"):
        load_encoder(trained, precision="fp32")


def test_modules_that_could_run_any_code_are_read_by_nobody(trained, installed):
    installed(sentence_transformers="6.2.0")
    modules = json.loads((trained / "modules.json").read_text())
    hostile = (
        "os.path.Transformer",
        "pylate.Dense",
        "pylate.a--b.Dense",
        "sentence_transformers.models.Router",
        "sentence_transformers.models.WordEmbeddings",  # imports what its settings name as its tokenizer
        "sentence_transformers.SentenceTransformer.SentenceTransformer",  # reads a modules.json of its own
        "pylate.models.ColBERT",
    )
    for name in hostile:
        (trained / "modules.json").write_text(json.dumps([*modules, {"type": name, "path": "3"}]))
        with pytest.raises(ModelError, match="could run any code"):
            load_encoder(trained)
    (trained / "modules.json").write_text(json.dumps(modules))
    for name in ("os.abort", "torch.nn.modules.module.warnings", "torch.nn.os.Abort"):
        changed(trained / "1_Dense" / "config.json", activation_function=name)
        with pytest.raises(ModelError, match=f"'{name}', which is not of torch.nn"):
            load_encoder(trained, backend="sentence-transformers")


def test_layers_of_the_libraries_are_read_by_them(trained, installed):
    installed(sentence_transformers="6.2.0")
    modules = json.loads((trained / "modules.json").read_text())
    layer = {"type": "sentence_transformers.sentence_transformer.modules.layer_norm.LayerNorm", "path": "3"}
    (trained / "modules.json").write_text(json.dumps([*modules, layer]))
    assert type(load_encoder(trained)) is SentenceTransformersEncoder
    with pytest.raises(
        ModelError, match=r"modules.layer_norm.LayerNorm', which is not among those that become a graph"
    ):
        load_encoder(trained, backend="onnx")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"device": "gpu"}, "device is 'gpu'; there are 'auto', 'cpu', 'cuda'"),
        ({"dtype": "int8"}, "dtype is 'int8'; there are 'float32', 'float16', 'bfloat16'"),
        ({"attention": "fast"}, "attention is 'fast'; there are 'eager'"),
        ({"batch_size": 0}, "batch_size is 0, not a number of at least 1"),
        ({"precision": "int8"}, "PyLateEncoder has no option precision; it has attention, batch_size, device, dtype"),
    ],
)
def test_an_option_that_cannot_be(option, message, trained, installed):
    installed(pylate="1.6.0")
    with pytest.raises(InputError, match=message):
        load_encoder(trained, backend="pylate", **option)


class TestWhereOnlyPyTorchHasCuda:
    @pytest.fixture
    def cuda(self, monkeypatch, installed):
        installed(pylate="1.6.0")
        found = types.SimpleNamespace(cuda=types.SimpleNamespace(is_available=lambda: True))
        monkeypatch.setitem(sys.modules, "torch", found)
        monkeypatch.setattr(_choice, "_has_driver", lambda: True)

    def test_it_is_asked_first(self, trained, cuda):
        encoder = load_encoder(trained)
        assert encoder.variant == "pylate-float16-cuda"
        assert _choice.wants_weights("auto", {})

    @pytest.mark.parametrize("options", [{"device": "cpu"}, {"precision": "int8"}, {"workers": 2}])
    def test_but_not_for_options_that_are_onnx_runtimes(self, options, trained, cuda):
        assert type(load_encoder(trained, **options)) is CompiledEncoder
        assert not _choice.wants_weights("auto", options)

    def test_and_not_without_a_device(self, trained, cuda, monkeypatch):
        monkeypatch.setattr(_choice, "_has_driver", lambda: False)
        assert type(load_encoder(trained)) is CompiledEncoder
