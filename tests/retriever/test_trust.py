"""A collection that somebody sends chooses no model: nobody is asked for it, no folder is read, no token is sent."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from late_rag import Reranker, Retriever
from late_rag.encoders import load_encoder, load_recorded
from late_rag.errors import InputError, ModelError
from late_rag.reranker import shared_reranker
from late_rag.transfer import copy_collection, export_jsonl, import_jsonl
from tests.frameworks import check_consent, sent_by_somebody


class Hub(ThreadingHTTPServer):
    """Stands for the hub: has nothing, and writes down who asks for what with which token."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers.get("authorization")))
                self.send_response(404)
                self.end_headers()

            do_HEAD = do_GET  # noqa: N815 - as the server calls it

            def log_message(self, *arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def name_model(collection: Path, model: str, relative: str | None = None) -> None:
    """What somebody does who sends a collection."""
    with sqlite3.connect(collection / "collection.sqlite") as database:
        ((text,),) = database.execute("SELECT value FROM settings")
        changed = json.loads(text) | {"model": model, "model_relative": relative}
        database.execute("UPDATE settings SET value = ?", [json.dumps(changed)])
    database.close()


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    location = tmp_path / "sent.rag"
    with Retriever.create(location) as made:
        made.add(["the annual leave is 30 days"])
    return location


def run(code: str, home: Path, hub: Hub, **variables: str) -> str:
    """What a user's process says whose hub is this one, and who is logged in there in both ways."""
    (home / "hf").mkdir(exist_ok=True, parents=True)
    (home / "hf" / "token").write_text("hf_kept")
    known = {"HF_HOME": str(home / "hf"), "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_TOKEN": "hf_secret"}
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"} | known | variables
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=100)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


SEARCH = """
import sys
from late_rag import Reranker, Retriever
from late_rag.errors import ModelError
try:
    print(Retriever.open({location!r}, mode="read"{options}).search("leave")[0].chunk.text)
except ModelError as error:
    print("ModelError:", error)
"""


def test_nobody_is_contacted_for_a_model_that_only_the_collection_names(sent: Path, tmp_path: Path, hub: Hub) -> None:
    name_model(sent, "mallory/tracker")
    told = run(SEARCH.format(location=str(sent), options=""), tmp_path, hub)
    assert hub.asked == []
    assert "'mallory/tracker'" in told
    assert "would be fetched from the Hugging Face hub" in told
    assert "model='mallory/tracker'" in told
    assert "--trust-model" in told


def test_no_token_is_sent_unless_the_caller_names_the_model(sent: Path, tmp_path: Path, hub: Hub) -> None:
    name_model(sent, "mallory/tracker")
    told = run(SEARCH.format(location=str(sent), options=", trust_model=True"), tmp_path, hub)
    assert "could not be fetched" in told
    assert hub.asked
    assert {token for _, token in hub.asked} == {None}
    hub.asked.clear()
    run(SEARCH.format(location=str(sent), options=", model='mallory/tracker'"), tmp_path, hub)
    assert "Bearer hf_secret" in {token for _, token in hub.asked}


def test_a_model_in_the_users_cache_is_loaded_without_asking_anybody(sent: Path, tmp_path: Path, hub: Hub) -> None:
    import late_rag_minilm

    folder = tmp_path / "hf" / "hub" / "models--someone--small"
    shutil.copytree(late_rag_minilm.FOLDER, folder / "snapshots" / ("c0ffee" * 6 + "c0de"))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("c0ffee" * 6 + "c0de")
    name_model(sent, "someone/small")
    told = run(SEARCH.format(location=str(sent), options=""), tmp_path, hub)
    assert told == "the annual leave is 30 days"
    assert hub.asked == []


def test_the_command_line_takes_a_consent(sent: Path, tmp_path: Path, hub: Hub) -> None:
    name_model(sent, "mallory/tracker")
    command = "import sys; from late_rag.cli import main; sys.argv = ['late-rag', {}]; main()"
    search = f"'search', 'leave', '-c', {str(sent)!r}"
    assert "--trust-model" in run(command.format(search), tmp_path, hub)
    assert hub.asked == []
    assert run(command.format(f"{search}, '--model', 'minilm'"), tmp_path, hub).endswith("the annual leave is 30 days")
    run(command.format(f"{search}, '--trust-model'"), tmp_path, hub)
    assert hub.asked


def test_a_folder_that_only_the_collection_names_is_one_that_the_user_put_there(sent: Path, tmp_path: Path) -> None:
    import late_rag_minilm

    def search(**options: object) -> str:
        with Retriever.open(sent, mode="read", **options) as opened:  # type: ignore[arg-type]
            return opened.search("leave")[0].chunk.text

    mine, open_to_all = tmp_path / "mine", tmp_path / "shared"
    for folder in (mine, open_to_all, sent / "model"):
        shutil.copytree(late_rag_minilm.FOLDER, folder)
    open_to_all.chmod(0o777)
    for folder, why in ((sent / "model", "lies in the collection itself"), (open_to_all, "everybody may write to")):
        for model, relative in ((str(folder), None), ("/nowhere", os.path.relpath(folder, sent))):
            name_model(sent, model, relative)
            with pytest.raises(ModelError, match=rf"{why}.*trust_model=True"):
                search()
            assert search(trust_model=True) == search(model=folder) == "the annual leave is 30 days"
    for model, relative in ((str(mine), None), ("/nowhere", "../mine")):
        name_model(sent, model, relative)
        assert search() == "the annual leave is 30 days"


def test_a_reranker_takes_a_consent_and_a_text_is_none(tmp_path: Path) -> None:
    location = sent_by_somebody(tmp_path)
    candidate = "There are thirty days of paid leave."
    check_consent(lambda **options: Reranker(collection=location, **options).rerank("leave", [candidate]))
    kept = pickle.loads(pickle.dumps(Reranker(collection=location, trust_model=True)))
    assert kept.rerank("leave", [candidate])[0].chunk.text == candidate
    for make in (Reranker, Retriever):
        with pytest.raises(InputError, match="trust_model is 1; give True to take whatever model the collection names"):
            make(collection=location, trust_model=1)
    assert shared_reranker(None, location, trust_model=True).rerank("leave", [candidate])


HOSTILE = [
    *("/proc/self/cwd", "/dev/fd", "a\0b", "x" * 5000, "~nobody-there/x", "a/b@../../x", "a/b@/etc", "a/..", "../a/b"),
    *("\\\\host\\share", "//host/share", "a/b\n", "a/b@c..d", "http://host/a", "file:///etc", "\ud800/x"),
    "a/" + "b" * 500,
]


@pytest.mark.parametrize("model", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_a_model_error(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError):
        load_recorded(model, str(tmp_path / "c.rag"))
    with pytest.raises(ModelError):
        load_encoder(model)


@pytest.mark.parametrize("way", ["copy", "import"])
def test_a_copy_finds_the_model_from_where_it_stands(tmp_path: Path, way: str) -> None:
    """The tree moves after the copy, and again before it: the copy opens wherever the original does."""
    import io

    import late_rag_minilm

    here = tmp_path / "here"
    shutil.copytree(late_rag_minilm.FOLDER, here / "model")
    with Retriever.create(here / "c.rag", here / "model") as made:
        made.add(["some words"])
    for moved in ("there", "elsewhere"):
        here = here.rename(tmp_path / moved)
        copy = here / "deep" / "er" / f"{moved}.rag"
        with Retriever.open(here / "c.rag") as original:
            if way == "copy":
                copy_collection(original.collection, copy)
            else:
                lines: list[str] = []
                export_jsonl(original.collection, lines.append, embeddings=True)
                copy = here / f"{moved}.rag"
                import_jsonl(io.BytesIO("".join(lines).encode()), copy)
        for again in (f"{moved} 2", moved):
            here = here.rename(tmp_path / again)
            with Retriever.open(here / copy.relative_to(tmp_path / moved), mode="read") as opened:
                assert opened.search("words")[0].chunk.text == "some words"
