"""What any system has to beat, behind the interface of a system: from a case to a chain.

``majority``, ``tfidf``, ``nearest``, ``boosting`` and ``embedding`` learn from annotated cases. ``findings`` knows the
knowledge files alone, ``model`` is the shipped model without them, ``untrained`` its base without an adapter; ``gold``
repeats the annotation: the ceiling of every metric.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from dxtrace.chain import Chain, ModelInfo
from dxtrace.corpus.base import row_sha256
from dxtrace.corpus.policy import FairReasoner
from dxtrace.corpus.systems import Identity, System
from dxtrace.errors import InputError, UnknownName
from dxtrace.evaluate.baselines import findings
from dxtrace.evaluate.baselines.boosting import boosting, embedding
from dxtrace.evaluate.baselines.chains import answer_chain
from dxtrace.evaluate.baselines.learned import majority, nearest, tfidf
from dxtrace.notes.annotated import AnnotatedCase

#: Those that learn from annotated cases.
LEARNT = ("majority", "tfidf", "nearest", "boosting", "embedding")

#: Baselines by name.
BASELINES = (*LEARNT, "findings", "model", "untrained", "gold")


def make_baseline(
    name: str,
    train: Sequence[AnnotatedCase] = (),
    threads: int | None = None,
) -> System:
    """Return a baseline by name (one of :data:`BASELINES`).

    Raises:
        UnknownName: no such baseline. InputError: it has to learn and there is no annotated case. MissingExtra: its
        library
        is not installed. ModelError: the base model cannot be loaded.
    """
    if name not in BASELINES:
        raise UnknownName("baseline", name, BASELINES)
    if name in ("model", "untrained"):
        return _of_model(name, threads)
    annotated = []
    for case in train:
        if case.gold is not None:
            annotated.append(case)
    if name in LEARNT and not annotated:
        raise InputError(
            f"the baseline {name!r} learns from annotated cases: name them with --train",
        )
    learnt_from = _sha256(annotated) if name in LEARNT else None
    return System(Identity(f"baseline {name}", learnt_from=learnt_from), _answers(name, annotated))


def _answers(name: str, annotated: Sequence[AnnotatedCase]) -> Callable[[AnnotatedCase], Chain]:
    if name == "majority":
        return majority(annotated)
    if name == "tfidf":
        return tfidf(annotated)
    if name == "nearest":
        return nearest(annotated)
    if name == "boosting":
        return boosting(annotated)
    if name == "embedding":
        return embedding(annotated)
    if name == "findings":
        return findings.answer
    return _gold


def _sha256(cases: Sequence[AnnotatedCase]) -> str:
    return hashlib.sha256("".join(map(row_sha256, cases)).encode()).hexdigest()


def _gold(case: AnnotatedCase) -> Chain:
    if case.gold is None:
        raise InputError(f"case {case.id!r} has no gold chain")
    return replace(case.gold, id=case.id, model=ModelInfo(name="baseline gold"))


def _of_model(name: str, threads: int | None) -> System:
    """Return the base without an adapter, or the shipped model's own opinion: its ranking of the
    diagnoses before the findings in the note count. That opinion quotes nothing.
    """
    from dxtrace.models.loading import load as load_reasoner

    if name == "untrained":
        return FairReasoner(load_reasoner(adapter="none", threads=threads)).system
    fair = FairReasoner(load_reasoner(threads=threads))

    def answer(case: AnnotatedCase) -> Chain:
        shares = {}
        for entry in fair.differential(case).entries:
            shares[entry.diagnosis] = entry.model or 0.0
        return answer_chain(case, shares, (), name)

    return System(
        replace(fair.system.identity, name=f"baseline {name}", engine=f"{name} alone"), answer
    )
