"""How far the encoding is, told to whoever asked, and how long it may still take."""

from __future__ import annotations

import time

from late_rag.types import Progress
from late_rag.types import Report as Report

_SECONDS_BETWEEN_REPORTS = 0.05


class Meter:
    """Counts chunks that are encoded, and estimates how many there will be from how much of the input is read.

    Args:
        report: is told; None for nobody.
        amount: how much input there is, in any unit (bytes, documents); None where nobody knows.
    """

    def __init__(self, report: Report | None, amount: int | None = None) -> None:
        self.encoded = 0
        self._report = report
        self._amount = amount
        self._read = 0.0
        self._wanted = 0
        self._next = 0.0

    def reached(self, position: float) -> None:
        """The input has been read up to ``position``, in the unit of ``amount``."""
        self._read = position

    def wanted(self) -> None:
        """One more chunk is to be encoded."""
        self._wanted += 1

    def done(self, current: str | None = None) -> None:
        """One more chunk is encoded."""
        self.encoded += 1
        self.tell("encode", self.encoded, self.total, "chunks", current)

    def finish(self) -> None:
        """All that was wanted is encoded."""
        self.tell("encode", self.encoded, self.encoded, "chunks", last=True)

    @property
    def total(self) -> int | None:
        """About how many chunks there will be; exact once all the input is read."""
        if self._amount is None or not self._read:
            return None
        return max(self._wanted, round(self._wanted * self._amount / min(self._read, self._amount)))

    def passed_on(self, progress: Progress) -> None:
        """What a stage that counts for itself has done."""
        self.tell(progress.stage, progress.done, progress.total, progress.unit, progress.current)

    def tell(
        self, stage: str, done: int, total: int | None, unit: str, current: str | None = None, *, last: bool = False
    ) -> None:
        """Reports, unless that happened a moment ago; the last report is never left out."""
        now = time.monotonic()
        if self._report is not None and (last or now >= self._next):
            self._next = now + _SECONDS_BETWEEN_REPORTS
            self._report(Progress(stage, done, total, unit, current))
