"""Which pieces of a note say which finding, by their words.

Every finding in ``knowledge/`` lists ways in which notes say it. Their words, each read as the clinical term it stands
for (:mod:`dxtrace.findings.lexicon`: "SOB" is dyspnea), make a profile of the finding; a quote is as like the finding as its
terms are like the profile. Terms weigh by how few findings use them (inverse document frequency, Spärck Jones 1972).
What follows from it is in :mod:`dxtrace.findings.recogniser`.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dxtrace.findings.lexicon import Lexicon
from dxtrace.knowledge import Premise
from dxtrace.notes.cues import denies, has_cue
from dxtrace.notes.quotes import Quote

#: Said outright, with a cue of uncertainty, family or past history, or denied.
_VOICES = ("said", "told", "denied")


@dataclass(frozen=True)
class _Side:
    """Rows of terms, those of one finding side by side: who uses a term and how much, where each finding's begin."""

    postings: dict[str, tuple[NDArray[np.intp], NDArray[np.float64]]]
    rows: int
    firsts: NDArray[np.intp]
    findings: NDArray[np.intp]


class Profiles:
    """The words of findings, against which quotes are held."""

    def __init__(self, premises: Sequence[Premise]) -> None:
        self._premises = premises
        ways = [
            (number, _voice(way), found)
            for number, premise in enumerate(premises)
            for way in premise.says
            if (found := terms(way))
        ]
        users: dict[str, set[int]] = defaultdict(set)
        for number, _, found in ways:
            for term in found:
                users[term].add(number)
        self._weight = {term: math.log(1 + len(premises) / len(ids)) for term, ids in users.items()}
        self._strange = math.log(1 + len(premises) / 2)
        self._sides = {
            voice: self._side([(number, found) for number, said, found in ways if said == voice])
            for voice in _VOICES
        }

    def _side(self, ways: Sequence[tuple[int, tuple[str, ...]]]) -> _Side:
        """Return the ways, and the sum of those of each finding, as rows of length 1 by their terms."""
        rows: list[tuple[int, dict[str, float]]] = []
        sums: dict[int, dict[str, float]] = {}
        for number, found in ways:
            length = self._length(found)
            row = {term: self._weight[term] / length for term in found}
            rows.append((number, row))
            whole = sums.setdefault(number, defaultdict(float))
            for term, share in row.items():
                whole[term] += share
        for number, whole in sums.items():
            length = math.sqrt(sum(share**2 for share in whole.values()))
            rows.append((number, {term: share / length for term, share in whole.items()}))
        rows.sort(key=lambda row: row[0])
        held: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, (_, row) in enumerate(rows):
            for term, share in row.items():
                held[term].append((place, share))
        postings = {
            term: (np.array([p for p, _ in of], np.intp), np.array([x for _, x in of]))
            for term, of in held.items()
        }
        owners = [number for number, _ in rows]
        firsts = [
            place for place, number in enumerate(owners) if not place or owners[place - 1] != number
        ]
        return _Side(
            postings,
            len(rows),
            np.array(firsts, np.intp),
            np.array([owners[place] for place in firsts], np.intp),
        )

    def _length(self, found: Iterable[str]) -> float:
        return math.sqrt(sum(self._weight.get(term, self._strange) ** 2 for term in found))

    def likeness(self, quotes: Sequence[Quote]) -> NDArray[np.float64]:
        """Return how like each quote is to each finding, from 0 to 1: (quotes, premises), the cosine of their terms.

        A quote with a cue of negation is like only what is said with one, and so with cues of uncertainty, family or
        past history; one with numbers, only a finding that such numbers make.
        """
        result = np.zeros((len(quotes), len(self._premises)))
        for row, quote in zip(result, quotes, strict=True):
            found, side = terms(quote.text), self._sides[_voice(quote.text)]
            known = [term for term in found if term in side.postings]
            if not known:
                continue
            length = self._length(found)
            alike = np.zeros(side.rows)
            for term in known:
                places, shares = side.postings[term]
                alike[places] += shares * (self._weight[term] / length)
            lasts = np.append(side.firsts[1:], side.rows) - 1
            # The likest way and the sum, which stands last: a way that is met again, and one that mixes several.
            row[side.findings] = (np.maximum.reduceat(alike, side.firsts) + alike[lasts]) / 2
            numbers = numbers_in(quote.text)
            if numbers:
                for place in map(int, np.flatnonzero(row)):
                    if not values_fit(numbers, self._premises[place].values):
                        row[place] = 0
        return result


@lru_cache(maxsize=30_000)
def terms(text: str) -> tuple[str, ...]:
    """Return the clinical terms and other telling words of a text, each once, in alphabetical order.

    Placeholders, numbers and function words are left out. What a word denies ("afebrile") begins with an exclamation
    mark.
    """
    plain = re.sub(r"\{\w*\}", " ", text.lower())
    lexicon = Lexicon.default()
    found = [
        term for term in lexicon.terms(plain) if term.name and not lexicon.number_words(term.word)
    ]
    return tuple(sorted({f"!{term.name}" if term.denied else term.name for term in found}))


def _voice(text: str) -> str:
    return "denied" if denies(text) else "told" if has_cue(text) else "said"


def numbers_in(text: str) -> list[float]:
    """Return the numbers in a text, limits in parentheses apart."""
    plain = re.sub(r"\([^)]*\)", " ", text).replace(",", "")
    return [
        float(number)
        for number in re.findall(r"(?<![\w.])\d{1,6}(?:\.\d{1,3})?(?![\w.]*\d)", plain)
    ]


def values_fit(numbers: Sequence[float], ranges: Sequence[tuple[float, float]]) -> bool:
    """True unless there are numbers and none of them lies in a range of the finding (or up to 5 % beyond).

    Two values are a measurement: they fit no finding without one ("BP 132/70" is no known hypertension). More than two
    say more than one thing: they fit no finding of one value.
    """
    if not ranges:
        return len(numbers) < 2
    if not numbers:
        return True
    return len(numbers) <= 2 and any(
        low - (high - low) / 20 <= number <= high + (high - low) / 20
        for number in numbers
        for low, high in ranges
    )
