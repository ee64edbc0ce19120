"""How far stated probabilities can be trusted: calibration error, Brier score, reliability,
abstention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from dxtrace.evaluate.content import ConfidenceData
from dxtrace.evaluate.metrics.statistics import RESAMPLES, Interval, resample

#: Bins of equal width for the calibration error and the reliability diagram.
BINS = 10


@dataclass(frozen=True)
class Stated:
    """One answer's stated confidence, whether it was right, and its Brier score over all diagnoses."""

    confidence: float
    right: bool
    brier: float


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability diagram: range of confidence, cases, mean confidence, share right."""

    low: float
    high: float
    n: int
    confidence: float
    right: float


@dataclass(frozen=True)
class Confidence:
    """Calibration of one system, each figure with its 95 % interval.

    ``curve`` holds (coverage, accuracy) of the most confident answers; ``gap`` is mean confidence
    less share right.
    """

    n: int
    ece: float
    ece_interval: Interval
    brier: float
    brier_interval: Interval
    bins: tuple[Bin, ...]
    curve: tuple[tuple[float, float], ...]
    area_under_risk: float
    area_interval: Interval
    gap: float
    gap_interval: Interval

    def to_json(self) -> ConfidenceData:
        """Return a JSON object."""
        return cast(ConfidenceData, asdict(self))


def brier(probabilities: dict[str, float], gold: str) -> float:
    """Return the multi-class Brier score of one case, 0 (best) to 2: the sum over diagnoses of
    (probability - truth) squared.

    Source: Brier 1950, Monthly Weather Review 78. A gold diagnosis without a probability has
    probability 0.
    """
    if gold in probabilities:
        missed = 0.0
    else:
        missed = 1.0
    return missed + sum((p - (name == gold)) ** 2 for name, p in probabilities.items())


def reliability(stated: Sequence[Stated], bins: int = BINS) -> tuple[Bin, ...]:
    """Return the bins of equal width that hold a case, lowest first.

    A confidence of 1 is in the last bin.
    """
    groups: list[list[Stated]] = []
    for _ in range(bins):
        groups.append([])
    for one in stated:
        groups[min(int(one.confidence * bins), bins - 1)].append(one)
    filled = []
    for number, group in enumerate(groups):
        if group:
            filled.append(
                Bin(
                    low=number / bins,
                    high=(number + 1) / bins,
                    n=len(group),
                    confidence=sum(one.confidence for one in group) / len(group),
                    right=sum(one.right for one in group) / len(group),
                )
            )
    return tuple(filled)


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return ECE: the mean over cases of abs(share right - mean confidence) of their bin.

    Source: Naeini et al. 2015 (AAAI); Guo et al. 2017, arXiv 1706.04599.
    """
    total = sum(one.n for one in bins)
    if total:
        return sum(one.n * abs(one.right - one.confidence) for one in bins) / total
    return 0.0


def abstention_curve(stated: Sequence[Stated]) -> tuple[tuple[float, float], ...]:
    """Return (coverage, accuracy) when only the most confident answers are given, from few to all.

    Answers of equal confidence are given or withheld together.
    """
    order = sorted(stated, key=lambda one: -one.confidence)
    points: list[tuple[float, float]] = []
    right = 0
    for number, one in enumerate(order, 1):
        right += one.right
        if number == len(order) or order[number].confidence < one.confidence:
            points.append((number / len(order), right / number))
    return tuple(points)


def area_under_risk(stated: Sequence[Stated]) -> float:
    """Return the area under the risk-coverage curve, 0 best: the mean risk over all coverages.

    Source: Geifman and El-Yaniv 2017, arXiv 1705.08500; Geifman, Uziel and El-Yaniv 2019, arXiv
    1805.08206.
    """
    area = last = 0.0
    for coverage, accuracy in abstention_curve(stated):
        area += (coverage - last) * (1 - accuracy)
        last = coverage
    return area


def mean_gap(stated: Sequence[Stated]) -> float:
    """Return mean confidence less share right: above 0 where a system is too sure of itself."""
    return sum(one.confidence - one.right for one in stated) / len(stated)


def measure(
    stated: Sequence[Stated],
    patients: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Confidence | None:
    """Return the calibration of a system's answers; None if none states a probability.

    Args:
        stated: of each answer.
        patients: the patient of each answer.
        seed: of the resampling.
        resamples: bootstrap resamples; 0 for no interval.
    """
    if not stated:
        return None

    def interval(statistic: Callable[[list[Stated]], float]) -> Interval:
        return resample(stated, patients, statistic, seed, resamples)

    return Confidence(
        n=len(stated),
        ece=_error(stated),
        ece_interval=interval(_error),
        brier=mean_brier(stated),
        brier_interval=interval(mean_brier),
        bins=reliability(stated),
        curve=abstention_curve(stated),
        area_under_risk=area_under_risk(stated),
        area_interval=interval(area_under_risk),
        gap=mean_gap(stated),
        gap_interval=interval(mean_gap),
    )


def mean_brier(stated: Sequence[Stated]) -> float:
    """Return the mean Brier score of answers, 0 best, 2 worst."""
    return sum(one.brier for one in stated) / len(stated)


def _error(stated: Sequence[Stated]) -> float:
    return expected_calibration_error(reliability(stated))
