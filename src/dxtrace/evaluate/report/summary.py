"""From results by case to what a report says of one system: means with intervals, groups,
confusions, calibration.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

from dxtrace.chain import Status
from dxtrace.evaluate.content import (
    BridgeData,
    ComparisonData,
    ConfidenceData,
    ConfusionData,
    EstimateData,
    F1Data,
    FaithfulData,
    GroupData,
    IntervalData,
    Summary,
)
from dxtrace.evaluate.metrics.bridge import Kind, bridge_score, label_of, split_examples
from dxtrace.evaluate.metrics.calibration import measure
from dxtrace.evaluate.metrics.direct import PUBLISHED
from dxtrace.evaluate.metrics.faithful import ShownSteps, faithful_curve
from dxtrace.evaluate.metrics.labels import macro_f1
from dxtrace.evaluate.metrics.per_case import METRICS
from dxtrace.evaluate.metrics.statistics import (
    RESAMPLES,
    Comparison,
    compare_all,
    estimate_all,
    mean,
    resample,
)
from dxtrace.evaluate.scoring import CaseResult, columns

#: Metrics that are given for every group.
GROUPED = (*PUBLISHED, "obs_f1", "evidence_f1", "valid")

#: Metrics that two systems are compared on; each costs power under Holm's correction.
COMPARED = (
    *PUBLISHED,
    "optimal_exp_all",
    "top_3",
    "hierarchical_f1",
    "evidence_f1",
    "grounded",
    "valid",
)

_RATES = tuple(metric.key for metric in METRICS if metric.binary)
_GROUP_RESAMPLES = 500

#: Fewest cases of a kind of document that calibration is given for.
_SOURCE = 10


def summarise(
    results: Sequence[CaseResult],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Summary:
    """Return everything that a report says of one system."""
    few = min(resamples, _GROUP_RESAMPLES)
    f1, f1_intervals = _macro_f1(results, seed, few)
    return {
        "n": len(results),
        "patients": len({result.patient for result in results}),
        "status": dict(Counter(result.status for result in results)),
        "outcomes": _outcomes(results),
        "metrics": _estimates(results, tuple(metric.key for metric in METRICS), seed, resamples),
        "pooled": _pooled(results),
        "macro": _macro(results),
        "macro_f1": f1,
        "macro_f1_intervals": f1_intervals,
        "groups": _groups(results, seed, few),
        "confidence": _confidence(results, seed, few),
        "by_source": _by_source(results, seed, few),
        "faithful": _faithful(results, seed, few),
        "confusions": _confusions(results),
        "sections": _sections(results),
        "seconds": mean([result.seconds for result in results]),
    }


def compare(
    first: Sequence[CaseResult],
    second: Sequence[CaseResult],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Compare two systems on the cases that both have, by id (see
    :func:`dxtrace.evaluate.metrics.statistics.compare_all`).
    """
    by_id = {}
    for result in second:
        by_id[result.id] = result
    here = []
    for result in first:
        if result.id in by_id:
            here.append(result)
    there = []
    for result in here:
        there.append(by_id[result.id])
    ones, twos = columns(here), columns(there)
    chosen = {}
    for key in COMPARED:
        chosen[key] = ones[key]
    return compare_all(chosen, twos, [result.patient for result in here], _RATES, seed, resamples)


def _estimates(
    results: Sequence[CaseResult],
    keys: Sequence[str],
    seed: int,
    resamples: int,
) -> dict[str, EstimateData]:
    values = columns(results)
    found = estimate_all(
        {key: values[key] for key in keys},
        [r.patient for r in results],
        _RATES,
        seed,
        resamples,
    )
    estimates = {}
    for key, estimate in found.items():
        estimates[key] = estimate.to_json()
    return estimates


def _outcomes(results: Sequence[CaseResult]) -> dict[str, float]:
    """Return the share of all cases with each outcome; missing and broken answers have none."""
    counts = Counter(result.outcome for result in results)
    outcomes = {}
    for name in get_args(Status):
        outcomes[name] = counts[name] / max(len(results), 1)
    return outcomes


def _pooled(results: Sequence[CaseResult]) -> dict[str, float | None]:
    """Return the observation metrics with all observations of all cases in one pot (micro), without
    the +1.
    """
    gold, predicted, matched, explained = (
        sum(result.counts[place] for result in results) for place in range(4)
    )
    union = gold + predicted - matched
    return {
        "obs_precision": matched / predicted if predicted else None,
        "obs_recall": matched / gold if gold else None,
        "obs_comp": matched / union if union else None,
        "exp_com": explained / matched if matched else None,
        "exp_all": explained / union if union else None,
    }


def _macro(results: Sequence[CaseResult]) -> dict[str, float | None]:
    """Return the published metrics with every category counting the same."""
    groups = _split(results, lambda result: result.category)
    means = {}
    for key in PUBLISHED:
        means[key] = mean([mean([r.scores.get(key) for r in group]) for group in groups.values()])
    return means


def _macro_f1(
    results: Sequence[CaseResult],
    seed: int,
    resamples: int,
) -> tuple[F1Data, dict[str, IntervalData]]:
    """Return macro-F1 over the categories and the diagnoses that occur, and their intervals; a
    missing answer is a label of its own.
    """
    patients = []
    categories = []
    diagnoses = []
    for result in results:
        patients.append(result.patient)
        categories.append((result.category, result.predicted_category))
        diagnoses.append((result.diagnosis, result.predicted_diagnosis))
    pairs = {"category": categories, "diagnosis": diagnoses}

    def score(drawn: Sequence[tuple[str, str]]) -> float:
        gold, said = zip(*drawn, strict=True)
        return macro_f1(gold, said)

    intervals = {}
    for key, rows in pairs.items():
        intervals[key] = resample(rows, patients, score, seed, resamples).to_json()
    values: F1Data = {"category": score(pairs["category"]), "diagnosis": score(pairs["diagnosis"])}
    return values, intervals


def _groups(
    results: Sequence[CaseResult],
    seed: int,
    resamples: int,
) -> dict[str, dict[str, GroupData]]:
    def by(key: Callable[[CaseResult], str]) -> dict[str, GroupData]:
        split = _split(results, key)
        groups = {}
        for name in sorted(split):
            groups[name] = _group(split[name], seed, resamples)
        return groups

    groups = {
        "specialty": by(lambda result: result.specialty or "other"),
        "category": by(lambda result: result.category),
        "diagnosis": by(lambda result: result.diagnosis),
    }
    amended = [result for result in results if result.amended]
    if amended:
        plain = [result for result in results if not result.amended]
        parts = {"amended notes alone": amended, "without amended notes": plain}
        groups["amended"] = {
            name: _group(part, seed, resamples) for name, part in parts.items() if part
        }
    return groups


def _group(results: Sequence[CaseResult], seed: int, resamples: int) -> GroupData:
    metrics = _estimates(results, GROUPED, seed, resamples)
    return {"n": len(results), "patients": len({r.patient for r in results}), "metrics": metrics}


def _split(
    results: Sequence[CaseResult],
    key: Callable[[CaseResult], str],
) -> dict[str, list[CaseResult]]:
    parts: dict[str, list[CaseResult]] = defaultdict(list)
    for result in results:
        parts[key(result)].append(result)
    return parts


def _confidence(
    results: Sequence[CaseResult],
    seed: int,
    resamples: int,
) -> ConfidenceData | None:
    stated = []
    patients = []
    for result in results:
        if result.stated is not None:
            stated.append(result.stated)
            patients.append(result.patient)
    found = measure(stated, patients, seed, resamples)
    if found is None:
        return None
    return found.to_json()


def _by_source(
    results: Sequence[CaseResult],
    seed: int,
    resamples: int,
) -> dict[str, ConfidenceData]:
    """Return calibration by kind of document; kinds of fewer than :data:`_SOURCE` cases together."""
    parts: dict[str, list[CaseResult]] = defaultdict(list)
    for name, part in _split(results, lambda result: result.source or "not stated").items():
        if len(part) < _SOURCE:
            name = "other kinds"
        parts[name] += part
    found = {}
    for name in sorted(parts):
        confidence = _confidence(parts[name], seed, resamples)
        if confidence is not None:
            found[name] = confidence
    return found


def _faithful(
    results: Sequence[CaseResult],
    seed: int,
    resamples: int,
) -> list[FaithfulData]:
    """Return the share of faithful steps as doubtful answers are withheld; empty where no answer
    states a probability.
    """
    answers = []
    for result in results:
        if result.stated is not None:
            _, steps, _, explained = result.counts
            answers.append(ShownSteps(result.stated.confidence, steps, explained, result.patient))
    if not answers:
        return []
    shares = []
    for point in faithful_curve(answers, seed, resamples):
        shares.append(point.to_json())
    return shares


def bridge(results: Sequence[CaseResult]) -> dict[str, BridgeData]:
    """Return the score of BRIDGE on 25 categories and on 55 diagnoses; cases kept for examples are
    left out.
    """
    kept = split_examples([result.id for result in results])
    found = {}
    for kind in get_args(Kind):
        gold, said, left_out = [], [], 0
        for result in results:
            if result.id in kept:
                continue
            truth, answer = result.diagnosis, result.predicted_diagnosis
            if kind == "categories":
                truth, answer = result.category, result.predicted_category
            label = label_of(truth, kind)
            if label is None:
                left_out += 1
                continue
            gold.append(label)
            said.append(label_of(answer, kind))
        if gold:
            found[kind] = replace(bridge_score(gold, said), left_out=left_out).to_json()
    return found


def _confusions(results: Sequence[CaseResult], most: int = 20) -> ConfusionData:
    """Return the wrong answers, most frequent first, by diagnosis and by category, as (gold,
    predicted, n).
    """
    wrong = Counter(
        (r.diagnosis, r.predicted_diagnosis)
        for r in results
        if r.diagnosis != r.predicted_diagnosis
    )
    other = Counter(
        (r.category, r.predicted_category) for r in results if r.category != r.predicted_category
    )
    return {
        "diagnosis": [
            (gold, predicted or "(no diagnosis)", n)
            for (gold, predicted), n in wrong.most_common(most)
        ],
        "category": [
            (gold, predicted or "(no diagnosis)", n)
            for (gold, predicted), n in other.most_common(most)
        ],
    }


def _sections(results: Sequence[CaseResult]) -> dict[str, list[int]]:
    """Return, by section, gold evidence found and missed, and quotes that are no gold evidence."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for result in results:
        for name, counts in result.sections.items():
            totals[name] = [a + b for a, b in zip(totals[name], counts, strict=True)]
    return dict(totals)


def comparisons_json(found: Sequence[Comparison]) -> list[ComparisonData]:
    """Return comparisons as JSON objects."""
    rows = []
    for one in found:
        rows.append(one.to_json())
    return rows
