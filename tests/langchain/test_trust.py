"""A collection that somebody sent: its model is loaded where the caller agrees to it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps

from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever, LateInteractionVectorStore
from late_rag.errors import InputError
from tests.frameworks import check_consent, sent_by_somebody

QUESTION = "how many days of leave?"


def test_every_component_takes_a_consent(tmp_path: Path) -> None:
    sent = sent_by_somebody(tmp_path)
    others = [Document("Lunch is at noon."), Document("There are thirty days of paid leave.")]
    check_consent(lambda **options: LateInteractionRetriever(collection=sent, **options).invoke(QUESTION))
    check_consent(lambda **options: LateInteractionVectorStore(sent, **options).similarity_search(QUESTION))
    check_consent(lambda **asked: LateInteractionVectorStore(sent, mode="read", **asked).similarity_search(QUESTION))
    check_consent(
        lambda **options: LateInteractionReranker(collection=sent, **options).compress_documents(others, QUESTION)
    )
    check_consent(
        lambda **options: LateInteractionRetriever.from_texts(["More."], collection=sent, **options).invoke(QUESTION)
    )
    check_consent(
        lambda **options: (
            LateInteractionVectorStore.from_texts(["More."], collection=sent, **options).as_retriever().invoke(QUESTION)
        )
    )


def test_the_consent_is_configuration(tmp_path: Path) -> None:
    sent = sent_by_somebody(tmp_path)
    store = pickle.loads(pickle.dumps(LateInteractionVectorStore(sent, trust_model=True)))
    assert "thirty days" in store.similarity_search(QUESTION, 1)[0].page_content
    written = json.loads(dumps(LateInteractionRetriever(collection=sent, trust_model=True)))
    assert written["kwargs"]["trust_model"] is True
    with pytest.raises(InputError, match="trust_model is 'false'; give True to take whatever model"):
        LateInteractionVectorStore(sent, trust_model="false")  # type: ignore[arg-type]
