"""``late-rag index``: files and folders into a collection."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from late_rag.cli.command import Ending, subcommand
from late_rag.cli.left_out import lines_of
from late_rag.cli.options import CollectionOption, JsonOption, ModelOption, PathsArgument, QuietOption, TrustModelOption
from late_rag.cli.output import counted, note, write_json
from late_rag.cli.progress import duration, reporting
from late_rag.errors import CancelledError, InputError

if TYPE_CHECKING:
    from late_rag.retriever import Retriever, SyncResult
    from late_rag.specs import IndexSpec

_FILES, _RECORDS, _NEW = "Files", "Records of CSV, JSON and JSONL files", "How a new collection is made"

Sync: TypeAlias = Annotated[
    bool, typer.Option("--sync", help="Also remove what is gone below PATH.", rich_help_panel=_FILES)
]
As: TypeAlias = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Name the files' root, in place of its path.", rich_help_panel=_FILES),
]
Strict: TypeAlias = Annotated[
    bool, typer.Option("--strict", help="Stop at the first file that cannot be read.", rich_help_panel=_FILES)
]
NoIsolation: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-isolation", help="Read PDFs and office files without limits: trust them.", rich_help_panel=_FILES
    ),
]
TextFields: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--text-field", metavar="FIELD", help="What is searched; may be repeated.", rich_help_panel=_RECORDS),
]
KeyField: TypeAlias = Annotated[
    str | None,
    typer.Option("--key-field", metavar="FIELD", help="What identifies a record.", rich_help_panel=_RECORDS),
]
MetadataFields: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata-field", metavar="FIELD", help="What becomes metadata; may be repeated.", rich_help_panel=_RECORDS
    ),
]
PoolFactor: TypeAlias = Annotated[
    int | None,
    typer.Option("--pool-factor", metavar="N", help="Keep one token row in N.", rich_help_panel=_NEW),
]
Language: TypeAlias = Annotated[
    str | None,
    typer.Option("--language", metavar="L", help="Of the full text, or none.", rich_help_panel=_NEW),
]
ChunkTokens: TypeAlias = Annotated[
    int | None, typer.Option("--chunk-tokens", metavar="N", help="Tokens of a chunk, at most.", rich_help_panel=_NEW)
]
Overlap: TypeAlias = Annotated[
    int | None,
    typer.Option("--overlap", metavar="N", help="Tokens that a chunk shares with the last.", rich_help_panel=_NEW),
]
Index: TypeAlias = Annotated[
    str | None,
    typer.Option("--index", metavar="KIND", help="The candidate index, or auto.", rich_help_panel=_NEW),
]
IndexOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--index-option", metavar="KEY=VALUE", help="Of the index; may be repeated.", rich_help_panel=_NEW),
]
Content: TypeAlias = Annotated[
    str | None,
    typer.Option("--content", metavar="all|main", help="Of web pages: all, or the article.", rich_help_panel=_NEW),
]
Include: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PART",
        help="Read comments, headers, hidden or outputs too; may be repeated.",
        rich_help_panel=_NEW,
    ),
]
EmbedMetadata: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--embed-metadata",
        metavar="KEY",
        help="Metadata to encode in front of the text; may be repeated.",
        rich_help_panel=_NEW,
    ),
]


@subcommand(
    examples=(
        "late-rag index handbook/ -c handbook.rag",
        "late-rag index handbook/ -c handbook.rag --sync   (files that are gone are removed)",
        "late-rag index faq.csv -c faq.rag --text-field answer --key-field number",
        "late-rag index papers/ -c papers.rag --chunk-tokens 200 --overlap 20 --pool-factor 2",
    )
)
def index(
    paths: PathsArgument,
    collection: CollectionOption,
    sync: Sync = False,
    as_: As = None,
    strict: Strict = False,
    no_isolation: NoIsolation = False,
    text_field: TextFields = None,
    key_field: KeyField = None,
    metadata_field: MetadataFields = None,
    model: ModelOption = None,
    trust_model: TrustModelOption = False,
    pool_factor: PoolFactor = None,
    index: Index = None,
    index_option: IndexOption = None,
    language: Language = None,
    chunk_tokens: ChunkTokens = None,
    overlap: Overlap = None,
    embed_metadata: EmbedMetadata = None,
    content: Content = None,
    include: Include = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> Ending:
    """Put files into a collection, which is made where there is none.

    A file that did not change costs nothing; one that did replaces what it was.

    An interrupted run goes on where it stopped.
    """
    from late_rag.loaders import RecordFields, scopes
    from late_rag.retriever import Retriever

    options = _stated(
        model=model,
        pool_factor=pool_factor,
        index=_index_spec(index, index_option),
        language=language,
        chunking=_stated(max_tokens=chunk_tokens, overlap=overlap) or None,
        embed_metadata=embed_metadata,
        content=content,
        include=include,
    )
    scopes(paths, as_=as_)  # what cannot be leaves no empty collection behind
    fields = RecordFields(_tuple(text_field), key_field, _tuple(metadata_field))
    with Retriever.open(collection, create=True, trust_model=trust_model, **options) as retriever:
        if model is not None:
            _ = retriever.encoder  # says at once if the collection is of another model
        isolated = not no_isolation
        result = _sync(retriever, quiet, paths, as_=as_, strict=strict, fields=fields, prune=sync, isolated=isolated)
    if json:
        write_json({"collection": collection, **_as_json(result)})
    if not quiet:
        _summarise(result)
    return Ending.DONE if result.complete else Ending.PROBLEMS


def _sync(retriever: "Retriever", quiet: bool, paths: Sequence[Path], **options: Any) -> "SyncResult":
    try:
        with reporting(quiet=quiet) as report:
            return retriever.sync(paths, progress=report, **options)
    except (KeyboardInterrupt, CancelledError) as error:
        chunks = counted(retriever.info().chunks, "chunk")
        raise CancelledError(f"stopped; the collection holds {chunks}. The same command goes on from here") from error


def _index_spec(name: str | None, options: list[str] | None) -> "IndexSpec | None":
    from late_rag.specs import IndexSpec, parsed_options

    if name is None and options:
        raise InputError("--index-option needs --index: the name of the index that has it")
    return None if name is None else parsed_options(IndexSpec, name, options or [])


def _stated(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value not in (None, [])}


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return tuple(names) if names else None


def _as_json(result: "SyncResult") -> dict[str, Any]:
    names = {"added": result.added, "changed": result.updated, "removed": result.removed}
    return {
        "files": {
            **{name: len(locations) for name, locations in names.items()},
            "unchanged": len(result.unchanged),
            "unread": len(result.unread),
            "failed": len(result.failed),
        },
        "chunks": {"written": result.chunks, "encoded": result.encoded, "reused": result.reused},
        "seconds": round(result.seconds, 3),
        **names,
        "unread": result.unread,
        "failed": [{"source": failed.location, "reason": failed.reason} for failed in result.failed],
        "left_out": [{"source": gap.location, "what": gap.what, "lost": gap.lost} for gap in result.omissions],
    }


def _incomplete(result: "SyncResult") -> set[str]:
    """Files that are indexed without something that should have been read."""
    return {omission.location for omission in result.omissions if omission.lost}


def _summarise(result: "SyncResult") -> None:
    """What was done; the files that failed, and what could not be read of others, were named by the log."""
    counts = {
        "added": len(result.added),
        "changed": len(result.updated),
        "unchanged": len(result.unchanged),
        "removed": len(result.removed),
        "not read by the model": len(result.unread),
        "not indexed": len(result.failed),
        "incomplete": len(_incomplete(result)),
    }
    files = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "none found"
    note(f"files: {files}")
    note(
        f"chunks: {result.chunks:,} written, {result.encoded:,} encoded, {result.reused:,} reused, "
        f"in {duration(result.seconds)}"
    )
    for line in lines_of(gap for gap in result.omissions if not gap.lost):
        note(f"left out: {line}")
