"""Ten components over one collection hold one model and one open collection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys
import psutil
from llama_index.core.schema import TextNode
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.retrievers.late_rag import LateInteractionRetriever

def resident():
    return psutil.Process().memory_info().rss / 1e6

location = sys.argv[1]
nodes = [TextNode(text=f"passage number {n} of many, about travel") for n in range(200)]
LateInteractionRetriever.from_nodes(nodes, location)

def use(number):
    retriever = LateInteractionRetriever(location, similarity_top_k=number + 1)
    reranker = LateInteractionRerank(collection=location, top_n=number + 1)
    found = retriever.retrieve("who approves travel?")
    assert len(reranker.postprocess_nodes(found, query_str="who approves travel?")) == number + 1
    return retriever, reranker

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
