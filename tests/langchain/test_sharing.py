"""Ten components over one collection hold one model and one open collection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys
import psutil
from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever, LateInteractionVectorStore

def resident():
    return psutil.Process().memory_info().rss / 1e6

location = sys.argv[1]
texts = [f"passage number {n} of many, about travel" for n in range(200)]
LateInteractionRetriever.from_texts(texts, collection=location)

def use(number):
    retriever = LateInteractionRetriever(collection=location, k=number + 1)
    reranker = LateInteractionReranker(collection=location, top_n=number + 1)
    store = LateInteractionVectorStore(location)
    found = retriever.invoke("who approves travel?")
    assert len(reranker.compress_documents(found, "who approves travel?")) == number + 1
    assert len(store.similarity_search("who approves travel?", k=number + 1)) == number + 1
    return retriever, reranker, store

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
