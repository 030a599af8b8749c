"""A collection that somebody sent: its model is loaded where the caller agrees to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from haystack import Document

from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag.errors import InputError
from tests.frameworks import check_consent, sent_by_somebody

QUESTION = "how many days of leave?"


def test_a_store_takes_a_consent_for_all_that_stands_on_it(tmp_path: Path) -> None:
    sent = sent_by_somebody(tmp_path)
    documents = [Document(content="Lunch is at noon."), Document(content="There are thirty days of paid leave.")]

    def store(**options: bool) -> LateInteractionDocumentStore:
        return LateInteractionDocumentStore(sent, **options)

    check_consent(lambda **options: store(**options).search(QUESTION))
    check_consent(lambda **options: LateInteractionRetriever(store(**options)).run(QUESTION))
    check_consent(lambda **options: LateInteractionRanker(document_store=store(**options)).run(QUESTION, documents))
    trusting = store(trust_model=True)
    again = LateInteractionRetriever.from_dict(LateInteractionRetriever(trusting).to_dict())
    assert "thirty days" in again.run(QUESTION, top_k=1)["documents"][0].content
    assert trusting.to_dict()["init_parameters"]["encoder_options"] == {}
    assert store().to_dict()["init_parameters"]["trust_model"] is False


@pytest.mark.parametrize("options", [{"trust_model": "false"}, {"encoder_options": {"trust_model": "no"}}])
def test_a_text_is_no_consent(tmp_path: Path, options: dict[str, object]) -> None:
    sent = sent_by_somebody(tmp_path)
    with pytest.raises(InputError, match=r"trust_model is '(false|no)'; give True to take whatever model"):
        LateInteractionDocumentStore(sent, **options).search(QUESTION)
