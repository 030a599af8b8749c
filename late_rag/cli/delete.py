"""``late-rag delete``: chunks, documents or files out of a collection."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from late_rag.cli.command import Ending, subcommand
from late_rag.cli.options import CollectionOption, FilterOption, JsonOption
from late_rag.cli.output import counted, interactive, note, write, write_json
from late_rag.errors import InputError
from late_rag.filters import F
from late_rag.filters.selection import Selection

if TYPE_CHECKING:
    from late_rag.protocols import Collection
    from late_rag.types import Source

Ids: TypeAlias = Annotated[
    list[str] | None, typer.Option("--id", metavar="ID", help="A chunk; may be repeated.", show_default=False)
]
DocumentIds: TypeAlias = Annotated[
    list[str] | None, typer.Option("--document", metavar="ID", help="A document; may be repeated.", show_default=False)
]
SourcePaths: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="PATH", help="A file or folder; may be repeated.", show_default=False),
]
Everything: TypeAlias = Annotated[bool, typer.Option("--all", help="Everything but the settings.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@subcommand(
    examples=(
        "late-rag delete -c handbook.rag --document 5f1c…",
        "late-rag delete -c handbook.rag --source handbook/old/ --yes",
        "late-rag delete -c handbook.rag --filter 'year < 2015'",
        "late-rag delete -c handbook.rag --all --yes",
    )
)
def delete(
    collection: CollectionOption,
    id: Ids = None,  # noqa: A002
    document: DocumentIds = None,
    filter: FilterOption = None,  # noqa: A002
    source: SourcePaths = None,
    all_: Everything = False,
    yes: Yes = False,
    json: JsonOption = False,
) -> Ending:
    """Remove the chunks that --id, --document and --filter mean (all that are given must hold), or files, or all.

    What was named by --id and --document goes at once. What --filter, --source and --all mean is counted first.

    You are then asked; where nobody can be asked, say --yes.
    """
    from late_rag.collections import open_collection

    named = bool(id or document)
    selection = Selection(_tuple(id), _tuple(document), filter)
    if sum((named or filter is not None, bool(source), all_)) != 1:
        raise typer.BadParameter("give --id, --document or --filter; or --source; or --all")
    opened = open_collection(collection)
    try:
        if source:
            doomed = _Doomed.of_sources(opened, source)
        elif all_:
            doomed = _Doomed(opened.count(), "everything", lambda: _clear(opened))
        else:
            doomed = _Doomed(opened.count(selection), "what matches", lambda: opened.delete(selection))
        if not (yes or (named and filter is None) or doomed.agreed(opened.count())):
            note("nothing was removed")
            return Ending.ERROR
        removed = doomed.remove()
    finally:
        opened.close()
    if json:
        write_json({"removed": removed})
    else:
        write(f"{counted(removed, 'chunk')} removed")
    return Ending.DONE


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values else None


@dataclass(frozen=True)
class _Doomed:
    """How many chunks will go, what they are called in the question, and how they go."""

    chunks: int
    what: str
    remove: Callable[[], int]

    @classmethod
    def of_sources(cls, collection: "Collection", paths: Sequence[str]) -> "_Doomed":
        """The files at or below these paths, or of these names.

        Raises:
            InputError: there are none.
        """
        sources = [source for source in collection.sources() if any(_is_below(source, path) for path in paths)]
        if not sources:
            raise InputError(f"{collection.location} holds no file at or below {', '.join(paths)}")
        locations = [source.location for source in sources]
        chunks = collection.count(Selection(filter=F("$source").in_(locations)))
        return cls(chunks, counted(len(sources), "file"), lambda: sum(map(collection.delete_source, sources)))

    def agreed(self, total: int) -> bool:
        """Whether the person at the terminal wants this.

        Raises:
            InputError: there is nobody to ask.
        """
        if not self.chunks and self.what == "what matches":
            return True
        question = f"Remove {self.what}: {self.chunks:,} of {counted(total, 'chunk')}?"
        if not (interactive(sys.stdin) and interactive(sys.stderr)):
            raise InputError(f"{question} Nobody can be asked here: say --yes")
        return typer.confirm(question, err=True)


def _is_below(source: "Source", path: str) -> bool:
    places = (path.rstrip("/"), str(Path(path).resolve()))
    return any(source.location == place or source.location.startswith(f"{place}/") for place in places)


def _clear(collection: "Collection") -> int:
    removed = collection.count()
    collection.clear()
    return removed
