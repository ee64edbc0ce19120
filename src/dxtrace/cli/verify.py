"""``dxtrace verify``: whether the quotes of anybody's answer stand in a note."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from dxtrace.cli._progress import STDERR
from dxtrace.cli._progress import console as stdout_console
from dxtrace.cli._terminal import clean
from dxtrace.errors import InputError
from dxtrace.files import atomic_write, refuse_to_replace
from dxtrace.notes.case import Case
from dxtrace.notes.reading import read_case
from dxtrace.provenance import CREDENTIALED_RULE

if TYPE_CHECKING:
    from dxtrace.evaluate.verification import AnswerCheck, QuoteCheck, QuotedAnswer


class Format(StrEnum):
    """How what was found is printed."""

    table = "table"
    json = "json"


Answer = Annotated[
    str,
    typer.Argument(
        metavar="ANSWER",
        help="Text or JSON, JSONL with one answer a line, or a folder of JSON files; '-' for standard input.",
    ),
]
Note = Annotated[Path | None, typer.Option(help="The note that is quoted: text or JSON.")]
Notes = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="The notes of answers by id: a JSONL or CSV file, a folder, or a corpus.",
    ),
]


def verify(
    answer: Answer,
    note: Note = None,
    notes: Notes = None,
    format: Annotated[Format, typer.Option(help="table: for reading; json.")] = Format.table,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an HTML page with the quotes marked."),
    ] = None,
    reasons: Annotated[
        bool,
        typer.Option("--reasons/--text-only", help="Ask too whether quotes state their reasons."),
    ] = True,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="A quote that does not state its reason fails too."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the page if it is there.")
    ] = False,
) -> None:
    """Check the quotes of any answer.

    Read are dxtrace's results and rows, DiReCT predictions, LangExtract's JSONL, content blocks with
    citations, the published text form, and text with quotation marks. The exit code is 0 if every
    quote stands, 1 if one does not, 2 if the input cannot be used.
    """
    from dxtrace.evaluate.verification import verify_quotes
    from dxtrace.evaluate.verification.files import read_answers, read_notes
    from dxtrace.evaluate.verification.page import page_of

    if note is not None and notes is not None:
        raise InputError("give --note or --notes, not both")
    if page is not None and not force:
        refuse_to_replace([page])
    read = read_answers(answer)
    one = None if note is None else read_case(note)
    by_id: Mapping[str, Case] = {}
    credentialed = any(found.credentialed for found in read.answers)
    if notes is not None:
        by_id, marked = read_notes(notes)
        credentialed = credentialed or marked
    checks: list[AnswerCheck] = []
    for found in read.answers:
        case = _note_of(found, one, by_id)
        if case is None:
            read.problems.append(f"{found.id}: no note of this id; see --note and --notes")
        else:
            checks.append(verify_quotes(found, case, reasons=reasons))
    if not checks:
        raise InputError(read.problems[0])
    if credentialed:
        STDERR.print(CREDENTIALED_RULE, style="yellow", highlight=False, soft_wrap=True)
    _show(checks, format)
    for problem in read.problems:
        STDERR.print(f"left out: {problem}", markup=False, highlight=False, soft_wrap=True)
    if page is not None:
        atomic_write(page, page_of(checks, credentialed))
    doubtful = strict and any(quote.doubts for check in checks for quote in check.quotes)
    if read.problems or doubtful or not all(check.stands for check in checks):
        raise typer.Exit(1)


def _note_of(answer: QuotedAnswer, one: Case | None, by_id: Mapping[str, Case]) -> Case | None:
    """Return the note that an answer quotes: the one given, that of its id, or the answer's own."""
    if one is not None:
        return one
    if by_id:
        return by_id.get(answer.id)
    if answer.note:
        return Case.from_text(answer.note, answer.id)
    return None


def _show(checks: Sequence[AnswerCheck], format: Format) -> None:
    if format is Format.json:
        data = []
        for check in checks:
            data.append(check.to_json())
        print(json.dumps(data[0] if len(data) == 1 else data, ensure_ascii=False, indent=1))
        return
    console = stdout_console()
    for check in checks:
        table = Table("", "quote", "in the note", "its reason", "what is wrong", box=None)
        for number, quote in enumerate(check.quotes, 1):
            table.add_row(*_cells(number, quote))
        if check.quotes:
            console.print(table)
        standing = sum(quote.stands for quote in check.quotes)
        line = f"{check.id}: {standing} of {len(check.quotes)} quotes stand"
        console.print(Text(clean(line), style="bold" if check.stands else "bold red"))


def _cells(number: int, quote: QuoteCheck) -> list[Text]:
    wrong = []
    for fault in quote.faults:
        wrong.append(fault.what)
    aside = []
    for what in (*(doubt.what for doubt in quote.doubts), *quote.remarks):
        aside.append(f"({what})")
    return [
        Text(str(number), style="green" if quote.stands else "bold red"),
        Text(clean(" ".join(quote.claim.quote.split()))),
        Text(quote.found, style="" if quote.places else "red"),
        Text(quote.stated.replace("_", " ")),
        Text(clean("; ".join([*wrong, *aside]))),
    ]
