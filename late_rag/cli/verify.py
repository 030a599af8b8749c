"""``late-rag verify``: whether a collection is whole."""

from late_rag.cli.command import Ending, subcommand
from late_rag.cli.options import CollectionOption, JsonOption
from late_rag.cli.output import counted, single_line, write, write_json


@subcommand(examples=("late-rag verify -c handbook.rag", "late-rag verify -c handbook.rag --json"))
def verify(collection: CollectionOption, json: JsonOption = False) -> Ending:
    """Check the database, all embeddings and the index; the exit code is 3 where something is wrong."""
    from late_rag.collections import open_collection

    opened = open_collection(collection, mode="read")
    try:
        report = opened.verify()
    finally:
        opened.close()
    if json:
        write_json({"ok": report.ok, "checked": report.checked, "problems": report.problems})
    else:
        from late_rag.cli.tables import draw_facts

        draw_facts({what: f"{count:,} checked" for what, count in report.checked.items() if count})
        for problem in report.problems:
            write(f"problem: {single_line(problem)}")
        write("nothing is wrong" if report.ok else counted(len(report.problems), "problem"))
    return Ending.DONE if report.ok else Ending.PROBLEMS
