"""Every error the library raises on purpose, in one tree::

LateRAGError
├── InputError (ValueError)              an argument, a file's content or a text that cannot be used
│   └── FilterError                      a filter that cannot be read or does not fit its field
├── LoadError                            a file that could not be read
├── MissingExtraError (ImportError)      an optional part is not installed; ends in the line that installs it
├── UnsupportedError                     what this backend, collection or model cannot do
├── CancelledError                       long work was stopped on request; all that was committed stays
├── ModelError                           a model that cannot be found, loaded or identified
│   └── ModelMismatchError               a collection made by another model than the one in use
└── CollectionError
    ├── CollectionNotFoundError (FileNotFoundError)
    ├── CollectionExistsError (FileExistsError)
    ├── ConflictError                    an id that is already there, with on_conflict="fail"
    ├── CollectionBusyError              another writer held the collection for too long
    ├── CollectionReadOnlyError
    ├── CollectionFullError              no room on the device; nothing of the write was kept
    └── CollectionDamagedError           not a collection, another format, or damaged
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class LateRAGError(Exception):
    """Base of every error that late_rag raises on purpose."""


class InputError(LateRAGError, ValueError):
    """An argument, a file's content or a text that cannot be used; the message names it and what to do."""


class FilterError(InputError):
    """A filter that cannot be read, or that compares a field with a value of an impossible kind."""


class LoadError(LateRAGError):
    """A file that could not be read; the message starts with its path."""


class NoTextError(LoadError):
    """A file that can be read and has nothing to search: no text, and no pictures."""


class MissingExtraError(LateRAGError, ImportError):
    """An optional part is not installed; the message ends in the line that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} is not installed. Install it with: pip install "late-rag[{extra}]"')
        self.extra = extra

    def __reduce__(self) -> tuple[type[Exception], tuple[str, ...]]:
        what = str(self).split(" is not installed. ")[0]
        return type(self), (what, self.extra)


@contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Goes around the import of what an extra brings; ``what`` begins a sentence: "pillow, which draws pictures,".

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(what, extra) from error


class UnsupportedError(LateRAGError):
    """What this backend, collection or model cannot do, and what can."""


class CancelledError(LateRAGError):
    """Long work was stopped on request; all that was committed stays."""


class ModelError(LateRAGError):
    """A model that cannot be found, loaded or identified."""


class ModelMismatchError(ModelError):
    """A collection made by another model than the one in use; the message names both."""


class CollectionError(LateRAGError):
    """Base of what goes wrong with a collection; the message names its location."""


class CollectionNotFoundError(CollectionError, FileNotFoundError):
    """There is no collection at this location."""


class CollectionExistsError(CollectionError, FileExistsError):
    """There is a collection at this location already."""


class ConflictError(CollectionError):
    """An id that is already there, with ``on_conflict="fail"``; nothing was written."""


class CollectionBusyError(CollectionError):
    """Another writer held the collection for longer than the time-out; nothing was written."""


class CollectionReadOnlyError(CollectionError):
    """A write to a collection that is open for reading only."""


class CollectionFullError(CollectionError):
    """No room on the device; nothing of the write was kept."""


class CollectionDamagedError(CollectionError):
    """Not a collection, one of another format, or a damaged one."""
