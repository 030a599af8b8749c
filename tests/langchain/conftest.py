"""What the tests of the LangChain components share: a small handbook, stored once."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document

from langchain_late_rag import LateInteractionRetriever
from tests.frameworks import HANDBOOK


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """The pages of the handbook."""
    return [
        Document(id=topic, page_content=text, metadata={"topic": topic, "year": year})
        for topic, (year, text) in HANDBOOK.items()
    ]


@pytest.fixture(scope="session")
def handbook(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> str:
    """The location of a collection of the pages; tests only read it."""
    location = str(tmp_path_factory.mktemp("langchain") / "handbook.rag")
    LateInteractionRetriever.from_documents(documents, location)
    return location
