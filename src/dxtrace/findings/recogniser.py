"""Which findings of ``knowledge/`` a note says, where, and what they say for each diagnosis.

A second opinion beside the model's, which has read few notes: naive Bayes with the frequencies of the knowledge files,
on clauses of which it is not sure which finding they say, if any. How much it counts is fitted
(:class:`dxtrace.answering.differential.Calibration`). The same reading tells which pieces of a note are evidence for a diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dxtrace import knowledge
from dxtrace.findings.similarity import Profiles
from dxtrace.knowledge import Premise, Wordings
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.quotes import Quote, innermost

#: A clause says a finding with odds ``exp(SHARP * (likeness - EVEN))`` against saying none. Chosen on development
#: cases of which a third of the wordings was hidden, from a coarse grid: 8, 12, 16 and 0.4, 0.5, 0.6.
SHARP, EVEN = 12.0, 0.5

#: A likeness below this is none: one common word.
_NONE = 0.1

#: Added to every frequency: findings are met, and misread, in patients without the illness.
_CHANCE = 0.01

#: A piece of a note is evidence if it says a finding on the path of the diagnosis with this probability, of which the
#: best are kept; a premise is offered for it if half as probable as the likeliest, and said plainly if this like it.
#: On 60 cases of the hard test with their true diagnosis 0.01, 0.02 and 0.04 give a precision and recall (characters)
#: of 0.72 and 0.59, 0.76 and 0.56, 0.78 and 0.51; on 30 of the development split 0.81 and 0.90, 0.83 and 0.89, 0.87 and
#: 0.89.
_EVIDENCE, _AS_LIKELY, _PLAIN = 0.02, 0.5, 0.35

#: Where none of the best is left, a quote must come this near to the likest of its premise.
_NEAR = 0.7

_Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What may be quoted for a diagnosis: its premises, and by premise id the quotes that may be given for each.

    ``chosen``: pieces apart from each other that say most for the diagnosis. ``nearly``: all that come near the
    likest, for premises of which no chosen one is left. ``plain``: pairs in which the words plainly say the finding.
    """

    premises: tuple[Premise, ...]
    chosen: dict[str, list[Quote]]
    nearly: dict[str, list[Quote]]
    plain: frozenset[tuple[str, Quote]]


class Support:
    """Recognises findings of all categories in the clauses of a note."""

    def __init__(self, wordings: Wordings = "all") -> None:
        """
        Args:
            wordings: which ways of saying a finding it knows.
        """
        self._premises: list[Premise] = []
        self._range: dict[str, range] = {}
        for category in knowledge.written():
            own = knowledge.premises(category, wordings)
            self._range[category] = range(len(self._premises), len(self._premises) + len(own))
            self._premises += own
        self._profiles = Profiles(self._premises)
        self._ratios = _ratios()

    def scores(self, quotes: Iterable[Quote]) -> dict[str, float]:
        """Return, for every diagnosis, what the clauses among ``quotes`` say for it, in nats.

        Of a clause: the log of its likelihood given the diagnosis against that over all diagnoses, where it says each
        finding, or none, with the probability that its words give.
        """
        says, none = self._said(self._profiles.likeness(innermost(quotes)))
        scores = np.log(none[:, None] + says @ self._ratios).sum(axis=0)
        return {
            node.name: float(score)
            for node, score in zip(Taxonomy.default().diagnoses, scores, strict=True)
        }

    def evidence(self, node: Node, quotes: Sequence[Quote], most: int) -> Evidence:
        """Return what may be quoted for a diagnosis.

        Args:
            node: the diagnosis.
            quotes: pieces of one note.
            most: how many pieces are chosen at most.
        """
        places = [
            place
            for place in self._range.get(node.category, ())
            if (known := self._premises[place]).node in node.path
            and (not known.only or node.name in known.only)
        ]
        likeness = self._profiles.likeness(quotes)
        says = self._said(likeness)[0][:, places]
        likeness = likeness[:, places]
        kept = _apart(quotes, says.sum(axis=1), most)
        premises = tuple(self._premises[place] for place in places)
        chosen, nearly = ({premise.id: list[Quote]() for premise in premises} for _ in range(2))
        plain = set()
        for column, premise in enumerate(premises):
            best = likeness[:, column].max(initial=0.0)
            for row in map(int, np.flatnonzero(likeness[:, column] > _NONE)):
                quote, like = quotes[row], likeness[row, column]
                if like >= _NEAR * best:
                    nearly[premise.id].append(quote)
                if row in kept and says[row, column] >= _AS_LIKELY * says[row].max():
                    chosen[premise.id].append(quote)
                if like >= _PLAIN:
                    plain.add((premise.id, quote))
        return Evidence(premises, chosen, nearly, frozenset(plain))

    def _said(self, likeness: _Matrix) -> tuple[_Matrix, _Matrix]:
        """Return the probability that each quote says each finding (quotes, premises), and that it says none."""
        odds = np.where(likeness > _NONE, np.exp(SHARP * (likeness - EVEN)), 0.0)
        whole = 1 + odds.sum(axis=1)
        return odds / whole[:, None], 1 / whole


def _apart(quotes: Sequence[Quote], relevance: _Matrix, most: int) -> set[int]:
    """Return the places of the most relevant quotes that do not overlap."""
    kept: list[int] = []
    for place in map(int, np.argsort(-relevance, kind="stable")):
        if len(kept) == most or relevance[place] < _EVIDENCE:
            break
        quote = quotes[place]
        if all(
            quote.end <= quotes[other].start or quotes[other].end <= quote.start for other in kept
        ):
            kept.append(place)
    return set(kept)


@cache
def support(wordings: Wordings = "all") -> Support:
    """Return the one :class:`Support` for these wordings; made on the first call, in about a second."""
    return Support(wordings)


@cache
def _ratios() -> _Matrix:
    """Return how much oftener each finding is met in each diagnosis than over all of them (premises, diagnoses)."""
    nodes = Taxonomy.default().diagnoses
    often = np.array(
        [
            [
                knowledge.frequency(finding, node)
                if node.category == category and knowledge.occurs(finding, node)
                else 0.0
                for node in nodes
            ]
            for category in knowledge.written()
            for finding in knowledge.load(category).findings
        ],
    )
    ratios: _Matrix = (often + _CHANCE) / (often.mean(axis=1, keepdims=True) + _CHANCE)
    return ratios
