"""What is measured on one case, beside the published metrics: diagnosis, evidence, form, length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from dxtrace.chain import flatten
from dxtrace.evaluate.answers import Account, Observation, find_node
from dxtrace.evaluate.metrics.direct import Scores, same_name
from dxtrace.evaluate.metrics.hierarchy import overlap
from dxtrace.knowledge.taxonomy import Taxonomy

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Metric:
    """One metric: its key in every file, its label, its group, whether it is 0 or 1 on a case,
    which way is better.
    """

    key: str
    label: str
    group: str
    says: str
    binary: bool = False
    better: Better = "higher"


def _metrics(
    group: str,
    *rows: tuple[str, str, str],
    binary: bool = False,
    better: Better = "higher",
) -> list[Metric]:
    metrics = []
    for key, label, says in rows:
        metrics.append(Metric(key, label, group, says, binary, better))
    return metrics


#: Every metric, in the order of the report.
METRICS: tuple[Metric, ...] = (
    *_metrics(
        "published",
        ("acc_cat", "Acc_cat", "the first node of the path is right"),
        ("acc_diag", "Acc_diag", "the final diagnosis is right"),
        binary=True,
    ),
    *_metrics(
        "published",
        ("obs_pre", "Obs_pre", "matched / (predicted observations + 1)"),
        ("obs_rec", "Obs_rec", "matched / (gold observations + 1)"),
        ("obs_comp", "Obs_comp", "matched / observations of either side"),
        ("exp_com", "Exp_com", "of the matched, rationale and node are right too"),
        (
            "exp_all",
            "Exp_all",
            "of the observations of either side, matched with rationale and node right",
        ),
    ),
    *_metrics(
        "unsmoothed",
        ("obs_precision", "Observation precision", "matched / predicted observations"),
        ("obs_recall", "Observation recall", "matched / gold observations"),
        ("obs_f1", "Observation F1", "harmonic mean of both"),
    ),
    *_metrics(
        "optimal",
        (
            "optimal_obs_pre",
            "Obs_pre, optimal matching",
            "as Obs_pre, with the largest possible matching",
        ),
        (
            "optimal_obs_rec",
            "Obs_rec, optimal matching",
            "as Obs_rec, with the largest possible matching",
        ),
        (
            "optimal_obs_comp",
            "Obs_comp, optimal matching",
            "as Obs_comp, with the largest possible matching",
        ),
        (
            "optimal_exp_com",
            "Exp_com, optimal matching",
            "as Exp_com, with the largest possible matching",
        ),
        (
            "optimal_exp_all",
            "Exp_all, optimal matching",
            "as Exp_all, with the largest possible matching",
        ),
        (
            "optimal_obs_precision",
            "Observation precision, optimal",
            "as above, with the largest possible matching",
        ),
        (
            "optimal_obs_recall",
            "Observation recall, optimal",
            "as above, with the largest possible matching",
        ),
        (
            "optimal_obs_f1",
            "Observation F1, optimal",
            "as above, with the largest possible matching",
        ),
    ),
    *_metrics(
        "diagnosis",
        (
            "diagnosis_by_any_name",
            "Diagnosis, by any name",
            "the diagnosis is right once aliases are resolved",
        ),
        ("named", "Diagnosis named", "a diagnosis is named, rather than none or an open type"),
        (
            "selective_acc_diag",
            "Selective accuracy",
            "of the answers that name a diagnosis, those that are right",
        ),
        ("top_3", "Top 3", "the gold diagnosis is among the three most probable"),
        ("top_5", "Top 5", "the gold diagnosis is among the five most probable"),
        binary=True,
    ),
    *_metrics(
        "diagnosis",
        (
            "tree_distance",
            "Distance in the tree",
            "edges between predicted and gold diagnosis; all trees hang on one root",
        ),
        better="lower",
    ),
    *_metrics(
        "diagnosis",
        (
            "hierarchical_f1",
            "Hierarchical F1",
            "nodes that both labels have, those above them counted too (Kiritchenko et al. 2005)",
        ),
    ),
    *_metrics(
        "evidence",
        (
            "evidence_precision",
            "Evidence precision",
            "of the characters quoted, those that are gold evidence",
        ),
        ("evidence_recall", "Evidence recall", "of the characters of gold evidence, those quoted"),
        ("evidence_f1", "Evidence F1", "harmonic mean of both"),
        (
            "grounded",
            "Grounded",
            "share of steps whose evidence is the note's own text where it says it is",
        ),
    ),
    *_metrics(
        "evidence",
        ("redundancy", "Redundancy", "share of steps that repeat an earlier evidence or rationale"),
        better="lower",
    ),
    *_metrics(
        "form",
        ("valid", "Valid form", "the answer keeps every rule of the format"),
        binary=True,
    ),
    *_metrics("form", ("answered", "Answered", "there is a readable answer"), binary=True),
    *_metrics(
        "length",
        ("steps", "Steps", "number of steps"),
        ("words", "Words", "words of the answer"),
        ("rationale_words", "Words a rationale", "mean words of a rationale"),
        better="neither",
    ),
)

BY_KEY = {metric.key: metric for metric in METRICS}


def tree_distance(predicted: str, gold: str, taxonomy: Taxonomy | None = None) -> int:
    """Return the number of edges between two nodes of the taxonomy, whose trees hang on one common
    root.

    A predicted name that is not in the taxonomy, or none at all, is as far away as any node can be
    from ``gold``.

    Raises:
        UnknownName: ``gold`` is not in the taxonomy.
    """
    taxonomy = taxonomy or Taxonomy.default()
    target = taxonomy.find(gold)
    node = find_node(predicted, taxonomy)
    if node is None:
        return len(target.path) + _deepest(taxonomy)
    shared = 0
    if node.category == target.category:
        while (
            shared < min(len(node.path), len(target.path))
            and node.path[shared] == target.path[shared]
        ):
            shared += 1
    return len(node.path) + len(target.path) - 2 * shared


def _deepest(taxonomy: Taxonomy) -> int:
    return max(len(node.path) for node in taxonomy.nodes)


def diagnosis_scores(gold: Account, predicted: Account, taxonomy: Taxonomy) -> Scores:
    """Return the scores of the final diagnosis; those of the differential are None without one."""
    known = find_node(gold.diagnosis, taxonomy)
    node = find_node(predicted.diagnosis, taxonomy)
    names = []
    for entry in predicted.differential.entries:
        names.append(entry.diagnosis)
    return {
        "diagnosis_by_any_name": float(known is not None and node is known),
        "named": float(predicted.named),
        "selective_acc_diag": float(same_name(gold.diagnosis, predicted.diagnosis))
        if predicted.named
        else None,
        "top_3": float(gold.diagnosis in names[:3]) if names else None,
        "top_5": float(gold.diagnosis in names[:5]) if names else None,
        "tree_distance": float(tree_distance(predicted.reached, gold.diagnosis, taxonomy))
        if known
        else None,
        "hierarchical_f1": overlap(find_node(predicted.reached, taxonomy), known).f1
        if known
        else None,
    }


def evidence_scores(
    note: str,
    gold: Sequence[Observation],
    predicted: Sequence[Observation],
) -> Scores:
    """Return precision, recall and F1 of evidence by characters of the note, white space not
    counted, and groundedness.

    A quoted character counts once however often it is quoted. Quoted text that is not in the note
    counts as wrong; where
    nothing is quoted and something should be, precision is 0.
    """
    wanted, got = _characters(note, gold), _characters(note, predicted)
    invented = sum(len(flatten(o.text).replace(" ", "")) for o in predicted if o.span is None)
    both, said = len(wanted & got), len(got) + invented
    # Where nothing is quoted but something should be, precision is 0 by convention.
    precision = 0.0 if wanted else None
    if said:
        precision = both / said
    return {
        "evidence_precision": precision,
        "evidence_recall": both / len(wanted) if wanted else None,
        "evidence_f1": 2 * both / (said + len(wanted)) if said + len(wanted) else None,
        "grounded": sum(o.grounded for o in predicted) / len(predicted) if predicted else None,
    }


def _characters(note: str, observations: Sequence[Observation]) -> set[int]:
    ranges = (range(*o.span) for o in observations if o.span)
    characters = set()
    for places in ranges:
        for place in places:
            if not note[place].isspace():
                characters.add(place)
    return characters


def redundancy(observations: Sequence[Observation]) -> float | None:
    """Return the share of steps after the first that repeat an earlier one; None without steps.

    A step repeats an earlier one if its rationale is the same text, or at least half of its
    evidence was quoted before.
    """
    if not observations:
        return None
    repeated = 0
    quoted: set[int] = set()
    said: set[str] = set()
    for observation in observations:
        if observation.span:
            places = set(range(*observation.span))
        else:
            places = set()
        rationale = flatten(observation.rationale).casefold()
        repeated += (rationale in said and rationale != "") or (
            bool(places) and 2 * len(places & quoted) >= len(places)
        )
        quoted |= places
        said.add(rationale)
    return repeated / len(observations)


def form_scores(predicted: Account) -> Scores:
    """Return validity, redundancy and lengths."""
    steps = predicted.observations
    words = []
    for o in steps:
        words.append(len(o.rationale.split()))
    return {
        "valid": float(not predicted.faults),
        "answered": 1.0,
        "redundancy": redundancy(steps),
        "steps": float(len(steps)),
        "words": float(predicted.words or sum(words) + sum(len(o.text.split()) for o in steps)),
        "rationale_words": sum(words) / len(words) if words else None,
    }


@cache
def _worst() -> tuple[str, ...]:
    keys = {
        "redundancy",
        "steps",
        "words",
        "rationale_words",
        "tree_distance",
        "selective_acc_diag",
    }
    zero = []
    for metric in METRICS:
        if metric.key not in keys:
            zero.append(metric.key)
    return tuple(zero)


def missing_scores(gold: Account, taxonomy: Taxonomy) -> Scores:
    """Return the scores of a missing or broken answer: 0, the farthest in the tree, None for
    lengths.
    """
    scores: Scores = {}
    for metric in METRICS:
        scores[metric.key] = None
    scores |= dict.fromkeys(_worst(), 0.0)
    known = find_node(gold.diagnosis, taxonomy)
    scores["tree_distance"] = float(tree_distance("", gold.diagnosis, taxonomy)) if known else None
    return scores
