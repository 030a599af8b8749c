"""Parameters that several commands have."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

CollectionOption: TypeAlias = Annotated[
    str,
    typer.Option("--collection", "-c", metavar="DIR", help="The collection's folder, or its URL.", show_default=False),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
QuietOption: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
FilterOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--filter", "-f", metavar="FILTER", help='Such as: year >= 2020 and topic == "x"', show_default=False),
]
ModelOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="minilm, a name of late-rag models, a folder or a hub id.",
        show_default=False,
    ),
]
TrustModelOption: TypeAlias = Annotated[
    bool, typer.Option("--trust-model", help="Load or fetch whatever model the collection names.")
]
PathsArgument: TypeAlias = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files and folders.", show_default=False)
]
IndexOptions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--index-option", metavar="KEY=VALUE", help="Of the index; may be repeated.", show_default=False),
]
