"""``python -m dxtrace``: the command line."""

from dxtrace.cli import main

main()
