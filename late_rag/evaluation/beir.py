"""Test collections in the layout of BEIR (Thakur et al. 2021, arXiv 2104.08663).

corpus.jsonl     {"_id": "d1", "title": "…", "text": "…"}, one document a line
queries.jsonl    {"_id": "q1", "text": "…"}, one query a line
qrels/test.tsv   query-id, corpus-id and score, with tabs between them
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from late_rag.errors import InputError
from late_rag.types import Document

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BeirCollection:
    """Queries with judgements, and a corpus that is read from its file whenever it is iterated."""

    name: str
    corpus: Path
    document_count: int
    queries: dict[str, str]
    """Text by query id: the queries that have judgements, in the order of their file."""

    judgements: dict[str, dict[str, int]]
    """Grade by document id, by query id."""

    def documents(self, titles: bool = False) -> Iterator[Document]:
        """The documents in the order of their file; their text with the title in a line before it, if asked.

        The title is not in the metadata, from where the chunker would take it into what is encoded.
        """
        for number, data in _lines(self.corpus):
            title, text = _text(data, "title", self.corpus, number, ""), _text(data, "text", self.corpus, number)
            parts = [part for part in (title if titles else "", text) if part]
            yield Document(_identity(data, self.corpus, number), "\n".join(parts))


def load_beir(folder: str | Path) -> BeirCollection:
    """Reads and checks a folder in BEIR layout; the corpus is checked too, but not kept.

    Of the judgements ``qrels/test.tsv`` is read, or the only file there is.

    Raises:
        InputError: a file is missing or not what it should be; names the file, and the line where there is one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; an evaluation needs one with corpus.jsonl, queries.jsonl, qrels/")
    judgements = _read_judgements(_judgement_file(folder / "qrels"))
    queries = _read_queries(folder / "queries.jsonl", judgements)
    corpus = folder / "corpus.jsonl"
    identities = _corpus_identities(corpus)
    _report_unknown(folder, judgements, queries, identities)
    return BeirCollection(folder.resolve().name, corpus, len(identities), queries, judgements)


def _judgement_file(folder: Path) -> Path:
    files = sorted(folder.glob("*.tsv"))
    test = folder / "test.tsv"
    if test in files:
        return test
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "no .tsv file"
        raise InputError(f"{folder}: expected test.tsv, or one file alone; there is {found}")
    return files[0]


def _read_judgements(file: Path) -> dict[str, dict[str, int]]:
    judgements: dict[str, dict[str, int]] = {}
    for number, line in _text_lines(file):
        parts = line.split("\t")
        if number == 1 and parts[-1].strip().lower() == "score":
            continue
        if len(parts) != 3:
            raise InputError(f"{file}, line {number}: expected query-id, corpus-id and score, got {line[:80]!r}")
        query, document, grade = parts[0], parts[1], _grade(parts[2], file, number)
        if judgements.setdefault(query, {}).setdefault(document, grade) != grade:
            raise InputError(
                f"{file}, line {number}: query {query!r} and document {document!r} have another score above"
            )
    return judgements


def _grade(text: str, file: Path, number: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{file}, line {number}: the score {text.strip()!r} is not a whole number") from None


def _read_queries(file: Path, judgements: dict[str, dict[str, int]]) -> dict[str, str]:
    queries: dict[str, str] = {}
    for number, data in _lines(file):
        identity, text = _identity(data, file, number), _text(data, "text", file, number)
        if not text.strip():
            raise InputError(f"{file}, line {number}: the query {identity!r} has no text")
        if identity in queries:
            raise InputError(f"{file}, line {number}: the id {identity!r} is there twice")
        queries[identity] = text
    judged = {identity: text for identity, text in queries.items() if identity in judgements}
    if not judged:
        raise InputError(f"{file}: none of its {len(queries)} queries has a judgement")
    return judged


def _corpus_identities(file: Path) -> set[str]:
    found: set[str] = set()
    for number, data in _lines(file):
        identity = _identity(data, file, number)
        _text(data, "text", file, number)
        if identity in found:
            raise InputError(f"{file}, line {number}: the id {identity!r} is there twice")
        found.add(identity)
    if not found:
        raise InputError(f"{file}: holds no documents")
    return found


def _report_unknown(
    folder: Path, judgements: dict[str, dict[str, int]], queries: dict[str, str], identities: set[str]
) -> None:
    judged = {document for query in queries for document in judgements[query]}
    if unknown := judged - identities:
        logger.warning("%s: %d judged documents are not in the corpus; they count as not found", folder, len(unknown))


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number from 1 and object, for each line that is not blank."""
    for number, line in _text_lines(file):
        try:
            data = json.loads(line)
        except ValueError as error:
            raise InputError(f"{file}, line {number}: not JSON: {error}") from error
        if not isinstance(data, dict):
            raise InputError(f"{file}, line {number}: expected a JSON object, got {line[:80]!r}")
        yield number, data


def _text_lines(file: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}, after line {number}: not UTF-8: {error}") from error


def _identity(data: dict[str, Any], file: Path, number: int) -> str:
    identity = data.get("_id")
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise InputError(f'{file}, line {number}: "_id" must be a text that is not empty, not {identity!r}')
    return str(identity)


def _text(data: dict[str, Any], name: str, file: Path, number: int, default: str | None = None) -> str:
    text = data.get(name, default)
    if text is None and default is not None:
        return default
    if not isinstance(text, str):
        raise InputError(f'{file}, line {number}: "{name}" must be a text, not {text!r}')
    return text
