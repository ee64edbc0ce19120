"""Whether quotes say what their reasons say: labelled pairs, and key evidence, against the
recogniser.

A pair is a quote, the premise that the reason says, and a label: ``good`` (the quote states it),
``loose`` (it states the core of it) or ``wrong``. A physician gives the labels; the recogniser is
asked for the probability that the quote states the finding. What it cannot judge, because it does
not know the premise, is counted.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dxtrace.errors import InputError
from dxtrace.evaluate.metrics.statistics import wilson
from dxtrace.files import check
from dxtrace.findings.recogniser import FindingRecogniser, Reading
from dxtrace.knowledge import slug
from dxtrace.notes.case import Case
from dxtrace.notes.quotes import Quote

LABELS = ("good", "loose", "wrong")

#: A pair is taken for good at this probability.
THRESHOLD = 0.5

#: Resamples of cases for the interval of the area under the curve.
RESAMPLES = 1_000


@dataclass(frozen=True)
class LabelledPair:
    """A quote in a case, the premise it was given for, and what a reader said of the two."""

    case: str
    start: int
    end: int
    premise: str
    label: str
    why: str | None = None


@dataclass(frozen=True)
class FitReport:
    """How well the recogniser tells good pairs from wrong ones.

    ``precision`` and ``recall``: of good pairs at :data:`THRESHOLD`, loose ones left out, each with
    its 95 % Wilson interval. ``auc``: probability that a good pair scores above a wrong one, with a
    percentile interval over cases.
    ``by_class``: of the wrong pairs of each class, how many were taken for good, and how many there
    are. ``coverage``: share of key evidence that a statement for the right category overlaps; None
    without key evidence.
    """

    pairs: int
    unknown: int
    precision: tuple[float, float, float]
    recall: tuple[float, float, float]
    auc: tuple[float, float, float]
    by_class: Mapping[str, tuple[int, int]]
    coverage: tuple[float, float, float] | None


def read_pairs(rows: Sequence[Mapping[str, Any]]) -> list[LabelledPair]:
    """Return labelled pairs.

    Args:
        rows: objects with ``case``, ``start``, ``end``, ``premise``, ``label`` and, for wrong ones,
            ``why``.

    Raises:
        InputError: a row has another shape; says which.
    """
    pairs = []
    for number, row in enumerate(rows, 1):
        pair = check(LabelledPair, row, f"pair {number}")
        if pair.label not in LABELS:
            raise InputError(f"pair {number}: a label is one of {', '.join(LABELS)}")
        pairs.append(pair)
    return pairs


def measure_fit(
    recogniser: FindingRecogniser,
    cases: Mapping[str, Case],
    pairs: Sequence[LabelledPair],
    key_evidence: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    seed: int = 0,
) -> FitReport:
    """Return how well the recogniser tells good pairs from wrong ones.

    Args:
        recogniser: judges.
        cases: by id, those that the pairs quote.
        pairs: labelled.
        key_evidence: by case id, its category and the texts that a physician would quote.
        seed: of the resampling.

    Raises:
        InputError: a pair is about a case that is not there, or there are no good or no wrong ones.
    """
    readings = {}
    for id, case in cases.items():
        readings[id] = recogniser.read(case)
    scored: list[tuple[LabelledPair, float]] = []
    unknown = 0
    for pair in pairs:
        if pair.case not in cases:
            raise InputError(f"a pair is about the case {pair.case!r}, which is not there")
        if not recogniser.knows(pair.premise):
            unknown += 1
            continue
        scored.append((pair, _probability(recogniser, readings[pair.case], cases[pair.case], pair)))
    clear = []
    for pair, score in scored:
        if pair.label != "loose":
            clear.append((pair, score))
    good = []
    for pair, score in clear:
        if pair.label == "good":
            good.append(score)
    wrong = []
    for pair, score in clear:
        if pair.label == "wrong":
            wrong.append(score)
    if not good or not wrong:
        raise InputError("a fit is measured on good and on wrong pairs: one kind is missing")
    taken = []
    for pair, score in clear:
        if score >= THRESHOLD:
            taken.append(pair)
    right = sum(pair.label == "good" for pair in taken)
    by_class: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for pair, score in clear:
        if pair.label == "wrong":
            missed, total = by_class[pair.why or "unclassed"]
            by_class[pair.why or "unclassed"] = missed + (score >= THRESHOLD), total + 1
    return FitReport(
        len(scored),
        unknown,
        _rate(right, len(taken)),
        _rate(right, len(good)),
        (area_under_curve(good, wrong), *_interval(clear, seed)),
        dict(by_class),
        _coverage(readings, cases, key_evidence) if key_evidence else None,
    )


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the probability that a positive scores above a negative, ties half (Mann and Whitney
    1947).
    """
    wins = 0.0
    for one in positive:
        for other in negative:
            if one > other:
                wins += 1
            elif one == other:
                wins += 0.5
    return wins / (len(positive) * len(negative))


def _probability(
    recogniser: FindingRecogniser, reading: Reading, case: Case, pair: LabelledPair
) -> float:
    """Return the probability that a quote states a finding: of an overlapping statement, or by
    similarity.
    """
    for statement in reading.statements:
        quote = statement.quote
        if (
            statement.premise.id == pair.premise
            and quote.start < pair.end
            and pair.start < quote.end
        ):
            return statement.probability
    text = " ".join(case.note[pair.start : pair.end].split())
    return recogniser.similarity(pair.premise, Quote(text, pair.start, pair.end)) / 2


def _rate(count: int, total: int) -> tuple[float, float, float]:
    interval = wilson(count, total)
    return count / max(total, 1), interval.low or 0.0, interval.high or 0.0


def _interval(scored: Sequence[tuple[LabelledPair, float]], seed: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of the area under the curve over resampled cases."""
    by_case: dict[str, list[tuple[LabelledPair, float]]] = defaultdict(list)
    for pair, score in scored:
        by_case[pair.case].append((pair, score))
    rng = random.Random(seed)
    ids = list(by_case)
    areas = []
    for _ in range(RESAMPLES):
        sample = []
        for id in rng.choices(ids, k=len(ids)):
            for item in by_case[id]:
                sample.append(item)
        good = []
        for pair, score in sample:
            if pair.label == "good":
                good.append(score)
        wrong = []
        for pair, score in sample:
            if pair.label == "wrong":
                wrong.append(score)
        if good and wrong:
            areas.append(area_under_curve(good, wrong))
    areas.sort()
    return areas[int(0.025 * len(areas))], areas[min(len(areas) - 1, int(0.975 * len(areas)))]


def _coverage(
    readings: Mapping[str, Reading],
    cases: Mapping[str, Case],
    key_evidence: Mapping[str, tuple[str, Sequence[str]]],
) -> tuple[float, float, float]:
    covered = 0
    total = 0
    for id, (category, texts) in key_evidence.items():
        if id not in readings:
            continue
        prefix = f"{slug(category)}/"
        spans = []
        for statement in readings[id].statements:
            if statement.premise.id.startswith(prefix):
                spans.append((statement.quote.start, statement.quote.end))
        for text in texts:
            start = cases[id].note.find(text)
            total += 1
            covered += start >= 0 and any(a < start + len(text) and start < b for a, b in spans)
    return _rate(covered, total)
