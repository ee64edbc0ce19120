"""Baselines that learn from annotated cases: the commonest diagnosis, TF-IDF with logistic
regression, the nearest case.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dxtrace.chain import Chain, Step
from dxtrace.evaluate._extras import library
from dxtrace.evaluate.baselines.chains import STEPS, answer_chain
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.quotes import find_quotes, single_clauses, span_of

Answer = Callable[[AnnotatedCase], Chain]


def labels_of(train: Sequence[AnnotatedCase]) -> list[str]:
    """Return the gold diagnosis of each annotated case."""
    labels = []
    for case in train:
        if case.gold is not None:
            labels.append(case.gold.diagnosis)
    return labels


def majority(train: Sequence[AnnotatedCase]) -> Answer:
    """Return the system that always gives the commonest diagnosis, with the shares of all as
    probabilities.
    """
    counts = Counter(labels_of(train))
    total = sum(counts.values())
    shares = {}
    for name, count in counts.items():
        shares[name] = count / total
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


def tfidf(train: Sequence[AnnotatedCase]) -> Answer:
    """TF-IDF of words and pairs of words, logistic regression; it quotes what spoke most for its
    diagnosis.
    """
    linear = library("sklearn.linear_model", "the baseline 'tfidf'")
    labels = labels_of(train)
    if len(set(labels)) < 2:
        return majority(train)
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
        quotes = single_clauses(find_quotes(case.case.note))
        if not quotes:
            return chain
        weights = model.decision_function(vectorizer.transform([quote.text for quote in quotes]))
        column = list(model.classes_).index(chain.diagnosis)
        if weights.ndim > 1:
            spoke = weights[:, column]
        else:
            spoke = weights * (1 if column else -1)
        best = sorted(range(len(quotes)), key=lambda place: -spoke[place])[:STEPS]
        said = f"Wording like this is frequent in cases of {chain.diagnosis}."
        return replace(
            chain,
            steps=tuple(
                Step(chain.path[0], said, span_of(case.case, quotes[i])) for i in sorted(best)
            ),
        )

    return answer


def nearest(train: Sequence[AnnotatedCase]) -> Answer:
    """The most similar case's diagnosis and reasons, with this note's own words as evidence;
    probabilities from the ten nearest."""
    vectorizer, table = _vectors(train)
    labels = labels_of(train)

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
        if winner.gold and winner.gold.diagnosis == chain.diagnosis:
            return answer_chain(case, shares, steps, "nearest")
        return chain

    return answer


def _borrowed(case: AnnotatedCase, other: AnnotatedCase) -> list[Step]:
    """Return the other case's steps, each with the clause of this note that reads most like its
    evidence, if any does."""
    quotes = single_clauses(find_quotes(case.case.note))
    words = []
    for quote in quotes:
        words.append(_words(quote.text))
    steps: list[Step] = []
    used: set[int] = set()
    for step in other.gold.steps if other.gold else ():
        wanted = _words(step.evidence.text)
        scores = []
        for here in words:
            scores.append(len(wanted & here) / max(len(wanted | here), 1))
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
