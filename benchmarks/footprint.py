"""What the library weighs and how quickly it starts: the environment, the import, a search from the command line."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import cranfield
from benchmarks.figures import Figure, report
from late_rag import Retriever

CORE = Path(__file__).resolve().parents[1] / ".venv-core"
NOT_COUNTED = (
    "pip",
    "pip-*",
    "setuptools",
    "setuptools-*",
    "pkg_resources",
    "_distutils_hack",
    "distutils-precedence.pth",
)

_RUN = """
import os, resource, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e6, os.waitstatus_to_exitcode(status))
"""


def environment() -> Iterator[Figure]:
    """Size of the core environment, the model included."""
    if not (CORE / ".ready").is_file():
        sys.exit("the core environment is measured: run make demo first")
    (packages,) = CORE.glob("lib/python*/site-packages")
    left_out = {path for pattern in NOT_COUNTED for path in packages.glob(pattern)}
    files = [path for path in CORE.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files if not left_out & set(path.parents)) / 1e6
    yield Figure("environment of make demo", f"{size:.0f} MB", "a limit in MB", size, 300)


def importing() -> Iterator[Figure]:
    """``import late_rag`` over bare Python, and what it loads."""
    python = str(CORE / "bin" / "python")
    bare = median_seconds([python, "-c", "pass"])
    ours = median_seconds([python, "-c", "import late_rag"])
    loaded = subprocess.run(
        [python, "-c", "import late_rag, sys; print('numpy' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    more = 1e3 * (ours - bare)
    theirs = f"bare Python {1e3 * bare:.0f} ms, numpy loaded: {loaded}: more, in ms"
    yield Figure("import late_rag", f"{1e3 * ours:.0f} ms", theirs, more, 30)


def command_line() -> Iterator[Figure]:
    """``late-rag search`` as a whole process on the Cranfield collection."""
    with tempfile.TemporaryDirectory() as folder:
        location = Path(folder) / "cranfield.rag"
        with Retriever.create(location) as retriever:
            retriever.add([row["text"] for row in cranfield.read("corpus")])
        question = cranfield.read("queries")[0]["text"]
        command = [str(CORE / "bin" / "late-rag"), "search", question, "--collection", str(location)]
        runs = [measured([*command, *more]) for more in ([], ["--json"]) for _ in range(5)]
        found = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
        assert found["hits"], "the search found nothing"
    seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
    yield Figure("late-rag search, whole process", f"{seconds:.2f} s", "a limit in s", seconds, 0.6)
    yield Figure("late-rag search, resident", f"{memory:.0f} MB", "a limit in MB", memory, 250)


def measured(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak resident MB of a command that must succeed."""
    output = subprocess.run([sys.executable, "-c", _RUN, *command], capture_output=True, text=True, check=True).stdout
    seconds, memory, code = output.split()
    if code != "0":
        sys.exit(f"{command} failed with {code}")
    return float(seconds), float(memory)


def median_seconds(command: Sequence[str], repeats: int = 15) -> float:
    """Median time of a whole process."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def figures() -> Iterator[Figure]:
    """All figures of weight and start."""
    yield from environment()
    yield from importing()
    yield from command_line()


if __name__ == "__main__":
    report(figures())
