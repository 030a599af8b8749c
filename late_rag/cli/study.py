"""``late-rag eval`` of several settings: a table with one line for each combination."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from late_rag.cli.output import write_json
from late_rag.cli.progress import reporting
from late_rag.cli.tables import draw_table
from late_rag.errors import InputError
from late_rag.evaluation.comparison import StudyRow, study, with_centering
from late_rag.scoring.packing import Storage
from late_rag.specs import IndexSpec, parsed_options

_COLUMNS: Mapping[str, Callable[[StudyRow], str]] = {
    "index": lambda row: row.index,
    "scored": lambda row: "needed" if row.rescored is None else f"{row.rescored:,}",
    "pool": lambda row: str(row.pool_factor),
    "storage": lambda row: row.storage,
    "nDCG@10": lambda row: f"{row.ndcg_10:.4f}",
    "loss": lambda row: f"{row.loss:+.4f}",
    "overlap": lambda row: f"{row.overlap_10:.3f}",
    "p50 ms": lambda row: f"{row.search_p50_ms:.2f}",
    "build s": lambda row: f"{row.build_s:.2f}",
    "MB": lambda row: f"{row.index_bytes / 1e6:.1f}",
}


@dataclass(frozen=True)
class Asked:
    """Lists as the command line has them, with commas; None for what was not given."""

    indexes: str
    options: Sequence[str]
    rescore: str | None
    center: str | None
    pool: str | None
    storage: str | None

    def specs(self) -> list[IndexSpec]:
        """The indexes; options belong to one alone, "auto" is the exact one."""
        names = ["exact" if name == "auto" else name for name in _parts(self.indexes, "--index")]
        if self.options and len(names) > 1:
            raise InputError("--index-option belongs to one index, and --index names several")
        specs = [parsed_options(IndexSpec, name, self.options) for name in names]
        return with_centering(specs, _choices(self.center, "--center", ("on", "off", "auto")))


def compare(
    folder: Path, model: str, asked: Asked, *, limit: int | None, titles: bool, as_json: bool, quiet: bool
) -> None:
    """Measures and prints."""
    from late_rag.encoders import load_encoder

    specs = asked.specs()
    rescored = None if asked.rescore is None else _numbers(asked.rescore, "--rescore", 0)
    pools = (1,) if asked.pool is None else _numbers(asked.pool, "--pool", 1)
    storages = cast("Sequence[Storage]", _choices(asked.storage, "--storage", get_args(Storage)) or ("int8",))
    with reporting(quiet=quiet) as report:
        measured = study(
            folder,
            load_encoder(model),
            indexes=specs,
            rescored=rescored,
            pool_factors=pools,
            storages=storages,
            limit=limit,
            titles=titles,
            progress=report,
        )
        rows = list(measured)
    if as_json:
        write_json([row.to_dict() for row in rows])
    else:
        same = {"pool": len(pools) == 1, "storage": len(storages) == 1}
        columns = {name: cell for name, cell in _COLUMNS.items() if not same.get(name, False)}
        draw_table(list(columns), [[cell(row) for cell in columns.values()] for row in rows])


def _parts(text: str, name: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or len(set(parts)) < len(parts):
        raise InputError(f"{name} takes values with commas between them, each once, not {text!r}")
    return parts


def _numbers(text: str, name: str, least: int) -> list[int]:
    parts = _parts(text, name)
    if not all(part.isdecimal() and part.isascii() and least <= int(part) <= 10**9 for part in parts):
        raise InputError(f"{name} takes whole numbers from {least} on with commas between them, not {text!r}")
    return [int(part) for part in parts]


def _choices(text: str | None, name: str, known: Sequence[str]) -> list[str]:
    parts = [] if text is None else _parts(text, name)
    if wrong := [part for part in parts if part not in known]:
        raise InputError(f"{name} takes {', '.join(known)}, not {wrong[0]!r}")
    return parts
