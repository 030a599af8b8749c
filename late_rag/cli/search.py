"""``late-rag search``: the passages that answer a question best."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from late_rag.cli.command import subcommand
from late_rag.cli.options import CollectionOption, FilterOption, JsonOption, ModelOption, TrustModelOption
from late_rag.cli.output import note, write_json

if TYPE_CHECKING:
    from late_rag.types import Hit


class Order(StrEnum):
    """What hits are ordered by."""

    MAXSIM = "maxsim"
    HYBRID = "hybrid"


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
ModeOption: TypeAlias = Annotated[
    Order, typer.Option("--mode", help="With hybrid, MaxSim and BM25 are fused by their ranks.")
]
Expand: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--expand", metavar="document|N", help="Add the document, or N passages before and after.", show_default=False
    ),
]
Lambda: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--lambda", metavar="L", help="Diverse passages: 1 is relevance alone, 0 difference alone.", show_default=False
    ),
]
FetchK: TypeAlias = Annotated[
    int | None,
    typer.Option("--fetch-k", metavar="N", help="From how many diverse ones are picked.", show_default=False),
]


@subcommand(
    examples=(
        'late-rag search "who approves travel?" -c handbook.rag',
        'late-rag search "travel costs" -c handbook.rag -k 3 --filter \'year >= 2020 and topic == "travel"\'',
        'late-rag search "travel costs" -c handbook.rag --by document --threshold 0.5',
        'late-rag search "form 7-B" -c handbook.rag --mode hybrid --expand 1',
        'late-rag search "travel costs" -c handbook.rag --lambda 0.5 --fetch-k 50',
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
    mode: ModeOption = Order.MAXSIM,
    expand: Expand = None,
    lambda_mult: Lambda = None,
    fetch_k: FetchK = None,
    model: ModelOption = None,
    trust_model: TrustModelOption = False,
    json: JsonOption = False,
) -> None:
    """Print the passages that answer a question best, best first."""
    from late_rag.retriever import Retriever

    with Retriever.open(collection, mode="read", model=model, trust_model=trust_model) as retriever:
        hits = retriever.search(
            question,
            top_k=top_k,
            filter=filter,
            group_by="document" if by == Unit.DOCUMENT else None,
            threshold=threshold,
            mode=mode.value,
            expand=_expand(expand),
            lambda_mult=lambda_mult,
            fetch_k=fetch_k,
        )
        if json:
            write_json(as_json(question, hits))
        elif hits:
            from late_rag.cli.passages import draw

            draw(retriever, question, hits)
    if not hits:
        note("no hits")


def _expand(value: str | None) -> "int | Literal['document'] | None":
    """A number of passages, or what the retriever says about anything else."""
    return int(value) if value is not None and value.isdecimal() else value  # type: ignore[return-value]


def as_json(question: str, hits: "list[Hit]") -> dict[str, Any]:
    """The answer as machines read it."""
    return {"query": question, "hits": [_hit(rank, hit) for rank, hit in enumerate(hits, 1)]}


def _hit(rank: int, hit: "Hit") -> dict[str, Any]:
    """The fused score and the context are there where they were asked for."""
    chunk = hit.chunk
    asked = {"fused": hit.fused, "context": hit.context}
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
        **{name: value for name, value in asked.items() if value is not None},
    }
