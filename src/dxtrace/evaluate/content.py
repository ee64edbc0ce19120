"""The content of ``report.json``, typed: what the summary makes, and tables, plots and pages read."""

from __future__ import annotations

from typing import Any, TypedDict


class IntervalData(TypedDict):
    """A two-sided 95 % interval; both ends None where too few cases allow none."""

    low: float | None
    high: float | None


class EstimateData(TypedDict):
    """A mean over ``n`` cases of ``patients`` patients with its intervals; ``wilson`` for rates
    alone.
    """

    mean: float | None
    n: int
    patients: int
    bootstrap: IntervalData
    wilson: IntervalData | None


class BinData(TypedDict):
    """One bin of a reliability diagram."""

    low: float
    high: float
    n: int
    confidence: float
    right: float


class ConfidenceData(TypedDict):
    """Calibration of one system; ``curve`` holds (coverage, accuracy) of the most confident
    answers; ``gap`` is mean confidence less share right.
    """

    n: int
    ece: float
    ece_interval: IntervalData
    brier: float
    brier_interval: IntervalData
    bins: list[BinData]
    curve: list[tuple[float, float]]
    area_under_risk: float
    area_interval: IntervalData
    gap: float
    gap_interval: IntervalData


class BridgeData(TypedDict):
    """One score of BRIDGE: cases scored, mean accuracy over bootstraps, answers that are none of the
    labels, cases whose gold diagnosis has no label.
    """

    n: int
    accuracy: float
    interval: IntervalData
    macro_f1: float
    invalid: int
    left_out: int


class FalseAnswersData(TypedDict):
    """Out-of-scope cases still answered where ``kept`` of those in scope are."""

    kept: float
    share: float
    interval: IntervalData


class ScopeData(TypedDict):
    """How well a system knows what it does not know (:class:`dxtrace.evaluate.metrics.scope.Scope`)."""

    inside: int
    outside: int
    auroc: float
    auroc_interval: IntervalData
    answered_inside: float
    answered_inside_interval: IntervalData
    answered_outside: float
    answered_outside_interval: IntervalData
    false_answers: list[FalseAnswersData]
    curve: list[tuple[float, float]]


class FaithfulData(TypedDict):
    """Answers left and the faithful share of their steps where a share of answers is withheld."""

    withheld: float
    answers: int
    faithful: float | None
    interval: IntervalData


class GroupData(TypedDict):
    """The cases of one category, domain or diagnosis."""

    n: int
    patients: int
    metrics: dict[str, EstimateData]


class F1Data(TypedDict):
    """Macro-F1 over categories and over diagnoses."""

    category: float
    diagnosis: float


class ConfusionData(TypedDict):
    """Wrong answers, most frequent first, as (gold, predicted, cases)."""

    diagnosis: list[tuple[str, str, int]]
    category: list[tuple[str, str, int]]


class Summary(TypedDict):
    """Everything that a report says of one system.

    ``status`` counts answered, missing and broken cases; ``outcomes`` is the share of all cases by
    what was decided.
    ``sections`` holds gold evidence found and missed, and quotes that are no gold evidence.
    """

    n: int
    patients: int
    status: dict[str, int]
    outcomes: dict[str, float]
    metrics: dict[str, EstimateData]
    pooled: dict[str, float | None]
    macro: dict[str, float | None]
    macro_f1: F1Data
    macro_f1_intervals: dict[str, IntervalData]
    groups: dict[str, dict[str, GroupData]]
    confidence: ConfidenceData | None
    by_source: dict[str, ConfidenceData]
    faithful: list[FaithfulData]
    confusions: ConfusionData
    sections: dict[str, list[int]]
    seconds: float | None


class ProblemData(TypedDict):
    """One thing wrong in what was read."""

    place: str
    kind: str
    message: str
    id: str | None


class SystemReport(TypedDict):
    """One system: its model, the wordings that it knew, what was wrong with its answers, its summary,
    and what was measured on other cases than those evaluated on.

    ``robustness`` has an estimate by measure (:func:`dxtrace.evaluate.metrics.robustness.robustness`),
    ``bridge`` a score for "categories" and for "diagnoses".
    """

    name: str
    model: dict[str, Any]
    wordings: str
    problem_counts: dict[str, int]
    problems: list[ProblemData]
    summary: Summary
    scope: ScopeData | None
    robustness: dict[str, EstimateData]
    bridge: dict[str, BridgeData] | None


class ComparisonData(TypedDict):
    """One metric of two systems on the same cases."""

    key: str
    n: int
    first: float
    second: float
    difference: float
    interval: IntervalData
    permutation: float
    mcnemar: float | None
    adjusted: float


class ComparedSystems(TypedDict):
    """Two systems, metric by metric."""

    first: str
    second: str
    metrics: list[ComparisonData]


class CorpusData(TypedDict):
    """The corpus that was evaluated on."""

    name: str
    id: str
    sha256: str
    licence: str
    credentialed: bool


class SettingsData(TypedDict):
    """How intervals and tests were made."""

    seed: int
    resamples: int
    confidence: float
    cluster: str


class Report(TypedDict):
    """The content of ``report.json``."""

    corpus: CorpusData | None
    credentialed: bool
    judges: dict[str, str]
    settings: SettingsData
    systems: list[SystemReport]
    comparisons: list[ComparedSystems]
    provenance: dict[str, Any]
