"""What the tests of the LlamaIndex components share: a small handbook, stored once."""

from __future__ import annotations

import pytest
from llama_index.core.schema import TextNode

from llama_index.retrievers.late_rag import LateInteractionRetriever
from tests.frameworks import HANDBOOK


@pytest.fixture(scope="session")
def nodes() -> list[TextNode]:
    """The pages of the handbook."""
    return [
        TextNode(id_=topic, text=text, metadata={"topic": topic, "year": year})
        for topic, (year, text) in HANDBOOK.items()
    ]


@pytest.fixture(scope="session")
def handbook(tmp_path_factory: pytest.TempPathFactory, nodes: list[TextNode]) -> str:
    """The location of a collection of the pages; tests only read it."""
    location = str(tmp_path_factory.mktemp("llama_index") / "handbook.rag")
    LateInteractionRetriever.from_nodes(nodes, location)
    return location
