"""``late-rag compile``: a checkpoint becomes a folder with an ONNX graph, without PyTorch."""

from pathlib import Path
from typing import Annotated

import typer

from late_rag.cli.command import Ending, subcommand
from late_rag.cli.options import JsonOption
from late_rag.cli.output import write, write_json


@subcommand(examples=("late-rag compile lightonai/LateOn models/LateOn --int8",))
def compile_(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A checkpoint folder, a Hugging Face hub id, or a name of late-rag models.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write, which is not there yet.", show_default=False)
    ],
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise to int8, unless its rows come out too far from those of fp32.")
    ] = False,
    json: JsonOption = False,
) -> Ending:
    """Compile a late-interaction checkpoint to an ONNX graph; the exit code is 3 where int8 was not close enough."""
    from late_rag.encoders.compilation import compile_model

    made = compile_model(model, folder, int8=int8)
    if json:
        write_json({"folder": str(folder), "precision": made.precision, "cosine": made.cosine})
    else:
        cosine = "" if made.cosine is None else f"; mean cosine of int8 rows with those of fp32: {made.cosine:.4f}"
        write(f"{model} compiled to {made.precision} in {folder}{cosine}")
        if int8 and made.precision != "int8":
            write("int8 was not close enough, so fp32 was written in its place")
    return Ending.PROBLEMS if int8 and made.precision != "int8" else Ending.DONE
