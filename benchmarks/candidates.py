"""Candidate indexes against the exact scan: building, searching, filters, adding, a narrow cone, memory.

``python -m benchmarks.candidates [--rows 250k,1.3M] [--index centroids]``; 10M takes a quarter of an hour and 10 GB.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import Figure, report, seconds
from benchmarks.recombined import Rows, recombined
from late_rag.backends import INDEXES, resolve
from late_rag.collections import create_collection
from late_rag.collections.local import LocalCollection, index_files
from late_rag.collections.local.creation import FILE
from late_rag.collections.local.database import Database
from late_rag.collections.local.index_rows import IndexRows
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.types import Chunk, batched

if TYPE_CHECKING:
    from late_rag.types import TokenEmbeddings

    Query = tuple[str, TokenEmbeddings]

DIM = 128
TOP_K = 10
_SHARES = {"half": 2, "tenth": 10, "hundredth": 100}
_FACTORS = {"half": 1.3, "tenth": 2.3, "hundredth": 1.0}
_CONE = 0.944


@dataclass(frozen=True)
class Limits:
    """What must be reached at a size, and how large that is."""

    build: float
    ratio: float
    overlap: float
    disk: float
    searching: float
    building: float


LIMITS = {
    250_000: Limits(build=1.0, ratio=1.0, overlap=0.99, disk=3, searching=250, building=400),
    1_300_000: Limits(build=2.5, ratio=0.33, overlap=0.995, disk=8, searching=250, building=500),
    10_000_000: Limits(build=12, ratio=0.06, overlap=0.99, disk=80, searching=250, building=800),
}


def limits_of(count: int) -> Limits:
    return LIMITS[min(LIMITS, key=lambda size: abs(np.log(size / count)))]


def filled(folder: Path, rows: Iterable[TokenEmbeddings], index: str) -> LocalCollection:
    """A collection with index files of all rows."""
    collection = create_collection(folder, CollectionSettings("rows", "rows", DIM, index=index))
    assert isinstance(collection, LocalCollection)
    rng = np.random.default_rng(0)
    for batch in batched(enumerate(rows), 500):
        chunks = [
            Chunk(f"c{n}", f"c{n}", "", metadata={name: int(rng.integers(size)) for name, size in _SHARES.items()})
            for n, _ in batch
        ]
        collection.add(chunks, [embeddings for _, embeddings in batch])
    collection.optimize()
    return collection


def stored_rows(collection: LocalCollection) -> IndexRows:
    """The collection's rows as an index is made of them."""
    return IndexRows(Database(Path(collection.location) / FILE, "read"), collection.settings)


def queries_of(rows: Rows) -> list[Query]:
    return [(name, query) for name, queries in rows.queries.items() for query in queries]


@dataclass(frozen=True)
class Measured:
    """Times in ms of both, and for each collection the mean share of the exact ten best."""

    ours: list[float]
    exact: list[float]
    overlaps: dict[str, float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.exact)

    @property
    def overlap(self) -> float:
        return statistics.mean(self.overlaps.values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {share:.4f}" for name, share in self.overlaps.items())


def compared(
    ours: LocalCollection, exact: LocalCollection, queries: Sequence[Query], selection: Selection | None = None
) -> Measured:
    """Query by query in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    shares: dict[str, list[float]] = {}
    for _, query in queries[:8]:
        ours.search([query], TOP_K, selection)
        exact.search([query], TOP_K, selection)
    for name, query in queries:
        found: list[set[str]] = []
        for collection, kept in zip((ours, exact), times, strict=True):
            start = time.perf_counter()
            hits = collection.search([query], TOP_K, selection)[0]
            kept.append(1e3 * (time.perf_counter() - start))
            found.append({hit.chunk.id for hit in hits})
        shares.setdefault(name, []).append(len(found[0] & found[1]) / max(1, len(found[1])))
    return Measured(*times, {name: statistics.mean(each) for name, each in shares.items()})


def building(collection: LocalCollection, kind: Any, what: str, limits: Limits) -> Iterator[Figure]:
    """The index alone, from the stored rows; and what it costs to find the number of candidates."""
    stored = stored_rows(collection)
    with tempfile.TemporaryDirectory() as folder:
        kind.create(Path(folder), stored.between(0, 2000), DIM).close()
    with tempfile.TemporaryDirectory() as folder:
        made: list[Any] = []
        took = seconds(lambda: made.append(kind.create(Path(folder), stored.between(0, 2**62), DIM)))
        yield Figure(f"build, {what}", f"{took:.2f} s", "a limit in s", took, limits.build)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
        yield Figure(f"on disk, {what}", f"{size:.1f} MB", "a limit in MB", size, limits.disk)
        took = seconds(lambda: stored.calibrated(made[0], 2**62))
        yield Figure(f"calibration, {what}", f"{took:.2f} s", "a limit in s", took, 2 * limits.build)
        made[0].close()


def searching(ours: LocalCollection, exact: LocalCollection, queries: Sequence[Query], what: str) -> Iterator[Figure]:
    limits = limits_of(exact.info().tokens)
    found = compared(ours, exact, queries)
    first, second = statistics.median(found.ours), statistics.median(found.exact)
    yield Figure(f"search p50, {what}", f"{first:.1f} ms", f"scan {second:.1f} ms", found.ratio, limits.ratio)
    p95 = float(np.percentile(found.ours, 95))
    yield Figure(f"search p95, {what}", f"{p95:.1f} ms", f"p50 {first:.1f} ms", p95 / first, 2.5)
    yield Figure(f"overlap@10, {what}", str(found), "the scan", found.overlap, limits.overlap, at_most=False)
    worst = min(found.overlaps.values())
    yield Figure(f"overlap@10 of the worst, {what}", f"{worst:.4f}", "the scan", worst, 0.98, at_most=False)
    for name, size in _SHARES.items():
        some = compared(ours, exact, queries[::3], Selection(filter=f"{name} == 1"))
        took = statistics.median(some.ours)
        label = f"filter that leaves one of {size}, {what}"
        yield Figure(label, f"{took:.1f} ms", f"unfiltered {first:.1f} ms", took / first, _FACTORS[name])
        yield Figure(f"{label}: overlap@10", str(some), "the scan", some.overlap, 0.99, at_most=False)


def adding(rows: Rows, exact: LocalCollection, index: str, folder: Path, what: str) -> Iterator[Figure]:
    """The last tenth, added to an index of the rest."""
    kind, stored = resolve(INDEXES, index, "index"), stored_rows(exact)
    cut, last = int(len(rows.lengths) * 0.9), len(rows.lengths)
    for name in ("old", "new"):
        (folder / name).mkdir()
    with closing(kind.create(folder / "old", stored.between(0, cut), DIM)) as old:
        added: list[Any] = []
        took = seconds(lambda: added.append(old.add(folder / "new", stored.between(cut, last), lambda _: None)))
    each = 1e3 * took / (last - cut)
    yield Figure(f"a tenth added, each chunk, {what}", f"{each:.3f} ms", "a limit in ms", each, 0.1)
    with closing(added[0]) as index_with_all:
        number = stored.calibrated(index_with_all, 2**62).candidates or last
        found = index_with_all.search([query for _, query in queries_of(rows)], number)
        best = exact.search([query for _, query in queries_of(rows)], TOP_K)
        shares = [
            np.isin([int(hit.chunk.id[1:]) + 1 for hit in hits], numbers).mean()
            for hits, (numbers, _) in zip(best, found, strict=True)
        ]
    overlap = float(np.mean(shares))
    yield Figure(f"a tenth added, overlap@10, {what}", f"{number} candidates", "the scan", overlap, 0.99, at_most=False)


def narrow(rows: Rows, index: str, folder: Path, what: str) -> Iterator[Figure]:
    """All rows moved into a cone, to a mean cosine of about .9."""
    axis = np.random.default_rng(3).standard_normal(DIM).astype(np.float32)
    axis /= np.linalg.norm(axis)

    def moved(embeddings: TokenEmbeddings) -> TokenEmbeddings:
        both = (1 - _CONE**2) ** 0.5 * embeddings + np.float32(_CONE) * axis
        cone: TokenEmbeddings = (both / np.linalg.norm(both, axis=1, keepdims=True)).astype(np.float32)
        return cone

    ours, exact = (filled(folder / f"{kind}.rag", map(moved, rows), kind) for kind in (index, "exact"))
    found = compared(ours, exact, [(name, moved(query)) for name, query in queries_of(rows)])
    ours.close()
    exact.close()
    label = f"mean cosine .9, {what}"
    yield Figure(label, str(found), "the scan", found.overlap, 0.99, at_most=False)
    limit = limits_of(int(rows.lengths.sum())).ratio
    times = [f"{name}{statistics.median(each):.1f} ms" for name, each in (("", found.ours), ("scan ", found.exact))]
    yield Figure(f"{label}, search p50", times[0], times[1], found.ratio, limit)


def memory(location: str, rows: Rows, folder: Path, what: str) -> Iterator[Figure]:
    """Anonymous memory in a process that does nothing else."""
    limits = limits_of(int(rows.lengths.sum()))
    np.savez(folder / "queries.npz", *[query for _, query in queries_of(rows)])
    for doing, limit in (("searching", limits.searching), ("building", limits.building)):
        command = [sys.executable, "-c", _MEMORY, doing, location, str(folder / "queries.npz")]
        used = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        yield Figure(f"anonymous memory while {doing}, {what}", f"{used:.0f} MB", "a limit in MB", used, limit)


_MEMORY = """
import sys, threading
import numpy as np
from late_rag.collections import open_collection
def anonymous():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon")) * 1024 / 1e6
doing, location, queries = sys.argv[1:]
collection = open_collection(location)
peak, done = [anonymous()], threading.Event()
def watch():
    while not done.wait(0.02):
        peak.append(anonymous())
watching = threading.Thread(target=watch)
watching.start()
if doing == "searching":
    for query in np.load(queries).values():
        collection.search([query], 10)
else:
    with collection._database.writing() as connection:
        connection.execute("DELETE FROM indexes")
    collection.optimize()
done.set()
watching.join()
print(max(peak))
"""


def figures(counts: Sequence[int] = (250_000, 1_300_000), index: str = "centroids") -> Iterator[Figure]:
    """All figures at each size."""
    index_files.TAIL_CHUNKS = index_files.TAIL_ROWS = 2**62  # files are made once, at the end of a load
    for count in counts:
        rows = recombined(count)
        what = f"{index}, {rows.lengths.sum():,} rows, {len(rows.lengths):,} chunks"
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ours, exact = (filled(folder / f"{kind}.rag", rows, kind) for kind in (index, "exact"))
            print(ours.info().index_reason, flush=True)
            yield from building(ours, resolve(INDEXES, index, "index"), what, limits_of(count))
            yield from searching(ours, exact, queries_of(rows), what)
            yield from adding(rows, exact, index, folder, what)
            ours.close()
            exact.close()
            yield from memory(str(folder / f"{index}.rag"), rows, folder, what)
        if count <= 2_000_000:
            with tempfile.TemporaryDirectory() as name:
                yield from narrow(rows, index, Path(name), what)


def _count(text: str) -> int:
    units = {"k": 1e3, "M": 1e6}
    return int(float(text.rstrip("kM")) * units.get(text[-1], 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="250k,1.3M", help="how many token rows, several with commas between them")
    parser.add_argument("--index", default="centroids", help="the kind of index")
    given = parser.parse_args()
    report(figures([_count(text) for text in given.rows.split(",")], given.index))
