"""A model that only a collection names: what may be loaded without the caller's consent.

A collection may come from anybody. It may neither make this machine contact anyone nor choose what is read of it: a
model of a distribution, one that is in the hub's cache, and a folder that the user has put where it is are loaded;
anything else takes the caller's consent.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from late_rag.errors import ModelError

_NO_FILES = ("/proc", "/sys", "/dev", "\\\\", "//")
"""Where nothing is that a user keeps: what the system shows as files, and what other machines do."""


def check_folder(folder: Path, collection: str) -> None:
    """Whether a model folder that only the collection names lies where the user may have put it.

    It came with the collection where it is inside of it; somebody else may have put it there where everybody may write,
    or where it belongs to another user.

    Raises:
        ModelError: says what is odd about the folder, and how to agree.
    """
    if reason := _odd(folder, collection):
        raise ModelError(
            f"{collection} names the model folder {str(folder)!r}, which {reason}. A collection that came from "
            f"somebody else should not choose what is loaded: if you want it, {consent(str(folder))}"
        )


def _odd(folder: Path, collection: str) -> str | None:
    if str(folder).startswith(_NO_FILES):
        return "is no folder of this machine's disks"
    if "://" not in collection and folder.is_relative_to(Path(collection).resolve()):
        return "lies in the collection itself"
    state = folder.stat()
    if os.name == "posix" and state.st_mode & stat.S_IWOTH:
        return "everybody may write to"
    if os.name == "posix" and os.geteuid() and state.st_uid not in (0, os.geteuid()):
        return f"belongs to another user (uid {state.st_uid})"
    return None


def consent_needed(name: str, collection: str) -> ModelError:
    """Why a model that only the collection names is not fetched: what would be fetched, and how to agree."""
    return ModelError(
        f"{collection} names the model {name!r}, which is not on this machine and would be fetched from the Hugging "
        f"Face hub. A collection that came from somebody else should not choose that: if you want it, {consent(name)}"
    )


def consent(name: str) -> str:
    """How the caller agrees to a model."""
    return f"name it (model={name!r}, --model {name}), or take whatever it names (trust_model=True, --trust-model)"
