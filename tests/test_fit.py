"""Whether quotes say what reasons say: the measure, its command, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import run

from dxtrace.errors import InputError
from dxtrace.evaluate.fit import area_under_curve, measure_fit, read_pairs
from dxtrace.findings.recogniser import recogniser
from dxtrace.notes.case import Case

NOTE = (
    "A 45-year-old man has had a cough for 3 months and night sweats. No hemoptysis. "
    "Pulse is 88/min and BP 130/87. Sputum smear: acid-fast bacilli 2+."
)
LABELS = [
    ("cough for 3 months", "tuberculosis/chronic-cough", "good", ""),
    ("night sweats", "tuberculosis/night-sweats", "good", ""),
    ("acid-fast bacilli 2+", "tuberculosis/afb-smear", "good", ""),
    ("No hemoptysis", "tuberculosis/haemoptysis", "wrong", "polarity"),
    ("Pulse is 88/min", "pneumonia/tachycardia", "wrong", "value"),
    ("BP 130/87", "pulmonary-embolism/sustained-hypotension", "wrong", "value"),
    ("A 45-year-old man", "tuberculosis/cavitary-imaging", "loose", "detail"),
]


def rows() -> Iterator[dict[str, Any]]:
    for text, premise, label, why in LABELS:
        start = NOTE.index(text)
        pair = {"case": "a", "start": start, "end": start + len(text), "premise": premise}
        yield pair | {"label": label, "why": why}


def test_good_pairs_are_told_from_wrong_ones() -> None:
    cases = {"a": Case.from_text(NOTE, "a")}
    evidence = {"a": ("Tuberculosis", ["night sweats", "BP 130/87"])}
    report = measure_fit(recogniser(), cases, read_pairs(list(rows())), evidence)
    assert (report.pairs, report.unknown) == (7, 0)
    assert report.precision[0] == report.recall[0] == report.auc[0] == 1.0
    assert report.by_class == {"polarity": (0, 1), "value": (0, 2)}
    assert report.coverage is not None
    assert report.coverage[0] == 0.5


def test_the_command_prints_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, cases = tmp_path / "pairs.jsonl", tmp_path / "cases.jsonl"
    pairs.write_text("\n".join(json.dumps(row) for row in rows()), "utf-8")
    cases.write_text(json.dumps({"id": "a", "note": NOTE}) + "\n", "utf-8")
    code, out, err = run(capsys, "evaluate", "fit", "--pairs", pairs, "--cases", cases)
    assert (code, err) == (0, "")
    assert "precision  100.0%" in out
    assert "value: 0 of 2" in out
    code, _, err = run(capsys, "evaluate", "fit", "--pairs", cases, "--cases", cases)
    assert code == 2
    assert err.count("\n") == 1


@pytest.mark.parametrize("row", [{}, {"case": "a"}, {"case": "a", "start": "x"}])
def test_a_pair_of_another_shape_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="pair 1"):
        read_pairs([row])


@given(st.lists(st.floats(0, 1), min_size=1), st.lists(st.floats(0, 1), min_size=1))
def test_the_area_is_a_probability_and_turns_over(one: list[float], other: list[float]) -> None:
    area = area_under_curve(one, other)
    assert 0 <= area <= 1
    assert area == pytest.approx(1 - area_under_curve(other, one))
