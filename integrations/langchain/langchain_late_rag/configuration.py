"""What the components keep as configuration: locations and filters as text, nothing that is open."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.load.serializable import Serializable
from pydantic import field_serializer

from langchain_late_rag.filters import to_filter
from late_rag.adapters import SHAPE, CollectionError, InputError, Shape, location_of

if TYPE_CHECKING:
    from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
    from pydantic import BaseModel

    from langchain_late_rag.filters import FilterLike


class SearchArguments(Shape, total=False):
    """What a call of the retriever may say otherwise than its constructor; see there for each."""

    k: int
    filter: FilterLike | None


ARGUMENTS = ("k", "filter", *SHAPE)
"""Their names."""


def filter_text(value: FilterLike | None) -> str | None:
    """A filter as text, however :func:`langchain_late_rag.filters.to_filter` takes it.

    Raises:
        FilterError: it cannot be read.
    """
    return None if value is None else str(to_filter(value))


def dumped_collection(value: Any) -> Any:
    """A collection as ``model_dump`` has it: of a URL without what opens it; one that is open as it is."""
    return location_of(value) if isinstance(value, str | Path) else value


def no_truth_value(value: object) -> object:
    """What is given for a number, as it is.

    Raises:
        InputError: a truth value, of which pydantic would make 0 or 1.
    """
    if isinstance(value, bool):
        raise InputError(f"a number is asked for, not {value}")
    return value


def _serialised(component: BaseModel) -> dict[str, Any]:
    """Those fields of a component whose values are no JSON, as the JSON that its constructor takes.

    Raises:
        CollectionError: a temporary collection, which lives in this process only.
    """
    found: dict[str, Any] = {}
    for name in type(component).model_fields:
        value = getattr(component, name)
        if name == "collection" and value is not None:
            found[name] = location_of(value)
        elif is_dataclass(value) and not isinstance(value, type):
            found[name] = asdict(value)
    return found


class AsConfiguration(Serializable):
    """A component that ``langchain_core.load.dumps`` takes.

    ``loads`` wants its class in ``allowed_objects``, and ``valid_namespaces=["langchain_late_rag"]``.
    """

    _dumped = field_serializer("collection", check_fields=False)(dumped_collection)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """As ``dumps`` writes it: of one over a temporary collection, which no other process can have, LangChain's
        ``not_implemented``.
        """
        try:
            return super().to_json()
        except CollectionError:
            return self.to_json_not_implemented()

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """The fields that are no JSON, as JSON.

        Raises:
            CollectionError: the collection is a temporary one.
        """
        return _serialised(self)
