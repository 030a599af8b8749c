"""Calls a loader, so that nothing it raises ends a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from late_rag.errors import LoadError, MissingExtraError
from late_rag.types import Document, Omission

if TYPE_CHECKING:
    from late_rag.backends import Format
    from late_rag.loading import Loader, LoadOptions

logger = logging.getLogger(__name__)


def read(
    loader: Loader, path: Path, options: LoadOptions, *, isolated: bool
) -> Iterator[tuple[str, Document] | Omission]:
    """What the loader gives; of a format that is ``isolated``, in another process if the options want it.

    Raises:
        LoadError: whatever the loader raises, with the path in front; it breaks the limits of the options.
    """
    from late_rag.loaders.isolation import can_read, read_isolated

    if isolated and options.isolation is not None and can_read(loader):
        return read_isolated(loader, path, options, options.isolation)
    return read_here(loader, path, options)


def read_here(loader: Loader, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
    """What the loader gives, in this process.

    Raises:
        LoadError: whatever the loader raises, with the path in front.
    """
    try:
        yield from loader(path, options)
    except LoadError:
        raise
    except OSError as error:
        raise LoadError(f"{path}: {error.strerror or error}") from error
    except MissingExtraError as error:
        raise LoadError(f"{path}: {error}") from error
    except Exception as error:
        logger.info("%s: what its loader raised", path, exc_info=error)
        kind = path.suffix.lstrip(".").upper()
        raise LoadError(f"{path}: cannot be read as {kind} ({type(error).__name__}: {_message(error)})") from error


def _message(error: Exception) -> str:
    """What the exception says; even that may raise."""
    try:
        return str(error)
    except Exception as other:  # noqa: BLE001 - it is somebody else's
        return f"its message raises {type(other).__name__}"


def check_size(row: Format, path: Path, size: int) -> None:
    """Raises LoadError for a file that is larger than its format is read."""
    if row.largest is not None and size > row.largest:
        raise LoadError(f"{path}: has {size:,} bytes; at most {row.largest:,} of {row.title} are read. Split it")


def is_blank(document: Document) -> bool:
    """Whether a document has no text."""
    return not document.text or document.text.isspace()
