"""How an index is opened, and how long its collection lives."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from late_rag.errors import CollectionReadOnlyError
from llama_index.indices.late_rag import LateInteractionIndex
from tests.llama_index.pages import pages


def test_reading(tmp_path: Path) -> None:
    location = tmp_path / "c.rag"
    writer = LateInteractionIndex.from_documents(pages()[:1], collection=location)
    reader = LateInteractionIndex.load(location, mode="read")
    assert reader.refresh_ref_docs(pages()[:1]) == [False]
    writes: list[Callable[[], Any]] = [
        lambda: reader.insert(pages()[1]),
        lambda: reader.delete_ref_doc("travel"),
        lambda: reader.delete_nodes(["travel/0"]),
        lambda: reader.refresh_ref_docs(pages()),
    ]
    for write in writes:
        with pytest.raises(CollectionReadOnlyError, match="mode='write'"):
            write()
    assert list(writer.ref_doc_info) == ["travel"]


def test_a_temporary_collection_goes_with_the_index() -> None:
    index = LateInteractionIndex.from_documents(pages()[:1])
    location = Path(index.as_retriever().collection.location)
    assert location.exists()
    index.close()
    assert not location.exists()


def test_a_temporary_collection_lives_as_long_as_its_retriever() -> None:
    retriever = LateInteractionIndex.from_documents(pages()[:1]).as_retriever()
    gc.collect()
    assert [found.node.ref_doc_id for found in retriever.retrieve("travel")] == ["travel"]
    location = Path(retriever.collection.location)
    del retriever
    gc.collect()
    assert not location.exists()
