"""Token rows of any number, out of those of Cranfield and XQuAD: real ones first, and new chunks made of their rows.

A new chunk has the first row of a real chunk, then runs of 40 to 60 rows from it and from one to three of the 16 chunks
nearest to it, then its last row. Each row is moved on the manifold, by up to half of the way to another real row of the
same centroid, then by noise to a cosine of about .98. What was made is kept in a folder for temporary files.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.figures import data_folder
from late_rag import load_encoder
from late_rag.indexes.centroid_assignment import Assigner
from late_rag.indexes.centroid_training import train
from late_rag.indexes.spool import rounded_rows
from late_rag.types import Chunk

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

COLLECTIONS = ("cranfield", "xquad-en")
FOLDER = Path(tempfile.gettempdir()) / "late-rag-benchmarks"
QUERIES = 100
_CENTROIDS = 4096
_NEAR = 16
_AT_ONCE = 2000
_NOISE = 0.2


@dataclass(frozen=True)
class Rows:
    """Chunks of token rows that lie in a file, and real queries of each collection."""

    values: npt.NDArray[np.float16]
    lengths: npt.NDArray[np.int64]
    queries: dict[str, list[TokenEmbeddings]]

    def __iter__(self) -> Iterator[TokenEmbeddings]:
        ends = np.cumsum(self.lengths)
        for end, length in zip(ends.tolist(), self.lengths.tolist(), strict=True):
            yield np.asarray(self.values[end - length : end]).astype(np.float32)


def recombined(count: int) -> Rows:
    """At least so many rows, the same each time."""
    FOLDER.mkdir(exist_ok=True)
    real, lengths, queries = _encoded()
    path = FOLDER / f"rows-{count}.f16"
    if not path.with_suffix(".npy").exists():
        made = [lengths]
        with path.open("wb") as file:
            real.astype(np.float16).tofile(file)
            for rows, sizes in _new_chunks(real, lengths, count):
                rows.astype(np.float16).tofile(file)
                made.append(sizes)
        np.save(path.with_suffix(".npy"), np.concatenate(made))
    values = np.memmap(path, np.float16, "r").reshape(-1, real.shape[1])
    return Rows(values, np.load(path.with_suffix(".npy")), queries)


def _encoded() -> tuple[TokenEmbeddings, npt.NDArray[np.int64], dict[str, list[TokenEmbeddings]]]:
    chunks, lengths, queries = [], [], {}
    for name in COLLECTIONS:
        path = FOLDER / f"{name}.npz"
        if not path.exists():
            _encode(name, path)
        with np.load(path) as kept:
            chunks.append(kept["rows"])
            lengths.append(kept["lengths"])
            found = np.split(kept["queries"], np.cumsum(kept["query_lengths"])[:-1])
        chosen = np.random.default_rng(0).permutation(len(found))[:QUERIES]
        queries[name] = [found[number] for number in np.sort(chosen)]
    return np.concatenate(chunks), np.concatenate(lengths), queries


def _encode(name: str, path: Path) -> None:
    def read(kind: str) -> list[dict[str, str]]:
        text = (data_folder() / name / f"{kind}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    encoder = load_encoder("minilm")
    rows = list(encoder.encode_documents(Chunk(row["_id"], row["_id"], row["text"]) for row in read("corpus")))
    queries = encoder.encode_queries([row["text"] for row in read("queries")])
    np.savez(
        path,
        rows=np.concatenate(rows),
        lengths=np.array([len(each) for each in rows]),
        queries=np.concatenate(queries),
        query_lengths=np.array([len(each) for each in queries]),
    )


def _new_chunks(
    real: TokenEmbeddings, lengths: npt.NDArray[np.int64], count: int
) -> Iterator[tuple[TokenEmbeddings, npt.NDArray[np.int64]]]:
    rng = np.random.default_rng(1)
    starts = np.cumsum(lengths) - lengths
    packed = rounded_rows(real)
    codes = Assigner(train(packed, _CENTROIDS, 0))(packed)
    by_centroid = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=_CENTROIDS)
    firsts = np.cumsum(sizes) - sizes
    near = _nearest_chunks(real, starts)
    total = len(real)
    while total < count:
        sources = [_sources(rng, starts, lengths, near) for _ in range(_AT_ONCE)]
        ends = np.cumsum([len(source) for source in sources])
        sources = sources[: int(np.searchsorted(ends, count - total)) + 1]
        source = np.concatenate(sources)
        others = by_centroid[firsts[codes[source]] + (rng.random(len(source)) * sizes[codes[source]]).astype(np.int64)]
        share = (rng.random((len(source), 1)) * 0.5).astype(np.float32)
        rows = _unit((1 - share) * real[source] + share * real[others])
        noise = rng.standard_normal(rows.shape, np.float32) * np.float32(_NOISE / rows.shape[1] ** 0.5)
        total += len(rows)
        yield _unit(rows + noise), np.array([len(each) for each in sources])


def _nearest_chunks(real: TokenEmbeddings, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    means = _unit(np.add.reduceat(real, starts, axis=0))
    cosines = means @ means.T
    np.fill_diagonal(cosines, -1)
    return np.argpartition(cosines, -_NEAR, axis=1)[:, -_NEAR:]


def _sources(
    rng: np.random.Generator,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    near: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Which real rows one new chunk is made of."""
    chunk = int(rng.integers(len(lengths)))
    others = near[chunk][rng.permutation(_NEAR)[: rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1])]]
    runs = [np.array([starts[chunk]])]
    for each in (chunk, *others.tolist()):
        size = int(min(lengths[each], rng.integers(40, 61)))
        runs.append(starts[each] + rng.integers(0, lengths[each] - size + 1) + np.arange(size))
    return np.concatenate([*runs, np.array([starts[chunk] + lengths[chunk] - 1])])


def _unit(rows: TokenEmbeddings) -> TokenEmbeddings:
    unit: TokenEmbeddings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
