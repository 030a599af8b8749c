"""Pages of a handbook, as the tests of the index put them in."""

from __future__ import annotations

from llama_index.core import Document

from tests.frameworks import HANDBOOK

LONG = " ".join(f"Rule {number} of the handbook is about the matter of paragraph {number}." for number in range(30))


def pages(**changed: str) -> list[Document]:
    """The pages of the handbook and a long one; some with another text."""
    texts = {topic: text for topic, (_, text) in HANDBOOK.items()} | {"rules": LONG} | changed
    return [
        Document(
            id_=topic,
            text=text,
            metadata={"topic": topic, "length": len(text)},
            excluded_llm_metadata_keys=["length"],
            excluded_embed_metadata_keys=["topic", "length"],
        )
        for topic, text in texts.items()
    ]
