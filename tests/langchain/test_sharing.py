"""Ten components over one collection hold one model and one open collection."""

from __future__ import annotations

from pathlib import Path

from tests.frameworks import check_sharing

CODE = """
from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever, LateInteractionVectorStore

LateInteractionRetriever.from_texts(texts, collection=location)

def use(number):
    retriever = LateInteractionRetriever(collection=location, k=number)
    reranker = LateInteractionReranker(collection=location, top_n=number)
    store = LateInteractionVectorStore(location)
    assert len(reranker.compress_documents(retriever.invoke(query), query)) == number
    assert len(store.similarity_search(query, k=number)) == number
    return retriever, reranker, store
"""


def test_more_components_take_no_more_memory_and_open_nothing_more(tmp_path: Path) -> None:
    check_sharing(CODE, tmp_path / "shared.rag")
