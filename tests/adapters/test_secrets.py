"""What opens a collection is in nothing that a component shows, writes or complains of, and opens it all the same."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from late_rag import backends
from late_rag.adapters import check_collection
from late_rag.errors import CollectionNotFoundError
from late_rag.testing import MemoryCollection
from late_rag.types import Mode

LOCATION = "memory://user:secret@host/components?token=secret"
SHOWN = "memory://host/components?token=…"


def langchain(name: str) -> Callable[..., Any]:
    import langchain_late_rag

    return getattr(langchain_late_rag, name)  # type: ignore[no-any-return]


def llama_index(name: str) -> Callable[..., Any]:
    from llama_index.postprocessor.late_rag import LateInteractionRerank
    from llama_index.vector_stores.late_rag import LateInteractionVectorStore

    found: dict[str, Callable[..., Any]] = {
        "LateInteractionRerank": LateInteractionRerank,
        "LateInteractionVectorStore": LateInteractionVectorStore,
    }
    return found[name]


COMPONENTS = [
    (langchain, "LateInteractionRetriever"),
    (langchain, "LateInteractionReranker"),
    (langchain, "LateInteractionVectorStore"),
    (llama_index, "LateInteractionRerank"),
    (llama_index, "LateInteractionVectorStore"),
]


@pytest.mark.parametrize(("of", "name"), COMPONENTS)
def test_what_a_component_shows_and_serialises(of: Callable[[str], Callable[..., Any]], name: str) -> None:
    component = of(name)(collection=LOCATION)
    for told in (repr(component), str(component), repr(copy.deepcopy(component))):
        assert "secret" not in told
        assert SHOWN in told
    for dump in ("model_dump", "model_dump_json", "to_dict", "to_json"):
        if hasattr(component, dump):
            assert "secret" not in str(getattr(component, dump)())


@pytest.mark.parametrize(
    ("of", "name", "wrong"),
    [
        (langchain, "LateInteractionRetriever", {"threshold": 5}),
        (langchain, "LateInteractionRetriever", {"nonsense": 5}),
        (langchain, "LateInteractionReranker", {"top_n": 0}),
        (langchain, "LateInteractionReranker", {"nonsense": 5}),
        (llama_index, "LateInteractionRerank", {"threshold": 5}),
    ],
)
def test_what_an_error_quotes(of: Callable[[str], Callable[..., Any]], name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))) as caught:
        of(name)(collection=LOCATION, **wrong)
    assert "secret" not in str(caught.value)


def test_it_opens_the_collection_also_when_it_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []

    class Engine(MemoryCollection):
        @classmethod
        def open(cls, location: object, mode: Mode = "write") -> MemoryCollection:
            opened.append(location)
            return super().open(location, mode)

    monkeypatch.setitem(
        backends.COLLECTIONS, "memory", backends.Backend(MemoryCollection.__module__, "MemoryCollection")
    )
    monkeypatch.setattr("late_rag.testing.memory.MemoryCollection", Engine)
    made = langchain("LateInteractionRetriever")(collection=LOCATION)
    for retriever in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        with pytest.raises(CollectionNotFoundError) as caught:
            retriever.invoke("who?")
        assert SHOWN in str(caught.value)
        assert "secret" not in str(caught.value)
    assert opened == [LOCATION] * 3


def test_a_location_without_secrets_is_shown_as_it_is() -> None:
    for location in ("handbook.rag", "memory://host/x"):
        assert repr(check_collection(location)) == repr(location)
