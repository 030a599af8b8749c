"""The program ``late-rag``: which commands there are, and how one is loaded when it is asked for."""

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

HOMES = {
    "index": "late_rag.cli.index:index",
    "search": "late_rag.cli.search:search",
    "delete": "late_rag.cli.delete:delete",
    "info": "late_rag.cli.info:info",
    "formats": "late_rag.cli.formats:formats",
    "verify": "late_rag.cli.verify:verify",
    "repair": "late_rag.cli.repair:repair",
    "optimize": "late_rag.cli.optimize:optimize",
    "export": "late_rag.cli.transfer:export",
    "import": "late_rag.cli.transfer:import_",
    "copy": "late_rag.cli.transfer:copy",
    "models": "late_rag.cli.models:models",
    "compile": "late_rag.cli.compile:compile_",
    "eval": "late_rag.cli.evaluate:evaluate",
    "demo": "late_rag.cli.demo:demo",
}
"""Commands in the order of the help, and where each is."""


class LazyCommands(TyperGroup):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(HOMES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in HOMES:
            return None
        module, _, name = HOMES[cmd_name].partition(":")
        command = get_command(getattr(importlib.import_module(module), name))
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in HOMES:
            self.commands = {name: self.get_command(ctx, name) for name in HOMES}  # for "did you mean"
        return super().resolve_command(ctx, args)


application = typer.Typer(
    name="late-rag",
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from late_rag import __version__
        from late_rag.cli.output import write

        write(f"late-rag {__version__}")
        raise typer.Exit


@application.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Search your documents by late interaction: one vector a token, scored by MaxSim, on a laptop's CPU."""
