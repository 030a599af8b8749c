"""Stores of other libraries, compared where these are installed; nothing else of the project needs them.

``pip install langchain-chroma langchain-community faiss-cpu``, best into an environment of its own.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from langchain_core.embeddings import DeterministicFakeEmbedding

from tests.adapters.comparison import LangChainMemory

_DIM = 4


class Elsewhere(LangChainMemory):
    """A store of LangChain's that needs more than its core."""

    needs: ClassVar[tuple[str, ...]]
    """The modules."""

    @classmethod
    def installed(cls) -> bool:
        return all(find_spec(name) is not None for name in cls.needs)


class Chroma(Elsewhere):
    name, searches, needs = "LangChain `Chroma`", "similarity_search_with_score", ("langchain_chroma",)

    def made(self) -> Any:
        settings = import_module("chromadb.config").Settings(
            anonymized_telemetry=False, is_persistent=True, persist_directory=self.location
        )
        embedding = DeterministicFakeEmbedding(size=_DIM)
        return import_module("langchain_chroma").Chroma("compared", embedding, client_settings=settings)


class Faiss(Elsewhere):
    name, searches = "LangChain `FAISS`", "similarity_search_with_score_by_vector"
    needs = ("faiss", "langchain_community")

    def made(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the whole package
            docstore = import_module("langchain_community.docstore").InMemoryDocstore()
            store = import_module("langchain_community.vectorstores").FAISS
        index = import_module("faiss").IndexFlatL2(_DIM)
        return store(DeterministicFakeEmbedding(size=_DIM), index, docstore, {})


ELSEWHERE: tuple[type[Elsewhere], ...] = (Chroma, Faiss)
