"""What was measured on a finished run, and what it answered: kept beside it, for its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dxtrace.chain import Chain
from dxtrace.errors import InputError
from dxtrace.files import atomic_write, check, read_json
from dxtrace.provenance import CorpusInfo

_EVALUATIONS = "evaluations.json"
_EXAMPLE = "example.json"

#: Metrics that a card shows; the report has all.
_SHOWN = (
    "acc_cat", "acc_diag", "obs_pre", "obs_rec", "obs_comp", "exp_com", "exp_all", "named", "selective_acc_diag",
    "top_3", "top_5", "tree_distance", "evidence_precision", "evidence_recall", "evidence_f1", "grounded", "answered",
)  # fmt: skip


class Evaluation(BaseModel):
    """Measures of one system on one corpus, by name; ``cases`` is None where it was not said."""

    corpus: CorpusInfo | None = None
    system: str = ""
    cases: int | None = None
    measures: dict[str, float]


def read_evaluation(file: Path, adapter_sha256: str | None = None) -> Evaluation:
    """Return what a ``report.json`` of ``dxtrace evaluate`` says of an adapter, or the numbers of a
    flat JSON object.

    Args:
        file: the report.
        adapter_sha256: of the adapter; one of another adapter is refused.

    Raises:
        InputError: the file cannot be read, holds no measure, or none of this adapter.
    """
    data = check(dict[str, Any], read_json(file), str(file))
    if "systems" in data:
        return _of_report(data, file, adapter_sha256)
    measures = {}
    for key, value in data.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            measures[key] = float(value)
    if not measures:
        raise InputError(f"{file}: holds no measure: no report.json, and no number under a name")
    return Evaluation(measures=measures)


def _of_report(data: dict[str, Any], file: Path, adapter_sha256: str | None) -> Evaluation:
    report = check(_Report, data, str(file))
    unknown = []
    for one in report.systems:
        if not one.model.adapter_sha256:
            unknown.append(one)
    ours = []
    for one in report.systems:
        if one.model.adapter_sha256 == adapter_sha256:
            ours.append(one)
    if not ours and len(report.systems) == len(unknown) == 1:
        ours = unknown
    if not ours or adapter_sha256 is None:
        names = ", ".join(one.name for one in report.systems)
        raise InputError(f"{file}: none of what it measured ({names}) is this adapter")
    summary = ours[0].summary
    measures = {}
    for key in _SHOWN:
        estimate = summary.metrics.get(key)
        if estimate is not None and estimate.mean is not None:
            measures[key] = estimate.mean
    return Evaluation(
        corpus=report.corpus,
        system=ours[0].name,
        cases=summary.n,
        measures=measures,
    )


class _Estimate(BaseModel):
    mean: float | None


class _Summary(BaseModel):
    n: int
    metrics: dict[str, _Estimate]


class _Model(BaseModel):
    adapter_sha256: str | None = None


class _System(BaseModel):
    name: str
    summary: _Summary
    model: _Model = _Model()


class _Report(BaseModel):
    """What is read of a report."""

    systems: list[_System]
    corpus: CorpusInfo | None = None


def keep(run: Path, evaluation: Evaluation | None, example: Chain | None) -> None:
    """Keep an evaluation and an example beside a run; of two on one corpus the later stays."""
    if evaluation is not None:
        others = []
        for one in evaluations(run):
            if one.corpus != evaluation.corpus:
                others.append(one)
        rows = []
        for one in (*others, evaluation):
            rows.append(one.model_dump(mode="json"))
        atomic_write(run / _EVALUATIONS, json.dumps(rows, indent=1))
    if example is not None:
        atomic_write(run / _EXAMPLE, json.dumps(example.to_json(), ensure_ascii=False))


def evaluations(run: Path) -> list[Evaluation]:
    """Return the evaluations kept beside a run."""
    file = run / _EVALUATIONS
    if not file.is_file():
        return []
    return check(list[Evaluation], read_json(file), str(file))


def example_of(run: Path) -> Chain | None:
    """Return the example kept beside a run."""
    file = run / _EXAMPLE
    if not file.is_file():
        return None
    return Chain.from_json(read_json(file))
