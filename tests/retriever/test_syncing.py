"""``Retriever.sync``: the collection holds what the files hold, and only what changed is encoded."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from late_rag import Retriever, load
from late_rag.errors import CancelledError, CollectionFullError, InputError, LoadError, ModelError
from late_rag.filters.selection import Selection
from late_rag.retriever import files as file_module
from late_rag.testing import HashEncoder
from late_rag.types import Document, Progress

PARAGRAPHS = ["\n\n".join(f"{name}{part} " * 25 for part in range(4)) for name in ("ant", "bee", "cat", "dog")]


def contents(retriever: Retriever) -> dict[str, tuple[str, str, dict]]:
    """Everything that is stored, with the source that a hit names."""
    return {
        chunk.id: (chunk.document_id, chunk.encoded_text, dict(chunk.metadata), chunk.start)
        for batch in retriever.collection.iterate()
        for chunk, _ in batch
    }


def is_fresh(retriever: Retriever, folder: Path) -> None:
    """The collection is what a new one would be, embeddings included."""
    with Retriever.create(None, retriever.encoder) as fresh:
        fresh.sync(folder)
        expected = contents(fresh)
        assert contents(retriever) == expected
        embeddings = retriever.collection.embeddings(list(expected))
        for identity, rows in fresh.collection.embeddings(list(expected)).items():
            assert (embeddings[identity] == rows).all()
        assert states(retriever) == states(fresh)


def states(retriever: Retriever) -> dict[str, str]:
    return {source.location: source.hash for source in retriever.collection.sources()}


def test_a_folder_becomes_searchable(retriever, files):
    folder = files(
        {"a.txt": "the quick brown fox", "sub/b.md": "# Dogs\n\nlazy ones", "c.jsonl": '{"text": "a pear"}\n'}
    )
    result = retriever.sync(folder)
    assert [Path(location).name for location in result.added] == ["a.txt", "c.jsonl", "b.md"]
    assert (result.chunks, result.encoded, result.reused) == (3, 3, 0)
    hit = retriever.search("lazy dogs")[0]
    assert "lazy ones" in hit.chunk.text
    assert hit.source == f"{folder}/sub/b.md"


def test_an_unchanged_folder_costs_nothing(retriever, encoder, files):
    folder = files({"a.txt": PARAGRAPHS[0], "b.csv": "id,text\n1,one\n2,two\n"})
    retriever.sync(folder)
    encoder.forget()
    result = retriever.sync(folder)
    assert len(result.unchanged) == 2
    assert (result.added, result.updated, result.removed, result.failed) == ((), (), (), ())
    assert (result.chunks, encoder.documents) == (0, [])


def test_an_unchanged_folder_needs_no_model(tmp_path, encoder, files):
    folder = files({"a.txt": PARAGRAPHS[0]})
    location = tmp_path / "unloaded.rag"
    with Retriever.create(location, encoder) as first:
        first.sync(folder)
    with Retriever.open(location) as second:  # no model is called "hash"
        assert len(second.sync(folder).unchanged) == 1
        with pytest.raises(ModelError, match="hash"):
            second.search("ant0")


def test_a_changed_file_encodes_only_what_is_new(retriever, encoder, files):
    folder = files({"a.txt": PARAGRAPHS[0] + "\n\n" + PARAGRAPHS[1]})
    before = retriever.sync(folder)
    encoder.forget()
    files({"a.txt": PARAGRAPHS[0] + "\n\n" + "new " * 25 + "\n\n" + PARAGRAPHS[1]})
    result = retriever.sync(folder)
    assert [Path(location).name for location in result.updated] == ["a.txt"]
    assert encoder.documents == [("new " * 25).strip()]
    assert (result.encoded, result.reused) == (1, before.chunks)
    is_fresh(retriever, folder)


def test_a_moved_or_copied_file_is_not_encoded_again(retriever, encoder, files):
    folder = files({"a.txt": PARAGRAPHS[0], "b.jsonl": '{"id": 1, "text": "one"}\n{"id": 2, "text": "two"}\n'})
    retriever.sync(folder)
    encoder.forget()
    (folder / "a.txt").rename(folder / "moved.txt")
    (folder / "b.jsonl").rename(folder / "moved.jsonl")
    files({"copy.txt": PARAGRAPHS[0]})
    result = retriever.sync(folder)
    assert sorted(Path(location).name for location in result.added) == ["copy.txt", "moved.jsonl", "moved.txt"]
    assert sorted(Path(location).name for location in result.removed) == ["a.txt", "b.jsonl"]
    assert encoder.documents == []
    is_fresh(retriever, folder)


def test_records_are_replaced_one_by_one(retriever, encoder, files):
    lines = [json.dumps({"id": number, "text": f"record {number}"}) for number in range(200)]
    folder = files({"a.jsonl": "\n".join(lines)})
    retriever.sync(folder)
    encoder.forget()
    lines[7] = json.dumps({"id": 7, "text": "seven, changed"})
    files({"a.jsonl": "\n".join([*lines[:150], json.dumps({"id": "new", "text": "a new one"}), *lines[151:]])})
    result = retriever.sync(folder)
    assert encoder.documents == ["seven, changed", "a new one"]
    assert result.encoded == 2
    is_fresh(retriever, folder)


def test_files_that_are_gone_are_removed_only_below_the_paths_and_only_if_asked(retriever, files):
    folder = files({"a/1.txt": "one", "a/2.txt": "two", "b/3.txt": "three"})
    retriever.sync(folder)
    files({"a/1.txt": None, "b/3.txt": None})
    assert retriever.sync(folder / "a", prune=False).removed == ()
    assert retriever.sync(folder / "a").removed == (f"{folder}/a/1.txt",)
    assert set(states(retriever)) == {f"{folder}/a/2.txt", f"{folder}/b/3.txt"}
    assert retriever.sync(folder).removed == (f"{folder}/b/3.txt",)


def test_a_failed_file_keeps_what_it_had(retriever, files):
    folder = files({"a.txt": "good words", "b.jsonl": '{"id": 1, "text": "one"}', "c.txt": "more words"})
    retriever.sync(folder)
    (folder / "a.txt").write_bytes(b"\x00\x01\x02\x03binary\xff\xfe\x00\x00")
    files({"b.jsonl": '{"id": 1, "text": "one"', "c.txt": "other words"})
    result = retriever.sync(folder)
    assert [Path(failed.location).name for failed in result.failed] == ["a.txt", "b.jsonl"]
    assert all(failed.reason.startswith(str(folder)) for failed in result.failed)
    assert [Path(location).name for location in result.updated] == ["c.txt"]
    assert result.removed == ()
    assert {chunk[1] for chunk in contents(retriever).values()} == {"good words", "one", "other words"}


def test_strict_raises(retriever, files):
    folder = files({"a.txt": "good", "b.jsonl": '{"id": 1, "te'})
    with pytest.raises(LoadError, match=r"b\.jsonl"):
        retriever.sync(folder, strict=True)


def test_an_emptied_file_has_no_text_left(retriever, files):
    folder = files({"a.txt": "one"})
    retriever.sync(folder)
    files({"a.txt": ""})
    (failed,) = retriever.sync(folder).failed
    assert failed.reason == f"{folder / 'a.txt'}: is empty"
    assert retriever.search("one") == []
    assert retriever.collection.sources() == []


def test_a_file_given_alone_or_in_overlapping_folders_is_there_once(retriever, files):
    folder = files({"a.txt": "one", "sub/b.txt": "two"})
    retriever.sync([folder, folder / "sub", folder / "a.txt"])
    assert retriever.collection.count() == 2
    assert len(retriever.sync(folder / "sub" / "b.txt").unchanged) == 1


def test_a_named_root(retriever, files):
    folder = files({"a.txt": "one"})
    retriever.sync(folder, as_="handbook")
    assert retriever.search("one")[0].source == "handbook/a.txt"
    folder.rename(folder.with_name("elsewhere"))
    assert len(retriever.sync(folder.with_name("elsewhere"), as_="handbook").unchanged) == 1


def test_a_path_that_is_not_there(retriever, encoder, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        retriever.sync(tmp_path / "nowhere")
    assert encoder.documents == []


def test_what_the_collection_cannot_store_fails_its_file_alone(retriever, files, monkeypatch):
    """A value that no loader should let through is still the fault of one file."""
    from late_rag.collections.local import LocalCollection

    folder = files({"a.txt": "one", "b.txt": "two"})
    written = LocalCollection.replace

    def replace(self, source, *rest):
        if source.path == "a.txt":
            raise InputError("document 'x': metadata: no such type")
        return written(self, source, *rest)

    monkeypatch.setattr(LocalCollection, "replace", replace)
    result = retriever.sync(folder)
    assert [failed.reason for failed in result.failed] == ["document 'x': metadata: no such type"]
    assert len(result.added) == 1


def test_other_documents_are_left_alone(retriever, files):
    retriever.add([Document("mine", "by hand")])
    folder = files({"a.txt": "one"})
    retriever.sync(folder)
    files({"a.txt": None})
    retriever.sync(folder)
    assert [chunk[0] for chunk in contents(retriever).values()] == ["mine"]


def test_progress_counts_files_and_chunks(retriever, files):
    steps: list[Progress] = []
    folder = files({f"{number}.txt": PARAGRAPHS[number % 4] for number in range(30)})
    result = retriever.sync(folder, progress=steps.append)
    assert {step.stage for step in steps} == {"scan", "encode"}
    assert [step for step in steps if step.stage == "scan"][-1] == Progress("scan", 30, 30, "files")
    assert steps[-1] == Progress("encode", result.encoded, result.encoded, "chunks")


def edit(chance: random.Random, files: dict[str, str]) -> None:
    """One change to a few files that share some of their content."""
    name = chance.choice(["a.txt", "b.txt", "sub/a.txt", "c.md", "d.jsonl", "sub/e.jsonl"])
    other = chance.choice(list(files) or [name])
    match chance.randrange(5):
        case 0:
            files.pop(name, None)
        case 1 if other in files and other.endswith("jsonl") == name.endswith("jsonl"):
            files[name] = files[other]
        case 2 if other in files and other.endswith("jsonl") == name.endswith("jsonl"):
            files[name] = files.pop(other)
        case _ if name.endswith("jsonl"):
            keys = chance.sample(range(8), chance.randrange(8))
            records = [
                {"id": key, "text": f"record {chance.randrange(3)}", "year": chance.randrange(2)} for key in keys
            ]
            files[name] = "".join(json.dumps(record) + "\n" for record in records)
        case _:
            parts = [f"{word} " * 25 for word in chance.choices(["ant", "bee", "cat", "dog", "elk"], k=4)]
            files[name] = "\n\n".join(["# Animals", *parts])


def places(retriever: Retriever) -> list[tuple[str, str]]:
    return [(document_id, text) for document_id, text, *_ in contents(retriever).values()]


def test_random_edits_end_where_a_fresh_index_would(retriever, encoder, files):
    """Files are written, changed, moved, copied and removed; after each sync the collection is as if made anew."""
    chance = random.Random(5)
    folder, now = files({"a.txt": "a beginning"}), {}
    for _ in range(40):
        for _ in range(chance.randrange(1, 4)):
            edit(chance, now)
        before = set(places(retriever))
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            path.unlink()
        files(now)
        encoder.forget()
        result = retriever.sync(folder)
        encoded = Counter(encoder.documents)
        is_fresh(retriever, folder)
        after = places(retriever)
        assert result.encoded == encoded.total()
        assert {text for _, text in after} - {text for _, text in before} <= set(encoded)
        assert not encoded - Counter(text for document, text in after if (document, text) not in before)
        assert not retriever.collection.verify().problems


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


def test_two_at_once_on_one_folder(retriever, files):
    folder = files({f"{number}.txt": f"text number {number}" for number in range(60)})
    with Retriever(retriever.collection.location, retriever.encoder) as second:
        threads = [threading.Thread(target=each.sync, args=(folder,)) for each in (retriever, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    is_fresh(retriever, folder)


def test_what_was_deleted_of_a_file_comes_back_with_the_next_sync(tmp_path):
    file = tmp_path / "rules.md"
    file.write_text("# Leave\n\nThirty days.\n\n# Parking\n\nIt is free.\n")
    with Retriever.create(None, HashEncoder(), chunking={"kind": "markdown", "max_tokens": 32}) as retriever:
        retriever.sync(file)
        before = retriever.collection.get_documents([*retriever.collection.document_hashes()])
        count = retriever.collection.count()
        assert count > 1
        (first, *_) = next(iter(retriever.collection.iterate()))
        for selection in ([first[0].id], Selection(document_ids=(first[0].document_id,))):
            assert retriever.delete(selection)
            assert retriever.collection.verify().ok
            assert retriever.sync(file).updated
            assert retriever.collection.count() == count
            assert retriever.collection.get_documents([*retriever.collection.document_hashes()]) == before
        assert not retriever.sync(file).updated
