"""Progress on stderr: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from dxtrace.models.store import Report

#: Width of what is piped, in columns: no line is broken, so that a quote can be searched for.
UNBROKEN = 100_000


def console(stderr: bool = False) -> Console:
    """Return a console that breaks lines on a terminal only, or where ``COLUMNS`` says how wide."""
    found = Console(stderr=stderr)
    if found.is_terminal or os.environ.get("COLUMNS"):
        return found
    return Console(stderr=stderr, width=UNBROKEN)


STDERR = console(stderr=True)


@contextmanager
def reporting(first: str = "loading") -> Iterator[Report]:
    """Give a function that shows what is being done and how far it is (0 to 1).

    Until it is called, ``first`` is shown: what a command needs can take seconds to import.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=STDERR,
        transient=True,
        disable=not STDERR.is_terminal,
    ) as progress:
        task = progress.add_task(first, total=None)

        def report(what: str, share: float) -> None:
            shown = what != "done"
            progress.update(task, description=what, completed=share, total=1.0, visible=shown)

        yield report
