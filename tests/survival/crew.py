"""What the processes of the survival tests run: writers that sync or add until they are killed, readers beside them.

Run as ``python crew.py ROLE COLLECTION …``. The texts of a file follow from its name and version alone, so whoever
looks later knows what a whole file must hold.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from pathlib import Path

from late_rag import Retriever
from late_rag.collections import open_collection
from late_rag.testing import HashEncoder

FILES = 6
ENCODER = HashEncoder(dim=32, document_length=40)


def content(name: str, version: int) -> str:
    """A text of several chunks, all of whose words name the file and its version."""
    length = random.Random(f"{name}{version}").randint(1, 30)
    return "\n\n".join(f"{name} v{version} part{part} says {name}x{version}x{part}" for part in range(length))


def edit(folder: Path, rng: random.Random) -> None:
    """Changes, adds or removes some files, each in one step, as editors do."""
    for _ in range(rng.randint(1, 4)):
        path = folder / f"file{rng.randrange(FILES)}.txt"
        if rng.random() < 0.15:
            path.unlink(missing_ok=True)
        else:
            draft = path.with_suffix(".draft~")
            draft.write_text(content(path.stem, rng.randrange(10**6)), encoding="utf-8")
            draft.replace(path)


def sync_for_ever(location: str, folder: str, seed: str) -> None:
    rng = random.Random(seed)
    retriever = Retriever.open(location, model=ENCODER)
    for turn in itertools.count():
        edit(Path(folder), rng)
        retriever.sync(folder)
        if turn == 0:
            print("ready", flush=True)


def add(location: str, name: str, count: str) -> None:
    """Adds so many documents, one a commit."""
    retriever = Retriever.open(location, model=ENCODER)
    for number in range(int(count)):
        retriever.add([f"{name} number{number} {name}x{number}"])


def read_until_stopped(location: str, stop: str) -> None:
    """Searches again and again, leaving most of the time to the writers; whatever is wrong ends it with an error."""
    collection = open_collection(location, "read")
    (query,) = ENCODER.encode_queries(["file1 part0 says"])
    rounds = 0
    while not Path(stop).exists():
        hits = collection.search([query], 50)[0]
        if len({hit.chunk.id for hit in hits}) != len(hits):
            sys.exit("a chunk was found twice")
        for hit in hits:
            stem = Path(hit.source).stem if hit.source else ""
            if stem and any(not word.startswith(stem) for word in hit.chunk.text.split() if word.startswith("file")):
                sys.exit(f"a chunk of another file: {hit}")
        for batch in collection.iterate(batch_size=20):
            if not batch:
                sys.exit("an empty batch")
        rounds += 1
        time.sleep(0.01)
    print(rounds, flush=True)


if __name__ == "__main__":
    {"sync": sync_for_ever, "add": add, "read": read_until_stopped}[sys.argv[1]](*sys.argv[2:])
