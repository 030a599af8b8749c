"""What the components are given, checked before anything is done with it, so that an error names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.schema import BaseNode, MetadataMode
from pydantic import BaseModel, model_validator

from late_rag import Selection
from late_rag.adapters import (
    InputError,
    check_arguments,
    check_metadata,
    check_text,
    item_name,
    listed,
    naming,
    without_tuples,
)
from llama_index.retrievers.late_rag.filters import to_filter

if TYPE_CHECKING:
    from llama_index.retrievers.late_rag.filters import FilterLike


def refusing(hints: Mapping[str, str]) -> Any:
    """What makes a pydantic model refuse unknown arguments by the name of its class.

    Args:
        hints: see :func:`late_rag.adapters.check_arguments`.
    """

    def check(cls: type[BaseModel], data: Any) -> Any:
        if isinstance(data, Mapping):
            check_arguments(cls.__name__, data, cls.model_fields, hints)
        return data

    return model_validator(mode="before")(classmethod(check))  # type: ignore[arg-type]  # as pydantic says it


def check_nodes(nodes: Any, name: str = "nodes") -> list[BaseNode]:
    """The nodes as a list.

    Args:
        nodes: any iterable of them, or of documents.
        name: "nodes" or "documents".

    Raises:
        InputError: no list of nodes, or one without an id, or with a text or metadata that cannot be stored; the
            message names it by its place, id, document and file.
    """
    found = listed(nodes, BaseNode, name, f"LlamaIndex {name}")  # type: ignore[type-abstract]
    for place, node in enumerate(found):
        if not node.node_id:
            raise InputError(f"{name}[{place}] needs an id, not {node.node_id!r}")
        called = node_name(node, place, name)
        check_text(node.get_content(MetadataMode.NONE), called)
        with naming(called):
            check_metadata(without_tuples(node.metadata))
    return found


def of_document(ref_doc_id: Any) -> Selection:
    """What is a part of a document; InputError for anything but one id."""
    return Selection(document_ids=(check_text(ref_doc_id, "ref_doc_id"),))


def node_name(node: BaseNode, place: int, name: str = "nodes") -> str:
    """How an error names one of several nodes or documents."""
    return item_name(name, place, node.node_id, node.metadata, node.ref_doc_id)


def selected(node_ids: Sequence[str] | None, filters: FilterLike | None) -> Selection:
    """Nodes with these ids, that match the filter.

    Raises:
        InputError: ``node_ids`` is no list of ids.
        FilterError: a filter that cannot be read.
    """
    ids = None if node_ids is None else tuple(listed(node_ids, str, "node_ids", "ids"))
    return Selection(ids=ids, filter=to_filter(filters))
