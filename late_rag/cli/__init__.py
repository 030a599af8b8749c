"""The command line, ``late-rag``: results on stdout, everything else on stderr, exit codes that mean something.

One file a command (or a small group of them), imported only when that command runs.
"""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Runs the command that ``sys.argv`` names, and exits."""
    from late_rag.cli import stopping

    stopping.watch()
    try:
        from late_rag.cli.application import application
        from late_rag.cli.output import use_utf8

        use_utf8()
        application()
    except KeyboardInterrupt:  # just when a command had ended
        sys.exit(stopping.exit_code())
    except Exception:  # noqa: BLE001 - a fault of ours, whose words may hold a text of anybody's
        from late_rag.cli.output import note_traceback

        note_traceback()
        sys.exit(1)
    sys.exit(0)
