"""What is shown of a component to whoever works with it: what it is, and how far its work is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from late_rag.types import Progress, Report


class _Temporary:
    temporary = True


TEMPORARY = _Temporary()
"""Stands for a temporary collection that is not made yet."""


def described(component: object, collection: Any, **options: Any) -> str:
    """The ``repr`` of a component: its class, where its collection is, and those options that are set.

    Args:
        component: of whose class it is.
        collection: a location, of which what opens it is not shown; or one that is open.
        options: None is not shown.
    """
    told = [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"{type(component).__name__}({', '.join([*_place(collection), *told])})"


def _place(collection: Any) -> Iterator[str]:
    from late_rag.collections import shown

    if getattr(collection, "temporary", False):
        yield "temporary"
    elif collection is not None:
        yield repr(shown(collection if isinstance(collection, str | Path) else collection.location))


@contextmanager
def progress_bar(what: str, *, wanted: bool) -> Iterator[Report | None]:
    """What draws a bar of the work that reports to it, by the tqdm that the frameworks bring; None unless wanted.

    Args:
        what: stands in front of the bar.
        wanted: whether there is a bar.
    """
    if not wanted:
        yield None
        return
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    with tqdm(desc=what) as bar:

        def report(progress: Progress) -> None:
            bar.total, bar.unit = progress.total, progress.unit
            bar.update(progress.done - bar.n)

        yield report
