"""``late-rag export``, ``import`` and ``copy``: collections as files, and from place to place."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO, TypeAlias

import typer

from late_rag.cli.command import subcommand
from late_rag.cli.options import CollectionOption, JsonOption, ModelOption, QuietOption, TrustModelOption
from late_rag.cli.output import EscapingStream, counted, json_stream, note, write_json
from late_rag.cli.progress import reporting
from late_rag.errors import InputError, LateRAGError

if TYPE_CHECKING:
    from late_rag.transfer import TransferResult

Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; stdout if not given.")
]
Embeddings: TypeAlias = Annotated[
    bool, typer.Option("--embeddings", help="With the stored embeddings, so that import encodes nothing.")
]
File: TypeAlias = Annotated[str, typer.Argument(metavar="FILE", help="What export wrote; - is stdin.")]
Merge: TypeAlias = Annotated[
    bool, typer.Option("--merge", help="Into a collection that may exist; the same ids are replaced.")
]
From: TypeAlias = Annotated[str, typer.Argument(metavar="SRC", help="A collection's folder or URL.")]
To: TypeAlias = Annotated[str, typer.Argument(metavar="DST", help="A folder or URL where none is yet.")]


@subcommand(
    examples=(
        "late-rag export -c handbook.rag -o handbook.jsonl",
        "late-rag export -c handbook.rag --embeddings | gzip > handbook.jsonl.gz",
        "late-rag export -c handbook.rag | jq -r 'select(.kind == \"chunk\") | .text'",
    )
)
def export(
    collection: CollectionOption, output: Output = None, embeddings: Embeddings = False, quiet: QuietOption = False
) -> None:
    """Write a collection as lines of JSON: settings, sources, documents and their chunks."""
    from late_rag.collections import open_collection
    from late_rag.transfer import export_jsonl

    with (
        closing(open_collection(collection, mode="read")) as opened,
        _destination(output) as stream,
        reporting(quiet=quiet or output is None) as report,
    ):
        result = export_jsonl(opened, stream.write, embeddings=embeddings, progress=report)
    if not quiet:
        note(_summary(result, "exported"))


@subcommand(
    examples=(
        "late-rag import handbook.jsonl -c handbook.rag",
        "zcat handbook.jsonl.gz | late-rag import - -c handbook.rag",
        "late-rag import handbook.jsonl -c handbook.rag --merge   (goes on after a stop, or adds to what is there)",
    )
)
def import_(
    file: File,
    collection: CollectionOption,
    model: ModelOption = None,
    trust_model: TrustModelOption = False,
    merge: Merge = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Restore what export wrote; chunks without embeddings are encoded.

    The whole file is checked before anything is written.
    """
    from late_rag.transfer import import_jsonl

    name = "stdin" if file == "-" else file
    with _origin(file) as stream, reporting(quiet=quiet) as report:
        result = import_jsonl(
            stream, collection, name=name, model=model, trust_model=trust_model, merge=merge, progress=report
        )
    _tell(result, "imported", json=json, quiet=quiet)


@subcommand(
    examples=(
        "late-rag copy handbook.rag backup/handbook.rag",
        "late-rag copy more.rag handbook.rag --merge   (adds one collection to another)",
    )
)
def copy(source: From, target: To, merge: Merge = False, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Copy everything, embeddings and sources included, into another collection; nothing is encoded."""
    from late_rag.collections import open_collection
    from late_rag.transfer import copy_collection

    with closing(open_collection(source, mode="read")) as opened, reporting(quiet=quiet) as report:
        result = copy_collection(opened, target, merge=merge, progress=report)
    _tell(result, "copied", json=json, quiet=quiet)


@contextmanager
def _destination(output: Path | None) -> Iterator["TextIO | EscapingStream"]:
    """Stdout, or a file that takes its name only once it is whole."""
    if output is None:
        yield json_stream()
        return
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        unfinished.replace(output)
    except LateRAGError:
        raise
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _origin(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as stream:
            yield stream
    except LateRAGError:
        raise
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error


def _tell(result: "TransferResult", what: str, *, json: bool, quiet: bool) -> None:
    if json:
        write_json(asdict(result))
    if not quiet:
        note(_summary(result, what))


def _summary(result: "TransferResult", what: str) -> str:
    encoded = f", {result.encoded:,} of them encoded" if result.encoded else ""
    counts = {"file": result.sources, "document": result.documents, "chunk": result.chunks}
    return f"{what}: {', '.join(counted(count, noun) for noun, count in counts.items())}{encoded}"
