"""Ten components over one collection hold one model and one open collection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys
import psutil
from haystack import Document
from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

def resident():
    return psutil.Process().memory_info().rss / 1e6

location = sys.argv[1]
pages = [Document(content=f"passage number {n} of many, about travel") for n in range(200)]
LateInteractionDocumentStore(location).write_documents(pages)

def use(number):
    store = LateInteractionDocumentStore(location)
    retriever = LateInteractionRetriever(store, top_k=number + 1)
    ranker = LateInteractionRanker(document_store=LateInteractionDocumentStore(location), top_k=number + 1)
    found = retriever.run("who approves travel?")["documents"]
    assert len(ranker.run("who approves travel?", found)["documents"]) == number + 1
    return retriever, ranker

kept = [use(0), use(1)]
before = resident()
kept += [use(number) for number in range(2, 10)]
print(resident() - before, len(psutil.Process().open_files()))
"""


def test_more_components_take_no_more_memory_and_open_nothing_more(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", _SCRIPT, str(tmp_path / "shared.rag")]
    output = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    more, files = output.split()
    assert float(more) < 10  # a second model alone would be 40 MB
    assert int(files) < 20
