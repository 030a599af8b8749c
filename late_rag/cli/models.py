"""``late-rag models``: trained checkpoints by short names, with what their cards say."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from late_rag.cli.command import subcommand
from late_rag.cli.options import JsonOption
from late_rag.cli.output import write, write_json

if TYPE_CHECKING:
    from late_rag.encoders.models import KnownModel

_HEADER = ("name", "parameters", "dim", "query", "document", "languages", "licence")
_UNREAD = {"own code": "not read: brings code of its own", "pictures": "not read yet: takes page images"}


@subcommand(examples=("late-rag models", "late-rag models --json | jq '.[] | select(.dim < 100) | .name'"))
def models(json: JsonOption = False) -> None:
    """List trained models that have a short name: how large they are, what they are for, what else they want."""
    from late_rag.encoders.models import KNOWN

    if json:
        write_json([{"name": name, **asdict(model)} for name, model in KNOWN.items()])
        return
    from late_rag.cli.tables import draw_table

    draw_table(_HEADER, [(name, *_cells(model)) for name, model in KNOWN.items()])
    for name, model in KNOWN.items():
        notes = filter(None, (model.purpose, model.note, _UNREAD.get(model.reading)))
        write(f"{name} ({model.hub}): {'; '.join(notes)}")
    write("query and document are tokens of one pass; – is what the card does not say, or was not seen")


def _cells(model: "KnownModel") -> list[str]:
    parameters = None if model.parameters is None else f"{model.parameters} M"
    values = (parameters, model.dim, model.query_length, model.document_length, model.languages, model.licence)
    return ["–" if value is None else str(value) for value in values]
