"""Loaders that do what a parser does that a file breaks; each is imported by a worker, and does what the file says."""

from __future__ import annotations

import ctypes
import datetime as dt
import logging
import os
import signal
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from late_rag.errors import NoTextError
from late_rag.loading import LoadOptions
from late_rag.types import Document, Mark, Media, Omission

ALL = Document(
    text="line\f\u2028 \U0001f600 \x7f",
    metadata={
        "title": "Über",
        "$float": float("inf"),
        "day": dt.date(2020, 1, 31),
        "at": dt.datetime(2020, 1, 31, 10, tzinfo=ZoneInfo("Europe/Berlin")),
        "list": [1, 2.5, True, None, {"deep": ["x"]}],
    },
    media=(Media(b"\x89PNG", "image/png"),),
    extra={"private": [1, "two"]},
    marks=(Mark(0, 4, {"start": 1.5}),),
)


KEPT: list[object] = []


def nothing(path: Path) -> Iterator[tuple[str, Document]]:
    yield from ()


class OddLoader:
    """Does what the text of the file says."""

    records = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        what = path.read_text()
        if KEPT == ["spoilt"] or what == "crashes_first":
            os.kill(os.getpid(), signal.SIGSEGV)
        yield "pid", Document(text=str(os.getpid()))
        yield from getattr(self, what, nothing)(path)

    def everything(self, path: Path) -> Iterator[tuple[str, Document] | Omission]:
        yield "all", ALL
        yield "page", Document(text="a page", media=(Media(str(path), "application/pdf", page=7),))
        yield Omission("a part", lost=False)
        logging.getLogger("late_rag.loaders").warning("%s: odd", path)
        logging.getLogger("late_rag.loaders.odd").debug("not asked for")

    def spins(self, path: Path) -> Iterator[tuple[str, Document]]:
        while True:
            time.sleep(0.001)
        yield

    def sleeps(self, path: Path) -> Iterator[tuple[str, Document]]:
        yield "more than is held back", Document(text="x" * 100_000)
        time.sleep(600)
        yield

    def many(self, path: Path) -> Iterator[tuple[str, Document]]:
        for number in range(50):
            yield str(number), Document(text=f"{number} " * 20_000)

    def allocates(self, path: Path) -> Iterator[tuple[str, Document]]:
        held = []
        while True:
            held.append(b"x" * (8 << 20))
        yield

    def allocates_in_c(self, path: Path) -> Iterator[tuple[str, Document]]:
        while True:
            libc = ctypes.CDLL(None)
            libc.malloc.restype = ctypes.c_void_p
            place = libc.malloc(ctypes.c_size_t(8 << 20))
            if not place:
                os.abort()
            ctypes.memset(place, 1, 8 << 20)
        yield

    def keeps_much(self, path: Path) -> Iterator[tuple[str, Document]]:
        KEPT.append(b"x" * (300 << 20))
        yield from ()

    def crashes(self, path: Path) -> Iterator[tuple[str, Document]]:
        os.kill(os.getpid(), signal.SIGSEGV)
        yield

    def is_killed(self, path: Path) -> Iterator[tuple[str, Document]]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield

    def spoils(self, path: Path) -> Iterator[tuple[str, Document]]:
        KEPT.append("spoilt")
        yield from ()

    def exits(self, path: Path) -> Iterator[tuple[str, Document]]:
        os._exit(3)
        yield

    def leaves(self, path: Path) -> Iterator[tuple[str, Document]]:
        sys.exit(5)
        yield

    def prints(self, path: Path) -> Iterator[tuple[str, Document]]:
        print("noise", flush=True)
        os.write(1, b"noise")
        os.write(2, b"noise")
        yield "input", Document(text=repr(sys.stdin.read()))

    def writes(self, path: Path) -> Iterator[tuple[str, Document]]:
        path.with_suffix(".more").write_text("x")
        yield

    def has_no_text(self, path: Path) -> Iterator[tuple[str, Document]]:
        raise NoTextError(f"{path}: has no text, it says")
        yield

    def fails(self, path: Path) -> Iterator[tuple[str, Document]]:
        raise KeyError("odd")
        yield

    def names_another(self, path: Path) -> Iterator[tuple[str, Document]]:
        yield "", Document(media=(Media("/etc/passwd", "image/png"),))

    def cannot_be_sent(self, path: Path) -> Iterator[tuple[str, Document]]:
        yield "", Document(text="x", metadata={"odd": object()})


class HostileLoader:
    """What a parser sends that a file took over: the text of the file, as a message or as bytes."""

    records = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:
        data = path.read_bytes()
        if data.startswith(b"raw "):
            data = data.removeprefix(b"raw ").decode().encode("latin-1").decode("unicode_escape").encode("latin-1")
        else:
            data = struct.pack("<Q", len(data)) + data
        answers = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir() if _is_pipe(entry))
        os.write(answers, data)
        time.sleep(600)
        yield


def _is_pipe(entry: Path) -> bool:
    try:
        return str(entry.readlink()).startswith("pipe:")
    except OSError:
        return False
