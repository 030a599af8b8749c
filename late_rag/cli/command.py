"""What every command shares: the options -v and --debug, and how an ending becomes an exit code."""

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from late_rag.cli import stopping
from late_rag.cli.output import note, note_traceback, silence_stdout, single_line
from late_rag.errors import CancelledError, LateRAGError


class Ending(IntEnum):
    """Exit codes."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    PROBLEMS = 3
    """Done, but files were skipped or failed, or problems were found."""
    INTERRUPTED = 130
    READER_GONE = 141
    """The reader of stdout closed it, as ``head`` does: what a program ends with that SIGPIPE stops."""
    TERMINATED = 143


_Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, help="Log what is done; -vv logs more.", show_default=False)
]
_Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def subcommand(*, examples: tuple[str, ...]) -> Callable[[Callable[..., Ending | None]], typer.Typer]:
    """Makes a function a command of ``late-rag``, with the shared options; it returns how it ended.

    Args:
        examples: command lines that the help shows.
    """

    class WithExamples(TyperCommand):
        """Writes the examples below the rest of the help, unbroken, so that they can be copied."""

        def format_help(self, ctx: Any, formatter: Any) -> None:
            super().format_help(ctx, formatter)
            formatter.write("\n".join((" Examples:", *(f"   {line}" for line in examples), "")))

    def decorate(function: Callable[..., Ending | None]) -> typer.Typer:
        program = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
        settings = {"help_option_names": ["-h", "--help"]}
        program.command(cls=WithExamples, context_settings=settings)(_with_shared_options(function))
        return program

    return decorate


def _with_shared_options(function: Callable[..., Ending | None]) -> Callable[..., None]:
    @functools.wraps(function)
    def run(*args: Any, verbose: int, debug: bool, **options: Any) -> None:
        level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
        with _logging_to_stderr(level), stopping.command():
            ending = _end(lambda: function(*args, **options), debug)
        raise typer.Exit(ending)

    shared = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        *inspect.signature(function).parameters.values(),
        inspect.Parameter("verbose", shared, annotation=_Verbose, default=0),
        inspect.Parameter("debug", shared, annotation=_Debug, default=False),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _end(work: Callable[[], Ending | None], debug: bool) -> Ending:
    try:
        ending = work() or Ending.DONE
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
        return Ending.READER_GONE
    except (KeyboardInterrupt, CancelledError, typer.Abort) as error:
        note(single_line(str(error)) or "stopped")
        return Ending(stopping.exit_code())
    except Exception as error:
        if stopping.stopped_at_once():
            note("stopped")
            return Ending(stopping.exit_code())
        if not isinstance(error, LateRAGError | OSError):  # an OSError is such as no room for what goes to stdout
            raise
        if debug:
            note_traceback()
        _give_up_stdout()
        note(f"error: {one_line(error)}")
        return Ending.ERROR
    return ending


def _give_up_stdout() -> None:
    """Writes what waits to be written, or else drops it."""
    try:
        sys.stdout.flush()
    except OSError:
        silence_stdout()


def one_line(error: BaseException) -> str:
    """The error's message without line ends."""
    return " ".join(str(error).split())


class _ToStderr(logging.Handler):
    """Writes to whatever ``sys.stderr`` is at that moment: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            first, *rest = [single_line(record.getMessage()), *self._trace(record)]
            note("\n  ".join([f"{record.levelname.lower()}: {first}", *rest]))
        except OSError:
            self.handleError(record)

    def _trace(self, record: logging.LogRecord) -> list[str]:
        return logging.Formatter().formatException(record.exc_info).splitlines() if record.exc_info else []


@contextmanager
def _logging_to_stderr(level: int) -> Iterator[None]:
    logger, handler = logging.getLogger("late_rag"), _ToStderr()
    level_before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(level_before)
        logger.removeHandler(handler)
