"""What the processes of the fire test run: each writer owns some ids and tells before and after what they are.

Run as ``python fire.py ROLE COLLECTION BOARD NAME SECONDS``. The board is a folder with a file for each id: the turn
that is committed at least, and the turn that may be. An answer is right if its turn is one that was there meanwhile.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from late_rag.collections import open_collection
from late_rag.errors import CollectionBusyError
from late_rag.filters.selection import Selection
from late_rag.testing.collection_base import chunk, rows

IDS = 12


def tell(board: Path, name: str, kind: str, turn: int) -> None:
    draft = board / f".{name}.{kind}"
    draft.write_text(str(turn))
    draft.replace(board / f"{name}.{kind}")


def told(board: Path, name: str, kind: str) -> int:
    try:
        return int((board / f"{name}.{kind}").read_text())
    except FileNotFoundError:
        return 0


def write(location: str, board: Path, name: str, seconds: float) -> None:
    """Replaces its chunks by others of the same ids, and optimizes now and then."""
    collection, rng, end = open_collection(location), random.Random(name), time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        turn += 1
        identity = f"{name}{rng.randrange(IDS)}"
        tell(board, identity, "begun", turn)
        collection.add([chunk(identity, f"{identity} turn{turn}", turn=turn)], rows(1, seed=seed(identity)))
        tell(board, identity, "done", turn)
        if turn % 150 == 0:
            collection.optimize()
    collection.close()
    print(turn)


def seed(identity: str) -> int:
    return 1000 + sum(map(ord, identity)) * 7 + int(identity[4:])


def read(location: str, board: Path, name: str, seconds: float) -> None:
    """Looks for each id in every way there is; what was committed before must be found, and nothing from later."""
    collection, rng, end = open_collection(location, "read"), random.Random(name), time.monotonic() + seconds
    looks = 0
    while time.monotonic() < end:
        identity = f"{rng.choice(('left', 'west'))}{rng.randrange(IDS)}"
        before = told(board, identity, "done")
        if not before:
            continue
        (query,) = rows(1, seed=seed(identity))
        try:
            ways = (
                lambda query=query: collection.search([query], 1)[0][0].chunk,
                lambda query=query: collection.search([query], 1, Selection(filter="turn > 0"))[0][0].chunk,
                lambda identity=identity: collection.text_search([identity], 1)[0][0].chunk,
                lambda identity=identity: collection.get([identity])[0],
            )
            found = rng.choice(ways)()
        except CollectionBusyError:
            continue
        after = told(board, identity, "begun")
        turn = found.metadata["turn"]
        if found.id != identity or found.text != f"{identity} turn{turn}" or not before <= turn <= after:
            sys.exit(f"{identity}: turns {before} to {after} are right, found {found.id!r}, {found.text!r}")
        looks += 1
    print(looks)


if __name__ == "__main__":
    role, location, board, name, seconds = sys.argv[1:]
    {"write": write, "read": read}[role](location, Path(board), name, float(seconds))
