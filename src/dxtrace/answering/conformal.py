"""Sets of diagnoses that hold the right one with a stated coverage (split conformal prediction,
Vovk et al. 2005).

The nonconformity score of a case is one minus the probability of its right diagnosis (Sadinle et
al. 2019, "LAC"); its quantile over calibration cases is stored by coverage. The guarantee holds for
cases like those that it was fitted on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dxtrace.chain import Differential, Ranked
from dxtrace.errors import InputError

#: Coverages for which quantiles are stored.
COVERAGES = (0.8, 0.9, 0.95, 0.99)


def conformal_quantile(scores: Sequence[float], coverage: float) -> float:
    """Return the quantile of nonconformity scores with the finite-sample correction: the ceil((n +
    1) c)-th smallest.

    Args:
        scores: one minus the probability of the right diagnosis, a calibration case each.
        coverage: the share of sets that shall hold the right diagnosis, above 0 and below 1.
    """
    rank = math.ceil((len(scores) + 1) * coverage)
    if rank > len(scores):
        return 1.0
    return sorted(scores)[rank - 1]


def conformal_set(
    differential: Differential, quantiles: Mapping[str, float], coverage: float
) -> tuple[Ranked, ...]:
    """Return the diagnoses of the conformal set, most probable first; never empty.

    Args:
        differential: the calibrated ranking.
        quantiles: by coverage, as :class:`dxtrace.answering.calibration.Calibration` stores them.
        coverage: one of those that are stored.

    Raises:
        InputError: no quantile is stored for this coverage.
    """
    key = f"{coverage:g}"
    if key not in quantiles:
        known = ", ".join(sorted(quantiles)) or "none: calibrate the adapter first"
        raise InputError(f"no conformal quantile for a coverage of {key}; stored: {known}")
    least = 1 - quantiles[key]
    chosen = tuple(entry for entry in differential.entries if entry.probability >= least)
    return chosen or differential.entries[:1]
