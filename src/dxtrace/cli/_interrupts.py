"""Ctrl-C, and the SIGTERM of a batch system: a command ends within two seconds, in one line.

The exit code is 130, as shells, make and Slurm expect of an interrupted command.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import NoReturn

#: The exit code of an interrupted command.
INTERRUPTED = 130

#: How to go on with work that is done row by row.
SAME_COMMAND = "what is done is kept, and the same command goes on"

#: How long a command has to end by itself after an interrupt, in seconds.
_PATIENCE_S = 1.5

_SHOW_CURSOR = b"\x1b[?25h"

#: What is on disk of the work so far, and how to go on with it.
_kept: list[tuple[Path, str]] = []


def keep(file: Path, advice: str) -> None:
    """Let the line that an interrupt ends with say how to go on, once ``file`` is there."""
    _kept.append((file, advice))


def catch() -> None:
    """Catch interrupts from now on; those that are ignored stay so, as in a script's background."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def line() -> str:
    """Return what is said of an interrupt."""
    for file, advice in reversed(_kept):
        if file.exists():
            return f"dxtrace: interrupted; {advice}\n"
    return "dxtrace: interrupted\n"


def leave() -> NoReturn:
    """End the process at once: what is finished is on disk, and a library's thread may never end."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)  # a bar hides it
    os.write(2, line().encode())
    os._exit(INTERRUPTED)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Interrupt the command; end the process where that is swallowed or waits for something.

    Libraries run Python in places where an exception is dropped.
    """
    late = threading.Timer(_PATIENCE_S, leave)
    late.daemon = True
    late.start()
    raise KeyboardInterrupt
