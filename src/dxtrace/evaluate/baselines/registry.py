"""What any system has to beat, behind the interface of a system: from a case to a chain.

``majority``, ``tfidf`` and ``nearest`` learn from annotated cases; ``keywords`` knows the knowledge files alone;
``untrained`` is the
base model without an adapter; ``gold`` repeats the annotation: the ceiling of every metric.
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
from dxtrace.evaluate.baselines import keywords
from dxtrace.evaluate.baselines.learned import majority, nearest, tfidf
from dxtrace.notes.annotated import AnnotatedCase

#: Baselines by name.
BASELINES = ("majority", "tfidf", "nearest", "keywords", "untrained", "gold")


#: Those that learn from annotated cases.
LEARNT = ("majority", "tfidf", "nearest")


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
    if name == "untrained":
        return _untrained(threads)
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
    if name == "keywords":
        return keywords.answer
    return _gold


def _sha256(cases: Sequence[AnnotatedCase]) -> str:
    return hashlib.sha256("".join(map(row_sha256, cases)).encode()).hexdigest()


def _gold(case: AnnotatedCase) -> Chain:
    if case.gold is None:
        raise InputError(f"case {case.id!r} has no gold chain")
    return replace(case.gold, id=case.id, model=ModelInfo(name="baseline gold"))


def _untrained(threads: int | None) -> System:
    from dxtrace.models.loading import load as load_reasoner

    return FairReasoner(load_reasoner(adapter="none", threads=threads)).system
