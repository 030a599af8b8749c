"""What the three stores keep and can do beside the stores that come with their frameworks, found out by trying.

``python -m tests.adapters.comparison`` prints the table of docs/stores.md, with those stores of ``elsewhere.py`` that
are installed.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from types import FrameType
from typing import Any

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read when haystack is imported

from haystack.dataclasses import Document as HaystackDocument
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import DuplicatePolicy
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery

from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from langchain_late_rag import LateInteractionVectorStore
from llama_index.vector_stores.late_rag import LateInteractionVectorStore as LlamaIndexVectorStore

VALUES: dict[str, Any] = {
    "text": "a",
    "whole number": 7,
    "number": 0.5,
    "truth": True,
    "None": None,
    "list": [1, 2],
    "mixed list": [1, "a"],
    "dict": {"a": {"b": 1}},
    "date": date(2026, 1, 31),
    "datetime": datetime(2026, 1, 31, 10, 30, tzinfo=UTC),
}
QUESTION = "when is lunch?"
TEXTS = {"n1": "Lunch is at noon.", "n2": "Parking is free."}


class Tried(ABC):
    """A store, and how its framework puts documents in and gets them out."""

    name: str
    searches: str
    """The function that does the work of a search."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.store = self.made()

    @abstractmethod
    def made(self) -> Any:
        """An empty store."""

    @abstractmethod
    def write(self, documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Writes ids, texts and metadata, handed on as they come: of a generator the store gets a generator."""

    @abstractmethod
    def read(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """By id the text and metadata of all that a search finds."""

    @abstractmethod
    def search(self) -> Coroutine[Any, Any, object]:
        """The async search."""


class LangChainMemory(Tried):
    name, searches = "LangChain `InMemoryVectorStore`", "_similarity_search_with_score_by_vector"

    def made(self) -> Any:
        return InMemoryVectorStore(DeterministicFakeEmbedding(size=4))

    def write(self, documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
        made = (LangChainDocument(id=key, page_content=text, metadata=dict(meta)) for key, text, meta in documents)
        self.store.add_documents(made if not isinstance(documents, list) else list(made))

    def read(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        return {
            each.id: (each.page_content, each.metadata)
            for each in self.store.similarity_search(QUESTION, k=len(VALUES))
        }

    def search(self) -> Coroutine[Any, Any, object]:
        found: Coroutine[Any, Any, object] = self.store.asimilarity_search(QUESTION)
        return found


class LangChainOurs(LangChainMemory):
    name, searches = "LangChain `LateInteractionVectorStore`", "_hits"

    def made(self) -> Any:
        return LateInteractionVectorStore(self.location)


class LlamaIndexMemory(Tried):
    name, searches = "LlamaIndex `SimpleVectorStore`", "query"

    def made(self) -> Any:
        return SimpleVectorStore(stores_text=True)

    def write(self, documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
        made = (
            TextNode(id_=key, text=text, metadata=dict(meta), embedding=[0.5, 0.5]) for key, text, meta in documents
        )
        self.store.add(made if not isinstance(documents, list) else list(made))

    def read(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        found = self.store.query(self._query())
        if found.nodes is None:  # it keeps vectors and metadata, and leaves the text to a docstore
            kept = self.store.data.metadata_dict
            return {key: ("", {k: v for k, v in kept[key].items() if k in VALUES}) for key in found.ids}
        return {node.node_id: (node.get_content(), node.metadata) for node in found.nodes}

    def search(self) -> Coroutine[Any, Any, object]:
        found: Coroutine[Any, Any, object] = self.store.aquery(self._query())
        return found

    def _query(self) -> VectorStoreQuery:
        return VectorStoreQuery(query_str=QUESTION, query_embedding=[0.5, 0.5], similarity_top_k=len(VALUES))


class LlamaIndexOurs(LlamaIndexMemory):
    name, searches = "LlamaIndex `LateInteractionVectorStore`", "query"

    def made(self) -> Any:
        return LlamaIndexVectorStore(self.location)


class HaystackMemory(Tried):
    name, searches = "Haystack `InMemoryDocumentStore`", "bm25_retrieval"

    def made(self) -> Any:
        return InMemoryDocumentStore()

    def write(self, documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
        made = (HaystackDocument(id=key, content=text, meta=dict(meta)) for key, text, meta in documents)
        self.store.write_documents(
            made if not isinstance(documents, list) else list(made), policy=DuplicatePolicy.OVERWRITE
        )

    def read(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        return {each.id: (each.content, each.meta) for each in self.store.filter_documents()}

    def search(self) -> Coroutine[Any, Any, object]:
        found: Coroutine[Any, Any, object] = self.store.bm25_retrieval_async(QUESTION)
        return found


class HaystackOurs(HaystackMemory):
    name, searches = "Haystack `LateInteractionDocumentStore`", "search"

    def made(self) -> Any:
        return LateInteractionDocumentStore(self.location)

    def search(self) -> Coroutine[Any, Any, object]:
        return self.store.search_async(QUESTION)  # type: ignore[no-any-return]


KINDS: tuple[type[Tried], ...] = (
    *(LangChainMemory, LangChainOurs),
    *(LlamaIndexMemory, LlamaIndexOurs),
    *(HaystackMemory, HaystackOurs),
)


def keeps(kind: type[Tried], location: str) -> str:
    """Which kinds of metadata come back equal and of their type."""
    tried = kind(location)
    kept = {what for what, value in VALUES.items() if _works(partial(_comes_back, tried, what, value))}
    lost = [what for what in VALUES if what not in kept]
    return "all" if not lost else f"all but {', '.join(lost)}"


def takes_generators(kind: type[Tried], location: str) -> str:
    """Whether documents may come from a generator, and all of them are there then."""
    tried = kind(location)

    def check() -> bool:
        tried.write((key, text, {}) for key, text in TEXTS.items())
        return tried.read().keys() == TEXTS.keys()

    return _yes(check)


def replaces(kind: type[Tried], location: str) -> str:
    """Whether what is written again under its id takes the place of what was there, and only of that."""
    tried = kind(location)

    def check() -> bool:
        tried.write([(key, text, {"text": "old"}) for key, text in TEXTS.items()])
        tried.write([("n1", TEXTS["n1"], {"text": "new"})])
        return {key: meta["text"] for key, (_, meta) in tried.read().items()} == {"n1": "new", "n2": "old"}

    return _yes(check)


def searches_beside_the_loop(kind: type[Tried], location: str) -> str:
    """Whether the async search leaves the thread of the event loop to others."""
    tried, seen = kind(location), set[str]()
    tried.write([(key, text, {}) for key, text in TEXTS.items()])

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename != __file__:
            seen.add(frame.f_code.co_name)

    async def ask() -> None:
        sys.setprofile(note)
        try:
            await tried.search()
        finally:
            sys.setprofile(None)

    asyncio.run(ask())
    return "no" if tried.searches in seen else "yes"


def pickles(kind: type[Tried], location: str) -> str:
    """Whether a pickled store finds what was in it."""
    tried = kind(location)
    tried.write([(key, text, {}) for key, text in TEXTS.items()])

    def check() -> bool:
        expected = tried.read()
        tried.store = pickle.loads(pickle.dumps(tried.store))
        return tried.read() == expected

    return _yes(check)


QUESTIONS: dict[str, Callable[[type[Tried], str], str]] = {
    "metadata that come back as they were": keeps,
    "documents from a generator": takes_generators,
    "an id written again replaces": replaces,
    "async search beside the event loop": searches_beside_the_loop,
    "pickles": pickles,
}


def table(folder: str, kinds: Iterable[type[Tried]] = KINDS) -> list[str]:
    """The lines of the table, of stores that are made in this folder."""
    lines = [f"| store | {' | '.join(QUESTIONS)} |", "|---|" + "---|" * len(QUESTIONS)]
    for kind in kinds:
        answers = [ask(kind, f"{folder}/{kind.__name__}-{ask.__name__}.rag") for ask in QUESTIONS.values()]
        lines.append(f"| {kind.name} | {' | '.join(answers)} |")
    return lines


def _comes_back(tried: Tried, what: str, value: Any) -> bool:
    tried.write([(what, "Lunch is at noon.", {what: value})])
    _, meta = tried.read()[what]
    return what in meta and type(meta[what]) is type(value) and meta[what] == value


def _yes(check: Callable[[], bool]) -> str:
    return "yes" if _works(check) else "no"


def _works(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001 - whatever a store makes of what it does not take
        return False


if __name__ == "__main__":
    import tempfile

    from tests.adapters.elsewhere import ELSEWHERE

    with tempfile.TemporaryDirectory() as folder:
        kinds = (*KINDS, *(kind for kind in ELSEWHERE if kind.installed()))
        sys.stdout.write("\n".join(table(folder, kinds)) + "\n")
