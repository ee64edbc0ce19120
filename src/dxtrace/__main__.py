"""The command line: ``dxtrace``, and ``python -m dxtrace``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit; an interrupt while it is imported is one line too."""
    try:
        from dxtrace.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("dxtrace: interrupted\n")
        os._exit(1)  # sys.exit would end it as killed by the signal
    run()


if __name__ == "__main__":
    main()
