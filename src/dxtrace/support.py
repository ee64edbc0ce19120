"""What the findings in a note say for each diagnosis: those of ``knowledge/`` whose words stand in it, added up.

A second opinion beside the model's, which has read few notes: naive Bayes with the frequencies of the knowledge files,
on findings recognised by their words. How much it counts is fitted (:class:`dxtrace.differential.Calibration`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from dxtrace import knowledge
from dxtrace.grounding import Quote, has_cue, innermost
from dxtrace.knowledge import Premise, Wordings
from dxtrace.matching import numbers_in, values_fit, words
from dxtrace.taxonomy import Taxonomy

#: Share of the words of a way, by weight, that a clause must hold for the finding to count at all, and to count fully.
#: Fitted by eye on notes of the teaching corpus whose wordings were hidden.
SOME, ALL = 0.4, 0.9

#: Share of patients without the illness in whom a finding is met.
_CHANCE = 0.05


@dataclass(frozen=True)
class Found:
    """A finding met in a note: its premise, how surely (0 to 1), and the clause that says it best."""

    premise: Premise
    certainty: float
    quote: Quote


@dataclass(frozen=True)
class _Way:
    finding: int
    denies: bool
    weight: float


class Support:
    """Recognises findings of all categories in the clauses of a note."""

    def __init__(self, wordings: Wordings = "all") -> None:
        """
        Args:
            wordings: which ways of saying a finding it knows.
        """
        self._premises: list[Premise] = []
        self._gains: dict[str, Mapping[str, float]] = {}
        texts: list[tuple[int, str, frozenset[str]]] = []
        for category in knowledge.written():
            for premise in knowledge.premises(category, wordings):
                number = len(self._premises)
                self._premises.append(premise)
                texts += [(number, way, found) for way in premise.says if (found := words(way))]
            self._gains |= _gains(category, wordings)
        users: dict[str, set[int]] = defaultdict(set)
        for number, _, found in texts:
            for word in found:
                users[word].add(number)
        self._weight = {word: math.log(1 + len(self._premises) / len(ids)) for word, ids in users.items()}
        self._ways: list[_Way] = []
        self._holders: dict[str, list[int]] = defaultdict(list)
        for place, (number, way, found) in enumerate(texts):
            self._ways.append(_Way(number, has_cue(way), sum(self._weight[word] for word in found)))
            for word in found:
                self._holders[word].append(place)

    def find(self, quotes: Iterable[Quote]) -> list[Found]:
        """Return the findings that single clauses among ``quotes`` say.

        A clause with a cue of negation, uncertainty, family or past history says only what is said with one; one with
        numbers, only a finding that such numbers make.
        """
        best: dict[int, tuple[float, Quote]] = {}
        for quote in innermost(quotes):
            held: dict[int, float] = defaultdict(float)
            for word in words(quote.text) & self._weight.keys():
                for place in self._holders[word]:
                    held[place] += self._weight[word]
            cued, numbers = has_cue(quote.text), numbers_in(quote.text)
            for place, weight in held.items():
                way = self._ways[place]
                share = weight / way.weight
                if share <= max(SOME, best.get(way.finding, (0.0,))[0]) or way.denies != cued:
                    continue
                if values_fit(numbers, self._premises[way.finding].values):
                    best[way.finding] = (share, quote)
        return [
            Found(self._premises[number], min(1.0, (share - SOME) / (ALL - SOME)), quote)
            for number, (share, quote) in sorted(best.items())
        ]

    def scores(self, findings: Iterable[Found]) -> dict[str, float]:
        """Return, for every diagnosis, the sum over findings of certainty times log of frequency against chance."""
        scores = {node.name: 0.0 for node in Taxonomy.default().diagnoses}
        for found in findings:
            for name, gain in self._gains[found.premise.id].items():
                scores[name] += found.certainty * gain
        return scores


@cache
def support(wordings: Wordings = "all") -> Support:
    """Return the one :class:`Support` for these wordings; made on the first call, in about a second."""
    return Support(wordings)


def _gains(category: str, wordings: Wordings) -> dict[str, dict[str, float]]:
    """Return what each premise of a category says for each of its diagnoses: ``log(1 + frequency / chance)``."""
    nodes = Taxonomy.default().category(category).diagnoses
    return {
        premise.id: {
            node.name: math.log1p(knowledge.frequency(finding, node) / _CHANCE)
            for node in nodes
            if knowledge.occurs(finding, node)
        }
        for finding, premise in zip(
            knowledge.load(category).findings, knowledge.premises(category, wordings), strict=True
        )
    }
