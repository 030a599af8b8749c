"""``late-rag repair``: makes anew what is derived, from what is true."""

from late_rag.cli.command import Ending, subcommand
from late_rag.cli.options import CollectionOption, JsonOption
from late_rag.cli.output import counted, write, write_json


@subcommand(examples=("late-rag repair -c handbook.rag", "late-rag repair -c handbook.rag --json"))
def repair(collection: CollectionOption, json: JsonOption = False) -> Ending:
    """Rebuild filters, full text, index and counters; the exit code is 3 where something wrong is left."""
    from late_rag.collections import open_collection

    opened = open_collection(collection)
    try:
        report = opened.repair()
    finally:
        opened.close()
    if json:
        write_json({"ok": report.ok, "mended": report.mended, "problems": report.problems})
    else:
        for mended in report.mended:
            write(f"mended: {mended}")
        for problem in report.problems:
            write(f"problem: {problem}")
        write("nothing is wrong" if report.ok else f"{counted(len(report.problems), 'problem')} left")
    return Ending.DONE if report.ok else Ending.PROBLEMS
