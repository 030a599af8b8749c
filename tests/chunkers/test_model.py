"""With the real model: what is chunked is encoded in one pass, whole."""

from __future__ import annotations

import json
import string

from late_rag.chunkers import load_chunker
from late_rag.encoders import load_encoder
from late_rag.types import Document


def test_chunks_fit_the_embedded_model(data_folder):
    encoder = load_encoder("minilm")
    chunker = load_chunker({"overlap": 16}, encoder)
    lines = (data_folder / "xquad-en" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    text = "\n\n".join(record["text"] for record in records)
    chunks = list(chunker(Document(text=text, metadata={"title": records[0]["title"]})))
    sizes = [len(encoder.tokenizer.encode(chunk.encoded_text, add_special_tokens=False).ids) for chunk in chunks]
    assert encoder.document_capacity < encoder.document_length
    assert max(sizes) <= encoder.document_capacity
    assert sum(sizes) > 0.7 * len(sizes) * encoder.document_capacity

    fullest = chunks[sizes.index(max(sizes))]
    (rows,) = encoder.encode_documents([fullest])
    regions = encoder.token_regions(fullest)
    assert len(rows) == len(regions) <= encoder.document_length
    last_word = fullest.text.rstrip(string.punctuation)  # the model has no rows for punctuation
    assert max(region.end for region in regions if region is not None) >= len(last_word)
