"""What a collection takes on disk is in proportion to the files, whatever their titles and headings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from late_rag import Document, Retriever
from late_rag.chunkers.carried import ALWAYS_CARRIED, carried
from late_rag.testing import HashEncoder

Files = Callable[[Mapping[str, str | None]], Path]
WORDS = "some words of a sentence that is about as long as others are. " * 1_000
LONG = "x y " * 8_000


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.md", f"# {LONG}\n\n{WORDS}", "headings after their first 1,000 characters"),
        ("a.md", f"{LONG[:900]}\n===\n\n{WORDS}", None),
        ("a.md", f"---\ntitle: {LONG}\n---\n\n{WORDS}", "metadata 'title', too long for each passage"),
        ("a.html", f"<title>{LONG}</title><p>{WORDS}", "metadata 'title', too long for each passage"),
        ("a.html", f"<h1>{LONG}<p>{WORDS}", "metadata 'title', too long for each passage"),
        ("a.jsonl", json.dumps({"id": 1, "text": WORDS, "note": LONG, "year": 2020}), "metadata 'note'"),
        ("a.jsonl", json.dumps({"id": 1, "text": WORDS, "k" * 9000: {str(n): n for n in range(100)}}), "metadata 'kkk"),
    ],
    ids=range(7),
)
def test_no_title_is_copied_to_every_chunk(
    retriever: Retriever, files: Files, name: str, text: str, said: str | None
) -> None:
    result = retriever.sync(files({name: text}))
    assert result.complete
    assert retriever.info().chunks > 100
    chunks = [chunk for batch in retriever.collection.iterate() for chunk, _ in batch]
    assert max(len(json.dumps(dict(chunk.metadata))) for chunk in chunks) < 2 * ALWAYS_CARRIED
    told = [omission.what for omission in result.omissions]
    assert any(what.startswith(said) for what in told) if said else not told
    assert len(told) == len(set(told)) <= 2


def test_the_document_keeps_what_its_chunks_do_not_have(retriever: Retriever, caplog: pytest.LogCaptureFixture) -> None:
    retriever.add([Document("d", WORDS, {"title": LONG, "year": 2020, "topic": "travel"})])
    (document,) = retriever.collection.get_documents(["d"])
    assert document.metadata["title"] == LONG
    assert "metadata 'title'" in caplog.text
    hits = retriever.search("words", filter="year == 2020 and topic == 'travel'")
    assert all("title" not in hit.chunk.metadata for hit in hits)
    assert hits


@pytest.mark.parametrize("metadata", [{"note": "x" * 400_000}, {"tags": ["a"] * 3_000}, {"a": {"b": {"c": "d"}}}])
def test_what_few_chunks_have_is_theirs(metadata: dict[str, object]) -> None:
    document = Document("d", "a short text", metadata)
    assert carried(document) is document.metadata
    with Retriever.create(None, HashEncoder()) as retriever:
        retriever.add([document])
        assert retriever.search("text")[0].chunk.metadata == metadata


LIMITED = """
import resource, sys
from late_rag import Retriever
from late_rag.testing import HashEncoder
with Retriever.create(None, HashEncoder()) as retriever:
    retriever.add(["warm up"])
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 60 * 2**20, -1))
    result = retriever.sync(sys.argv[1])
    print(sorted(path.rpartition("/")[2] for path in result.added), [failed.location.rpartition("/")[2]
        for failed in result.failed], result.failed[0].reason)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_file_that_takes_more_memory_than_there_is_fails_alone(files: Files) -> None:
    folder = files({"a.txt": "one two", "b.txt": "word " * 10_000_000, "c.txt": "three four"})
    done = subprocess.run([sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("['a.txt', 'c.txt'] ['b.txt'] "), done.stderr[-2000:]
    assert "memory" in done.stdout.lower()
