"""``dxtrace evaluate traps``: sentences that trap readers of clinical text, for any tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from dxtrace.cli._progress import console as stdout_console
from dxtrace.cli._terminal import clean
from dxtrace.files import atomic_write, refuse_to_replace

if TYPE_CHECKING:
    from dxtrace.evaluate.traps import TrapReport


def traps(
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="What a tool says: JSONL of id, polarity, certainty, experiencer, time. "
            "Without it dxtrace answers.",
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the suite as JSONL, and score nothing."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="List what was failed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
) -> None:
    """Score a tool on sentences with traps.

    Negation, its end and what only looks like it, whose finding it is, how sure, when, tables, and
    numbers with units; each kind with a 95 % Wilson interval.
    """
    from dxtrace.evaluate.traps import answer_traps, read_answers, score_traps
    from dxtrace.evaluate.traps import traps as suite
    from dxtrace.evaluate.traps.suite import suite_text

    if write is not None:
        if not force:
            refuse_to_replace([write])
        atomic_write(write, suite_text())
        print(write)
        return
    if predictions is None:
        answers = answer_traps(suite())
    else:
        answers = read_answers(predictions)
    report = score_traps(answers)
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=1))
    else:
        _show(report, failed)


def _show(report: TrapReport, failed: bool) -> None:
    table = Table("kind", "passed", "", "95 %", "wrongly affirmed", "missed", box=None)
    for score in report.scores:
        table.add_row(
            score.name,
            f"{score.right}/{score.total}",
            f"{score.share:.1%}",
            f"{score.low:.1%} to {score.high:.1%}",
            str(score.affirmed),
            str(score.missed),
        )
    stdout_console().print(table)
    if report.unanswered:
        print(f"{report.unanswered} traps without an answer count as failed")
    if failed:
        for trap, answer in report.failed:
            text = " / ".join(trap.text.splitlines())
            print(clean(f"{trap.id} [{trap.finding}] {trap.expected}, not {answer}: {text}"))
