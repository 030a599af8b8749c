"""Errors that are both the core's and Haystack's, so that whoever knows either catches them."""

from __future__ import annotations

from haystack.document_stores.errors import DuplicateDocumentError
from haystack.errors import FilterError as HaystackFilterError

from late_rag.adapters import ConflictError, InputError
from late_rag.adapters import FilterError as CoreFilterError


class FilterError(CoreFilterError, HaystackFilterError):
    """A filter that cannot be read, or that compares values which are in no order."""


class DuplicateError(ConflictError, DuplicateDocumentError):
    """A document with this id is there already, or comes twice; nothing was written."""


class StoreKindError(InputError, TypeError):
    """A component was given another kind of document store."""
