"""The reranker: order, cache, collection, odd inputs."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import Chunk, Hit, Reranker, Retriever
from late_rag.embedding_cache import EmbeddingCache
from late_rag.errors import CollectionError, CollectionNotFoundError, InputError, ModelError, ModelMismatchError
from late_rag.reranker import Ranked
from late_rag.testing import HashEncoder
from late_rag.types import Document, TokenEmbeddings

WORDS = ["ant", "bee", "cat", "dog", "elk", "fox"]


class CountingEncoder(HashEncoder):
    """Remembers which texts it encoded, and on which threads."""

    def __init__(self) -> None:
        super().__init__(document_length=33)
        self.documents: list[str] = []
        self.queries: list[str] = []
        self.threads: set[str] = set()

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        chunks = list(chunks)
        self.documents += [chunk.encoded_text for chunk in chunks]
        self.threads.add(threading.current_thread().name)
        return super().encode_documents(chunks, documents)

    def encode_queries(self, queries: Sequence[str]) -> list[TokenEmbeddings]:
        self.queries += queries
        return super().encode_queries(queries)


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def reranker(encoder: CountingEncoder) -> Reranker:
    return Reranker(encoder=encoder)


def naive(encoder: HashEncoder, query: str, texts: Sequence[str]) -> list[tuple[float, int]]:
    """The definition: the sum over the query's tokens of the best dot product, best first, ties in input order."""
    (rows,) = encoder.encode_queries([query])
    tokens = encoder.encode_documents([Chunk(str(number), "d", text) for number, text in enumerate(texts)])
    scores = [
        (sum(max(float(q @ d) for d in document) for q in rows), number)
        for number, document in enumerate(tokens)
        if len(document)
    ]
    return sorted(scores, key=lambda pair: (-round(pair[0], 4), pair[1]))


TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join), max_size=12)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["ant", "bee cat", "dog dog owl"]), TEXTS, st.none() | st.integers(1, 5))
def test_the_order_is_that_of_the_definition(query, texts, top_k):
    encoder = HashEncoder()
    ranked = Reranker(encoder=encoder).rerank(query, texts, top_k)
    expected = naive(encoder, query, texts)[:top_k]
    assert [hit.index for hit in ranked] == [number for _, number in expected]
    assert [hit.score for hit in ranked] == pytest.approx([score for score, _ in expected], abs=1e-4)


def test_texts_chunks_and_hits_in_one_list(reranker):
    chunk = Chunk("c", "d", "bee", metadata={"year": 1}, extra={"private": 1})
    hit = Hit(Chunk("h", "d", "cat"), 7.0, 0.7, source="a.txt", context="around it")
    ranked = reranker.rerank("ant bee cat", ["ant", chunk, hit])
    assert [type(result) for result in ranked] == [Ranked, Ranked, Ranked]
    by_index = {result.index: result for result in ranked}
    assert by_index[0].chunk.text == "ant"
    assert by_index[0].chunk.id == by_index[0].chunk.document_id == Document(text="ant").id
    assert by_index[1].chunk is chunk
    assert (by_index[2].chunk, by_index[2].source, by_index[2].context) == (hit.chunk, "a.txt", "around it")
    assert by_index[2].score != 7.0
    assert by_index[2].similarity == pytest.approx(by_index[2].score / 4)
    assert (hit.score, hit.similarity) == (7.0, 0.7)


def test_equal_candidates_score_the_same_and_keep_their_order(reranker):
    ranked = reranker.rerank("ant", ["bee", *["ant cat"] * 300, Chunk("c", "d", "ant cat")])
    assert [hit.index for hit in ranked[:301]] == list(range(1, 302))
    assert len({hit.score for hit in ranked[:301]}) == 1


def test_nothing_to_rank(reranker, encoder):
    assert reranker.rerank("ant", []) == []
    assert reranker.rerank_batch(["ant", "bee"], [[], []]) == [[], []]
    assert reranker.rerank_batch([], []) == []
    assert encoder.queries == []


def test_candidates_without_text_are_left_out(reranker):
    ranked = reranker.rerank("ant", ["", "ant", " \n", Chunk("c", "d", ""), "\0"])
    assert [hit.index for hit in ranked] == [1]


def test_each_content_is_encoded_once_in_a_call_and_between_calls(reranker, encoder):
    texts = ["ant", "bee", "ant", Chunk("c", "d", "bee"), Chunk("e", "d", "x", embed_text="ant")]
    reranker.rerank("ant", texts)
    assert encoder.documents == ["ant", "bee"]
    reranker.rerank_batch(["bee", "cat"], [texts, ["cat", "bee", "cat"]])
    assert encoder.documents == ["ant", "bee", "cat"]
    assert encoder.queries == ["ant", "bee", "cat"]


def test_without_a_cache_a_batch_still_encodes_each_content_once(encoder):
    reranker = Reranker(encoder=encoder, cache_bytes=0)
    reranker.rerank_batch(["ant", "bee"], [WORDS, WORDS])
    assert encoder.documents == WORDS
    reranker.rerank("ant", WORDS)
    assert encoder.documents == WORDS * 2


def test_a_batch_gives_what_each_query_gives(encoder):
    queries = ["ant bee", "cat", "dog elk"]
    lists = [WORDS, [f"{word} bee" for word in WORDS], [" ".join(WORDS)]]
    one_by_one = [Reranker(encoder=encoder).rerank(*pair, top_k=4) for pair in zip(queries, lists, strict=True)]
    assert Reranker(encoder=encoder).rerank_batch(iter(queries), iter(lists), top_k=4) == one_by_one


def test_many_candidates(encoder):
    texts = [f"{number} ant" for number in range(3000)]
    ranked = Reranker(encoder=encoder).rerank_batch(["1234 ant", "77"], [texts, texts[:100]])
    assert [hits[0].index for hits in ranked] == [1234, 77]
    assert [len(hits) for hits in ranked] == [3000, 100]


def test_chunks_that_the_collection_holds_are_not_encoded(tmp_path, encoder):
    with Retriever.create(tmp_path / "c.rag", encoder) as retriever:
        retriever.add([Chunk(f"c{number}", "d", f"{word} bee") for number, word in enumerate(WORDS)])
        hits = retriever.search("ant bee", top_k=6)
        encoder.documents.clear()
        reranker = Reranker(encoder=encoder, collection=tmp_path / "c.rag")
        reranker.rerank("warm up", hits[:1])  # the probe
        encoder.documents.clear()
        ranked = reranker.rerank("ant bee", hits[::-1])
        assert encoder.documents == []
        assert [hit.score for hit in ranked] == pytest.approx([hit.score for hit in hits], rel=1e-5)
        changed = Chunk("c0", "d", "owl bee")
        assert reranker.rerank("owl", [*hits, changed, "ant bee", "new"])[0].index == 6
        assert encoder.documents == ["owl bee", "new"]  # "ant bee" is content that the collection holds


def test_another_model_than_the_collections(tmp_path, encoder):
    with Retriever.create(tmp_path / "c.rag", encoder):
        pass
    with pytest.raises(ModelMismatchError, match=r"'hash'.*'other'"):
        Reranker(encoder=HashEncoder(model="other"), collection=tmp_path / "c.rag").rerank("ant", ["bee"])


def test_a_collection_that_is_not_there(tmp_path):
    with pytest.raises(CollectionNotFoundError):
        Reranker(collection=tmp_path / "c.rag")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.rerank("", ["a"]), "query is ''"),
        (lambda r: r.rerank("q", "a text"), "candidates must be a list"),
        (
            lambda r: r.rerank("q", Chunk("c", "d", "x")),
            "candidates must be a list of texts, chunks or hits, not a Chunk",
        ),
        (lambda r: r.rerank("q", None), "not a NoneType"),
        (lambda r: r.rerank("q", ["a", 5]), r"candidates\[1\] must be a text, a chunk or a hit, not a int"),
        (lambda r: r.rerank("q", ["\ud800"]), r"candidates\[0\] has a lone surrogate"),
        (lambda r: r.rerank("q", ["a"], 0), "top_k must be a whole number of at least 1, not 0"),
        (lambda r: r.rerank("q", ["a"], "5"), "not '5'"),
        (lambda r: r.rerank_batch("q", [["a"]]), "queries must be a sequence"),
        (lambda r: r.rerank_batch(["q", "r"], [["a"]]), "2 queries came with 1 lists"),
        (lambda r: r.rerank_batch(["q"], ["a"]), "candidates of query 0 must be a list"),
        (lambda r: r.rerank_batch(["q", " "], [["a"], []]), "query 1 is ' '"),
        (lambda r: Reranker(cache_bytes=-1), "cache_bytes must be a whole number of at least 0, not -1"),
        (lambda r: Reranker("minilm", encoder=HashEncoder()), "a model .'minilm'. or an encoder .'hash'., not both"),
    ],
)
def test_what_cannot_be_is_named_before_anything_is_encoded(reranker, encoder, call, message):
    with pytest.raises(InputError, match=message):
        call(reranker)
    assert (encoder.queries, encoder.documents) == ([], [])


def test_the_async_twins_run_beside_the_loop(reranker, encoder):
    async def main() -> None:
        assert await reranker.arerank("ant", WORDS, top_k=2) == expected[:2]
        assert await reranker.arerank_batch(["ant"], [WORDS]) == [expected]

    expected = Reranker(encoder=HashEncoder(document_length=33)).rerank("ant", WORDS)
    asyncio.run(main())
    assert encoder.threads
    assert threading.main_thread().name not in encoder.threads


def test_eight_threads(reranker, encoder):
    expected = [naive(encoder, word, WORDS) for word in WORDS]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda word: reranker.rerank(word, WORDS), WORDS * 20))
    assert [[hit.index for hit in hits] for hits in found] == [[number for _, number in e] for e in expected] * 20


def test_close_forgets_and_it_goes_on(encoder):
    with Reranker(encoder=encoder) as reranker:
        reranker.rerank("ant", WORDS)
    assert reranker.rerank("ant", WORDS)[0].index == 0
    assert encoder.documents == WORDS * 2


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=60))
def test_the_cache_keeps_what_was_used_last_within_its_bytes(steps):
    cache, model, sizes = EmbeddingCache(6000), list[int](), {number: number + 1 for number in range(9)}
    for is_put, number in steps:
        key = (str(number), "model", "variant")
        if is_put:
            cache.put(key, np.zeros((sizes[number], 128), np.float32))
            if number not in model:
                model.append(number)
            while sum(sizes[entry] * 512 + 512 for entry in model) > 6000:
                model.pop(0)
        else:
            assert (cache.get(key) is not None) == (number in model)
            if number in model:
                model.remove(number)
                model.append(number)
        assert cache.bytes == sum(sizes[entry] * 512 + 512 for entry in model) <= 6000
        assert len(cache) == len(model)


def test_the_cache_keeps_no_larger_array_alive_than_it_counts():
    cache = EmbeddingCache(10_000)
    large = np.zeros((1000, 128), np.float32)
    cache.put(("a", "m", "v"), large[:2])
    kept = cache.get(("a", "m", "v"))
    assert kept is not None
    assert kept.base is None


@pytest.mark.parametrize("copied", [lambda given: pickle.loads(pickle.dumps(given)), copy.deepcopy])
def test_a_copy_ranks_the_same(tmp_path, copied):
    encoder = HashEncoder()
    with Retriever.create(tmp_path / "c.rag", encoder) as retriever:
        retriever.add([Chunk(word, "d", word) for word in WORDS])
    for reranker in (
        Reranker(encoder=encoder, cache_bytes=5000),
        Reranker(encoder=encoder, collection=str(tmp_path / "c.rag")),
    ):
        expected = reranker.rerank("ant bee", WORDS)
        made = copied(reranker)
        assert made.rerank("ant bee", WORDS) == expected
        assert copied(made).rerank("ant bee", WORDS) == expected


def test_a_copy_of_one_whose_model_is_not_loaded_loads_none():
    with pytest.raises(ModelError, match="nowhere"):
        pickle.loads(pickle.dumps(Reranker("./nowhere"))).rerank("ant", WORDS)


def test_a_temporary_collection_is_not_pickled():
    with Retriever.create(None, HashEncoder()) as retriever, pytest.raises(CollectionError, match="temporary"):
        pickle.dumps(Reranker(encoder=HashEncoder(), collection=retriever.collection))


def test_a_passage_that_was_encoded_below_its_heading_is_known_by_its_text(tmp_path, encoder):
    held = Chunk("a", "d", "w1 w2 w3", embed_text="heading\nw1 w2 w3")
    with Retriever.create(tmp_path / "c.rag", encoder) as retriever:
        retriever.add([held])
        encoder.documents.clear()
        reranker = Reranker(encoder=encoder, collection=retriever.collection)
        (known,) = reranker.rerank("w1 heading", [Chunk("a", "d", "w1 w2 w3")])
        assert encoder.documents == []
        assert known.score == reranker.rerank("w1 heading", [held])[0].score
        reranker.rerank("w1", [Chunk("a", "d", "w1 w2 w4"), Chunk("b", "d", "w1 w2 w3")])
        assert encoder.documents == ["w1 w2 w4", "w1 w2 w3"]


def test_what_a_shared_reranker_encoded_no_other_encodes(tmp_path, monkeypatch):
    from late_rag.encoders.onnx import OnnxEncoder
    from late_rag.reranker import shared_reranker

    location = tmp_path / "c.rag"
    with pytest.raises(CollectionNotFoundError):
        shared_reranker(None, location)
    Retriever.create(location).close()
    seen: list[str] = []
    encode = OnnxEncoder.encode_documents

    def watched(self, chunks, documents=None):
        chunks = list(chunks)
        seen.extend(chunk.text for chunk in chunks)
        return encode(self, chunks, documents)

    monkeypatch.setattr(OnnxEncoder, "encode_documents", watched)
    passage = "A passage that only this test has."
    first = shared_reranker("minilm", None).rerank("which passage?", [passage])
    assert seen == [passage]
    held = shared_reranker(None, location)
    assert held.collection is not None
    assert held.rerank("which passage?", [passage])[0].score == first[0].score
    held.collection.close()
    assert shared_reranker(None, str(location)).rerank("which passage?", [passage])[0].score == first[0].score
    assert seen.count(passage) == 1


def test_equal_texts_are_scored_by_what_stands_in_front_of_each():
    encoder = CountingEncoder()
    stored = [
        Chunk("p", "p", "w9 w8", embed_text="w1 w2\nw9 w8"),
        Chunk("l", "l", "w9 w8", embed_text="w5 w6\nw9 w8"),
        Chunk("n", "n", "w9 w8"),
    ]
    plain = {chunk.id: Chunk(chunk.id, chunk.id, chunk.text) for chunk in stored}
    plain["new"] = Chunk("new", "new", "w9 w8")
    with Retriever.create(None, encoder) as retriever:
        retriever.add(stored)
        reranker = Reranker(encoder=encoder, collection=retriever.collection)
        expected = {hit.chunk.id: hit.score for hit in retriever.search("w5 w6", 10)}
        expected["new"] = expected["n"]
        assert expected["l"] > expected["p"] > 0
        for order in ("p l n new", "new l p n", "l p", "n p new l"):
            ranked = reranker.rerank("w5 w6", [plain[name] for name in order.split()])
            assert {hit.chunk.id: pytest.approx(hit.score, abs=0.02) for hit in ranked} == {
                name: expected[name] for name in order.split()
            }


def test_another_model_or_other_rows_are_worth_reranking(tmp_path):
    hits = {}
    for name, options in (("whole", {}), ("pooled", {"pool_factor": 2})):
        with Retriever.create(tmp_path / f"{name}.rag", HashEncoder(), **options) as retriever:
            retriever.add([Chunk(word, "d", f"{word} bee cat dog ant") for word in WORDS])
            hits[name] = retriever.search("ant bee", lambda_mult=0.0)
    encoder = CountingEncoder()
    Reranker(encoder=encoder).rerank("ant bee", hits["pooled"])
    assert len(encoder.documents) == len(WORDS)
    other = Reranker(encoder=HashEncoder(model="other")).rerank("ant bee", hits["whole"])
    assert [hit.score for hit in other] == sorted((hit.score for hit in other), reverse=True)
    with pytest.raises(ModelMismatchError):
        Reranker(encoder=HashEncoder(model="other"), collection=tmp_path / "whole.rag").rerank("ant bee", hits["whole"])
