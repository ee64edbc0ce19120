"""``dxtrace evaluate fit``: whether quotes say what their reasons say, on labelled pairs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from dxtrace.cli._terminal import clean
from dxtrace.errors import InputError
from dxtrace.files import read_jsonl
from dxtrace.notes.case import Case


def fit(
    pairs: Annotated[
        Path,
        typer.Option(help="JSONL of case, start, end, premise, label (good, loose, wrong), why."),
    ],
    cases: Annotated[
        Path,
        typer.Option(help="JSONL of id and note; category and key_evidence for the coverage."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure whether quotes say what reasons say."""
    from dxtrace.evaluate.fit import measure_fit, read_pairs
    from dxtrace.findings.recogniser import recogniser

    rows = _rows(cases)
    try:
        notes = {}
        for row in rows:
            notes[str(row["id"])] = Case.from_text(row["note"], str(row["id"]))
    except (KeyError, TypeError):
        raise InputError(f"{cases}: every row needs an id and a note") from None
    key_evidence = {}
    for row in rows:
        if row.get("category") and row.get("key_evidence"):
            key_evidence[str(row["id"])] = (str(row["category"]), row["key_evidence"])
    report = measure_fit(recogniser(), notes, read_pairs(_rows(pairs)), key_evidence)
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"{report.pairs} pairs, {report.unknown} about premises that are not known")
    for name, rate in (("precision", report.precision), ("recall", report.recall)):
        print(f"{name:10} {rate[0]:.1%} ({rate[1]:.1%} to {rate[2]:.1%})")
    low, high = report.auc[1:]
    print(f"{'AUC':10} {report.auc[0]:.3f} ({low:.3f} to {high:.3f}), good against wrong")
    for name, (missed, total) in sorted(report.by_class.items()):
        print(f"  wrong, {clean(name)}: {missed} of {total} taken for good")
    if report.coverage:
        rate = report.coverage
        print(f"{'coverage':10} {rate[0]:.1%} ({rate[1]:.1%} to {rate[2]:.1%}) of the key evidence")


def _rows(file: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSONL file.

    Raises:
        InputError: it cannot be read, or a line is no object.
    """
    rows = []
    for line in read_jsonl(file):
        row = line.parse()
        if not isinstance(row, dict):
            raise InputError(f"{line.place}: not an object")
        rows.append(row)
    return rows
