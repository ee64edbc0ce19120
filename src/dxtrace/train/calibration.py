"""Fitting how far a model's probabilities are to be believed, and how much the findings beside it count."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dxtrace.annotated import AnnotatedCase
from dxtrace.answering.calibration import Calibration
from dxtrace.answering.reasoner import Reasoner
from dxtrace.compose import Composer
from dxtrace.corpus.policy import FairReasoner, read_fairly
from dxtrace.errors import InputError

#: Seed of the cases that are composed for fitting; no corpus of ours has it.
SEED = 40_961

#: A type of an illness is named only if it is more likely than not, given the illness (see Calibration.leave_open).
LEAVE_OPEN = 0.6667

#: Bounds of 1 / temperature and of the weight of the findings.
_BOUNDS = ((0.05, 5.0), (0.0, 5.0))


@dataclass(frozen=True)
class Reading:
    """One case: the model's probability of every diagnosis, what the findings say for each in nats, the gold one."""

    probabilities: dict[str, float]
    findings: dict[str, float]
    gold: str


@dataclass(frozen=True)
class Fit:
    """A fitted calibration, and the mean negative log-likelihood of the gold diagnosis in nats, before and after."""

    calibration: Calibration
    cases: int
    before: float
    after: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self) | {"calibration": self.calibration.to_json()}


def composed(count: int) -> list[AnnotatedCase]:
    """Return cases in the wordings and styles that training does not use: as strange to a model as real notes are.

    They share these with the hard test, but no patient; two numbers are fitted on them.
    """
    composer = Composer(SEED)
    return [composer.case(number, hard=True) for number in range(count)]


def read(reasoner: Reasoner, cases: Sequence[AnnotatedCase]) -> Iterator[Reading]:
    """Yield a reading of every case that has a gold diagnosis.

    Raises:
        CaseError, EngineError: as :meth:`dxtrace.answering.reasoner.Reasoner.differential`.
    """
    plain = FairReasoner(Reasoner(reasoner.engine, taxonomy=reasoner.taxonomy))
    for case in cases:
        if case.gold is None:
            continue
        entries = plain.differential(case).entries
        yield Reading(
            {entry.diagnosis: entry.probability for entry in entries},
            dict(read_fairly(case).scores),
            case.gold.diagnosis,
        )


def fit(readings: Sequence[Reading]) -> Fit:
    """Fit temperature and the weight of the findings by maximum likelihood: a convex problem of two numbers.

    Raises:
        InputError: there is nothing to fit on.
    """
    from scipy.optimize import minimize

    if not readings:
        raise InputError("there is no case with a gold diagnosis to fit on")

    def loss(calibration: Calibration) -> float:
        return sum(_surprise(reading, calibration) for reading in readings) / len(readings)

    def at(point: Sequence[float]) -> Calibration:
        return Calibration(1 / point[0], {}, point[1])

    found = minimize(lambda point: loss(at(point)), (1.0, 0.1), bounds=_BOUNDS, method="L-BFGS-B")
    sharpness, weight = (round(float(value), 4) for value in found.x)
    best = Calibration(round(1 / sharpness, 4), {}, weight, LEAVE_OPEN)
    return Fit(best, len(readings), loss(Calibration()), loss(best))


def _surprise(reading: Reading, calibration: Calibration) -> float:
    names = list(reading.probabilities)
    shares = calibration.apply(names, list(reading.probabilities.values()), reading.findings)
    share = dict(zip(names, shares, strict=True)).get(reading.gold, 0.0)
    return -math.log(max(share, 1e-12))


def calibrate(
    adapter: Path,
    cases: Sequence[AnnotatedCase],
    reasoner: Reasoner,
    report: Callable[[str, float], None],
) -> Fit:
    """Fit the calibration of an adapter and write it beside it (``calibration.json``), where it is read from.

    Raises:
        InputError: no case has a gold diagnosis, or the file cannot be written.
    """
    readings = []
    for number, reading in enumerate(read(reasoner, cases), 1):
        readings.append(reading)
        report("reading cases", number / len(cases))
    found = fit(readings)
    file = adapter / "calibration.json"
    try:
        file.write_text(json.dumps(found.calibration.to_json(), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror})") from None
    return found
