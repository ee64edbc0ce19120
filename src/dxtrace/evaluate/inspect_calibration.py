"""Calibration metrics for inspect_ai: expected calibration error and Brier score, with intervals.

The file needs inspect_ai and numpy alone, so that it can be used or taken over without the rest of
dxtrace. A scorer states its confidence in the score's metadata::

    Score(value=CORRECT, metadata={"confidence": 0.8})

    @scorer(metrics=[accuracy(), ece(), brier()])

Both metrics return three figures: the value, and the two ends of a percentile bootstrap interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from inspect_ai.scorer import Metric, SampleScore, Value, ValueToFloat, metric, value_to_float

#: From (confidence, correct), arrays of one number a sample, to a figure.
Statistic = Callable[[Any, Any], float]


@metric  # type: ignore[untyped-decorator]
def ece(
    confidence: str = "confidence",
    bins: int = 10,
    level: float = 0.95,
    num_samples: int = 1000,
    cluster: str | None = None,
    to_float: ValueToFloat = value_to_float(),  # noqa: B008 - as inspect_ai's own metrics take it
) -> Metric:
    """Expected calibration error: the mean over samples of \\|share correct - mean confidence\\| of
    the bin of equal width that a sample is in.

    Source: Naeini, Cooper and Hauskrecht 2015 (AAAI); Guo et al. 2017, arXiv 1706.04599.

    Args:
        confidence: key of the score's metadata that holds the confidence, 0 to 1. Samples without
            it are left out.
        bins: number of bins of equal width; a confidence of 1 is in the last.
        level: of the interval.
        num_samples: bootstrap resamples; 0 for no interval.
        cluster: key of the sample's metadata that names its cluster; clusters are resampled whole.
        to_float: from a score's value to 1 (correct) or 0.

    Returns:
        A metric with the entries ``ece``, ``lower`` and ``upper``.
    """

    def statistic(stated: Any, right: Any) -> float:
        place = np.minimum((stated * bins).astype(int), bins - 1)
        gaps = np.bincount(place, right - stated, bins)
        return float(np.abs(gaps).sum() / len(stated))

    def compute(scores: list[SampleScore]) -> Value:
        table = _read(scores, confidence, cluster, to_float)
        return _with_interval("ece", statistic, table, level, num_samples)

    return compute


@metric  # type: ignore[untyped-decorator]
def brier(
    confidence: str = "confidence",
    level: float = 0.95,
    num_samples: int = 1000,
    cluster: str | None = None,
    to_float: ValueToFloat = value_to_float(),  # noqa: B008 - as inspect_ai's own metrics take it
) -> Metric:
    """Brier score of being correct: the mean of (confidence - correct) squared, 0 best, 1 worst.

    Source: Brier 1950, Monthly Weather Review 78.

    Args:
        confidence: key of the score's metadata that holds the confidence, 0 to 1. Samples without
            it are left out.
        level: of the interval.
        num_samples: bootstrap resamples; 0 for no interval.
        cluster: key of the sample's metadata that names its cluster; clusters are resampled whole.
        to_float: from a score's value to 1 (correct) or 0.

    Returns:
        A metric with the entries ``brier``, ``lower`` and ``upper``.
    """

    def statistic(stated: Any, right: Any) -> float:
        return float(np.mean((stated - right) ** 2))

    def compute(scores: list[SampleScore]) -> Value:
        table = _read(scores, confidence, cluster, to_float)
        return _with_interval("brier", statistic, table, level, num_samples)

    return compute


def _read(
    scores: list[SampleScore], key: str, cluster: str | None, to_float: ValueToFloat
) -> tuple[Any, Any, list[Any]]:
    """Return confidence and correctness of the samples that state one, and their indexes by cluster.

    Raises:
        ValueError: a confidence is no number from 0 to 1, or a sample names no cluster.
    """
    stated: list[float] = []
    right: list[float] = []
    clusters: dict[object, list[int]] = {}
    for number, sample in enumerate(scores):
        value = (sample.score.metadata or {}).get(key)
        if value is None:
            continue
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"sample {sample.sample_id}: {key!r} is no number from 0 to 1")
        name: object = number
        if cluster is not None:
            name = (sample.sample_metadata or {}).get(cluster)
            if name is None:
                raise ValueError(f"sample {sample.sample_id}: no cluster {cluster!r} in metadata")
        clusters.setdefault(name, []).append(len(stated))
        stated.append(float(value))
        right.append(to_float(sample.score.value))
    places = []
    for members in clusters.values():
        places.append(np.array(members))
    return np.array(stated), np.array(right), places


def _with_interval(
    name: str,
    statistic: Statistic,
    table: tuple[Any, Any, list[Any]],
    level: float,
    num_samples: int,
) -> dict[str, float]:
    stated, right, clusters = table
    value = lower = upper = math.nan
    if len(stated):
        value = statistic(stated, right)
    if len(clusters) > 1 and num_samples:
        rng = np.random.default_rng(0)
        found = []
        for drawn in rng.integers(len(clusters), size=(num_samples, len(clusters))):
            sample = np.concatenate([clusters[place] for place in drawn])
            found.append(statistic(stated[sample], right[sample]))
        tail = (1 - level) / 2
        lower, upper = (float(end) for end in np.quantile(found, [tail, 1 - tail]))
    return {name: value, "lower": lower, "upper": upper}
