"""``Retriever.sync``: the collection holds what the files hold, and only what changed is encoded."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from late_rag import Retriever
from late_rag.errors import InputError, LoadError, ModelError
from late_rag.filters.selection import Selection
from late_rag.testing import HashEncoder
from late_rag.types import Document, Progress
from tests.retriever.fresh import PARAGRAPHS, contents, is_fresh, states


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
