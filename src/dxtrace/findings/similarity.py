"""How similar a clause is to a finding, by its words: TF-IDF and cosine.

Every finding in ``knowledge/`` lists wordings. Their words, each read as the clinical term it
stands for (:mod:`dxtrace.findings.lexicon`: "SOB" is dyspnea), make vectors; a clause is as similar
to the finding as the mean of its cosine with the best wording and with the centroid of all. Terms
weigh by inverse document frequency (Spärck Jones 1972). Similarity ranks; it does not decide: what
a clause states is decided by :mod:`dxtrace.findings.patterns`.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dxtrace.files import derive, source_code
from dxtrace.findings.lexicon import Lexicon
from dxtrace.knowledge import Premise
from dxtrace.notes.cues import denies, has_cue
from dxtrace.notes.quotes import Quote

#: Affirmed, with a cue of uncertainty, family or past history, or denied: only wordings of one
#: voice are compared.
Voice = Literal["affirmed", "qualified", "denied"]
VOICES: tuple[Voice, ...] = ("affirmed", "qualified", "denied")

_Vector = dict[str, float]
_Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _VoiceIndex:
    """Vectors of one voice, those of one finding side by side and their centroid last.

    ``starts``: by term, where its postings begin, and one past the last; ``rows`` and ``weights``:
    the postings. ``firsts``: where each finding's vectors begin; ``findings``: their numbers;
    ``size``: how many vectors there are.
    """

    starts: NDArray[np.intp]
    rows: NDArray[np.intp]
    weights: NDArray[np.float64]
    firsts: NDArray[np.intp]
    findings: NDArray[np.intp]
    size: int


class FindingIndex:
    """The wordings of findings as vectors."""

    def __init__(self, premises: Sequence[Premise]) -> None:
        """Build the index, or read it from the cache.

        Args:
            premises: with their wordings.
        """
        self._count = len(premises)
        self._unseen_idf = math.log(1 + self._count / 2)
        arrays = _stored_arrays(premises)
        vocabulary = arrays["vocabulary"].tolist()
        self._numbers: dict[str, int] = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
        self._idf: _Vector = dict(zip(vocabulary, arrays["idf"].tolist(), strict=True))
        self._indexes = {}
        for voice in VOICES:
            self._indexes[voice] = _VoiceIndex(
                starts=arrays[f"{voice}_starts"],
                rows=arrays[f"{voice}_rows"],
                weights=arrays[f"{voice}_weights"],
                firsts=arrays[f"{voice}_firsts"],
                findings=arrays[f"{voice}_findings"],
                size=int(arrays[f"{voice}_size"]),
            )

    def similarity(self, quotes: Sequence[Quote]) -> NDArray[np.float64]:
        """Return the similarity of each quote to each finding, from 0 to 1: (quotes, premises)."""
        result = np.zeros((len(quotes), self._count))
        for row, quote in zip(result, quotes, strict=True):
            index = self._indexes[_voice(quote.text)]
            cosines = self._cosines(terms(quote.text), index)
            if cosines is not None:
                centroids = np.append(index.firsts[1:], index.size) - 1
                best = np.maximum.reduceat(cosines, index.firsts)
                row[index.findings] = (best + cosines[centroids]) / 2
        return result

    def _cosines(self, found: Sequence[str], index: _VoiceIndex) -> NDArray[np.float64] | None:
        postings = []
        for term in found:
            number = self._numbers.get(term)
            if number is not None and index.starts[number] < index.starts[number + 1]:
                postings.append((term, slice(index.starts[number], index.starts[number + 1])))
        if not postings:
            return None
        norm = _norm(found, self._idf, self._unseen_idf)
        cosines = np.zeros(index.size)
        for term, span in postings:
            cosines[index.rows[span]] += index.weights[span] * (self._idf[term] / norm)
        return cosines


def _stored_arrays(premises: Sequence[Premise]) -> _Arrays:
    """Return the arrays of an index, from the cache if nothing that goes into them has changed."""
    sources = []
    for premise in premises:
        sources.append(repr(premise.says).encode())
    sources += source_code("dxtrace.findings")
    sources += source_code("dxtrace.notes")
    sources.append(Lexicon.source())
    name = f"similarity-{hashlib.sha256(b''.join(sources[: len(premises)])).hexdigest()[:8]}"

    def build() -> bytes:
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **_build_arrays(premises))
        return stream.getvalue()

    with np.load(io.BytesIO(derive(name, sources, build)), allow_pickle=False) as stored:
        return dict(stored)


def _build_arrays(premises: Sequence[Premise]) -> _Arrays:
    wordings: list[tuple[int, Voice, tuple[str, ...]]] = []
    users: dict[str, set[int]] = defaultdict(set)
    for number, premise in enumerate(premises):
        for wording in premise.says:
            found = terms(wording)
            if found:
                wordings.append((number, _voice(wording), found))
            for term in found:
                users[term].add(number)
    idf = {}
    for term, ids in users.items():
        idf[term] = math.log(1 + len(premises) / len(ids))
    arrays: _Arrays = {
        "vocabulary": np.array(list(idf), dtype=np.str_),
        "idf": np.array(list(idf.values())),
    }
    for voice in VOICES:
        own = [(number, found) for number, of, found in wordings if of == voice]
        for name, array in _voice_arrays(own, idf).items():
            arrays[f"{voice}_{name}"] = array
    return arrays


def _voice_arrays(wordings: Sequence[tuple[int, tuple[str, ...]]], idf: _Vector) -> _Arrays:
    vectors: list[tuple[int, _Vector]] = []
    sums: dict[int, _Vector] = {}
    for number, found in wordings:
        norm = _norm(found, idf)
        vector = {}
        for term in found:
            vector[term] = idf[term] / norm
        vectors.append((number, vector))
        total = sums.setdefault(number, defaultdict(float))
        for term, weight in vector.items():
            total[term] += weight
    for number, total in sums.items():
        norm = math.sqrt(sum(weight**2 for weight in total.values()))
        vectors.append((number, {term: weight / norm for term, weight in total.items()}))
    # Stable: the centroid, added last, stays the last row of its finding.
    vectors.sort(key=lambda item: item[0])
    return _postings(vectors, list(idf))


def _postings(vectors: Sequence[tuple[int, _Vector]], vocabulary: Sequence[str]) -> _Arrays:
    """Return rows as postings by term, in the order of the vocabulary."""
    entries: dict[str, list[tuple[int, float]]] = defaultdict(list)
    firsts: list[int] = []
    findings: list[int] = []
    for row, (number, vector) in enumerate(vectors):
        if not findings or findings[-1] != number:
            firsts.append(row)
            findings.append(number)
        for term, weight in vector.items():
            entries[term].append((row, weight))
    starts = [0]
    rows: list[int] = []
    weights: list[float] = []
    for term in vocabulary:
        for row, weight in entries.get(term, ()):
            rows.append(row)
            weights.append(weight)
        starts.append(len(rows))
    return {
        "starts": np.array(starts, np.intp),
        "rows": np.array(rows, np.intp),
        "weights": np.array(weights),
        "firsts": np.array(firsts, np.intp),
        "findings": np.array(findings, np.intp),
        "size": np.array(len(vectors)),
    }


def _norm(found: Iterable[str], idf: _Vector, unseen: float = 0.0) -> float:
    return math.sqrt(sum(idf.get(term, unseen) ** 2 for term in found))


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
