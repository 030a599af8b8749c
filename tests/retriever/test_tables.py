"""The header of a table in front of a part of it: in the context of a hit, and when a heading changes."""

from __future__ import annotations

import pytest

from late_rag import Retriever
from late_rag.types import Document

HEADER = "| Gate | Duty |\n|---|---|\n"
ROWS = [f"| w{number} | w{number} opens at noon |" for number in range(60)]
TEXT = f"# Rates\n\n{HEADER}" + "\n".join(ROWS) + "\n"


@pytest.fixture
def tabular(tmp_path):
    with Retriever.create(tmp_path / "tabular.rag", "minilm", chunking={"max_tokens": 64}) as retriever:
        retriever.add([Document("d", TEXT, {"mime_type": "text/markdown"})])
        yield retriever


def hit_with(retriever, row, **options):
    return next(hit for hit in retriever.search("opens at noon", top_k=50, **options) if row in hit.chunk.text)


def test_the_context_of_a_part_begins_with_the_header(tabular):
    hit = hit_with(tabular, ROWS[40], expand=0)
    assert hit.chunk.text == TEXT[hit.chunk.start : hit.chunk.end]
    assert hit.chunk.embed_text == f"Rates\n{HEADER}{hit.chunk.text}"
    assert hit.context == f"{HEADER}{hit.chunk.text}"


def test_the_context_from_the_tables_beginning_has_it_once(tabular):
    hit = hit_with(tabular, ROWS[2], expand=1)
    assert hit.context.startswith("# Rates\n\n| Gate |")
    assert hit.context.count("| Gate |") == 1
    hit = hit_with(tabular, ROWS[40], expand="document")
    assert hit.context == TEXT


def test_another_heading_keeps_the_header(tabular):
    hit = hit_with(tabular, ROWS[40])
    assert tabular.update_metadata([hit.chunk.id], {"heading": "Prices"}) == 1
    (chunk,) = tabular.collection.get([hit.chunk.id])
    assert chunk.embed_text == f"Prices\n{HEADER}{chunk.text}"
