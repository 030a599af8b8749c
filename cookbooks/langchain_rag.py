# %% [markdown]
# # A RAG chain over a folder of files, with LangChain
#
# Files of several formats become a collection; a question retrieves fifty passages, the five best go into the prompt,
# and the answer comes with its sources. Needs `pip install "late-rag[langchain,minilm]"`.

# %%
import tempfile
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever, late_interaction_tool
from late_rag import Retriever

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()
COLLECTION = Path(tempfile.mkdtemp()) / "articles.rag"

# %% [markdown]
# ## Index the files
#
# Run it twice: the second time nothing is encoded, because nothing changed.

# %%
with Retriever.open(COLLECTION, create=True, pool_factor=4) as writer:
    result = writer.sync(HERE / "data" / "xquad-en" / "articles" / "places")
    print(f"{len(result.added)} files, {result.encoded} passages")
    assert writer.sync(HERE / "data" / "xquad-en" / "articles" / "places").encoded == 0

# %% [markdown]
# ## Retrieve, then rerank
#
# Reranking pays where the first stage knows less than the reranker. Here the collection keeps a quarter of the rows
# (`pool_factor=4`), which is what makes it small; the fifty passages that MaxSim over these and BM25 find together are
# compared again with all of their rows. Each of them is encoded once, then kept. Over whole rows, leave the reranker
# out: the search is exact then.

# %%
retriever = LateInteractionRetriever(collection=str(COLLECTION), k=50, mode="hybrid")
reranker = LateInteractionReranker(model="minilm", top_n=5)
question = "Which gorge does the Middle Rhine flow through between Bingen and Bonn?"
best = reranker.compress_documents(retriever.invoke(question), question)
for document in best:
    print(f"{document.metadata['relevance_score']:.2f}  {Path(document.metadata['source']).name}")
    print("      ", document.page_content[:90].replace("\n", " "))

# %% [markdown]
# ## The chain
#
# The chat model here is scripted, so that this page runs anywhere. Put yours in its place, for instance
# `ChatOpenAI(base_url=…)`.

# %%
model = FakeListChatModel(responses=["The Rhine Gorge.", "The Rhine Gorge."])
prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from these passages only, and say so if they do not tell.\n\n{context}"),
        ("human", "{question}"),
    ]
)


def find(question: str) -> list[Document]:
    """The five best passages."""
    return list(reranker.compress_documents(retriever.invoke(question), question))


def shown(documents: list[Document]) -> str:
    """Passages as the prompt has them, each with its source."""
    return "\n\n".join(f"[{Path(d.metadata['source']).name}]\n{d.page_content}" for d in documents)


answer = RunnablePassthrough.assign(context=lambda state: shown(state["sources"])) | prompt | model | StrOutputParser()
chain = {"sources": RunnableLambda(find), "question": RunnablePassthrough()} | RunnablePassthrough.assign(answer=answer)
state = chain.invoke(question)
print(state["answer"], "—", sorted({Path(document.metadata["source"]).name for document in state["sources"]}))
assert len(state["sources"]) == 5

# %% [markdown]
# ## Stream it

# %%
for piece in chain.stream(question):
    print(piece.get("answer", ""), end="")
print()

# %% [markdown]
# ## Filters, context, and why a passage was found

# %%
(first,) = retriever.invoke(question, k=1, filter='mime_type != "application/pdf"', expand="document")
print(len(first.page_content), "characters found, in a document of", len(first.metadata["context"]))
explained = LateInteractionRetriever(collection=str(COLLECTION), k=1, token_matches=True)
(first,) = explained.invoke(question)
for match in first.metadata["token_matches"]:
    print(f"{match['similarity']:.2f}  {match['query_token']:12} {match['token']}")

# %% [markdown]
# ## A tool for an agent

# %%
tool = late_interaction_tool(retriever, name="articles", description="Searches articles about places.")
print(tool.args)
print(tool.invoke({"query": question, "k": 1})[:200])
