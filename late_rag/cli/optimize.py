"""``late-rag optimize``: indexes brought up to date, and unused room given back."""

from late_rag.cli.command import Ending, subcommand
from late_rag.cli.options import CollectionOption, JsonOption, QuietOption
from late_rag.cli.output import write, write_json
from late_rag.cli.progress import reporting


@subcommand(examples=("late-rag optimize -c handbook.rag", "late-rag optimize -c handbook.rag --json"))
def optimize(collection: CollectionOption, json: JsonOption = False, quiet: QuietOption = False) -> Ending:
    """Bring the index up to date and give unused room back; searches go on meanwhile."""
    from late_rag.collections import open_collection

    opened = open_collection(collection)
    try:
        before = opened.info().bytes_on_disk
        with reporting(quiet=quiet) as report:
            opened.optimize(report)
        facts = opened.info()
    finally:
        opened.close()
    if json:
        told = {"index": facts.index, "index_reason": facts.index_reason, "indexed": facts.indexed}
        write_json({**told, "bytes_before": before, "bytes_on_disk": facts.bytes_on_disk})
    elif not quiet:
        write(f"index: {facts.index} ({facts.index_reason})")
        write(f"on disk: {facts.bytes_on_disk / 1e6:.1f} MB, before {before / 1e6:.1f} MB")
    return Ending.DONE
