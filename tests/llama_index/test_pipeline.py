"""The store where LlamaIndex fills it: ingestion pipelines, and indexes over vector stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import VectorIndexAutoRetriever
from llama_index.core.schema import IndexNode, TextNode, TransformComponent
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores.types import (
    MetadataFilter,
    MetadataFilters,
    MetadataInfo,
    VectorStoreInfo,
    VectorStoreQueryMode,
)

from late_rag.errors import CollectionError
from llama_index.vector_stores.late_rag import LateInteractionVectorStore, PlaceholderEmbedding
from tests.frameworks import HANDBOOK, done_here, watch_work


@pytest.fixture
def store() -> Iterator[LateInteractionVectorStore]:
    with LateInteractionVectorStore() as made:
        yield made


def pages(**changed: str) -> list[Document]:
    """The pages of the handbook, some with another text."""
    return [
        Document(id_=topic, text=changed.get(topic, text), metadata={"topic": topic, "year": year})
        for topic, (year, text) in HANDBOOK.items()
    ]


def pipeline(store: LateInteractionVectorStore, **options: object) -> IngestionPipeline:
    steps: list[TransformComponent] = [SentenceSplitter(chunk_size=64, chunk_overlap=0), PlaceholderEmbedding()]
    return IngestionPipeline(transformations=steps, vector_store=store, **options)  # type: ignore[arg-type]


def documents_of(store: LateInteractionVectorStore) -> list[str]:
    return sorted(str(node.ref_doc_id) for node in store.get_nodes())


async def test_a_pipeline_fills_the_store(store: LateInteractionVectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch_work(monkeypatch)
    nodes = await pipeline(store).arun(documents=pages())
    assert {"encode_documents", "add"} <= seen.keys()
    assert done_here(seen) == []
    assert [node.node_id for node in store.get_nodes()] == [node.node_id for node in nodes]
    assert documents_of(store) == sorted(HANDBOOK)


def test_without_the_placeholder_a_pipeline_stores_nothing(store: LateInteractionVectorStore) -> None:
    """The trap that the placeholder is there for: should LlamaIndex mend it, the placeholder may go."""
    IngestionPipeline(transformations=[SentenceSplitter()], vector_store=store).run(documents=pages())
    assert store.get_nodes() == []


async def test_upserts_replace_what_changed(store: LateInteractionVectorStore) -> None:
    ingest = pipeline(store, docstore=SimpleDocumentStore())
    ingest.run(documents=pages())
    before = {node.ref_doc_id: node.node_id for node in store.get_nodes()}
    assert ingest.run(documents=pages()) == []
    (changed,) = await ingest.arun(documents=pages(leave="Every employee has forty days of paid leave a year."))
    after = {node.ref_doc_id: node.node_id for node in store.get_nodes()}
    assert documents_of(store) == sorted(HANDBOOK)
    assert {topic for topic in HANDBOOK if after[topic] != before[topic]} == {"leave"}
    assert after["leave"] == changed.node_id


def test_upserts_and_deletes_follow_the_documents(store: LateInteractionVectorStore) -> None:
    ingest = pipeline(store, docstore=SimpleDocumentStore(), docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE)
    ingest.run(documents=pages())
    ingest.run(documents=pages()[:3])
    assert documents_of(store) == sorted(list(HANDBOOK)[:3])


def test_documents_that_nothing_splits_are_replaced_and_deleted(store: LateInteractionVectorStore) -> None:
    ingest = IngestionPipeline(
        transformations=[PlaceholderEmbedding()],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    )
    ingest.run(documents=pages())
    ingest.run(documents=pages(travel="Travel is booked by the office.")[:2])
    assert [(node.node_id, node.get_content()) for node in store.get_nodes()] == [
        ("trains", HANDBOOK["trains"][1]),
        ("travel", "Travel is booked by the office."),
    ]


def test_a_cache_gives_the_same_nodes(store: LateInteractionVectorStore) -> None:
    ingest = pipeline(store, cache=IngestionCache())
    first = [node.node_id for node in ingest.run(documents=pages())]
    assert [node.node_id for node in ingest.run(documents=pages())] == first
    assert [node.node_id for node in store.get_nodes()] == first


async def test_an_index_over_the_store(store: LateInteractionVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=PlaceholderEmbedding())
    for page in pages():
        index.insert(page)
    retriever = index.as_retriever(similarity_top_k=2)
    found = retriever.retrieve("Who approves business travel?")
    assert [node.node.ref_doc_id for node in found] == ["travel", "trains"]
    assert found == await retriever.aretrieve("Who approves business travel?")
    assert [node.score for node in found] == sorted((node.score or 0 for node in found), reverse=True)
    assert 0 < (found[0].score or 0) <= 1
    index.delete_ref_doc("travel")
    assert retriever.retrieve("Who approves business travel?")[0].node.ref_doc_id == "trains"
    index.delete_nodes([found[1].node.node_id])
    assert documents_of(store) == sorted(HANDBOOK.keys() - {"travel", "trains"})


async def test_an_index_from_documents(store: LateInteractionVectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex.from_documents(pages(), storage_context=context, embed_model=PlaceholderEmbedding())
    filters = MetadataFilters(filters=[MetadataFilter(key="year", value=2019)])
    narrowed = index.as_retriever(filters=filters, doc_ids=["canteen", "travel"], similarity_top_k=5)
    assert [node.node.ref_doc_id for node in narrowed.retrieve("lunch")] == ["canteen"]
    seen = watch_work(monkeypatch)
    await index.ainsert(Document(id_="printer", text="The printer stands beside the kitchen."))
    (found,) = await index.as_retriever(similarity_top_k=1).aretrieve("where is the printer?")
    assert found.node.ref_doc_id == "printer"
    assert {"encode_documents", "encode_queries", "add", "search"} <= seen.keys()
    assert done_here(seen) == []


def test_options_of_a_search_through_an_index(store: LateInteractionVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=PlaceholderEmbedding())
    index.insert_nodes([TextNode(id_=topic, text=text) for topic, (_, text) in HANDBOOK.items()])
    for mode in (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.HYBRID, VectorStoreQueryMode.MMR):
        retriever = index.as_retriever(vector_store_query_mode=mode, similarity_top_k=1)
        assert retriever.retrieve("fourteen characters")[0].node.node_id == "password"
    sure = index.as_retriever(similarity_top_k=8, vector_store_kwargs={"threshold": 0.6})
    assert [node.node.node_id for node in sure.retrieve("Who approves business travel?")] == ["travel"]


def test_index_nodes_are_followed(store: LateInteractionVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=PlaceholderEmbedding())
    index.insert_nodes([IndexNode(id_="n", text="Everything about travel", index_id="i", obj=TextNode(text="inside"))])
    (found,) = index.as_retriever().retrieve("travel")
    assert found.node.get_content() == "inside"


def test_a_temporary_store_is_not_persisted_in_silence(store: LateInteractionVectorStore, tmp_path: object) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=PlaceholderEmbedding())
    with pytest.raises(CollectionError, match="not kept"):
        index.storage_context.persist(str(tmp_path))


class Scripted(CustomLLM):
    """Always says the same."""

    answer: str

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **kwargs: object) -> CompletionResponse:
        return CompletionResponse(text=self.answer)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: object):  # type: ignore[no-untyped-def]
        yield CompletionResponse(text=self.answer, delta=self.answer)


async def test_an_llm_writes_the_filters(store: LateInteractionVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=PlaceholderEmbedding())
    index.insert_nodes([TextNode(id_=t, text=text, metadata={"year": year}) for t, (year, text) in HANDBOOK.items()])
    answer = '{"query": "travel", "filters": [{"key": "year", "value": 2021, "operator": ">"}], "top_k": 2}'
    info = VectorStoreInfo(
        content_info="a handbook", metadata_info=[MetadataInfo(name="year", type="int", description="of the page")]
    )
    retriever = VectorIndexAutoRetriever(index, vector_store_info=info, llm=Scripted(answer=answer))
    found = retriever.retrieve("newer pages on travel")
    assert [node.node.node_id for node in found][:1] == ["trains"]
    assert all(node.node.metadata["year"] > 2021 for node in found)
    assert found == await retriever.aretrieve("newer pages on travel")


def test_the_placeholder_is_written_down() -> None:
    made = PlaceholderEmbedding()
    assert type(PlaceholderEmbedding.from_dict(made.to_dict())) is PlaceholderEmbedding
    node = TextNode(text="x")
    assert [item.embedding for item in made([node])] == [[1.0]]
    assert made.get_query_embedding("x") == [1.0]
