"""The embedded model: is it the weights it says it is, and what does int8 cost?"""

from __future__ import annotations

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
def head(constants) -> np.ndarray:
    return constants["module.0.linear.weight"]


@pytest.fixture(scope="module")
def full_precision(make, head, tmp_path_factory) -> Path:
    """The checkpoint folder that the script writes in fp32, with the head that is shipped."""
    folder = tmp_path_factory.mktemp("fp32")
    make.write(folder, head, "fp32")
    return folder


def test_what_is_shipped_is_what_the_script_makes(make, head, constants, tmp_path):
    """To the last bit or nearly: the ranges of activations are measured, and measuring rounds."""
    assert make.write(tmp_path, head, "int8").precision == "int8"
    made, shipped = (onnx.load(folder / "model_int8.onnx") for folder in (tmp_path, FOLDER))
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    assert found.keys() == constants.keys()
    for name, value in found.items():
        assert np.mean(np.isclose(value, constants[name], rtol=1e-4, atol=1e-6)) > 0.99, name
    assert [node.op_type for node in made.graph.node] == [node.op_type for node in shipped.graph.node]
    for file in ("onnx_config.json", "tokenizer.json"):
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes()


def test_int8_rows_are_near_those_of_fp32(full_precision):
    rows = [
        np.concatenate(OnnxEncoder(model, device="cpu").encode_queries(TEXTS)) for model in (FOLDER, full_precision)
    ]
    assert np.mean(np.sum(rows[0] * rows[1], axis=1)) > 0.995


def test_fp32_is_the_same_weights_in_transformers(make, head, full_precision):
    bert = transformers.AutoModel.from_pretrained(make.source_folder(), attn_implementation="eager").eval()
    tokenizer = make.load_tokenizer(make.source_folder())
    tokenizer.enable_truncation(make.LENGTH)
    encoder = OnnxEncoder(full_precision, device="cpu")
    for text, found in zip(TEXTS, encoder.encode_queries(TEXTS), strict=True):
        with torch.inference_mode():
            last = bert(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0]
            expected = torch.nn.functional.normalize(last @ torch.tensor(head), dim=-1)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


@pytest.mark.slow
def test_the_head_is_the_one_that_the_script_fits(make, head, data_folder):
    np.testing.assert_allclose(make.fit_head(data_folder), head, atol=1e-2)


@pytest.mark.parametrize(("collection", "least"), [("cranfield", 0.52), ("xquad-en", 0.975)])
def test_int8_finds_what_fp32_finds(full_precision, data_folder, collection, least):
    folder = data_folder / collection
    int8, fp32 = (
        evaluate(folder, model=OnnxEncoder(model, device="cpu")).to_dict()["ndcg@10"]
        for model in (FOLDER, full_precision)
    )
    print(f"{collection}: nDCG@10 int8 {int8:.4f}, fp32 {fp32:.4f}")
    assert int8 >= least
    assert int8 == pytest.approx(fp32, abs=0.003)
