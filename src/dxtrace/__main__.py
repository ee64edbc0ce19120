"""The command line: ``dxtrace``, and ``python -m dxtrace``."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

#: Shown on a terminal while the command line is imported, if that takes a moment.
_LOADING = b"loading dxtrace ..."
_MOMENT_S = 0.3


def main() -> None:
    """Run the command line and exit."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)
    with _notice():
        from dxtrace.cli import main as run

    run()


@contextmanager
def _notice() -> Iterator[None]:
    """Say what is waited for; a shell that completes a command is left alone."""
    if not os.isatty(2) or "_DXTRACE_COMPLETE" in os.environ:
        yield
        return
    late = threading.Timer(_MOMENT_S, os.write, (2, _LOADING))
    late.daemon = True
    late.start()
    yield
    late.cancel()
    late.join()
    os.write(2, b"\r" + b" " * len(_LOADING) + b"\r")


def _leave(*_: object) -> NoReturn:
    """End the process while the command line is imported: an exception might be swallowed there."""
    if os.isatty(2):
        os.write(2, b"\r")  # over the shorter notice
    os.write(2, b"dxtrace: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
