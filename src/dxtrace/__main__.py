"""The command line: ``dxtrace``, and ``python -m dxtrace``."""

from __future__ import annotations

import os
import signal
from typing import NoReturn


def main() -> None:
    """Run the command line and exit."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)
    from dxtrace.cli import main as run

    run()


def _leave(*_: object) -> NoReturn:
    """End the process while the command line is imported: an exception might be swallowed there."""
    os.write(2, b"dxtrace: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
