"""What the tests of all adapters share: a handbook, who does the work, tenants, and what a distribution holds."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import late_rag
from late_rag import Document, Retriever, adapters
from late_rag.chunkers.auto import AutoChunker
from late_rag.collections.local import LocalCollection
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.errors import ModelError
from late_rag.reranker import shared_reranker

HANDBOOK = {
    "travel": (2021, "Business travel is approved by the head of the department before it is booked."),
    "trains": (2022, "Trains are taken for business travel of less than five hours."),
    "leave": (2020, "Every employee has thirty days of paid leave a year."),
    "parking": (2019, "Parking on the premises is free for employees and visitors."),
    "laptop": (2022, "A lost laptop is reported to the help desk within an hour."),
    "password": (2023, "Passwords have at least fourteen characters and are kept in the vault."),
    "canteen": (2019, "The canteen serves lunch from half past eleven until two."),
    "remote": (2021, "Remote work is agreed upon with the team, for up to three days a week."),
}
"""Topic to year and text."""

_WORK = {
    OnnxEncoder: ("encode_queries", "encode_documents", "token_regions"),
    LocalCollection: (
        *("add", "delete", "clear", "update_metadata", "iterate", "count"),
        *("search", "text_search", "get", "embeddings", "get_documents"),
    ),
    AutoChunker: ("__call__",),
}


def watch_work(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """By the name of each piece of work that blocks, the threads that do it from now on."""
    seen: dict[str, set[int]] = {}

    def watch(kind: Any, name: str) -> None:
        work = getattr(kind, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            seen.setdefault(name, set()).add(threading.get_ident())
            return work(*arguments, **options)

        monkeypatch.setattr(kind, name, watched)

    for kind, names in _WORK.items():
        for name in names:
            watch(kind, name)
    watch(sqlite3, "connect")
    return seen


def done_here(seen: dict[str, set[int]]) -> list[str]:
    """The work that was done on the calling thread."""
    return [name for name, threads in seen.items() if threading.get_ident() in threads]


TENANTS = [f"tenant-{number}" for number in range(8)]
TOPICS = ("travel", "leave", "parking", "lunch", "laptops", "passwords")
ODD_NAMES = ["a", 'a" or of != "', "a' or '1'='1", "a\\", "%", "*", 'b" or of exists or of == "']
"""Values that a filter put together as text would take for a part of itself."""


def tenants_pages() -> list[tuple[str, str, str]]:
    """Of every tenant a page on every topic: id, text, tenant."""
    return [
        (f"{tenant}/{topic}", f"The rules for {topic} are on page {page}.", tenant)
        for tenant in TENANTS
        for page, topic in enumerate(TOPICS)
    ]


def request(number: int) -> tuple[str, str, str]:
    """Who asks in a request, what, and the id of the page that answers."""
    choice = Random(number)
    tenant, topic = choice.choice(TENANTS), choice.choice(TOPICS)
    return tenant, f"what are the rules for {topic}?", f"{tenant}/{topic}"


_NAMED = {"late_rag": late_rag.__all__, "late_rag.adapters": adapters.__all__}
HEAVY = {"torch", "onnxruntime", "tokenizers", "late_rag_minilm"}
MOST_LINES = 250


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after the code."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()
    )


def check_module(module: Path, allowed: Iterable[str]) -> None:
    """An adapter's module is small, and imports its framework's core, late_rag and the standard library only.

    Of late_rag it imports what ``late_rag`` and ``late_rag.adapters`` name, and nothing of the modules below them.
    """
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    imported = {match.split(".")[0] for match in re.findall(r"^\s*(?:from|import) ([\w.]+)", text, re.MULTILINE)}
    assert imported - set(sys.stdlib_module_names) <= {*allowed, "late_rag", "__future__"}
    assert list(_beneath(ast.parse(text))) == []


def _beneath(tree: ast.AST) -> Iterator[str]:
    """What is imported of late_rag that its two public modules do not name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "late_rag")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "late_rag":
            named = _NAMED.get(node.module or "", ())
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name not in named)


def project(folder: Path) -> dict[str, Any]:
    """The ``[project]`` table of a distribution."""
    return dict(tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"])


def requirements(folder: Path) -> set[str]:
    """The names of the distributions that one depends on."""
    return {re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in project(folder)["dependencies"]}


def wheel(folder: Path, output: Path) -> tuple[set[str], str]:
    """The files of a distribution's wheel, without its metadata, and its METADATA; the licence is in it."""
    build = ["pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(output)]
    subprocess.run([sys.executable, "-m", *build, str(folder)], check=True, capture_output=True)
    (built,) = output.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        held = set(archive.namelist())
        (metadata,) = [archive.read(name).decode() for name in held if name.endswith("METADATA")]
    assert any(name.endswith("licenses/LICENSE") for name in held)
    return {name for name in held if ".dist-info/" not in name}, metadata


def watch_encoding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of documents that are encoded from now on; of those before, rerankers have nothing kept."""
    shared_reranker().close()
    texts: list[str] = []
    encode = OnnxEncoder.encode_documents

    def counted(self: OnnxEncoder, chunks: Any, documents: Any = None) -> Any:
        listed = list(chunks)
        texts.extend(chunk.encoded_text for chunk in listed)
        return encode(self, listed, documents)

    monkeypatch.setattr(OnnxEncoder, "encode_documents", counted)
    return texts


def sent_by_somebody(folder: Path) -> str:
    """A collection whose model takes a consent: it names a folder that everybody may write to."""
    import late_rag_minilm

    location, model = folder / "sent.rag", folder / "model"
    with Retriever.create(location, chunking="whole") as made:
        made.add([Document(topic, text) for topic, (_, text) in HANDBOOK.items()])
    model.mkdir()
    for file in Path(late_rag_minilm.FOLDER).iterdir():
        (model / file.name).symlink_to(file)
    model.chmod(0o777)
    with sqlite3.connect(location / "collection.sqlite") as database:
        ((text,),) = database.execute("SELECT value FROM settings")
        changed = json.loads(text) | {"model": str(model), "model_relative": None}
        database.execute("UPDATE settings SET value = ?", [json.dumps(changed)])
    database.close()
    return str(location)


def check_consent(ask: Callable[..., object]) -> None:
    """Whatever is made with ``trust_model``, and nothing else, asks such a collection how much leave there is."""
    for options in ({}, {"trust_model": False}):
        with pytest.raises(ModelError, match=r"everybody may write to.*trust_model=True"):
            ask(**options)
    assert "thirty days of paid leave" in str(ask(trust_model=True))


async def check_cancelling(rerank: Callable[[list[str]], Awaitable[object]]) -> None:
    """Reranking that nobody waits for any more stops long before all is encoded, and keeps what it has."""
    shared_reranker().close()
    task = asyncio.ensure_future(rerank([f"Rule {number} is long. " * 30 for number in range(2000)]))
    while not kept_embeddings():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = -1
    while before != (encoded := kept_embeddings()):
        before = encoded
        await asyncio.sleep(0.5)
    assert 0 < encoded < 2000


def kept_embeddings() -> int:
    """Of how many passages the rerankers of the process keep embeddings."""
    return len(shared_reranker()._cache)


_SHARING = """
import sys
import psutil

location, texts = sys.argv[1], [f"passage number {{n}} of many, about travel" for n in range(200)]
query = "who approves travel?"
{code}

def resident():
    return psutil.Process().memory_info().rss / 1e6

kept = [use(1), use(2)]
before = resident()
kept += [use(number) for number in range(3, 11)]
print(resident() - before, len(psutil.Process().open_files()))
"""


def check_sharing(code: str, location: Path) -> None:
    """Ten components over one collection take one model and one open collection.

    Args:
        code: stores ``texts`` at ``location``, and defines ``use(number)``, which makes components of each kind, uses
            them for ``query``, checks that they find ``number`` passages, and returns them.
        location: of a collection that is not there yet.
    """
    arguments = [sys.executable, "-c", _SHARING.format(code=code), str(location)]
    more, files = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split()
    assert float(more) < 10  # a second model alone would be 40 MB
    assert int(files) < 20
