"""Progress on stderr: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dxtrace.models.store import Report

STDERR = Console(stderr=True)


@contextmanager
def reporting() -> Iterator[Report]:
    """Give a function that shows what is being done and how far it is (0 to 1)."""
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
        task = progress.add_task("", total=1.0, visible=False)

        def report(what: str, share: float) -> None:
            progress.update(task, description=what, completed=share, visible=what != "done")

        yield report
