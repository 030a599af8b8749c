"""``late-rag info``: what a collection is and holds."""

from typing import TYPE_CHECKING, Any

from late_rag.cli.command import subcommand
from late_rag.cli.options import CollectionOption, JsonOption
from late_rag.cli.output import single_line, write_json

if TYPE_CHECKING:
    from late_rag.protocols import CollectionInfo

_SETTINGS = (
    "model",
    "model_id",
    "variant",
    "dim",
    "storage",
    "pooling",
    "chunking",
    "embed_metadata",
    "language",
    "content",
    "include",
)


@subcommand(examples=("late-rag info -c handbook.rag", "late-rag info -c handbook.rag --json | jq .chunks"))
def info(collection: CollectionOption, json: JsonOption = False) -> None:
    """Show what a collection holds, how it was made, and which metadata its chunks have."""
    from late_rag.collections import open_collection

    opened = open_collection(collection, mode="read")
    try:
        facts, fields = opened.info(), opened.fields()
    finally:
        opened.close()
    described = as_json(facts, {name: sorted(kinds) for name, kinds in fields.items()})
    if json:
        write_json(described)
    else:
        from late_rag.cli.tables import draw_facts

        draw_facts(_readable(described))


def as_json(facts: "CollectionInfo", fields: dict[str, list[str]]) -> dict[str, Any]:
    """What is known about a collection, without the probe."""
    return {
        "location": facts.location,
        "documents": facts.documents,
        "chunks": facts.chunks,
        "tokens": facts.tokens,
        "sources": facts.sources,
        "staged": facts.staged,
        "bytes_on_disk": facts.bytes_on_disk,
        **{name: getattr(facts.settings, name) for name in _SETTINGS},
        "index": facts.index,
        "index_options": facts.settings.index_options,
        "indexed": facts.indexed,
        "index_reason": facts.index_reason,
        "fields": fields,
    }


def _readable(described: dict[str, Any]) -> dict[str, str]:
    return {name.replace("_", " "): _value(name, value) for name, value in described.items()}


def _value(name: str, value: Any) -> str:
    if name == "bytes_on_disk":
        return f"{value / 1e6:,.1f} MB"
    if isinstance(value, int):
        return f"{value:,}"
    if name == "fields":
        return "\n".join(f"{single_line(field)}: {' or '.join(kinds)}" for field, kinds in value.items()) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else single_line(str(value))
