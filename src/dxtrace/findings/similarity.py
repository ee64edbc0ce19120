"""How similar a clause is to a finding, by its words: TF-IDF and cosine.

Every finding in ``knowledge/`` lists wordings. Their words, each read as the clinical term it
stands for (:mod:`dxtrace.findings.lexicon`: "SOB" is dyspnea), make vectors; a clause is as similar
to the finding as the mean of its cosine with the best wording and with the centroid of all. Terms
weigh by inverse document frequency (Spärck Jones 1972). Similarity ranks; it does not decide: what
a clause states is decided by :mod:`dxtrace.findings.patterns`.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dxtrace.findings.lexicon import Lexicon
from dxtrace.knowledge import Premise
from dxtrace.notes.cues import denies, has_cue
from dxtrace.notes.quotes import Quote

#: Affirmed, with a cue of uncertainty, family or past history, or denied: only wordings of one
#: voice are compared.
Voice = Literal["affirmed", "qualified", "denied"]
VOICES: tuple[Voice, ...] = ("affirmed", "qualified", "denied")

_Vector = dict[str, float]


@dataclass(frozen=True)
class _VoiceIndex:
    """Vectors of one voice, those of one finding side by side and their centroid last.

    ``postings``: by term, the rows that hold it and its weight there. ``firsts``: where each
        finding's rows begin;
    ``findings``: their numbers.
    """

    postings: dict[str, tuple[NDArray[np.intp], NDArray[np.float64]]]
    rows: int
    firsts: NDArray[np.intp]
    findings: NDArray[np.intp]


class FindingIndex:
    """The wordings of findings as vectors."""

    def __init__(self, premises: Sequence[Premise]) -> None:
        """Build the index.

        Args:
            premises: with their wordings.
        """
        self._count = len(premises)
        wordings: list[tuple[int, Voice, tuple[str, ...]]] = []
        users: dict[str, set[int]] = defaultdict(set)
        for number, premise in enumerate(premises):
            for wording in premise.says:
                found = terms(wording)
                if found:
                    wordings.append((number, _voice(wording), found))
                for term in found:
                    users[term].add(number)
        self._idf = {term: math.log(1 + self._count / len(ids)) for term, ids in users.items()}
        self._unseen_idf = math.log(1 + self._count / 2)
        self._indexes = {
            voice: self._build([(n, found) for n, own, found in wordings if own == voice])
            for voice in VOICES
        }

    def similarity(self, quotes: Sequence[Quote]) -> NDArray[np.float64]:
        """Return the similarity of each quote to each finding, from 0 to 1: (quotes, premises)."""
        result = np.zeros((len(quotes), self._count))
        for row, quote in zip(result, quotes, strict=True):
            index = self._indexes[_voice(quote.text)]
            cosines = self._cosines(terms(quote.text), index)
            if cosines is not None:
                centroids = np.append(index.firsts[1:], index.rows) - 1
                best = np.maximum.reduceat(cosines, index.firsts)
                row[index.findings] = (best + cosines[centroids]) / 2
        return result

    def _cosines(self, found: Sequence[str], index: _VoiceIndex) -> NDArray[np.float64] | None:
        known = []
        for term in found:
            if term in index.postings:
                known.append(term)
        if not known:
            return None
        norm = self._norm(found)
        cosines = np.zeros(index.rows)
        for term in known:
            rows, weights = index.postings[term]
            cosines[rows] += weights * (self._idf[term] / norm)
        return cosines

    def _norm(self, found: Iterable[str]) -> float:
        return math.sqrt(sum(self._idf.get(term, self._unseen_idf) ** 2 for term in found))

    def _build(self, wordings: Sequence[tuple[int, tuple[str, ...]]]) -> _VoiceIndex:
        vectors: list[tuple[int, _Vector]] = []
        sums: dict[int, _Vector] = {}
        for number, found in wordings:
            norm = self._norm(found)
            vector = {}
            for term in found:
                vector[term] = self._idf[term] / norm
            vectors.append((number, vector))
            total = sums.setdefault(number, defaultdict(float))
            for term, weight in vector.items():
                total[term] += weight
        for number, total in sums.items():
            norm = math.sqrt(sum(weight**2 for weight in total.values()))
            vectors.append((number, {term: weight / norm for term, weight in total.items()}))
        # Stable: the centroid, added last, stays the last row of its finding.
        vectors.sort(key=lambda item: item[0])
        return _inverted(vectors)


def _inverted(vectors: Sequence[tuple[int, _Vector]]) -> _VoiceIndex:
    """Return rows as postings by term."""
    entries: dict[str, list[tuple[int, float]]] = defaultdict(list)
    firsts: list[int] = []
    findings: list[int] = []
    for row, (number, vector) in enumerate(vectors):
        if not findings or findings[-1] != number:
            firsts.append(row)
            findings.append(number)
        for term, weight in vector.items():
            entries[term].append((row, weight))
    postings = {}
    for term, pairs in entries.items():
        rows, weights = zip(*pairs, strict=True)
        postings[term] = np.array(rows, np.intp), np.array(weights)
    return _VoiceIndex(
        postings,
        len(vectors),
        np.array(firsts, np.intp),
        np.array(findings, np.intp),
    )


@lru_cache(maxsize=30_000)
def terms(text: str) -> tuple[str, ...]:
    """Return the clinical terms and other specific words of a text, each once, in alphabetical
    order.

    Placeholders, numbers and function words are left out. What a word denies ("afebrile") begins
    with an exclamation mark.
    """
    plain = re.sub(r"\{\w*\}", " ", text.lower())
    lexicon = Lexicon.default()
    names = set()
    for term in lexicon.terms(plain):
        if term.name and not lexicon.number_words(term.word):
            names.add(f"!{term.name}" if term.denied else term.name)
    return tuple(sorted(names))


def _voice(text: str) -> Voice:
    if denies(text):
        return "denied"
    if has_cue(text):
        return "qualified"
    return "affirmed"
