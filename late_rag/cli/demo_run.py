"""What the demonstration measures: how long each stage takes, and how good the answers are."""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from late_rag import road
from late_rag.chunkers import load_chunker
from late_rag.cli.demo_corpus import DemoCorpus, Question, normalised
from late_rag.loaders import load
from late_rag.measures import Grades, mrr, ndcg
from late_rag.types import Progress

if TYPE_CHECKING:
    from late_rag.protocols import Collection, Encoder
    from late_rag.retriever import Retriever
    from late_rag.road import Passage
    from late_rag.types import Report, TokenEmbeddings

DEPTH = 10
"""How many hits of each question count."""

Ranking = list[str]
"""Ids of chunks, best first."""

Quality = dict[str, float]
"""Means over all questions, by measure."""


@dataclass(frozen=True)
class Results:
    """Quality of both engines over the same chunks, and where the time went."""

    questions: int
    unanswerable: int
    """Questions none of whose answers stands whole in one chunk of the article."""
    late_interaction: Quality
    bm25: Quality
    seconds: dict[str, float]
    """Of the stages of indexing."""
    milliseconds: dict[str, float]
    """Median times of the stages of a question."""

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)


def run(retriever: "Retriever", corpus: DemoCorpus, report: "Report") -> Results:
    """Indexes the articles into the retriever's empty collection, asks all questions, and measures."""
    seconds = _index(retriever, corpus.articles, report)
    ours, theirs, milliseconds = _ask(retriever, corpus.questions, report)
    relevant = _relevant_chunks(retriever.collection, corpus.questions)
    return Results(
        questions=len(corpus.questions),
        unanswerable=sum(not chunks for chunks in relevant),
        late_interaction=_quality(ours, relevant),
        bm25=_quality(theirs, relevant),
        seconds=seconds,
        milliseconds=milliseconds,
    )


class _Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Takes the time of the block."""
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def _index(retriever: "Retriever", folder: Path, report: "Report") -> dict[str, float]:
    """Does what ``Retriever.sync`` does in one stream, but one stage after the other: seconds by stage."""
    watch, collection, encoder = _Stopwatch(), retriever.collection, retriever.encoder
    with watch.stage("load"):
        files = [(file.source, list(file.documents)) for file in load(folder, strict=True)]
    with watch.stage("chunk"):
        chunker = load_chunker(collection.settings.chunking, encoder)
        passages = [list(road.split(documents, chunker)) for _, documents in files]
    with watch.stage("encode"):
        rows = iter(_encoded(encoder, list(itertools.chain.from_iterable(passages)), report))
    with watch.stage("store"):
        for (source, documents), of_file in zip(files, passages, strict=True):
            collection.replace(source, documents, [chunk for chunk, _ in of_file], [next(rows) for _ in of_file])
    return watch.seconds


def _encoded(encoder: "Encoder", passages: "Sequence[Passage]", report: "Report") -> "list[TokenEmbeddings]":
    made = []
    for _, rows in road.encode(passages, encoder):
        made.append(rows)
        report(Progress("encode", len(made), len(passages), "chunks"))
    return made


def _ask(
    retriever: "Retriever", questions: Sequence[Question], report: "Report"
) -> tuple[list[Ranking], list[Ranking], dict[str, float]]:
    """Each question on its own: rankings by MaxSim and by BM25, and the median milliseconds of each stage."""
    collection, encoder = retriever.collection, retriever.encoder
    ours: list[Ranking] = []
    theirs: list[Ranking] = []
    times: defaultdict[str, list[float]] = defaultdict(list)
    for number, question in enumerate(questions, 1):
        watch = _Stopwatch()
        with watch.stage("encode the question"):
            embeddings = encoder.encode_queries([question.text])
        with watch.stage("search"):
            (hits,) = collection.search(embeddings, DEPTH)
        with watch.stage("search by BM25"):
            (text_hits,) = collection.text_search([question.text], DEPTH)
        ours.append([hit.chunk.id for hit in hits])
        theirs.append([hit.chunk.id for hit in text_hits])
        for stage, seconds in watch.seconds.items():
            times[stage].append(1000 * seconds)
        report(Progress("ask", number, len(questions), "questions"))
    return ours, theirs, {stage: median(spent) for stage, spent in times.items()}


def _relevant_chunks(collection: "Collection", questions: Sequence[Question]) -> list[set[str]]:
    """For each question the chunks of its article that contain an answer, white space normalised."""
    path_of = {
        document.id: source.path if source is not None else ""
        for batch in collection.iterate_documents()
        for document, source in batch
    }
    chunks_of: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for batch in collection.iterate():
        for chunk, _ in batch:
            chunks_of[path_of[chunk.document_id]].append((chunk.id, normalised(chunk.text)))
    return [
        {identity for identity, text in chunks_of[question.file] if question.is_answered_by(text)}
        for question in questions
    ]


def _quality(rankings: Sequence[Ranking], relevant: Sequence[set[str]]) -> Quality:
    """Means over the questions; success@k is the share with a relevant chunk among the first k."""
    measures: dict[str, Callable[[Ranking, Grades], float]] = {
        "success@1": lambda ranking, grades: float(mrr(ranking, grades, 1) > 0),
        "success@5": lambda ranking, grades: float(mrr(ranking, grades, 5) > 0),
        "mrr@10": lambda ranking, grades: mrr(ranking, grades, 10),
        "ndcg@10": lambda ranking, grades: ndcg(ranking, grades, 10),
    }
    judged = list(zip(rankings, [dict.fromkeys(chunks, 1) for chunks in relevant], strict=True))
    return {name: fmean(measure(ranking, grades) for ranking, grades in judged) for name, measure in measures.items()}
