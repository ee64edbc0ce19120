"""Pairing gold with predicted observations, one to one: greedily as published, and optimally beside
it.
"""

from __future__ import annotations

from collections.abc import Sequence

from dxtrace.evaluate.judges.base import Judge, Pair, Statement, Verdict

#: A table of verdicts: one row a gold observation, one column a predicted one.
Verdicts = Sequence[Sequence[Verdict]]
Pairs = list[tuple[int, int]]


def judge_all(
    judge: Judge,
    gold: Sequence[Statement],
    predicted: Sequence[Statement],
) -> list[list[Verdict]]:
    """Return the judge's verdict on every pair, as a table of len(gold) rows and len(predicted)
    columns.
    """
    verdicts = iter(judge.judge([Pair(g, p) for g in gold for p in predicted]))
    rows = []
    for _ in gold:
        rows.append([next(verdicts) for _ in predicted])
    return rows


def match_greedy(verdicts: Verdicts) -> Pairs:
    """Pair each gold observation, in order, with the first unused predicted one that is called the
    same.

    Source: Wang et al. 2024, arXiv 2408.01933 (as in the authors' evaluation script). Depends on
    the order of both sides.
    """
    pairs: Pairs = []
    used: set[int] = set()
    for i, row in enumerate(verdicts):
        for j, verdict in enumerate(row):
            if verdict.same and j not in used:
                pairs.append((i, j))
                used.add(j)
                break
    return pairs


def match_optimal(verdicts: Verdicts) -> Pairs:
    """Pair as many as can be paired, and among such pairings the one with the highest sum of
    scores.

    The assignment problem, solved by :func:`scipy.optimize.linear_sum_assignment`. Does not depend
    on order where scores differ.

    Raises:
        MissingExtra: scipy is not installed.
    """
    if not verdicts or not verdicts[0]:
        return []
    from dxtrace.evaluate._extras import numpy_and_optimize

    np, optimize = numpy_and_optimize()
    # A pair is worth more than all scores together, so that none is given up for a better score
    # elsewhere.
    weight = len(verdicts) + len(verdicts[0]) + 1
    gains = np.array([[weight + v.score if v.same else 0.0 for v in row] for row in verdicts])
    rows, columns = optimize.linear_sum_assignment(gains, maximize=True)
    pairs = []
    for i, j in zip(rows, columns, strict=True):
        if verdicts[i][j].same:
            pairs.append((int(i), int(j)))
    return pairs
