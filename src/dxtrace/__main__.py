"""The command line: ``dxtrace``, and ``python -m dxtrace``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit; an interrupt while it is imported is one line too."""
    try:
        from dxtrace.cli import main as run
    except KeyboardInterrupt:
        sys.exit("dxtrace: interrupted")
    run()


if __name__ == "__main__":
    main()
