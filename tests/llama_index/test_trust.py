"""A collection that somebody sent: its model is loaded where the caller agrees to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery

from late_rag.errors import InputError
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.retrievers.late_rag import LateInteractionRetriever
from llama_index.vector_stores.late_rag import LateInteractionVectorStore
from tests.frameworks import check_consent, sent_by_somebody

QUESTION = "how many days of leave?"


def texts(nodes: Any) -> list[str]:
    return [getattr(node, "node", node).get_content() for node in nodes]


def test_every_component_takes_a_consent(tmp_path: Path) -> None:
    sent = sent_by_somebody(tmp_path)
    query = VectorStoreQuery(query_str=QUESTION, similarity_top_k=4)
    given = [NodeWithScore(node=TextNode(text="There are thirty days of paid leave."))]
    more = [TextNode(id_="more", text="Lunch is at noon.")]
    check_consent(lambda **options: texts(LateInteractionRetriever(sent, **options).retrieve(QUESTION)))
    check_consent(lambda **asked: texts(LateInteractionRetriever.from_nodes(more, sent, **asked).retrieve(QUESTION)))
    check_consent(lambda **options: texts(LateInteractionVectorStore(sent, **options).query(query).nodes))
    check_consent(
        lambda **options: texts(
            LateInteractionRerank(collection=sent, **options).postprocess_nodes(given, query_str=QUESTION)
        )
    )
    check_consent(
        lambda **options: texts(LateInteractionIndex(collection=sent, **options).as_retriever().retrieve(QUESTION))
    )
    check_consent(lambda **options: texts(LateInteractionIndex.load(sent, **options).as_retriever().retrieve(QUESTION)))
    check_consent(
        lambda **options: texts(
            LateInteractionIndex(nodes=more, collection=sent, **options).as_retriever().retrieve(QUESTION)
        )
    )


def test_the_consent_is_configuration(tmp_path: Path) -> None:
    sent = sent_by_somebody(tmp_path)
    store = LateInteractionVectorStore(sent, trust_model=True)
    again = LateInteractionVectorStore.from_dict(store.to_dict())
    (found,) = again.query(VectorStoreQuery(query_str=QUESTION, similarity_top_k=1)).nodes or ()
    assert "thirty days" in found.get_content()
    assert LateInteractionVectorStore.from_dict(LateInteractionVectorStore(sent).to_dict()).trust_model is False
    with pytest.raises(InputError, match="trust_model is 'false'; give True to take whatever model"):
        LateInteractionIndex(collection=sent, trust_model="false")  # type: ignore[arg-type]
