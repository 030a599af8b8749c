"""Ten components over one collection hold one model and one open collection."""

from __future__ import annotations

from pathlib import Path

from tests.frameworks import check_sharing

CODE = """
from haystack import Document
from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

LateInteractionDocumentStore(location).write_documents([Document(content=text) for text in texts])

def use(number):
    retriever = LateInteractionRetriever(LateInteractionDocumentStore(location), top_k=number)
    ranker = LateInteractionRanker(document_store=LateInteractionDocumentStore(location), top_k=number)
    assert len(ranker.run(query, retriever.run(query)["documents"])["documents"]) == number
    return retriever, ranker
"""


def test_more_components_take_no_more_memory_and_open_nothing_more(tmp_path: Path) -> None:
    check_sharing(CODE, tmp_path / "shared.rag")
