"""How often a diagnosis is named, and how often it is right where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_evaluate_report import INFO, JUDGES, by_id, gold_rows, write_rows

from dxtrace.chain import Chain
from dxtrace.compose import Composer
from dxtrace.evaluate import (
    Scored,
    Settings,
    html_report,
    markdown_table,
    read_predictions,
    report_data,
    score_cases,
)
from dxtrace.notes.annotated import AnnotatedCase


@pytest.fixture(scope="module")
def cases() -> list[AnnotatedCase]:
    composer = Composer(11)
    return [composer.case(number) for number in range(12)]


def without_diagnosis(row: dict[str, Any], status: str) -> dict[str, Any]:
    """Return a row that names no diagnosis; with an open type it keeps its first node and that node's steps."""
    path = row["path"][:1] if status == "type_open" else []
    steps = [step for step in row["steps"] if step["supports"] in path]
    category = row["category"] if path else None
    new = {"status": status, "diagnosis": None, "category": category, "path": path, "steps": steps}
    chain = Chain.from_json(row | new)
    return chain.to_json()


def test_the_report_says_how_often_no_diagnosis_was_named(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    rows = gold_rows(cases)[:12]
    for number, status in enumerate(["type_open", "type_open", "not_supported", "out_of_scope"]):
        rows[number] = without_diagnosis(rows[number], status)
    rows[4] = rows[5] | {"id": rows[4]["id"], "note": rows[4]["note"]}
    answers = read_predictions(write_rows(tmp_path / "p.jsonl", rows[:11]), by_id(cases[:12]))
    system = Scored("s", score_cases(answers, cases[:12], JUDGES), answers)
    data = report_data([system], Settings(JUDGES.to_json(), resamples=200), INFO)
    summary = data["systems"][0]["summary"]
    shares = {"answered": 7, "type_open": 2, "not_supported": 1, "out_of_scope": 1}
    assert summary["outcomes"] == {key: pytest.approx(n / 12) for key, n in shares.items()}
    assert summary["metrics"]["selective_acc_diag"]["n"] == 7
    diagnoses = [case.gold.diagnosis for case in cases[:11] if case.gold]
    right = sum(gold == row["diagnosis"] for gold, row in zip(diagnoses, rows[:11], strict=True))
    assert summary["metrics"]["selective_acc_diag"]["mean"] == pytest.approx(right / 7)
    assert summary["metrics"]["acc_diag"]["mean"] == pytest.approx(right / 12)
    assert "(no diagnosis)" in {row[1] for row in summary["confusions"]["diagnosis"]}
    for text in (markdown_table(data), html_report(data, [system], by_id(cases))):
        assert "type open 16.7 %" in text and "of 7 diagnoses named" in text
