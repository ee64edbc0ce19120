"""Fitting an adapter's calibration: temperature, the weight of the findings, conformal quantiles,
and the scope.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dxtrace.answering.calibration import CALIBRATION, Calibration, softmax
from dxtrace.answering.conformal import COVERAGES, conformal_quantile
from dxtrace.answering.differential import leave_open
from dxtrace.answering.reasoner import Reasoner
from dxtrace.answering.scope import ScopeModel, scope_features
from dxtrace.chain import Differential, Ranked
from dxtrace.compose import Composer
from dxtrace.corpus import CREDENTIALED, Corpus
from dxtrace.corpus.policy import FairReasoner, fair_recogniser
from dxtrace.errors import InputError
from dxtrace.files import atomic_write
from dxtrace.findings.recogniser import Reading
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.models import read_calibration, shipped_adapter, store
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import PROVENANCE, Provenance, read_provenance

#: Seed of the cases that are composed for fitting; no corpus of ours has it.
SEED = 40_961

#: A type of an illness is named only if it is more likely than not, given the illness (see
#: Calibration.leave_open).
LEAVE_OPEN = 0.6667

#: Share of in-scope cases that the threshold of the scope keeps.
IN_SCOPE_KEPT = 0.9

#: Strength of the ridge penalty on standardised coefficients of the scope: few cases, many
#: features.
_RIDGE = 0.02

#: Bounds of 1 / temperature and of the weight of the findings.
_BOUNDS = ((0.05, 5.0), (0.0, 5.0))


@dataclass(frozen=True)
class ScoredCase:
    """One case: the model's probability of every diagnosis, what the note states, the gold
    diagnosis (or None).
    """

    probabilities: Mapping[str, float]
    findings: Mapping[str, float]
    gold: str | None


@dataclass(frozen=True)
class Fit:
    """A fitted calibration, and the mean negative log-likelihood of the gold diagnosis in nats,
    before and after.
    """

    calibration: Calibration
    cases: int
    before: float
    after: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self) | {"calibration": self.calibration.to_json()}


def composed(count: int, report: Callable[[str, float], None] | None = None) -> list[AnnotatedCase]:
    """Return cases in the wordings and styles that training does not use: as strange to a model as
    real notes are.

    They share these with the hard test, but no patient; a handful of numbers is fitted on them.
    """
    composer = Composer(SEED)
    cases = []
    for number in range(count):
        cases.append(composer.case(number, hard=True))
        if report:
            report("composing cases", (number + 1) / count)
    return cases


def score_cases(
    reasoner: Reasoner, cases: Sequence[AnnotatedCase]
) -> Iterator[tuple[ScoredCase, Reading]]:
    """Yield what model and findings say of every case.

    Raises:
        CaseError, EngineError: as :meth:`dxtrace.answering.reasoner.Reasoner.differential`.
    """
    plain = FairReasoner(Reasoner(reasoner.engine, taxonomy=reasoner.taxonomy))
    for case in cases:
        entries = plain.differential(case).entries
        reading = fair_recogniser(case).read(case.case)
        probabilities = {}
        for entry in entries:
            probabilities[entry.diagnosis] = entry.probability
        gold = case.gold.diagnosis if case.gold else None
        yield ScoredCase(probabilities, reading.scores, gold), reading


def fit(cases: Sequence[ScoredCase]) -> Fit:
    """Fit temperature and the weight of the findings by maximum likelihood, a convex problem of two
    numbers.

    The conformal quantiles come from the same cases: two numbers hardly adapt to hundreds.

    Raises:
        InputError: there is nothing to fit on.
    """
    from scipy.optimize import minimize

    known = []
    for case in cases:
        if case.gold:
            known.append(case)
    if not known:
        raise InputError("there is no case with a gold diagnosis to fit on")

    def loss(calibration: Calibration) -> float:
        return sum(_negative_log_likelihood(case, calibration) for case in known) / len(known)

    def at(point: Sequence[float]) -> Calibration:
        return Calibration(1 / point[0], {}, point[1])

    found = minimize(lambda point: loss(at(point)), (1.0, 0.1), bounds=_BOUNDS, method="L-BFGS-B")
    inverse_temperature, weight = (round(float(value), 4) for value in found.x)
    best = Calibration(round(1 / inverse_temperature, 4), {}, weight, LEAVE_OPEN)
    scores = []
    for case in known:
        scores.append(1 - _probability_of_gold(case, best))
    quantiles = {}
    for coverage in COVERAGES:
        quantiles[f"{coverage:g}"] = round(conformal_quantile(scores, coverage), 6)
    best = replace(best, conformal=quantiles)
    return Fit(best, len(known), loss(Calibration()), loss(best))


def _negative_log_likelihood(case: ScoredCase, calibration: Calibration) -> float:
    names = list(case.probabilities)
    probabilities = calibration.apply(names, list(case.probabilities.values()), case.findings)
    probability = dict(zip(names, probabilities, strict=True)).get(case.gold or "", 0.0)
    return -math.log(max(probability, 1e-12))


def _probability_of_gold(case: ScoredCase, calibration: Calibration) -> float:
    """Return the probability that an answer gives to the gold diagnosis, open types included."""
    entries = differential_of(case, calibration).entries
    return next((entry.probability for entry in entries if entry.diagnosis == case.gold), 0.0)


def differential_of(case: ScoredCase, calibration: Calibration) -> Differential:
    """Return the differential that a calibration makes of a scored case, over the diagnoses that
    ship.
    """
    nodes = []
    for node in Taxonomy.default().diagnoses:
        if node.name in case.probabilities:
            nodes.append(node)
    if not nodes:
        names = list(case.probabilities)
        calibrated = calibration.apply(names, list(case.probabilities.values()), case.findings)
        pairs = zip(names, calibrated, strict=True)
        ranked = []
        for name, probability in pairs:
            ranked.append(Ranked(name, name, probability))
        return Differential(tuple(sorted(ranked, key=lambda entry: -entry.probability)))
    names = []
    for node in nodes:
        names.append(node.name)
    of_model = []
    for name in names:
        of_model.append(case.probabilities[name])
    calibrated = leave_open(
        nodes, calibration.apply(names, of_model, case.findings), calibration.leave_open
    )
    of_findings = softmax([case.findings.get(name, 0.0) for name in names])
    ranked = []
    for node, *numbers in zip(nodes, calibrated, of_model, of_findings, strict=True):
        ranked.append(Ranked(node.name, node.category, *numbers))
    return Differential(tuple(sorted(ranked, key=lambda entry: -entry.probability)))


def fit_scope(
    features: Sequence[Mapping[str, float]],
    outside: Sequence[bool],
    plain: Sequence[bool] = (),
) -> ScopeModel:
    """Fit the probability that none of the illnesses fits: logistic regression with a ridge
    penalty.

    Both classes weigh the same, however many cases they have. The threshold keeps
    :data:`IN_SCOPE_KEPT` of the cases in scope, plain ones left out.

    Args:
        features: of each case (:func:`dxtrace.answering.scope.scope_features`).
        outside: whether the case is out of scope.
        plain: whether the case is too plain to set the threshold by, as one that was invented for
            the fit (default: none is).

    Raises:
        InputError: one of the classes has no case.
    """
    import numpy as np
    from scipy.optimize import minimize

    target = np.array(outside, dtype=float)
    if not 0 < target.sum() < len(target):
        raise InputError("the scope is fitted on cases in scope and out of it: one kind is missing")
    names = sorted(features[0])
    values = np.array([[row[name] for name in names] for row in features])
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-9
    scaled = (values - mean) / deviation
    weights = np.where(target == 1, 0.5 / target.sum(), 0.5 / (len(target) - target.sum()))

    def loss(point: Any) -> float:
        scores = scaled @ point[1:] + point[0]
        likelihood = weights @ (np.logaddexp(0, scores) - target * scores)
        return float(likelihood + _RIDGE * point[1:] @ point[1:])

    found = minimize(loss, np.zeros(len(names) + 1), method="L-BFGS-B").x
    coefficients = {
        name: round(float(value), 6)
        for name, value in zip(names, found[1:] / deviation, strict=True)
    }
    intercept = float(found[0] - (found[1:] * mean / deviation).sum())
    model = ScopeModel(coefficients | {"intercept": round(intercept, 6)}, 1.0)
    inside = []
    for row, out, is_plain in zip(features, outside, plain or [False] * len(outside), strict=True):
        if not out and not is_plain:
            inside.append(model.probability(row))
    if not inside:
        raise InputError("the threshold of the scope is set by cases in scope: there is none")
    inside.sort()
    threshold = inside[min(len(inside) - 1, math.ceil(IN_SCOPE_KEPT * len(inside)) - 1)]
    return replace(model, threshold=round(threshold + 1e-6, 6))


def calibrate(
    adapter: Path,
    cases: Sequence[AnnotatedCase],
    reasoner: Reasoner,
    report: Callable[[str, float], None],
    scope: Sequence[AnnotatedCase] = (),
) -> Fit:
    """Fit the calibration of an adapter and write it beside it (``calibration.json``), where it is
    read from.

    Args:
        adapter: its folder.
        cases: with gold diagnoses.
        reasoner: answers with this adapter.
        report: called with what is being done and how far it is, from 0 to 1.
        scope: further cases to fit the scope on; those without a gold diagnosis are out of scope.
            Without any, the scope that the adapter has stays as it is; one without gets that of
            the adapter that ships: it looks at the differential and the findings, not at the model.

    Raises:
        InputError: no case has a gold diagnosis, or the file cannot be written.
    """
    scored = []
    everything = [*cases, *scope]
    for number, pair in enumerate(score_cases(reasoner, everything), 1):
        scored.append(pair)
        report("reading cases", number / len(everything))
    found = fit([case for case, _ in scored[: len(cases)]])
    calibration = replace(found.calibration, scope=_scope_so_far(reasoner))
    if scope:
        features = []
        for case, (one, reading) in zip(everything, scored, strict=True):
            features.append(
                scope_features(
                    fair_recogniser(case),
                    reading,
                    differential_of(one, calibration),
                )
            )
        outside = []
        for one, _ in scored:
            outside.append(one.gold is None)
        plain = []
        for case in everything:
            plain.append(case.tags.get("split") == "scope")
        calibration = replace(calibration, scope=fit_scope(features, outside, plain))
    found = replace(found, calibration=calibration)
    text = json.dumps(calibration.to_json(), indent=2) + "\n"
    atomic_write(adapter / CALIBRATION, text)
    return found


def _scope_so_far(reasoner: Reasoner) -> ScopeModel | None:
    shipped = shipped_adapter(store.DEFAULT)
    if reasoner.calibration.scope is not None or shipped is None:
        return reasoner.calibration.scope
    return read_calibration(shipped).scope


def record_corpus(adapter: Path, corpus: Corpus) -> None:
    """Add the corpus that a calibration was fitted on to the adapter's provenance, with its mark.

    Raises:
        InputError: the record cannot be read or written.
    """
    marked = any(case.tags.get(CREDENTIALED) == "true" for case in corpus.cases)
    fitted_on = Provenance(corpora=(corpus.info,), marked_credentialed=marked)
    joined = read_provenance(adapter).joined(fitted_on)
    text = json.dumps(joined.to_json(), indent=1)
    atomic_write(adapter / PROVENANCE, text)
