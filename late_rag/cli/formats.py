"""``late-rag formats``: which files are read, by which library, and what is missing."""

from dataclasses import dataclass
from importlib.util import find_spec

from late_rag.backends import LOADERS, Format
from late_rag.cli.command import subcommand
from late_rag.cli.options import JsonOption
from late_rag.cli.output import write, write_json


@dataclass(frozen=True)
class Row:
    """A format as it is listed."""

    title: str
    extensions: tuple[str, ...]
    libraries: tuple[str, ...]
    extra: str | None
    missing: tuple[str, ...]


@subcommand(examples=("late-rag formats", "late-rag formats --json"))
def formats(json: JsonOption = False) -> None:
    """List the formats that are read, by which library, and which extra is missing."""
    rows = list_formats()
    if json:
        write_json([_as_json(row) for row in rows])
        return
    widths = [max(len(cells[column]) for cells in map(_cells, rows)) for column in range(2)]
    for row in rows:
        title, library, extensions = _cells(row)
        write(f"{title:<{widths[0]}}  {library:<{widths[1]}}  {extensions}")


def list_formats() -> list[Row]:
    """All formats, in the order of the table of loaders."""
    extensions: dict[Format, list[str]] = {}
    for extension, read_by in LOADERS.items():
        extensions.setdefault(read_by, []).append(extension)
    return [
        Row(
            read_by.title,
            tuple(names),
            read_by.libraries,
            read_by.extra,
            tuple(library for library in read_by.libraries if find_spec(library) is None),
        )
        for read_by, names in extensions.items()
    ]


def _as_json(row: Row) -> dict[str, object]:
    return {
        "format": row.title,
        "extensions": row.extensions,
        "libraries": row.libraries,
        "extra": row.extra,
        "missing": row.missing,
    }


def _cells(row: Row) -> tuple[str, str, str]:
    library = ", ".join(row.libraries) or "built in"
    if row.missing:
        needed = f"late-rag[{row.extra}]" if row.extra else "late-rag"
        library = f'missing {", ".join(row.missing)}: pip install "{needed}"'
    return row.title, library, " ".join(row.extensions)
