"""``late-rag search``: the passages that answer a question best."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from late_rag.cli.command import subcommand
from late_rag.cli.options import CollectionOption, FilterOption, JsonOption
from late_rag.cli.output import note, write_json

if TYPE_CHECKING:
    from late_rag.types import Hit


class Unit(StrEnum):
    """What is found."""

    CHUNK = "chunk"
    DOCUMENT = "document"


Question: TypeAlias = Annotated[str, typer.Argument(metavar="QUESTION", show_default=False)]
TopK: TypeAlias = Annotated[int, typer.Option("--top-k", "-k", metavar="N", help="How many passages, at most.")]
By: TypeAlias = Annotated[Unit, typer.Option("--by", help="With document, each document comes once at most.")]
Threshold: TypeAlias = Annotated[
    float | None,
    typer.Option("--threshold", "-t", metavar="S", help="Least similarity, from 0 to 1.", show_default=False),
]


@subcommand(
    examples=(
        'late-rag search "who approves travel?" -c handbook.rag',
        'late-rag search "travel costs" -c handbook.rag -k 3 --filter \'year >= 2020 and topic == "travel"\'',
        'late-rag search "travel costs" -c handbook.rag --by document --threshold 0.5',
        'late-rag search "travel costs" -c handbook.rag --json | jq -r ".hits[].source"',
    )
)
def search(
    question: Question,
    collection: CollectionOption,
    top_k: TopK = 5,
    filter: FilterOption = None,  # noqa: A002
    by: By = Unit.CHUNK,
    threshold: Threshold = None,
    json: JsonOption = False,
) -> None:
    """Print the passages that answer a question best, best first."""
    from late_rag.retriever import Retriever

    with Retriever.open(collection, mode="read") as retriever:
        hits = retriever.search(
            question,
            top_k=top_k,
            filter=filter,
            group_by="document" if by == Unit.DOCUMENT else None,
            threshold=threshold,
        )
        if json:
            write_json(as_json(question, hits))
        elif hits:
            from late_rag.cli.passages import draw

            draw(retriever, question, hits)
    if not hits:
        note("no hits")


def as_json(question: str, hits: "list[Hit]") -> dict[str, Any]:
    """The answer as machines read it."""
    return {"query": question, "hits": [_hit(rank, hit) for rank, hit in enumerate(hits, 1)]}


def _hit(rank: int, hit: "Hit") -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "rank": rank,
        "id": chunk.id,
        "document_id": chunk.document_id,
        "source": hit.source,
        "score": hit.score,
        "similarity": hit.similarity,
        "text": chunk.text,
        "start": chunk.start,
        "end": chunk.end,
        "metadata": chunk.metadata,
    }
