"""Arguments that a component does not have, and those that every component checks when it is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from late_rag.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")


class UnknownArgumentError(InputError, TypeError):
    """An argument that a component does not have; Python's own kind of error, too."""


def check_arguments(owner: str, given: Iterable[str], known: Iterable[str], hints: Mapping[str, str]) -> None:
    """Refuses arguments that there are not.

    Args:
        owner: what has no such argument, for the error.
        given: names of arguments.
        known: those that there are.
        hints: what to do in place of giving an argument that others have: ``{"k": "use top_k"}``.

    Raises:
        UnknownArgumentError: names the first that is unknown, with its hint or else what there is.
    """
    names = list(known)
    for name in sorted(set(given).difference(names)):
        told = hints.get(name) or f"it has {', '.join(names)}"
        raise UnknownArgumentError(f"{owner} has no argument {name!r}; {told}")


def hinting(**hints: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates an ``__init__``, which then refuses unknown arguments by the name of the class, and with hints.

    Args:
        hints: see :func:`check_arguments`.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        known = list(inspect.signature(method).parameters)[1:]

        @wraps(method)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            check_arguments(type(args[0]).__name__, kwargs, known, hints)
            return method(*args, **kwargs)

        return checked

    return decorate


def check_model(model: Any, name: str = "model") -> Any:
    """What a model is named by, or None.

    Raises:
        InputError: no name and no folder.
    """
    if model is None or (isinstance(model, str | Path) and str(model).strip()):
        return model
    raise InputError(f"{name} is the name of a model or its folder, not {model!r:.80}")


def check_flag(value: Any, name: str) -> bool:
    """True or False.

    Raises:
        InputError: anything else, such as the text "false", which Python takes for true.
    """
    if not isinstance(value, bool):
        raise InputError(f"{name} takes True or False, not {value!r:.80}")
    return value
