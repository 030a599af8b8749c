"""What callers pass in, checked before anything is done, so that an error names it and bad input loses nothing."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from haystack.dataclasses import Document

from late_rag.adapters import METADATA_DEPTH, InputError, check_metadata, item_name, listed, without_tuples

Made = TypeVar("Made")


def check_documents(documents: Any) -> list[Document]:
    """A list of Haystack's documents.

    Raises:
        InputError: something else, or something else in it.
    """
    return listed(documents, Document, "documents", "Haystack documents")


def document_name(document: Document, place: int) -> str:
    """How an error names one of several documents: by its place too, as its id may be a hash."""
    return item_name("documents", place, document.id, document.meta)


def check_names(names: Any, argument: str) -> list[str]:
    """A list of texts, such as ids or keys; None is an empty one.

    Raises:
        InputError: something else; a text alone is no list of its letters.
    """
    return [] if names is None else listed(names, str, argument, "texts")


def check_separator(separator: Any, argument: str) -> str:
    """A text; raises InputError for anything else."""
    if not isinstance(separator, str):
        raise InputError(f"{argument} takes a text, not {separator!r}")
    return separator


def made_of(kind: type[Made], given: Any, argument: str) -> Made:
    """The dataclass with these fields, or as it is; None has its defaults.

    Raises:
        InputError: no dict, or a field that there is not.
    """
    if isinstance(given, kind):
        return given
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{argument} takes a dict of {', '.join(known)}, not {given!r}")
    if unknown := [name for name in given or {} if name not in known]:
        raise InputError(f"{argument} has no field {unknown[0]!r}; there are {', '.join(known)}")
    return kind(**(given or {}))


def stored_meta(meta: Any, name: str) -> dict[str, Any]:
    """A copy of metadata as they are stored, with lists in place of tuples, which Haystack's splitter writes.

    Args:
        meta: stay as they are.
        name: what has them, for errors.

    Raises:
        InputError: a value that cannot be stored.
    """
    try:
        check_metadata(found := without_tuples(meta))
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return dict(found)


def copied_meta(meta: dict[str, Any], name: str) -> dict[str, Any]:
    """A deep copy, of any values.

    Raises:
        InputError: they are nested too deep to be copied.
    """
    try:
        return copy.deepcopy(meta)
    except RecursionError:
        raise InputError(f"{name}: its metadata are nested too deep; {METADATA_DEPTH} levels can be stored") from None
