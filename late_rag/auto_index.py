"""What ``index="auto"`` comes to: a table of what was measured, and the reason in words.

Whether the index that is chosen finds enough is measured when it is built (:mod:`late_rag.calibration`); where it does
not, the scan is kept.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from late_rag.errors import InputError, MissingExtraError
from late_rag.specs import IndexSpec

DEVICE_VARIABLE = "LATE_RAG_INDEX_DEVICE"
DEVICES = ("cpu", "cuda")


def device() -> str:
    """Where indexes are built and searched in this process: the variable ``LATE_RAG_INDEX_DEVICE``, else "cpu".

    Raises:
        InputError: the variable names something else.
    """
    named = os.environ.get(DEVICE_VARIABLE) or DEVICES[0]
    if named not in DEVICES:
        raise InputError(f"the variable {DEVICE_VARIABLE} is {named!r}, not {' or '.join(map(repr, DEVICES))}")
    return named


@dataclass(frozen=True)
class Rule:
    """From so many stored token vectors on, on these devices, this index is the best that was measured."""

    spec: IndexSpec
    why: str
    least_tokens: int = 0
    devices: tuple[str, ...] = DEVICES


@dataclass(frozen=True)
class Choice:
    """An index, and why it is this one."""

    spec: IndexSpec
    reason: str


RULES: tuple[Rule, ...] = (
    Rule(
        IndexSpec("exact"),
        "a scan of all chunks in int8 with exact rescoring is the fastest that measures exact on a CPU",
    ),
    Rule(
        IndexSpec("centroids"),
        "candidates by centroids, rescored exactly, take less than a third of the time of a scan and lose little",
        least_tokens=1_000_000,
    ),
)
"""In ascending order of size; the last that applies and is installed is taken. The first applies always."""


def choose(tokens: int, device: str = "cpu", rules: Sequence[Rule] | None = None) -> Choice:
    """The index for a collection of so many token vectors; what would be better and is not installed is said."""
    missing = ""
    for rule in reversed(RULES if rules is None else rules):
        if tokens < rule.least_tokens or device not in rule.devices:
            continue
        try:
            rule.spec.backend()
        except MissingExtraError as error:
            missing = missing or f"; {rule.spec.name} would be faster at this size: {error}"
            continue
        size = f", from {rule.least_tokens:,} token vectors on" if rule.least_tokens else ""
        return Choice(rule.spec, f"auto: {rule.why}{size}{missing}")
    raise ValueError("the first rule must apply always")
