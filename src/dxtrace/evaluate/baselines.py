"""What any system has to beat, behind the interface of a system: from a case to a chain.

``majority``, ``tfidf`` and ``nearest`` learn from annotated cases; ``keywords`` knows the knowledge files alone;
``untrained`` is the
base model without an adapter; ``gold`` repeats the annotation: the ceiling of every metric.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dxtrace.annotated import AnnotatedCase
from dxtrace.chain import Chain, Differential, ModelInfo, Ranked, Step
from dxtrace.errors import InputError, UnknownName
from dxtrace.evaluate._extras import library
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.quotes import find_quotes, innermost, span_of

#: Baselines by name.
BASELINES = ("majority", "tfidf", "nearest", "keywords", "untrained", "gold")

#: Those that learn from annotated cases.
LEARNT = ("majority", "tfidf", "nearest")

System = Callable[[AnnotatedCase], Chain]

#: Steps that a baseline writes at most.
STEPS = 8


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
    annotated = [case for case in train if case.gold is not None]
    if name in LEARNT and not annotated:
        raise InputError(
            f"the baseline {name!r} learns from annotated cases: name them with --train",
        )
    if name == "majority":
        return _majority(annotated)
    if name == "tfidf":
        return _tfidf(annotated)
    if name == "nearest":
        return _nearest(annotated)
    if name == "keywords":
        from dxtrace.evaluate import _keywords

        return _keywords.answer
    return _gold if name == "gold" else _untrained(threads)


def answer_chain(
    case: AnnotatedCase,
    shares: Mapping[str, float],
    steps: Sequence[Step],
    name: str,
) -> Chain:
    """Return the chain of a baseline: the most probable diagnosis, and steps, in path order.

    Args:
        case: the case.
        shares: probability of each diagnosis, of which at least one is above 0.
        steps: steps for the winner; those that do not support its path are left out.
        name: of the baseline.
    """
    taxonomy = Taxonomy.default()
    entries = [
        Ranked(name_, taxonomy.find(name_).category, share) for name_, share in shares.items()
    ]
    differential = Differential(
        tuple(sorted(entries, key=lambda entry: (-entry.probability, entry.diagnosis))),
    )
    node = taxonomy.find(differential.top.diagnosis)
    kept = sorted(
        (step for step in steps if step.supports in node.path),
        key=lambda step: node.path.index(step.supports),
    )
    return Chain(
        id=case.id,
        note=case.case.note,
        diagnosis=node.name,
        category=node.category,
        path=node.path,
        steps=tuple(kept),
        differential=differential,
        model=ModelInfo(name=f"baseline {name}"),
    )


def _gold(case: AnnotatedCase) -> Chain:
    if case.gold is None:
        raise InputError(f"case {case.id!r} has no gold chain")
    return replace(case.gold, id=case.id, model=ModelInfo(name="baseline gold"))


def _untrained(threads: int | None) -> System:
    from dxtrace.answering.reasoner import Reasoner

    reasoner = Reasoner.load(adapter="none", threads=threads)
    return lambda case: reasoner.reason(case.case)


def _labels(train: Sequence[AnnotatedCase]) -> list[str]:
    return [case.gold.diagnosis for case in train if case.gold is not None]


def _majority(train: Sequence[AnnotatedCase]) -> System:
    counts = Counter(_labels(train))
    total = sum(counts.values())
    shares = {name: count / total for name, count in counts.items()}
    return lambda case: answer_chain(case, shares, (), "majority")


def _vectors(train: Sequence[AnnotatedCase]) -> tuple[Any, Any]:
    text = library("sklearn.feature_extraction.text", "the TF-IDF baselines")
    vectorizer = text.TfidfVectorizer(
        ngram_range=(1, 2),
        min_df=2 if len(train) > 20 else 1,
        sublinear_tf=True,
        max_features=10_000,
    )
    return vectorizer, vectorizer.fit_transform([case.case.note for case in train])


def _tfidf(train: Sequence[AnnotatedCase]) -> System:
    """TF-IDF of words and pairs of words, logistic regression; it quotes what spoke most for its diagnosis."""
    linear = library("sklearn.linear_model", "the baseline 'tfidf'")
    labels = _labels(train)
    if len(set(labels)) < 2:
        return _majority(train)
    vectorizer, table = _vectors(train)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore",
        )  # of few cases a diagnosis, and of a fit that stops before its last digit
        model = linear.LogisticRegression(C=10.0, max_iter=200, tol=1e-3).fit(table, labels)

    def answer(case: AnnotatedCase) -> Chain:
        shares = dict(
            zip(
                map(str, model.classes_),
                model.predict_proba(vectorizer.transform([case.case.note]))[0].tolist(),
                strict=True,
            ),
        )
        chain = answer_chain(case, shares, (), "tfidf")
        quotes = innermost(find_quotes(case.case.note))
        if not quotes:
            return chain
        weights = model.decision_function(vectorizer.transform([quote.text for quote in quotes]))
        column = list(model.classes_).index(chain.diagnosis)
        spoke = weights[:, column] if weights.ndim > 1 else weights * (1 if column else -1)
        best = sorted(range(len(quotes)), key=lambda place: -spoke[place])[:STEPS]
        said = f"Wording like this is frequent in cases of {chain.diagnosis}."
        return replace(
            chain,
            steps=tuple(
                Step(chain.path[0], said, span_of(case.case, quotes[i])) for i in sorted(best)
            ),
        )

    return answer


def _nearest(train: Sequence[AnnotatedCase]) -> System:
    """The most similar case's diagnosis and reasons, with this note's own words as evidence; probabilities from the
    ten nearest."""
    vectorizer, table = _vectors(train)
    labels = _labels(train)

    def answer(case: AnnotatedCase) -> Chain:
        alike = (table @ vectorizer.transform([case.case.note]).T).toarray().ravel()
        order = alike.argsort()[::-1][:10]
        shares: dict[str, float] = {}
        for rank, place in enumerate(order):
            shares[labels[place]] = (
                shares.get(labels[place], 0.0) + float(alike[place]) ** 2 + (1e-6 if rank else 1e-3)
            )
        total = sum(shares.values())
        winner = train[order[0]]
        shares = {name: share / total for name, share in shares.items()}
        steps = _borrowed(case, winner)
        chain = answer_chain(case, shares, (), "nearest")
        return (
            answer_chain(case, shares, steps, "nearest")
            if winner.gold and winner.gold.diagnosis == chain.diagnosis
            else chain
        )

    return answer


def _borrowed(case: AnnotatedCase, other: AnnotatedCase) -> list[Step]:
    """Return the other case's steps, each with the clause of this note that reads most like its evidence, if any
    does."""
    quotes = innermost(find_quotes(case.case.note))
    words = [_words(quote.text) for quote in quotes]
    steps: list[Step] = []
    used: set[int] = set()
    for step in other.gold.steps if other.gold else ():
        wanted = _words(step.evidence.text)
        scores = [len(wanted & here) / max(len(wanted | here), 1) for here in words]
        best = max(
            (i for i in range(len(quotes)) if i not in used),
            key=scores.__getitem__,
            default=None,
        )
        if best is not None and scores[best] >= 0.3:
            used.add(best)
            steps.append(
                Step(step.supports, step.rationale, span_of(case.case, quotes[best]), step.premise),
            )
    return steps


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{3,}", text.lower()))
