"""``late-rag demo``: the whole road on real documents, and how good and how fast it was."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from late_rag.cli.command import subcommand
from late_rag.cli.options import JsonOption, ModelOption, QuietOption
from late_rag.cli.output import counted, write, write_json
from late_rag.cli.progress import reporting
from late_rag.cli.search import as_json as answer_as_json

if TYPE_CHECKING:
    from late_rag.cli.demo_corpus import Question
    from late_rag.cli.demo_run import Results
    from late_rag.retriever import Retriever

_PASSAGES = 3
_LINES = 3

Folder: TypeAlias = Annotated[
    Path | None,
    typer.Argument(metavar="FOLDER", help="With articles/ and questions.jsonl; that of the checkout if not given."),
]
Keep: TypeAlias = Annotated[
    str | None,
    typer.Option("--collection", "-c", metavar="DIR", help="Where to keep the collection, which is temporary if not."),
]


@subcommand(examples=("late-rag demo", "late-rag demo -c demo.rag   (and then: late-rag search … -c demo.rag)"))
def demo(
    folder: Folder = None,
    collection: Keep = None,
    model: ModelOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Index articles in four formats, ask real questions, and say how good the answers were and how long all took.

    The articles come from Wikipedia, the questions from XQuAD; both are in the repository.
    """
    from late_rag.cli.demo_corpus import DemoCorpus
    from late_rag.cli.demo_run import run
    from late_rag.retriever import Retriever

    corpus = DemoCorpus.read(folder)
    examples = corpus.examples()
    with Retriever.create(collection, model or "minilm") as retriever:
        with reporting(quiet=quiet) as report:
            results = run(retriever, corpus, report)
        if json:
            answers = [answer_as_json(item.text, retriever.search(item.text, _PASSAGES)) for item in examples]
            write_json({**_collection(retriever), **results.to_dict(), "examples": answers})
        else:
            _draw(retriever, examples, results)


def _collection(retriever: "Retriever") -> dict[str, Any]:
    info = retriever.info()
    return {
        "collection": info.location,
        "model": info.settings.model,
        "documents": info.documents,
        "chunks": info.chunks,
        "tokens": info.tokens,
    }


def _draw(retriever: "Retriever", examples: "Sequence[Question]", results: "Results") -> None:
    from late_rag.cli.demo_corpus import normalised
    from late_rag.cli.passages import draw
    from late_rag.cli.tables import draw_heading, draw_table

    about = _collection(retriever)
    counts = ", ".join(counted(about[f"{noun}s"], noun) for noun in ("document", "chunk", "token"))
    write(f"{counts}; model {about['model']}\n")
    for question in examples:
        draw_heading(f"{normalised(question.text)}  (expected: {' / '.join(question.answers)})")
        draw(retriever, question.text, retriever.search(question.text, _PASSAGES), _LINES)
    draw_heading(f"How good: all {results.questions:,} questions over the same chunks")
    measures = list(results.late_interaction)
    rows = (("late interaction", results.late_interaction), ("BM25", results.bm25))
    draw_table(
        ["", *measures], [[name, *(f"{quality[measure]:.3f}" for measure in measures)] for name, quality in rows]
    )
    write(_relevance(results.unanswerable) + "\n")
    draw_heading("How long")
    draw_table(["stage", "seconds"], [[stage, f"{seconds:.2f}"] for stage, seconds in results.seconds.items()])
    draw_table(["a question (median)", "ms"], [[what, f"{spent:.2f}"] for what, spent in results.milliseconds.items()])


def _relevance(unanswerable: int) -> str:
    rule = "Relevant is a chunk of the right article that contains an answer"
    return f"{rule}; for {counted(unanswerable, 'question')} there is none." if unanswerable else f"{rule}."
