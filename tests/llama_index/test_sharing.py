"""Ten components over one collection hold one model and one open collection."""

from __future__ import annotations

from pathlib import Path

from tests.frameworks import check_sharing

CODE = """
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.retrievers.late_rag import LateInteractionRetriever
from llama_index.vector_stores.late_rag import LateInteractionVectorStore

LateInteractionRetriever.from_nodes([TextNode(text=text) for text in texts], location)

def use(number):
    retriever = LateInteractionRetriever(location, similarity_top_k=number)
    reranker = LateInteractionRerank(collection=location, top_n=number)
    store, index = LateInteractionVectorStore(location), LateInteractionIndex(collection=location)
    assert len(reranker.postprocess_nodes(retriever.retrieve(query), query_str=query)) == number
    assert len(store.query(VectorStoreQuery(query_str=query, similarity_top_k=number)).ids) == number
    assert len(index.as_retriever(similarity_top_k=number).retrieve(query)) == number
    return retriever, reranker, store, index
"""


def test_more_components_take_no_more_memory_and_open_nothing_more(tmp_path: Path) -> None:
    check_sharing(CODE, tmp_path / "shared.rag")
