"""What is published installs alone into a fresh environment, and works there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def made_of(adapter: str, wheels: Path) -> tuple[set[str], set[str]]:
    """The distributions that an adapter declares, directly or not: ours, which are wheels, and the others.

    The others are those of the environment of the tests, in which pip has put together all that the adapters declare.
    """
    ours = {canonicalize_name(path.name.split("-")[0]): _of_wheel(path) for path in wheels.glob("*.whl")}
    found: set[tuple[str, str]] = set()
    wanted = [Requirement(f"late-rag[minilm,{adapter}]")]
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        distribution = ours.get(name) or metadata.distribution(name)
        assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
        new = {(name, extra) for extra in (*requirement.extras, "")} - found
        found |= new
        declared = [Requirement(text) for text in distribution.requires or [] if new]
        wanted += [
            each for each in declared if any(not each.marker or each.marker.evaluate({"extra": e}) for _, e in new)
        ]
    names = {name for name, _ in found}
    return names & ours.keys(), names - ours.keys()


def _of_wheel(path: Path) -> metadata.Distribution:
    (folder,) = (each for each in zipfile.Path(path).iterdir() if each.name.endswith(".dist-info"))
    return metadata.PathDistribution(folder)  # type: ignore[arg-type]  # which any kind of path serves


def put(name: str, site: Path) -> None:
    """Links every file of a distribution of this environment into another, so that nothing else is seen there."""
    for file in metadata.distribution(name).files or []:
        if file.parts[0] != "..":  # a script
            place = site / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file.locate())


def environment(adapter: str, wheels: Path, folder: Path) -> Path:
    """The Python of a new environment of what the adapter declares and nothing else; ours are installed by pip."""
    run(sys.executable, "-m", "venv", "--without-pip", "fresh", folder=folder)
    python = _python(folder)
    site = Path(run(python, "-c", "import site; print(site.getsitepackages()[0])", folder=folder).strip())
    ours, others = made_of(adapter, wheels)
    for name in others:
        put(name, site)
    run(*PIP, "--python", python, "install", "--no-deps", "--no-index", "-f", wheels, *sorted(ours), folder=folder)
    return python


def downloaded(adapter: str, wheels: Path, repository: Path, folder: Path) -> Path:
    """The Python of a new environment in which pip has installed the adapter and what it needs."""
    run(sys.executable, "-m", "venv", "--without-pip", "fresh", folder=folder)
    python = _python(folder)
    constraints = ("-c", repository / "constraints" / "dev.txt")
    install = (*PIP, "--python", python, "install", "--no-compile", "--find-links", wheels)
    run(*install, *constraints, f"late-rag[minilm,{adapter}]", folder=folder)
    return python


def _python(folder: Path) -> Path:
    return folder / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_works_with_what_it_declares_alone(adapter: str, wheels: Path, tmp_path: Path) -> None:
    check(environment(adapter, wheels, tmp_path), adapter, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_is_installed_by_pip_alone_and_works(
    adapter: str, wheels: Path, repository: Path, tmp_path: Path
) -> None:
    check(downloaded(adapter, wheels, repository, tmp_path), adapter, tmp_path)


def check(python: Path, adapter: str, folder: Path) -> None:
    """Whether the adapter works there, and what else is there."""
    run(python, "-c", ADAPTERS[adapter], folder=folder)
    installed = run(*PIP, "--python", python, "list", "--format", "freeze", folder=folder).lower()
    names = {line.split("==")[0] for line in installed.splitlines()}
    assert not {"torch", "langchain", "langchain-classic"} & names
    assert [name for name in FRAMEWORKS if name in names] == [FRAMEWORKS[sorted(ADAPTERS).index(adapter)]]
