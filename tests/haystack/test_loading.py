"""Devices and secrets: what a pipeline's YAML has of them, and what the model is loaded with."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from haystack import Document
from haystack.utils import ComponentDevice, Secret
from haystack.utils.device import Device, DeviceMap

from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from haystack_integrations.document_stores.late_rag.loading import loading_options
from late_rag import load_encoder
from late_rag.errors import InputError

CPU = ComponentDevice.from_str("cpu")
TOKEN = Secret.from_env_var(["MY_TOKEN", "OTHER_TOKEN"], strict=False)


def test_devices_and_secrets_become_options() -> None:
    assert loading_options(None, None) == {}
    assert loading_options(CPU, TOKEN, {"workers": 1}) == {
        "device": "cpu",
        "token_variable": ["MY_TOKEN", "OTHER_TOKEN"],
        "workers": 1,
    }
    for first in ("cuda", "cuda:0"):
        assert loading_options(ComponentDevice.from_str(first), None) == {"device": "cuda"}


@pytest.mark.parametrize(
    ("device", "told"),
    [
        (ComponentDevice.from_str("cuda:1"), "CUDA_VISIBLE_DEVICES"),
        (ComponentDevice.from_str("mps"), "the model runs on 'cpu' or 'cuda:0'"),
        (ComponentDevice.from_multiple(DeviceMap({"a": Device.cpu(), "b": Device.gpu()})), "runs on one"),
        ("cpu", "takes a ComponentDevice"),
    ],
)
def test_a_device_that_there_is_not(device: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        LateInteractionRanker(device=device)


@pytest.mark.parametrize("token", [Secret.from_token("hf_x"), "MY_TOKEN"])
def test_a_secret_that_would_be_written_down(token: Any) -> None:
    with pytest.raises(InputError, match=r"Secret\.from_env_var"):
        LateInteractionDocumentStore("c.rag", token=token)


@pytest.mark.parametrize("kind", [LateInteractionRanker, LateInteractionDocumentStore])
def test_they_are_written_and_read_again(kind: type[LateInteractionRanker | LateInteractionDocumentStore]) -> None:
    made = kind(model="minilm", device=CPU, token=TOKEN)
    written = made.to_dict()
    assert written["init_parameters"]["device"] == {"type": "single", "device": "cpu"}
    assert written["init_parameters"]["token"]["env_vars"] == ["MY_TOKEN", "OTHER_TOKEN"]
    assert kind.from_dict(copy.deepcopy(written)).to_dict() == written


def test_the_model_is_loaded_with_them(tmp_path: Path) -> None:
    options = {"device": "cpu", "token_variable": ["MY_TOKEN", "OTHER_TOKEN"]}
    store = LateInteractionDocumentStore(str(tmp_path / "c.rag"), device=CPU, token=TOKEN)
    store.write_documents([Document(id="a", content="Lunch is at noon.")])
    assert store.retriever().encoder is load_encoder("minilm", **options)
    assert LateInteractionRanker(device=CPU, token=TOKEN)._reranker().encoder is load_encoder("minilm", **options)


def test_a_token_that_is_required_and_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    token = Secret.from_env_var("MY_TOKEN")
    with pytest.raises(ValueError, match="MY_TOKEN"):
        LateInteractionDocumentStore(str(tmp_path / "c.rag"), token=token).count_documents()
    ranker = LateInteractionRanker(token=token)
    with pytest.raises(ValueError, match="MY_TOKEN"):
        ranker.run("lunch", [Document(content="Lunch is at noon.")])
    monkeypatch.setenv("MY_TOKEN", "hf_x")
    assert ranker.run("lunch", [Document(content="Lunch is at noon.")])["documents"]
