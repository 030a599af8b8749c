"""Which files hold the weights of a module: one, or the shards that an index names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.encoders.checkpoint.settings import read_settings
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"

_MOST_SHARDS = 1000


def weight_files(folder: Path) -> list[Path]:
    """The files with weights in a module's folder, in the order of their names; none where there are none.

    Raises:
        ModelError: an index that cannot be read, names no file of this folder, or one that is not there.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        return []
    names = sorted(set(read_index(folder).values()))
    if len(names) > _MOST_SHARDS:
        raise ModelError(f"{folder / INDEX} names {len(names):,} files; {_MOST_SHARDS:,} at most are read")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ModelError(f"{folder} is not complete: there is no {', '.join(missing[:5])}, which {INDEX} names")
    return [folder / name for name in names]


def read_index(folder: Path) -> dict[str, str]:
    """The name of the file that has it for each tensor, as the folder's index says.

    Raises:
        ModelError: it cannot be read, says nothing, or names what is no file of this folder.
    """
    file = folder / INDEX
    places = read_settings(file).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ModelError(f"{file} has no weight_map that names the files with the weights")
    for name in places.values():
        if not isinstance(name, str) or not name.endswith(".safetensors") or set(name) & set("/\\:\0"):
            raise ModelError(f"{file} names {str(name)[:200]!r}, which is no safetensors file of its folder")
    return places
