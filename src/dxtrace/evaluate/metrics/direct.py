"""The metrics of DiReCT exactly as published, from counts and from evaluation files.

Source: Wang et al. 2024, arXiv 2408.01933, and the file formats of its public repository. With
``n_gt`` and ``n_pred`` observations, ``M`` matched pairs, and ``m`` pairs whose rationale and
diagnosis node are equal too::

    Obs_pre  = M / (n_pred + 1)            Exp_com = m / M
    Obs_rec  = M / (n_gt + 1)              Exp_all = m / (n_gt + n_pred - M)
    Obs_comp = M / (n_gt + n_pred - M)

A perfect answer of n observations therefore has Obs_pre = Obs_rec = n / (n + 1); the values without
the +1 stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dxtrace.errors import InputError

#: Keys of the seven published metrics.
PUBLISHED = ("acc_cat", "acc_diag", "obs_pre", "obs_rec", "obs_comp", "exp_com", "exp_all")

Scores = dict[str, float | None]


@dataclass(frozen=True)
class Counts:
    """What the formulas need: observations on both sides, matched pairs, and pairs fully explained
    alike.
    """

    gold: int
    predicted: int
    matched: int
    explained: int

    def scores(self) -> Scores:
        """Return the observation and explanation metrics, published and without the +1.

        Where nothing is on either side Obs_comp and Exp_all are 0 (the published formula divides by
        zero there). The values without the +1 are None where their denominator is 0; precision
        without a prediction is 0 if there was something to find.
        """
        union = self.gold + self.predicted - self.matched
        precision, recall = _share(self.matched, self.predicted), _share(self.matched, self.gold)
        if not self.predicted and self.gold:
            precision = 0.0
        return {
            "obs_pre": self.matched / (self.predicted + 1),
            "obs_rec": self.matched / (self.gold + 1),
            "obs_comp": self.matched / union if union else 0.0,
            "exp_com": self.explained / self.matched if self.matched else 0.0,
            "exp_all": self.explained / union if union else 0.0,
            "obs_precision": precision,
            "obs_recall": recall,
            "obs_f1": _share(2 * self.matched, self.gold + self.predicted),
        }


def same_name(one: object, other: object) -> bool:
    """Return True if two node names are equal once each word begins with a capital; only texts are
    equal.
    """
    return (
        isinstance(one, str) and isinstance(other, str) and _capitalised(one) == _capitalised(other)
    )


def accuracy(gold_path: Sequence[str], category: str, path: Sequence[str]) -> Scores:
    """Return Acc_cat (first nodes equal) and Acc_diag (last nodes equal) of a predicted category
    and path.
    """
    chain = (category, *path)
    return {
        "acc_cat": float(bool(gold_path and path) and same_name(gold_path[0], path[0])),
        "acc_diag": float(bool(gold_path) and same_name(gold_path[-1], chain[-1])),
    }


def score_evaluation(data: Mapping[str, Any]) -> Scores:
    """Return the scores of one published evaluation file.

    Args:
        data: keys ``chain_gt``, ``chain_pred``, ``len_ob_gt``, ``len_ob_pred``,
            ``ob_record_paired``.

    Raises:
        InputError: a key is missing or of the wrong kind; names it.
    """
    gold, predicted = _names(data, "chain_gt"), _names(data, "chain_pred")
    paired = data.get("ob_record_paired")
    if not isinstance(paired, Mapping):
        raise InputError('"ob_record_paired" is not an object')
    explained = 0
    for place, value in paired.items():
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < 3:
            raise InputError(
                f'"ob_record_paired": the entry {str(place)[:20]!r} is not a list of five',
            )
        explained += value[-1] == "Yes" and same_name(value[0], value[1])
    counts = Counts(_count(data, "len_ob_gt"), _count(data, "len_ob_pred"), len(paired), explained)
    return accuracy(gold, predicted[0] if predicted else "", predicted[1:]) | counts.scores()


def evaluation_file(
    gold_path: Sequence[str],
    predicted_chain: Sequence[str],
    gold: Sequence[tuple[str, str, str | None]],
    predicted: Sequence[tuple[str, str, str | None]],
    pairs: Iterable[tuple[int, int, bool]],
) -> dict[str, Any]:
    """Return one case in the published evaluation layout; :func:`score_evaluation` reads it.

    Args:
        gold_path: gold nodes, suspicion first.
        predicted_chain: category, then nodes.
        gold: (observation, rationale, node) of the gold side.
        predicted: the same of the predicted side.
        pairs: (gold index, predicted index, rationales judged the same).
    """
    record = {}
    for i, j, same in pairs:
        record[f"[{i}, {j}]"] = [
            gold[i][2],
            predicted[j][2],
            gold[i][1],
            predicted[j][1],
            "Yes" if same else "No",
        ]
    return {
        "chain_gt": list(gold_path),
        "chain_pred": list(predicted_chain),
        "len_ob_gt": len(gold),
        "len_ob_pred": len(predicted),
        "ob_record_paired": record,
        "GT_observation": [text for text, _, _ in gold],
        "predict_observation": [text for text, _, _ in predicted],
    }


def _capitalised(name: str) -> str:
    return " ".join(word[0].upper() + word[1:] for word in name.split())


def _share(part: int, whole: int) -> float | None:
    if whole:
        return part / whole
    return None


def _names(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError(f'"{key}" is not a list of names')
    return value


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f'"{key}" is not a number of observations')
    return value
