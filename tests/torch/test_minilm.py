"""The embedded model: is it the weights it says it is, and what does int8 cost?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from late_rag_minilm import FOLDER  # noqa: E402

from late_rag.encoders.onnx import OnnxEncoder  # noqa: E402
from late_rag.evaluation import evaluate  # noqa: E402

TEXTS = [
    "wings",
    "what similarity laws must be obeyed when constructing aeroelastic models of heated high speed aircraft .",
    "The boundary layer, 東京, naïve café 🙂 [MASK] & more. " * 12,
]


@pytest.fixture(scope="module")
def constants() -> dict[str, np.ndarray]:
    """The constants of the model that is shipped, by name."""
    model = onnx.load(FOLDER / "model_int8.onnx")
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.fixture(scope="module")
def weights(make):
    return make.read_safetensors(make.source_folder() / "model.safetensors")


@pytest.fixture(scope="module")
def full_precision(make, weights, constants, tmp_path_factory) -> Path:
    """The checkpoint folder that the script writes in fp32, with the head that is shipped."""
    folder = tmp_path_factory.mktemp("fp32")
    make.write(folder, "model.onnx", make.Bert(weights).build(constants["head"]))
    return folder


def test_what_is_shipped_is_what_the_script_makes(make, weights, constants, data_folder):
    """To the last bit or nearly: the ranges of activations are measured, and measuring rounds."""
    made = make.Int8Bert(weights, make.observe_ranges(weights, data_folder)).build(constants["head"])
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    assert found.keys() == constants.keys()
    for name, value in found.items():
        assert np.mean(np.isclose(value, constants[name], rtol=1e-5, atol=1e-6)) > 0.99, name
    shipped = onnx.load(FOLDER / "model_int8.onnx")
    assert [node.op_type for node in made.graph.node] == [node.op_type for node in shipped.graph.node]
    assert json.loads((FOLDER / "onnx_config.json").read_text()) == make.CONFIG


def test_the_network_is_the_same_before_its_weights_become_int8(make, weights, constants, data_folder, tmp_path):
    """Centred, divided and split as for int8, computed in fp32."""

    class Rewritten(make.Int8Bert):
        _words = make.Bert._words
        _product = make.Bert._product

    make.write(tmp_path / "a", "model.onnx", make.Bert(weights).build(constants["head"]))
    rewritten = Rewritten(weights, make.observe_ranges(weights, data_folder)).build(constants["head"])
    make.write(tmp_path / "b", "model.onnx", rewritten)
    plain, other = (OnnxEncoder(tmp_path / name, device="cpu").encode_queries(TEXTS) for name in "ab")
    for left, right in zip(plain, other, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_int8_rows_are_near_those_of_fp32(full_precision):
    rows = [
        np.concatenate(OnnxEncoder(model, device="cpu").encode_queries(TEXTS)) for model in (FOLDER, full_precision)
    ]
    assert np.mean(np.sum(rows[0] * rows[1], axis=1)) > 0.995


def test_fp32_is_the_same_weights_in_transformers(make, constants, full_precision):
    bert = transformers.AutoModel.from_pretrained(make.source_folder(), attn_implementation="eager").eval()
    tokenizer = make.load_tokenizer(make.source_folder() / "tokenizer.json")
    tokenizer.enable_truncation(make.LENGTH)
    encoder = OnnxEncoder(full_precision, device="cpu")
    for text, found in zip(TEXTS, encoder.encode_queries(TEXTS), strict=True):
        with torch.inference_mode():
            last = bert(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0]
            expected = torch.nn.functional.normalize(last @ torch.tensor(constants["head"]), dim=-1)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_padding_changes_nothing_that_is_attended_to(full_precision):
    """Whoever runs the model in batches: the mask is honoured."""
    import onnxruntime

    session = onnxruntime.InferenceSession(full_precision / "model.onnx", providers=["CPUExecutionProvider"])
    ids = np.array([[101, 6125, 3458, 102]], np.int64)
    (alone,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    padding = ((0, 0), (0, 5))
    padded = {"input_ids": np.pad(ids, padding), "attention_mask": np.pad(np.ones_like(ids), padding)}
    np.testing.assert_allclose(session.run(None, padded)[0][:, :4], alone, atol=1e-5)


@pytest.mark.slow
def test_the_head_is_the_one_that_the_script_fits(make, weights, constants, data_folder):
    fitted = make.fit_head(weights, data_folder)
    np.testing.assert_allclose(fitted, constants["head"], atol=1e-2)


@pytest.mark.parametrize(("collection", "least"), [("cranfield", 0.52), ("xquad-en", 0.975)])
def test_int8_finds_what_fp32_finds(full_precision, data_folder, collection, least):
    folder = data_folder / collection
    int8, fp32 = (
        evaluate(folder, model=OnnxEncoder(model, device="cpu")).to_dict()["ndcg@10"]
        for model in (FOLDER, full_precision)
    )
    print(f"{collection}: nDCG@10 int8 {int8:.4f}, fp32 {fp32:.4f}")
    assert int8 >= least
    assert int8 == pytest.approx(fp32, abs=0.005)
