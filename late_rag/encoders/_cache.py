"""The folder for what can be made again: ids of models, compiled graphs."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "LATE_RAG_CACHE"


def cache_folder() -> Path:
    """The folder that the variable names, else where the platform keeps caches."""
    folder = os.environ.get(CACHE_VARIABLE)
    if folder:
        return Path(folder)
    from platformdirs import user_cache_path

    return user_cache_path("late_rag", appauthor=False, opinion=False)
