"""What the adapters share: collections as configuration, stores, hits as metadata, tools' filters."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from late_rag import Chunk, Document, F, Hit, Retriever, load_encoder
from late_rag.adapters import (
    CollectionError,
    ConflictError,
    HitFields,
    InputError,
    StoreHolder,
    agent_filter,
    anchored,
    check_collection,
    check_owners,
    filter_description,
    known,
    location_of,
    narrowed,
    parse,
    seen_from,
    shared_reranker,
)
from late_rag.errors import CollectionNotFoundError, CollectionReadOnlyError, FilterError
from late_rag.testing import HashEncoder


def test_a_collection_is_a_location_or_one_that_is_open(tmp_path: Path) -> None:
    with Retriever.create(None) as temporary, Retriever.create(tmp_path / "c.rag") as stored:
        for given in ("c.rag", tmp_path, temporary.collection):
            assert check_collection(given) == given
        assert location_of(stored.collection) == str(tmp_path / "c.rag")
        assert location_of(tmp_path) == str(tmp_path)
        with pytest.raises(CollectionError, match="is a temporary collection, which lives in this process only; copy"):
            location_of(temporary.collection)
    for wrong in (3, None, ["c.rag"], object()):
        with pytest.raises(InputError, match="location"):
            check_collection(wrong)


def test_a_store_is_configuration_and_shares_its_retriever(tmp_path: Path) -> None:
    holder = StoreHolder(tmp_path / "c.rag", None, "write", {"chunking": "whole"})
    with pytest.raises(CollectionNotFoundError, match=r"c\.rag"):
        holder.retriever()
    assert not (tmp_path / "c.rag").exists()
    holder.writable()
    for copied in (pickle.loads(pickle.dumps(holder)), copy.deepcopy(holder)):
        assert copied.retriever() is holder.retriever()
    assert holder.retriever().collection.settings.chunking["kind"] == "whole"
    with pytest.raises(CollectionNotFoundError):
        StoreHolder(tmp_path / "d.rag", None, "read", {}).retriever()
    with pytest.raises(InputError, match="starts empty"):
        StoreHolder(None, None, "read", {})


def test_a_relative_location_is_seen_from_where_a_component_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    holder, folder = StoreHolder("c.rag", None, "write", {}), seen_from("c.rag")
    monkeypatch.chdir("/")
    assert holder.writable().collection.location == anchored("c.rag", folder) == str(tmp_path / "c.rag")
    assert holder.place == str(tmp_path / "c.rag")
    with Retriever.create(None) as temporary:
        for given in (str(tmp_path / "c.rag"), "memory://c.rag", temporary.collection, None):
            assert seen_from(given) is None
            assert anchored(given, None) is given


def test_a_collection_that_was_made_otherwise_is_refused(tmp_path: Path) -> None:
    StoreHolder(tmp_path / "c.rag", None, "write", {"storage": "float16", "chunking": "whole"}).writable()
    for create in ({}, {"chunking": "whole"}, {"storage": "float16"}):
        assert StoreHolder(tmp_path / "c.rag", None, "write", create).retriever().collection.count() == 0
    opened = StoreHolder(tmp_path / "c.rag", None, "read", {}).retriever().collection
    for collection in (tmp_path / "c.rag", opened):
        for mode in ("read", "write"):
            holder = StoreHolder(collection, None, mode, {"storage": "int8"})
            for ask in (holder.retriever, holder.writable) if mode == "write" else (holder.retriever,):
                with pytest.raises(InputError, match=r"storage is 'int8', but the collection .* made with 'float16'"):
                    ask()


def test_a_temporary_store_goes_with_its_holder() -> None:
    holder = StoreHolder(None, None, "write", {})
    folder = Path(holder.retriever().collection.location)
    assert folder.is_dir()
    with pytest.raises(CollectionError, match="this process only"):
        pickle.dumps(holder)
    holder.close()
    assert not folder.exists()
    with pytest.raises(CollectionError, match="temporary and is closed"):
        holder.retriever()


def test_a_temporary_collection_lives_as_long_as_anybody_has_it() -> None:
    holder = StoreHolder(None, None, "write", {})
    collection = holder.retriever().collection
    folder = Path(collection.location)
    del holder
    gc.collect()
    assert collection.count() == 0
    del collection
    gc.collect()
    assert not folder.exists()


FORKED = """
import os, sys
from late_rag import Retriever
from late_rag.testing import HashEncoder

collection = Retriever.create(None, HashEncoder()).collection
child = os.fork()
if child == 0:
    collection.close()
    sys.exit(0)  # with all that is done at the end of a process
assert os.waitpid(child, 0)[1] == 0
print(collection.count(), os.path.isdir(collection.location), collection.location)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_leaves_a_temporary_collection_to_the_process_that_made_it() -> None:
    ran = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, timeout=60)
    count, there, location = ran.stdout.split()
    assert (count, there) == ("0", "True")
    assert not Path(location).exists()


def test_who_reads_never_writes_though_the_process_does(tmp_path: Path) -> None:
    StoreHolder(tmp_path / "c.rag", None, "write", {}).writable().add([Chunk("a", "a", "one")])
    reading = StoreHolder(tmp_path / "c.rag", None, "read", {})
    with pytest.raises(CollectionReadOnlyError, match="mode='write'"):
        reading.writable()
    with pytest.raises(CollectionReadOnlyError, match="open for reading"):
        reading.retriever().delete(["a"])
    assert reading.retriever().collection.count() == 1


def test_no_passage_is_torn_out_of_a_document() -> None:
    with Retriever.create(None) as retriever:
        retriever.add([Chunk("a#0", "a", "one"), Chunk("b", "b", "two")])
        check_owners(retriever, [Chunk("a#0", "a", "three"), Document(id="b", text="four"), Document(id="c")])
        for item in (Document(id="a#0", text="three"), Chunk("a#0", "b", "three")):
            with pytest.raises(ConflictError, match="'a#0' is a passage of the document 'a'"):
                check_owners(retriever, [item])
        with pytest.raises(ConflictError, match="'b' is a document of its own"):
            check_owners(retriever, [Chunk("b", "a", "three")])


def test_what_is_known_of_a_hit_never_hides_what_the_document_says() -> None:
    hit = Hit(Chunk("a#0", "a", "x", metadata={"source": "mine", "late_rag_source": 2}), 7.5, 0.5, "handbook/a.md")
    assert known(hit, HitFields()) == {"late_rag_late_rag_source": "handbook/a.md"}
    fields = HitFields(score="score", similarity="similarity", chunk_id="chunk", document_id="of", source="file")
    expected = {"score": 7.5, "similarity": 0.5, "chunk": "a#0", "of": "a", "file": "handbook/a.md"}
    assert known(hit, fields) == expected
    assert known(hit, HitFields(source=None)) == {}


def test_an_agents_filter_narrows() -> None:
    own, given = F("year") >= 2020, F("topic") == "x"
    assert narrowed(None, None) is None
    assert narrowed(own, None) is own
    assert narrowed(None, given) is given
    assert narrowed(own, given) == (own & given)
    assert filter_description().startswith("Restricts")
    assert filter_description({"year": "of the rule"}).endswith("Keys:\n- year: of the rule")


def test_a_store_loads_its_model_with_the_options_given(tmp_path: Path) -> None:
    location = tmp_path / "c.rag"
    holder = StoreHolder(location, None, "write", {}, {"device": "cpu", "precision": "int8"})
    assert holder.writable().add([Chunk("a", "a", "one")]).added == 1
    plain = StoreHolder(location, None, "write", {})
    assert holder.retriever().encoder is load_encoder("minilm", device="cpu", precision="int8")
    assert plain.retriever().encoder is load_encoder("minilm") is not holder.retriever().encoder
    for copied in (pickle.loads(pickle.dumps(holder)), copy.deepcopy(holder)):
        assert copied.retriever() is holder.retriever()
    assert pickle.loads(pickle.dumps(holder.retriever())).encoder is holder.retriever().encoder
    with pytest.raises(InputError, match="device is 'abacus'"):
        StoreHolder(location, None, "write", {}, {"device": "abacus"}).retriever().search("one")
    with pytest.raises(InputError, match="device is 'abacus'"):
        shared_reranker("minilm", encoder_options={"device": "abacus"}).rerank("one", ["two"])


def test_an_agent_is_not_told_of_fields_that_only_others_have(tmp_path: Path) -> None:
    with Retriever.create(tmp_path / "c.rag", HashEncoder()) as retriever:
        retriever.add([Document("a", "one", {"tenant": "a", "color": "red"}), Document("b", "two", {"salary": 1})])
        for given in ("year >= 2020", "tenant =="):
            with pytest.raises(FilterError, match=r"Fields to filter by: color, tenant\. Leave"):
                agent_filter(given, retriever.collection, None, parse('tenant == "a"'))
            with pytest.raises(FilterError, match=r"Fields to filter by: color, salary, tenant\. Leave"):
                agent_filter(given, retriever.collection)
