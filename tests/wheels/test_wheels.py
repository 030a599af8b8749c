"""What is published installs alone into a fresh environment, and works there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ADAPTERS = {
    "haystack": """
import os
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
from haystack import Document
from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

texts = ("The head of department approves travel.", "Lunch is at noon.")
store = LateInteractionDocumentStore()
store.write_documents([Document(content=text) for text in texts])
found = LateInteractionRetriever(store).run("who approves travel?")["documents"]
(best,) = LateInteractionRanker(top_k=1).run("when is lunch?", found)["documents"]
assert "approves" in found[0].content and "noon" in best.content, found
""",
    "langchain": """
from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever
from langchain_core.documents import Document

retriever = LateInteractionRetriever.from_texts(["The head of department approves travel.", "Lunch is at noon."], k=1)
(found,) = retriever.invoke("who approves travel?")
assert "approves" in found.page_content, found
(best,) = LateInteractionReranker(top_n=1).compress_documents([found, Document("Nobody parks here.")], "when is lunch?")
""",
    "llamaindex": """
from llama_index.core.schema import TextNode
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.postprocessor.late_rag import LateInteractionRerank

nodes = [TextNode(text="The head of department approves travel."), TextNode(text="Lunch is at noon.")]
index = LateInteractionIndex(nodes)
found = index.as_retriever(similarity_top_k=2).retrieve("who approves travel?")
(best,) = LateInteractionRerank(top_n=1).postprocess_nodes(found, query_str="when is lunch?")
assert "approves" in found[0].text and "noon" in best.text, found
""",
}


def run(*command: str | Path, folder: Path) -> str:
    """The command's output; its errors, where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of every distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = [repository, repository / "models" / "minilm", *sorted((repository / "integrations").iterdir())]
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder)
    run(*build, *sources, folder=folder)
    return folder


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_installs_alone_and_works(adapter: str, wheels: Path, repository: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "fresh", folder=tmp_path)
    python = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = repository / "constraints" / "dev.txt"
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--find-links", wheels)
    run(*install, "-c", constraints, f"late-rag[minilm,{adapter}]", folder=tmp_path)
    run(python, "-c", ADAPTERS[adapter], folder=tmp_path)
    installed = run(python, "-m", "pip", "list", "--format", "freeze", folder=tmp_path).lower()
    assert not {"torch", "langchain", "langchain-classic"} & {line.split("==")[0] for line in installed.splitlines()}
