"""What poolings ask of their parameters."""

from __future__ import annotations

from late_rag.errors import InputError


def check_least(options: object, **least: int) -> None:
    """Whether the named parameters are whole numbers, none below its least.

    Raises:
        InputError: names the first that is not, and its value.
    """
    for name, smallest in least.items():
        value = getattr(options, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise InputError(f"{name} takes a whole number of at least {smallest}, not {value!r}")
