"""Progress of long work on stderr: a bar on a terminal, else a line every few seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from late_rag.cli.output import interactive, note, single_line
from late_rag.cli.stopping import stoppable
from late_rag.types import Progress, Report

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def reporting(quiet: bool = False) -> Iterator[Report]:
    """A function that shows how far the work is: a bar on a terminal, else a line every few seconds.

    While it is open the first Ctrl-C lets the work stop at its next step, which keeps all that is done, and the
    second stops it at once; both end in an exception.
    """
    with _shown(quiet) as show, stoppable() as check:

        def report(progress: Progress) -> None:
            show(progress)
            check()

        yield report


@contextmanager
def _shown(quiet: bool) -> Iterator[Report]:
    if quiet:
        yield _ignore
    elif interactive(sys.stderr):
        with _bars() as bars:
            yield _Drawn(bars)
    else:
        yield _Lines()


def _ignore(progress: Progress) -> None:
    """Shows nothing."""


def _bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn(
            "{task.fields[current]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
        ),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )


class _Pace:
    """How fast a stage goes."""

    def __init__(self, progress: Progress) -> None:
        self.stage = progress.stage
        self._first = progress.done
        self._started = time.monotonic()

    def rate(self, done: int) -> float | None:
        """Units a second since the stage was first seen; None while that cannot be told."""
        seconds = time.monotonic() - self._started
        return (done - self._first) / seconds if seconds > 0.2 and done > self._first else None

    def left(self, progress: Progress) -> float | None:
        """Seconds until the stage is done, at this pace."""
        rate = self.rate(progress.done)
        return None if rate is None or progress.total is None else max(progress.total - progress.done, 0) / rate


class _Drawn:
    """A bar for the stage that the work is in."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._stages: dict[str, tuple[TaskID, _Pace]] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.stage not in self._stages:
            for earlier, _ in self._stages.values():
                self._bars.update(earlier, visible=False)
            task = self._bars.add_task(progress.stage, total=None, amount="", rate="", current="")
            self._stages[progress.stage] = (task, _Pace(progress))
        task, pace = self._stages[progress.stage]
        rate = pace.rate(progress.done)
        self._bars.update(
            task,
            completed=progress.done,
            total=progress.total,
            amount=_amount(progress),
            rate=f"{rate:,.0f}/s" if rate is not None else "",
            current=single_line(PurePath(progress.current or "").name),
        )


class _Lines:
    """A line every few seconds, for logs."""

    def __init__(self) -> None:
        self._pace: _Pace | None = None
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if self._pace is None or self._pace.stage != progress.stage:
            self._pace = _Pace(progress)
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            note(_line(progress, self._pace))


def _line(progress: Progress, pace: _Pace) -> str:
    parts = [f"{progress.stage}: {_amount(progress)}"]
    rate, left = pace.rate(progress.done), pace.left(progress)
    if rate is not None:
        parts.append(f"{rate:,.0f}/s")
    if left is not None:
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def _amount(progress: Progress) -> str:
    total = "" if progress.total is None else f" of {progress.total:,}"
    return f"{progress.done:,}{total} {progress.unit}"


def duration(seconds: float) -> str:
    """Such as ``0.4 s``, ``12 s`` or ``1:05:09``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
