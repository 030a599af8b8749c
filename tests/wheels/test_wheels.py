"""What is published installs alone into a fresh environment, and works there."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
FRAMEWORKS = ("haystack-ai", "langchain-core", "llama-index-core")

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


@pytest.fixture(scope="module")
def environments(wheels: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By adapter the Python of an environment with that and what it needs; two are made at once."""
    with ThreadPoolExecutor(2) as pool:
        made = {name: pool.submit(fresh, name, wheels, repository, tmp_path_factory.mktemp(name)) for name in ADAPTERS}
    return {name: python.result() for name, python in made.items()}


def fresh(adapter: str, wheels: Path, repository: Path, folder: Path) -> Path:
    """The Python of a new environment in which the adapter was installed from its wheel."""
    run(sys.executable, "-m", "venv", "--without-pip", "fresh", folder=folder)
    python = folder / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = ("-c", repository / "constraints" / "dev.txt")
    install = (*PIP, "--python", python, "install", "--no-compile", "--find-links", wheels)
    run(*install, *constraints, f"late-rag[minilm,{adapter}]", folder=folder)
    return python


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_installs_alone_and_works(adapter: str, environments: dict[str, Path], tmp_path: Path) -> None:
    python = environments[adapter]
    run(python, "-c", ADAPTERS[adapter], folder=tmp_path)
    installed = run(*PIP, "--python", python, "list", "--format", "freeze", folder=tmp_path).lower()
    names = {line.split("==")[0] for line in installed.splitlines()}
    assert not {"torch", "langchain", "langchain-classic"} & names
    assert [name for name in FRAMEWORKS if name in names] == [FRAMEWORKS[sorted(ADAPTERS).index(adapter)]]
