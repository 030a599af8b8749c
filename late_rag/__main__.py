"""``python -m late_rag`` is the command line."""

from late_rag.cli import main

main()
