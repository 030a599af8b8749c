"""Weights as safetensors, whole and in shards, and what somebody else may have written into them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from late_rag.encoders._tokens import load_tokenizer
from late_rag.encoders.compiled import CompiledEncoder
from late_rag.errors import ModelError
from tests.encoders.trained import random_weights, write_safetensors, write_trained


def sharded(folder, tensor_type="F32"):
    """The checkpoint with the transformer's weights in two files, as large ones are saved; the names of each."""
    file = folder / "model.safetensors"
    weights = random_weights("bert", load_tokenizer(folder).get_vocab_size())
    file.unlink()
    names = list(weights)
    parts = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for part, held in parts.items():
        write_safetensors(folder / part, {name: weights[name] for name in held}, tensor_type)
    places = {name: part for part, held in parts.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.mark.parametrize("tensor_type", ["F32", "BF16"])
def test_weights_in_shards_give_the_same_rows(tmp_path, tensor_type):
    whole = write_trained(tmp_path / "whole", "bert", tensor_type)
    parts = sharded(write_trained(tmp_path / "parts", "bert", tensor_type), tensor_type)
    (found,), (expected,) = (
        CompiledEncoder(folder, precision="fp32").encode_queries(["wings"]) for folder in (parts, whole)
    )
    np.testing.assert_array_equal(found, expected)


def map_weights(folder, change):
    file = folder / "model.safetensors.index.json"
    places = json.loads(file.read_text())["weight_map"]
    file.write_text(json.dumps({"weight_map": change(places)}))


FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda places: places | {"x": "../model.safetensors"},
            r"names '../model\.safetensors', which is no safetensors",
        ),
        (lambda places: places | {"x": "/etc/a.safetensors"}, "names '/etc/a.safetensors', which is no"),
        (lambda places: places | {"x": "..\\a.safetensors"}, "which is no safetensors file of its folder"),
        (lambda places: places | {"x": "pytorch_model.bin"}, "names 'pytorch_model.bin', which is no"),
        (lambda places: places | {"x": 3}, "names '3', which is no"),
        (
            lambda places: places | {"x": "a.safetensors"},
            r"there is no a\.safetensors, which model\..*index\.json names",
        ),
        (lambda places: places | {"x": SECOND}, f"says that {SECOND} has a tensor 'x', which it lacks"),
        (lambda places: dict.fromkeys(places, FIRST), f"says that {FIRST} has a tensor .*, which it lacks"),
        (lambda places: {}, "has no weight_map"),
        (lambda places: list(places), "has no weight_map"),
        (lambda places: {str(at): f"{at}.safetensors" for at in range(1001)}, "names 1,001 files; 1,000 at most"),
    ],
)
def test_a_hostile_index_of_shards_is_refused_by_name(tmp_path, change, message):
    folder = sharded(write_trained(tmp_path / "model", "bert"))
    map_weights(folder, change)
    with pytest.raises(ModelError, match=message) as caught:
        CompiledEncoder(folder, precision="fp32").encode_queries(["wings"])
    assert str(folder) in str(caught.value)


def test_a_tensor_that_two_shards_have_is_refused_by_name(tmp_path):
    folder = sharded(write_trained(tmp_path / "model", "bert"))
    (folder / SECOND).write_bytes((folder / FIRST).read_bytes())
    name = "embeddings.word_embeddings.weight"
    with pytest.raises(ModelError, match=f"{FIRST} and .*{SECOND} both have a tensor '{name}'"):
        CompiledEncoder(folder, precision="fp32").encode_queries(["wings"])


def test_weights_that_run_code_when_read_are_refused(tmp_path):
    folder = write_trained(tmp_path / "model", "bert")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"there is no .*model\.safetensors"):
        CompiledEncoder(folder).encode_queries(["wings"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        (2**63).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (3).to_bytes(8, "little") + b"{x}",
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
    ],
)
def test_hostile_weights_are_an_error_of_the_file(tmp_path, data):
    folder = write_trained(tmp_path / "model", "bert")
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        CompiledEncoder(folder).encode_queries(["wings"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "I64"}, "is I64; weights are"),
        ({"data_offsets": [0, 10**12]}, "does not fit into it"),
        ({"data_offsets": [-4, 0]}, "does not fit into it"),
        ({"data_offsets": None}, "says nothing of"),
        ({"shape": [2**40, 16]}, "has the shape|cannot be read"),
    ],
)
def test_hostile_entries_are_named(tmp_path, entry, message):
    folder = write_trained(tmp_path / "model", "bert")
    file = folder / "2_Dense" / "model.safetensors"
    write_safetensors(file, {"linear.weight": np.zeros((8, 12), np.float32)})
    header = {"linear.weight": {"dtype": "F32", "shape": [8, 12], "data_offsets": [0, 384]} | entry}
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(384))
    with pytest.raises(ModelError, match=message):
        CompiledEncoder(folder).encode_queries(["wings"])
