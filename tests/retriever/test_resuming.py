"""``Retriever.sync`` that was stopped: what was encoded is staged, and the next run goes on from there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from late_rag import load
from late_rag.errors import CancelledError, CollectionFullError
from late_rag.retriever import files as file_module
from late_rag.types import Progress
from tests.retriever.fresh import PARAGRAPHS, contents, is_fresh


class Stop(BaseException):
    """Stands for KeyboardInterrupt, which would stop the test run itself."""


def stop_after(encoder, count: int, error: BaseException):
    def progress(step: Progress) -> None:
        if step.stage == "encode" and step.done >= count:
            raise error

    return progress


@pytest.mark.parametrize("error", [Stop(), CancelledError("stopped"), KeyboardInterrupt()])
@pytest.mark.parametrize("count", [1, 40, 95])
def test_stopped_at_any_moment_the_next_run_goes_on_from_there(retriever, encoder, files, error, count, monkeypatch):
    monkeypatch.setattr("late_rag.retriever.progress._SECONDS_BETWEEN_REPORTS", 0)
    text = "\n\n".join(f"part{number} " * 25 for number in range(100))
    folder = files({"0.txt": PARAGRAPHS[0], "long.txt": text, "z.txt": PARAGRAPHS[1]})
    with pytest.raises(type(error)):
        retriever.sync(folder, progress=stop_after(encoder, count, error))
    done = set(encoder.documents)
    assert all(not text.startswith("part") for _, text, *_ in contents(retriever).values())
    assert retriever.search("part0", top_k=1)[0].chunk.text.startswith("ant") if count > 4 else True
    encoder.forget()
    result = retriever.sync(folder)
    assert len(done & set(encoder.documents)) <= 1  # what was being handed over when it was stopped
    assert result.encoded + result.reused >= 100
    is_fresh(retriever, folder)
    assert retriever.info().staged == 0


def test_a_long_file_is_staged_on_the_way_and_not_held_in_memory(retriever, encoder, files, monkeypatch):
    from late_rag.collections.local import LocalCollection

    monkeypatch.setattr(file_module, "STAGE_BYTES", 64 * 1024)
    held, stage = [], LocalCollection.stage

    def counted(self, source, chunks, embeddings):
        held.append(len(chunks))
        return stage(self, source, chunks, embeddings)

    monkeypatch.setattr(LocalCollection, "stage", counted)
    folder = files({"long.txt": "\n\n".join(f"part{number} " * 25 for number in range(100))})
    result = retriever.sync(folder)
    assert result.chunks == result.encoded == 100
    assert len(held) > 5
    assert max(held) < 20
    is_fresh(retriever, folder)


def test_a_file_that_takes_long_is_staged_by_the_clock(retriever, encoder, files, monkeypatch):
    monkeypatch.setattr(file_module, "STAGE_SECONDS", 0)
    folder = files({"long.txt": "\n\n".join(f"part{number} " * 25 for number in range(20))})
    staged = []

    def progress(step: Progress) -> None:
        staged.append(retriever.info().staged)

    monkeypatch.setattr("late_rag.retriever.progress._SECONDS_BETWEEN_REPORTS", 0)
    retriever.sync(folder, progress=progress)
    assert max(staged) >= 19
    assert staged[-1] == 0
    is_fresh(retriever, folder)


def test_what_was_staged_for_another_state_of_the_file_is_not_used(retriever, encoder, files):
    folder = files({"a.txt": PARAGRAPHS[0]})
    with pytest.raises(CancelledError):
        retriever.sync(folder, progress=stop_after(encoder, 1, CancelledError()))
    files({"a.txt": PARAGRAPHS[1]})
    retriever.sync(folder)
    is_fresh(retriever, folder)


def test_what_was_staged_and_is_no_longer_of_the_file_goes(retriever, encoder, files):
    """As after an update of a parser between the two runs: the same bytes give other chunks."""
    folder = files({"a.txt": PARAGRAPHS[0]})
    (file,) = load(folder)
    (document,) = file.documents
    (first, _), *_ = retriever._stages.split([document])
    other = replace(first, text="an old parser saw this", embed_text=None)
    surplus = replace(first, id=f"{document.id}#99", text="and this")
    retriever.collection.stage(file.source, [other, surplus], list(encoder.encode_documents([other, surplus])))
    retriever.sync(folder)
    is_fresh(retriever, folder)


def test_records_stopped_half_way_are_kept_and_not_encoded_again(retriever, encoder, files, monkeypatch):
    monkeypatch.setattr("late_rag.retriever.progress._SECONDS_BETWEEN_REPORTS", 0)
    folder = files({"a.jsonl": "".join(json.dumps({"id": n, "text": f"record {n}"}) + "\n" for n in range(300))})
    with pytest.raises(CancelledError):
        retriever.sync(folder, progress=stop_after(encoder, 200, CancelledError()))
    kept = retriever.collection.count()
    assert kept >= 128
    encoder.forget()
    result = retriever.sync(folder)
    assert len(encoder.documents) == 300 - kept
    assert len(result.updated) == 1
    is_fresh(retriever, folder)


def test_a_full_disk_is_told_and_what_was_written_stays(retriever, files, monkeypatch):
    from late_rag.collections.local import LocalCollection

    folder = files({"a.txt": "one", "b.txt": "two", "c.txt": "three"})
    written = LocalCollection.replace

    def replace(self, source, *rest):
        if source.path == "b.txt":
            raise CollectionFullError("no room left to write")
        return written(self, source, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(LocalCollection, "replace", replace)
        with pytest.raises(CollectionFullError):
            retriever.sync(folder)
    assert [text for _, text, *_ in contents(retriever).values()] == ["one"]
    retriever.sync(folder)
    is_fresh(retriever, folder)
