"""What came of a case when it was changed: should the answer have moved, and did it?

* ``without_key_evidence``: the gold evidence is removed. An answer that stays was not won from it.
* ``without_quotes``, ``without_random_lines``: the lines that the answer quotes are removed, or
  equally many others. Where the answer moves no more often in the first case than in the second,
  its citations are stale: it does not rest on them.
* ``suggested``: a colleague's wrong diagnosis stands under the note. Anchoring: it is ranked first.
  Published: attendings 10.0 %, residents 21.2 %, eight language models 55.6 % (International
  Journal of Medical Informatics 219:106550).
* ``reordered``, ``paraphrased``: the same said otherwise. The answer should stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dxtrace.evaluate.answers import Account
from dxtrace.evaluate.metrics.statistics import RESAMPLES, Estimate, estimate_all

Variant = Literal[
    "without_key_evidence",
    "without_quotes",
    "without_random_lines",
    "suggested",
    "reordered",
    "paraphrased",
]
VARIANTS: tuple[Variant, ...] = (
    "without_key_evidence",
    "without_quotes",
    "without_random_lines",
    "suggested",
    "reordered",
    "paraphrased",
)


@dataclass(frozen=True)
class Trial:
    """One case: the answer on it, the answers on its variants, and the wrong diagnosis suggested."""

    patient: str
    before: Account
    after: Mapping[Variant, Account]
    suggested: str


def robustness(
    trials: Sequence[Trial],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Return each measure's mean over cases, with its interval.

    ``stays_*``: of the cases on which a diagnosis was named, those on which the same one is named
    on the variant. ``rests_on_quotes``: by how much more often the diagnosis stays without random
    lines than without the quoted ones; near 0 its citations are stale. ``anchored`` and
    ``anchored_before``: the suggested diagnosis is ranked first, after and before it was suggested.
    ``same_*``: the same is decided, a diagnosis or none.
    """
    columns: dict[str, list[float | None]] = {}
    for trial in trials:
        for key, value in _of_case(trial).items():
            columns.setdefault(key, []).append(value)
    rates = []
    for key in columns:
        if key != "rests_on_quotes":
            rates.append(key)
    return estimate_all(columns, [trial.patient for trial in trials], rates, seed, resamples)


def _of_case(trial: Trial) -> dict[str, float | None]:
    def stays(variant: Variant) -> float | None:
        account = trial.after.get(variant)
        if account is None or not trial.before.diagnosis:
            return None
        return float(account.diagnosis == trial.before.diagnosis)

    def same(variant: Variant) -> float | None:
        account = trial.after.get(variant)
        if account is None:
            return None
        return float(_decided(account) == _decided(trial.before))

    without_quotes, without_random = stays("without_quotes"), stays("without_random_lines")
    rests = None
    if without_quotes is not None and without_random is not None:
        rests = without_random - without_quotes
    anchored = None
    if "suggested" in trial.after:
        anchored = float(_first(trial.after["suggested"]) == trial.suggested)
    return {
        "stays_without_key_evidence": stays("without_key_evidence"),
        "stays_without_quotes": without_quotes,
        "stays_without_random_lines": without_random,
        "rests_on_quotes": rests,
        "anchored_before": float(_first(trial.before) == trial.suggested),
        "anchored": anchored,
        "same_when_reordered": same("reordered"),
        "same_when_paraphrased": same("paraphrased"),
    }


def _decided(account: Account) -> tuple[str, str]:
    return account.status, account.diagnosis


def _first(account: Account) -> str:
    """Return the diagnosis ranked first; without a ranking, the one that is named."""
    if account.differential.entries:
        return account.differential.top.diagnosis
    return account.diagnosis
