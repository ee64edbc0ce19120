"""Error bars and tests: intervals for one system, paired tests between two, correction for many.

Cases of one patient are not independent: the bootstrap and the permutation test draw patients,
never single cases.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, cast

from dxtrace.evaluate._extras import library
from dxtrace.evaluate.content import ComparisonData, EstimateData, IntervalData

#: Values by case; None where the metric says nothing on the case.
Values = Sequence[float | None]

Item = TypeVar("Item")

RESAMPLES = 2000
CONFIDENCE = 0.95
_BATCH = 250


@dataclass(frozen=True)
class Interval:
    """A two-sided 95 % interval; both ends None where too few cases allow none."""

    low: float | None
    high: float | None

    def to_json(self) -> IntervalData:
        """Return a JSON object."""
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` cases of ``patients`` patients, with its patient-clustered bootstrap
    interval.

    ``wilson`` is there for a rate (0 or 1 on a case) as well.
    """

    mean: float | None
    n: int
    patients: int
    bootstrap: Interval
    wilson: Interval | None = None

    def to_json(self) -> EstimateData:
        """Return a JSON object."""
        return cast(EstimateData, asdict(self))


def mean(values: Values) -> float | None:
    """Return the mean of the values that are there; None without any."""
    there = []
    for value in values:
        if value is not None:
            there.append(value)
    if there:
        return math.fsum(there) / len(there)
    return None


def wilson(successes: int, n: int) -> Interval:
    """Return the Wilson score interval of a rate (Wilson 1927), by statsmodels; without cases
    (None, None).
    """
    if n == 0:
        return Interval(None, None)
    proportion = library("statsmodels.stats.proportion", "intervals")
    low, high = proportion.proportion_confint(successes, n, alpha=1 - CONFIDENCE, method="wilson")
    return Interval(float(low), float(high))


def estimate_all(
    columns: Mapping[str, Values],
    patients: Sequence[str],
    rates: Collection[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Return mean and intervals of each column; all columns share the resamples.

    Args:
        columns: metric -> one value a case.
        patients: the patient of each case: the cluster.
        rates: the columns that are 0 or 1 on a case: they get a Wilson interval too.
        seed: of the resampling.
        resamples: bootstrap resamples; 0 for no bootstrap interval.
    """
    if not columns:
        return {}
    sums, counts = _by_patient(list(columns.values()), patients)
    intervals = _bootstrap(sums, counts, seed, resamples)
    result = {}
    for row, (key, values) in enumerate(columns.items()):
        there = []
        for value, patient in zip(values, patients, strict=True):
            if value is not None:
                there.append((value, patient))
        successes = round(sum(value for value, _ in there))
        result[key] = Estimate(
            mean=mean(values),
            n=len(there),
            patients=len({patient for _, patient in there}),
            bootstrap=intervals[row],
            wilson=wilson(successes, len(there)) if key in rates else None,
        )
    return result


def _by_patient(columns: Sequence[Values], patients: Sequence[str]) -> tuple[Any, Any]:
    """Return arrays (columns, patients): the sum of the values of each patient, and how many there
    are.
    """
    np = library("numpy", "statistics")
    order = {}
    for place, patient in enumerate(dict.fromkeys(patients)):
        order[patient] = place
    where = np.array([order[patient] for patient in patients], dtype=int)
    table = np.array(
        [[math.nan if v is None else v for v in values] for values in columns],
        dtype=float,
    )
    there = ~np.isnan(table)
    sums, counts = np.zeros((len(columns), len(order))), np.zeros((len(columns), len(order)))
    for row in range(len(columns)):
        sums[row] = np.bincount(where, np.where(there[row], table[row], 0.0), len(order))
        counts[row] = np.bincount(where, there[row].astype(float), len(order))
    return sums, counts


def _bootstrap(sums: Any, counts: Any, seed: int, resamples: int) -> list[Interval]:
    """Return percentile intervals of sum(sums)/sum(counts) for each row, patients drawn with
    replacement.
    """
    if resamples == 0 or sums.shape[1] < 2:
        return [Interval(None, None)] * len(sums)
    np, stats = library("numpy", "statistics"), library("scipy.stats", "bootstrap intervals")

    def ratio(a: Any, b: Any, axis: int = -1) -> Any:
        total = b.sum(axis=axis)
        return np.divide(a.sum(axis=axis), total, out=np.full(total.shape, np.nan), where=total > 0)

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore",
        )  # scipy warns of constant columns, whose interval is rightly a point
        found = stats.bootstrap(
            (sums, counts), ratio, paired=True, vectorized=True, axis=-1, method="percentile", batch=_BATCH,
            n_resamples=resamples, confidence_level=CONFIDENCE, rng=np.random.default_rng(seed),
        ).confidence_interval  # fmt: skip
    intervals = []
    for low, high in zip(found.low, found.high, strict=True):
        intervals.append(_interval(low, high))
    return intervals


def resample(
    cases: Sequence[Item],
    patients: Sequence[str],
    statistic: Callable[[list[Item]], float | None],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return the percentile bootstrap interval of any figure of cases, patients drawn with
    replacement.

    For figures that are no mean of values by case (macro-F1, calibration error, an area under a
    curve). Resamples on which the figure is None are left out.

    Args:
        cases: what the statistic is computed on.
        patients: the patient of each case.
        statistic: from a resample to its figure.
        seed: of the resampling.
        resamples: 0 for no interval.
    """
    groups: dict[str, list[Item]] = {}
    for case, patient in zip(cases, patients, strict=True):
        groups.setdefault(patient, []).append(case)
    if len(groups) < 2 or not resamples:
        return Interval(None, None)
    np = library("numpy", "statistics")
    pools = list(groups.values())
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        drawn: list[Item] = []
        for place in rng.integers(len(pools), size=len(pools)):
            drawn += pools[place]
        value = statistic(drawn)
        if value is not None:
            found.append(value)
    if not found:
        return Interval(None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _interval(low: float, high: float) -> Interval:
    if math.isnan(low) or math.isnan(high):
        return Interval(None, None)
    return Interval(float(low), float(high))


@dataclass(frozen=True)
class Comparison:
    """One metric of two systems on the same cases: means, difference (second - first), tests.

    ``mcnemar`` is there for a metric of 0 and 1. ``adjusted`` is the permutation p value after
    Holm's correction over metrics.
    """

    key: str
    n: int
    first: float
    second: float
    difference: float
    interval: Interval
    permutation: float
    mcnemar: float | None
    adjusted: float

    def to_json(self) -> ComparisonData:
        """Return a JSON object."""
        return cast(ComparisonData, asdict(self))


def compare_all(
    first: Mapping[str, Values],
    second: Mapping[str, Values],
    patients: Sequence[str],
    rates: Collection[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Compare two systems metric by metric on the same cases, in the same order.

    The difference has a patient-clustered bootstrap interval and a permutation test that swaps the
    systems patient by patient.
    Metrics in ``rates`` are 0 or 1 on a case and get McNemar's test too. Cases on which either says
    nothing are left out of
    that metric.
    """
    keys, rows = [], []
    for key in first:
        a, b = first[key], second.get(key, [None] * len(patients))
        both = [
            (x, y) if x is not None and y is not None else (None, None)
            for x, y in zip(a, b, strict=True)
        ]
        if any(x is not None for x, _ in both):
            keys.append(key)
            rows.append(both)
    if not rows:
        return []
    ones, counts = _by_patient([[x for x, _ in row] for row in rows], patients)
    twos, _ = _by_patient([[y for _, y in row] for row in rows], patients)
    intervals = _bootstrap(twos - ones, counts, seed, resamples)
    p_values = []
    for i in range(len(rows)):
        p_values.append(_permutation(ones[i], twos[i], seed, resamples))
    adjusted = holm(p_values)
    comparisons = []
    for i, (key, row) in enumerate(zip(keys, rows, strict=True)):
        comparisons.append(
            _comparison(key, row, intervals[i], p_values[i], adjusted[i], binary=key in rates)
        )
    return comparisons


def _comparison(
    key: str,
    row: Sequence[tuple[float | None, float | None]],
    interval: Interval,
    p: float,
    adjusted: float,
    binary: bool,
) -> Comparison:
    there = []
    for x, y in row:
        if x is not None and y is not None:
            there.append((x, y))
    one, two = (math.fsum(side) / len(there) for side in zip(*there, strict=True))
    p_mcnemar = mcnemar(there) if binary else None
    return Comparison(key, len(there), one, two, two - one, interval, p, p_mcnemar, adjusted)


def _permutation(ones: Any, twos: Any, seed: int, resamples: int) -> float:
    """Return the two-sided p value of the sum of differences when each patient's systems are
    swapped at random.
    """
    np, stats = library("numpy", "statistics"), library("scipy.stats", "permutation tests")
    moved = ~np.isclose(ones, twos)
    if (
        moved.sum() < 2
    ):  # one patient alone can be swapped without any difference to the two-sided value
        return 1.0
    found = stats.permutation_test(
        (ones[moved], twos[moved]), lambda a, b, axis: (b - a).sum(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=max(5 * resamples - 1, 1), batch=_BATCH, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)


def mcnemar(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the p value of McNemar's exact test on pairs of 0 and 1 (McNemar 1947), by
    statsmodels.
    """
    only_first = sum(x > y for x, y in pairs)
    only_second = sum(y > x for x, y in pairs)
    if only_first + only_second == 0:
        return 1.0
    tables = library("statsmodels.stats.contingency_tables", "McNemar's test")
    return float(tables.mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values after Holm's step-down correction (Holm 1979), by statsmodels."""
    if not p_values:
        return []
    multitest = library("statsmodels.stats.multitest", "Holm's correction")
    adjusted = []
    for p in multitest.multipletests(p_values, method="holm")[1]:
        adjusted.append(float(p))
    return adjusted
