"""Notes that are the same, or nearly: Jaccard similarity of word 5-grams, found by MinHash and then
computed exactly.

MinHash with banding: Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets",
chapter 3. With 32 bands of 4 rows a pair of similarity 0.8 is missed once in ten million, one of
0.6 about once in a hundred.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

#: Words in a shingle.
GRAM = 5

#: Similarity from which two notes count as near-duplicates.
NEAR = 0.8

_BANDS = 32
_ROWS = 4

#: 2 ** 64 over the golden ratio, as odd: Knuth's multiplier (The Art of Computer Programming 3, 6.4).
_MULTIPLIER = 0x9E3779B97F4A7C15

Hashes = NDArray[np.uint64]


def find_duplicates(
    notes: Sequence[str],
    near: float = NEAR,
) -> tuple[list[list[int]], list[tuple[int, int, float]]]:
    """Return groups of equal notes, and pairs of nearly equal ones, as indices into ``notes``.

    Notes are equal if their words are, whatever case, space and punctuation. Of a group of equal
    notes the first stands for all in the pairs; a pair is (index, index, similarity from ``near``
    to 1), most similar first.

    Raises:
        ValueError: ``near`` is not between 0.6 and 1: below, MinHash would miss too many.
    """
    if not 0.6 <= near <= 1:
        raise ValueError("near-duplicates are found from a similarity of 0.6 to 1")
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, note in enumerate(notes):
        groups[tuple(re.findall(r"\w+", note.lower()))].append(index)
    shingles: dict[int, Hashes] = {}
    for words, indices in groups.items():
        shingles[indices[0]] = _shingles(words)
    similar: list[tuple[int, int, float]] = []
    for one, other in _candidates(shingles):
        similarity = jaccard(shingles[one], shingles[other])
        if similarity >= near:
            similar.append((one, other, similarity))
    similar.sort(key=lambda pair: (-pair[2], pair[0], pair[1]))
    equal = []
    for indices in groups.values():
        if len(indices) > 1:
            equal.append(indices)
    return equal, similar


def jaccard(one: Hashes, other: Hashes) -> float:
    """Return how many shingles two sorted sets share, of all that they have."""
    if not one.size:
        return 0.0
    shared = np.intersect1d(one, other, assume_unique=True).size
    union = one.size + other.size - shared
    return shared / union


def _shingles(words: tuple[str, ...]) -> Hashes:
    """Return the sorted 64-bit hashes of the runs of five words of a note (of the whole, if it is
    shorter).
    """
    if not words:
        return np.empty(0, np.uint64)
    checksums = []
    for word in words:
        checksums.append(zlib.crc32(word.encode()))
    hashes = np.array(checksums, np.uint64)
    width = min(GRAM, len(words))
    # Polynomial hash (Karp and Rabin 1987) of all runs at once, modulo 2 ** 64.
    total = np.zeros(len(words) - width + 1, np.uint64)
    for offset in range(width):
        total *= np.uint64(_MULTIPLIER)
        total += hashes[offset : offset + total.size]
    # High bits vary most: fold them into the low ones.
    return np.unique(total ^ (total >> np.uint64(29)))


def _candidates(shingles: dict[int, Hashes]) -> set[tuple[int, int]]:
    """Return the pairs that agree in at least one band of their signatures."""
    random = np.random.default_rng(20240801)
    factors = random.integers(1, 2**63, (_BANDS * _ROWS, 1), np.uint64)
    factors |= np.uint64(1)
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, hashes in shingles.items():
        if not hashes.size:
            continue
        # Multiply-shift hashing: the high half of each product is a hash of its own.
        signature = ((factors * hashes[None, :]) >> np.uint64(32)).min(axis=1)
        for band in range(_BANDS):
            rows = signature[band * _ROWS : (band + 1) * _ROWS]
            buckets[band, rows.tobytes()].append(index)
    pairs: set[tuple[int, int]] = set()
    for members in buckets.values():
        pairs.update(combinations(members, 2))
    return pairs
