# %% [markdown]
# # A RAG pipeline over a folder of files, with Haystack
#
# Two pipelines, each in a YAML file beside this page: one turns files of several formats into a collection; the other
# finds fifty passages for a question, puts the five best into the prompt, and a generator answers with its sources.
# Needs `pip install "late-rag[haystack,minilm]"`.

# %%
import asyncio
import os
import re
import tempfile
from pathlib import Path

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")  # this page tells nobody that it was run

from haystack import Document, Pipeline, component
from haystack.components.builders import AnswerBuilder
from haystack.dataclasses import ChatMessage

from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()
COLLECTION = Path(tempfile.mkdtemp()) / "articles.rag"


def pipeline(name: str) -> Pipeline:
    """A pipeline from its file, over the collection of this page."""
    text = (HERE / f"haystack_{name}.yaml").read_text("utf-8")
    return Pipeline.loads(text.replace("articles.rag", COLLECTION.as_posix()))


# %% [markdown]
# ## Index the files
#
# The store encodes what is written, so there is no embedder. Run it twice: passages that did not change are not
# encoded again.

# %%
articles = [HERE / "data" / "xquad-en" / "articles" / topic for topic in ("places", "history")]
indexing = pipeline("indexing")
written = indexing.run({"converter": {"sources": articles}})["writer"]["documents_written"]
store = LateInteractionDocumentStore(COLLECTION.as_posix(), mode="read")
print(f"{written} passages in {store.count_unique_metadata_by_filter({}, ['file_path'])['file_path']} files")
assert store.count_documents() == written

# %% [markdown]
# ## Retrieve, then rank
#
# A document's score is its similarity, from 0 to 1. Reranking pays where the first stage knows less than the ranker:
# the collection keeps a quarter of the rows, and the ranker compares the fifty passages with all of theirs.

# %%
retrieval = pipeline("retrieval")
question = "Which gorge does the Middle Rhine flow through between Bingen and Bonn?"
asked = {name: {"query": question} for name in ("retriever", "ranker", "prompt_builder")}
best: list[Document] = retrieval.run(asked, include_outputs_from={"ranker"})["ranker"]["documents"]
for document in best:
    print(f"{document.score:.2f}  {document.meta['file_path']}, page {document.meta['page_number']}")
    print("      ", document.content[:90].replace("\n", " "))
assert len(best) == 5

# %% [markdown]
# ## Answer, with references
#
# The chat generator here is scripted, so that this page runs anywhere. Put yours in its place, for instance
# `OpenAIChatGenerator(api_base_url=…)`.


# %%
@component
class ScriptedChatGenerator:
    """Reads out the first sentence of the first passage in the prompt."""

    @component.output_types(replies=list[ChatMessage])
    def run(self, messages: list[ChatMessage]) -> dict[str, list[ChatMessage]]:
        """Answers the last message."""
        sentence = re.search(r"\[1\] ([^.]+\.)", messages[0].text).group(1)
        return {"replies": [ChatMessage.from_assistant(f"{sentence} [1]")]}


retrieval.add_component("llm", ScriptedChatGenerator())
retrieval.add_component("answer_builder", AnswerBuilder(reference_pattern=r"\[(\d+)\]"))
retrieval.connect("prompt_builder.prompt", "llm.messages")
retrieval.connect("llm.replies", "answer_builder.replies")
retrieval.connect("ranker.documents", "answer_builder.documents")
asked["answer_builder"] = {"query": question}
(answer,) = retrieval.run(asked)["answer_builder"]["answers"]
print(answer.data, "—", [document.meta["file_path"] for document in answer.documents])

# %% [markdown]
# ## Without blocking the event loop
#
# Encoding and searching are done in threads.

# %%
(again,) = asyncio.run(retrieval.run_async(asked))["answer_builder"]["answers"]
assert again.data == answer.data

# %% [markdown]
# ## Filters, and what a tenant may see
#
# A call's filters replace those of the component, as in all of Haystack. `required_filters` hold whatever a call says.

# %%
only_text = {"field": "meta.mime_type", "operator": "==", "value": "text/plain"}
retriever = LateInteractionRetriever(store, top_k=3, required_filters=only_text)
asked_for = {"field": "meta.page_number", "operator": ">=", "value": 1}
for document in retriever.run(question, filters=asked_for)["documents"]:
    print(f"{document.score:.2f}  {document.meta['file_path']}")
    assert document.meta["file_path"].endswith(".txt")
