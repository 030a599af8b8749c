"""How figures are taken and printed."""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured ratio: ``ours / theirs`` against what it must reach."""

    what: str
    ours: str
    theirs: str
    value: float
    limit: float
    at_most: bool = True

    @property
    def reached(self) -> bool:
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def line(self) -> str:
        mark = "ok  " if self.reached else "FALLS SHORT"
        sign = "≤" if self.at_most else "≥"
        measured = f"{self.ours} against {self.theirs}: {self.value:.3g}"
        return f"{self.what}: {measured} (must be {sign} {self.limit:g}) {mark}"


def report(figures: Iterable[Figure]) -> None:
    """Prints the figures as they come."""
    for figure in figures:
        print(figure.line(), flush=True)


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternating_ms(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 5, repeats: int = 12
) -> tuple[float, float]:
    """Medians of two calls, measured in turns so that both see the same machine.

    A pause stands before each turn: BLAS threads go on spinning for a while after a product.
    """
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    for _ in range(rounds):
        for work, kept in zip((ours, theirs), times, strict=True):
            time.sleep(0.3)
            for _ in range(4):
                work()
            kept.extend(seconds(work) for _ in range(repeats))
    return 1e3 * statistics.median(times[0]), 1e3 * statistics.median(times[1])


def resident_mb() -> float:
    """Memory of this process that is in use now, in MB (10⁶ bytes), where the system tells."""
    return _status_mb("VmRSS")


def peak_mb() -> float:
    """The most there was. Not ``ru_maxrss``: that begins with what the parent process had."""
    return _status_mb("VmHWM")


def _status_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


def data_folder() -> Path:
    """Where the test collections are; ends the program where they are not."""
    folder = Path(os.environ.get("LATE_RAG_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not (folder / "cranfield" / "corpus.jsonl").is_file():
        sys.exit("test collections not found: set LATE_RAG_DATA to the folder that holds cranfield/ and xquad-en/")
    return folder
