"""A folder of 1,398 files made searchable, against the bare encoding of the same chunks."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import cranfield
from benchmarks.figures import Figure, report, seconds
from late_rag import Retriever, load_encoder
from late_rag.types import Chunk

ROUNDS = 3


def figures() -> Iterator[Figure]:
    """Both in turns, three times; the medians."""
    encoder = load_encoder("minilm")
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        files.mkdir()
        for row in cranfield.read("corpus"):
            (files / f"{row['_id']}.txt").write_text(row["text"], encoding="utf-8")
        whole: list[float] = []
        bare: list[float] = []
        for number in range(ROUNDS):
            retriever = Retriever.create(Path(folder) / f"{number}.rag")
            retriever.encoder.encode_queries(["load the model"])
            whole.append(seconds(lambda retriever=retriever: retriever.sync(files)))
            chunks: list[Chunk] = [chunk for batch in retriever.collection.iterate() for chunk, _ in batch]
            bare.append(seconds(lambda chunks=chunks: list(encoder.encode_documents(chunks))))
            retriever.close()
    ours, theirs = statistics.median(whole), statistics.median(bare)
    what = f"1,398 files → searchable ({len(chunks):,} chunks)"
    yield Figure(what, f"{ours:.1f} s", f"bare encoding {theirs:.1f} s", ours / theirs, 1.25)


if __name__ == "__main__":
    report(figures())
