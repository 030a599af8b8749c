"""What the tests of the Haystack components share: a small handbook, stored once; and nothing is reported anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read when haystack is imported

import pytest
from haystack.dataclasses import Document

from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from tests.frameworks import HANDBOOK


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """The pages of the handbook."""
    return [
        Document(id=topic, content=text, meta={"topic": topic, "year": year})
        for topic, (year, text) in HANDBOOK.items()
    ]


@pytest.fixture(scope="session")
def handbook(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> str:
    """The location of a collection of the pages; tests only read it."""
    location = str(tmp_path_factory.mktemp("haystack") / "handbook.rag")
    LateInteractionDocumentStore(location).write_documents(documents)
    return location


@pytest.fixture
def store() -> Iterator[LateInteractionDocumentStore]:
    """A temporary store with nothing in it."""
    made = LateInteractionDocumentStore()
    yield made
    made.close()
