"""``late-rag formats``: which files are read, by which library, what else libraries do, and what is missing."""

from dataclasses import dataclass
from importlib.util import find_spec

from late_rag.backends import LOADERS, Format, OptionalLibrary
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
    optional: tuple[OptionalLibrary, ...]


@subcommand(examples=("late-rag formats", "late-rag formats --json"))
def formats(json: JsonOption = False) -> None:
    """List the formats that are read, by which library, what optional libraries add, and which extra is missing."""
    rows = list_formats()
    if json:
        write_json([_as_json(row) for row in rows])
        return
    optional = dict.fromkeys(option for row in rows for option in row.optional)
    lines = [*map(_cells, rows), *map(_optional_cells, optional)]
    widths = [max(len(cells[column]) for cells in lines) for column in range(2)]
    for title, library, rest in lines:
        write(f"{title:<{widths[0]}}  {library:<{widths[1]}}  {rest}")


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
            tuple(library for library in read_by.libraries if not _is_installed(library)),
            read_by.optional,
        )
        for read_by, names in extensions.items()
    ]


def _is_installed(library: str) -> bool:
    return find_spec(library) is not None


def _as_json(row: Row) -> dict[str, object]:
    return {
        "format": row.title,
        "extensions": row.extensions,
        "libraries": row.libraries,
        "extra": row.extra,
        "missing": row.missing,
        "optional": [
            {
                "library": option.library,
                "extra": option.extra,
                "for": option.purpose,
                "installed": _is_installed(option.library),
            }
            for option in row.optional
        ],
    }


def _cells(row: Row) -> tuple[str, str, str]:
    library = _how_to_get(row.missing, row.extra) if row.missing else ", ".join(row.libraries) or "built in"
    return row.title, library, " ".join(row.extensions)


def _optional_cells(option: OptionalLibrary) -> tuple[str, str, str]:
    installed = _is_installed(option.library)
    library = option.library if installed else _how_to_get((option.library,), option.extra)
    return option.purpose, library, "(optional)"


def _how_to_get(missing: tuple[str, ...], extra: str | None) -> str:
    needed = f"late-rag[{extra}]" if extra else "late-rag"
    return f'missing {", ".join(missing)}: pip install "{needed}"'
