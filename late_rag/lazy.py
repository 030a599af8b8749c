"""Public names of a package that load on first use.

A package whose ``__init__`` imports its own modules holds the import lock of the package while it asks for those of the
modules. A thread that imports one of the modules at that moment holds that lock and waits for the package: Python ends
one of the two imports with a deadlock error. So no ``__init__`` imports what others may import by itself.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str], renamed: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: its ``__name__``.
        homes: for each public name the module that defines it.
        renamed: the names that are called otherwise at home, and how.
    """
    namespace = vars(sys.modules[package])

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(home), (renamed or {}).get(name, name))
        namespace[name] = value
        return value

    def names() -> list[str]:
        return sorted({*namespace, *homes})

    return get, names
