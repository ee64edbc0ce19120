"""What ``dxtrace_diagnosis.yaml`` names: cases, prompt, choices. Imported by lm-evaluation-harness by its file name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dxtrace.answering.calibration import softmax
from dxtrace.corpus import open_corpus
from dxtrace.corpus.policy import wordings_of
from dxtrace.errors import InputError
from dxtrace.evaluate._extras import library
from dxtrace.evaluate.metrics import calibration, labels
from dxtrace.evaluate.metrics.calibration import Stated, brier
from dxtrace.evaluate.metrics.hierarchy import overlap_of_names
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.prompt import CUE, SYSTEM, readable


def load(corpus: str | None = None, **_: Any) -> dict[str, Any]:
    """Return the annotated cases of a corpus as the split ``test`` of a data set (of the library ``datasets``).

    A row has id, patient, note, the place of the gold diagnosis, and which wordings may be known on it
    (:func:`dxtrace.corpus.policy.wordings_of`).

    Args:
        corpus: what :func:`dxtrace.corpus.open_corpus` takes; by default the environment's ``DXTRACE_CORPUS``.

    Raises:
        InputError: no corpus is named. CorpusError: it cannot be read.
    """
    spec = corpus or os.environ.get("DXTRACE_CORPUS")
    if not spec:
        raise InputError(
            'name the cases: --metadata \'{"corpus": "PATH[:split]"}\', or set DXTRACE_CORPUS',
        )
    names = choices()
    rows = []
    for case in open_corpus(spec).cases:
        if case.gold is not None and case.gold.diagnosis in names:
            label = names.index(case.gold.diagnosis)
            row = {"id": case.id, "patient": case.patient, "note": case.case.note}
            rows.append({**row, "label": label, "wordings": wordings_of(case)})
    return {"test": library("datasets", "the label task").Dataset.from_list(rows)}


def prompt(doc: Mapping[str, Any]) -> str:
    """Return everything before the label."""
    return f"{SYSTEM}\n\n{readable(doc['note'])}\n\n{CUE}"


def choices(_: Mapping[str, Any] | None = None) -> list[str]:
    """Return the names of all diagnoses, in the order of the taxonomy."""
    names = []
    for node in Taxonomy.default().diagnoses:
        names.append(node.name)
    return names


class Ranked(NamedTuple):
    """One case as the measures see it: probabilities of all choices, in their order, and the gold one's place.

    No dataclass: the harness runs this file without entering it in ``sys.modules``, where a dataclass would look.
    """

    probabilities: tuple[float, ...]
    gold: int

    @property
    def best(self) -> int:
        """The place of the likeliest choice."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


#: What the harness averages (``acc``), and what it hands over whole to :func:`calibration_error` and the like.
_WHOLE = ("macro_f1", "ece", "brier", "area_under_risk")


def process_results(
    doc: Mapping[str, Any],
    results: Sequence[tuple[float, bool]],
) -> dict[str, Any]:
    """Return the measures of one case.

    Args:
        doc: a row of :func:`load`.
        results: by choice, its log-likelihood and whether it is the greedy continuation.
    """
    names = choices()
    ranked = Ranked(tuple(softmax([score for score, _ in results])), doc["label"])
    by_length = []
    for (score, _), name in zip(results, names, strict=True):
        by_length.append(score / len(name))
    said, gold = names[ranked.best], names[ranked.gold]
    found: dict[str, Any] = dict.fromkeys(_WHOLE, ranked)
    found["acc"] = float(ranked.best == ranked.gold)
    found["acc_norm"] = float(by_length.index(max(by_length)) == ranked.gold)
    found["hierarchical_f1"] = overlap_of_names(said, gold).f1
    return found


def calibration_error(cases: Sequence[Ranked]) -> float:
    """Return the expected calibration error of the likeliest choice."""
    bins = calibration.reliability(_stated(cases))
    return calibration.expected_calibration_error(bins)


def mean_brier(cases: Sequence[Ranked]) -> float:
    """Return the mean multi-class Brier score, 0 best, 2 worst."""
    return calibration.mean_brier(_stated(cases))


def risk_area(cases: Sequence[Ranked]) -> float:
    """Return the area under the risk-coverage curve."""
    return calibration.area_under_risk(_stated(cases))


def macro_f1(cases: Sequence[Ranked]) -> float:
    """Return macro-F1 over the diagnoses that occur."""
    return labels.macro_f1([one.gold for one in cases], [one.best for one in cases])


def _stated(cases: Sequence[Ranked]) -> list[Stated]:
    stated = []
    for one in cases:
        shares = {}
        for place, share in enumerate(one.probabilities):
            shares[str(place)] = share
        right = one.best == one.gold
        stated.append(Stated(one.probabilities[one.best], right, brier(shares, str(one.gold))))
    return stated
