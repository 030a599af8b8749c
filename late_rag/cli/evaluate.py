"""``late-rag eval``: how good and how fast a model and an index are on a collection in BEIR layout."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from late_rag.cli.command import subcommand
from late_rag.cli.options import IndexOptions, JsonOption, QuietOption
from late_rag.cli.output import write_json
from late_rag.cli.progress import reporting
from late_rag.errors import InputError


class Baseline(StrEnum):
    """What to measure beside it."""

    BM25 = "bm25"


Folder: TypeAlias = Annotated[
    Path, typer.Argument(metavar="BEIR_DIR", help="With corpus.jsonl, queries.jsonl and qrels/test.tsv.")
]
Model: TypeAlias = Annotated[
    str, typer.Option("--model", "-m", metavar="MODEL", help="minilm, a name of late-rag models, a folder or a hub id.")
]
Limit: TypeAlias = Annotated[
    int | None, typer.Option("--limit", metavar="N", help="Ask the first N queries only; of all documents.", min=1)
]
BaselineOption: TypeAlias = Annotated[
    Baseline | None, typer.Option("--baseline", help="Measure this too, over the same chunks.")
]
Titles: TypeAlias = Annotated[bool, typer.Option("--titles", help="Put each document's title in front of its text.")]
PoolFactor: TypeAlias = Annotated[int, typer.Option("--pool-factor", metavar="N", help="Keep one token row in N.")]
Indexes: TypeAlias = Annotated[
    str, typer.Option("--index", metavar="KIND,…", help="The index, or auto. Several are compared.")
]
Rescore: TypeAlias = Annotated[
    str | None,
    typer.Option("--rescore", metavar="N,…", help="Compare numbers of candidates scored exactly.", show_default=False),
]
Center: TypeAlias = Annotated[
    str | None,
    typer.Option("--center", metavar="on,off", help="Compare rows around their mean or not.", show_default=False),
]
Pools: TypeAlias = Annotated[
    str | None,
    typer.Option("--pool", metavar="N,…", help="Compare keeping one token row in N.", show_default=False),
]
Storages: TypeAlias = Annotated[
    str | None,
    typer.Option("--storage", metavar="KIND,…", help="Compare int8 and float16.", show_default=False),
]


@subcommand(
    examples=(
        "late-rag eval data/cranfield",
        "late-rag eval data/cranfield --limit 50 --baseline bm25 --json",
        "late-rag eval data/cranfield --index exact,muvera,smve --rescore 50,200",
        "late-rag eval data/cranfield --pool 1,2,4 --storage int8,float16",
    )
)
def evaluate(
    folder: Folder,
    model: Model = "minilm",
    index: Indexes = "auto",
    index_option: IndexOptions = None,
    rescore: Rescore = None,
    center: Center = None,
    pool: Pools = None,
    storage: Storages = None,
    limit: Limit = None,
    baseline: BaselineOption = None,
    titles: Titles = False,
    pool_factor: PoolFactor = 1,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Index a collection in BEIR layout, ask its queries, and print measures of quality, speed and size.

    Where several settings are given, as a table: every combination, on the same encoded rows.
    """
    if "," in index or any(given is not None for given in (rescore, center, pool, storage)):
        if baseline is not None or pool_factor != 1:
            raise InputError("a comparison takes no --baseline, and --pool in place of --pool-factor")
        from late_rag.cli import study

        asked = study.Asked(index, index_option or [], rescore, center, pool, storage)
        study.compare(folder, model, asked, limit=limit, titles=titles, as_json=json, quiet=quiet)
        return
    from late_rag.evaluation import evaluate as run
    from late_rag.specs import IndexSpec, parsed_options

    spec = parsed_options(IndexSpec, index, index_option or [])
    with reporting(quiet=quiet) as report:
        found = run(
            folder,
            model=model,
            index=spec,
            limit=limit,
            baseline=None if baseline is None else "bm25",
            titles=titles,
            pool_factor=pool_factor,
            progress=report,
        ).to_dict()
    if json:
        write_json(found)
    else:
        from late_rag.cli.tables import draw_facts

        draw_facts(dict(_readable(found)))


def _readable(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _readable(value, f"{prefix}{name} ")
        elif isinstance(value, float):
            yield f"{prefix}{name}", f"{value:.4f}" if "@" in name else f"{value:,.2f}"
        else:
            yield f"{prefix}{name}", f"{value:,}" if isinstance(value, int) else str(value)
