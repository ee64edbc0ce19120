"""Where a changed quote comes from, and what was changed: approximate matching on words.

The cheapest alignment of a quote with any stretch of the note (Sellers 1980,
doi 10.1016/0196-6774(80)90016-4), with words for letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

#: Share of the words of a quote that have to stand in the note for it to be called changed.
LEAST_SHARED = 0.5

#: Words of a quote that are aligned; of a longer one the first. In a very long note fewer, so that
#: the table of costs has at most so many cells (4 bytes each).
MOST_WORDS, MOST_CELLS = 400, 20_000_000

#: Costs of a word that is added or exchanged, of one that is left out, and of a mark that says
#: nothing.
_WORD, _LEFT_OUT, _MARK = 4, 3, 1

_HARMLESS = frozenset(".,;:'\"()[]!*|")
_COMMON = frozenset(
    """a an and as at by for from had has have he her his in is it its of on or she that the their
    they this to was were which who with patient""".split(),  # noqa: SIM905
)


@dataclass(frozen=True)
class Difference:
    """What a quote says, and what the note has in its place; one of them may be empty."""

    said: str
    written: str


@dataclass(frozen=True)
class Alignment:
    """The words of a note, ``first`` to ``last``, that a quote comes nearest to."""

    first: int
    last: int
    differences: tuple[Difference, ...]


def align(note: Sequence[str], quote: Sequence[str]) -> Alignment | None:
    """Return where a quote comes nearest to a note, or None if it comes near to nothing.

    Args:
        note: its words, numbers and marks, folded.
        quote: the same of the quote.
    """
    if not note or not quote:
        return None
    said = list(quote[: min(MOST_WORDS, max(1, MOST_CELLS // len(note)))])
    costs = _costs(note, said)
    end = _end(costs[-1])
    pairs = _walk_back(costs, note, said, end)
    same = []
    for i, j in pairs:
        if i is not None and j is not None and _same(said[i], note[j]):
            same.append((i, j))
    shared = sum(_tells(said[i]) for i, _ in same)
    telling = sum(map(_tells, said))
    if not shared or shared < LEAST_SHARED * telling:
        return None
    used = []
    for i, j in pairs:
        if i is not None and j is not None:
            used.append(j)
    return Alignment(min(used), max(used), tuple(_differences(pairs, note, said)))


def _same(one: str, other: str) -> bool:
    """True for the same word, or the same number with or without marks between its thousands."""
    return one == other or _bare(one) == _bare(other)


def _bare(word: str) -> str:
    """Return a number without the marks between its thousands, anything else as it is."""
    if len(word) > 4:
        return word.replace(",", "")
    return word


def _exchange(said: str, written: str) -> int:
    if _same(said, written):
        return 0
    own = _cost(said)
    if said[0].isdigit() == written[0].isdigit():
        return own
    return own + 1


def _tells(word: str) -> bool:
    return word[0].isalnum() and word not in _COMMON


def _cost(word: str) -> int:
    if word in _HARMLESS:
        return _MARK
    return _WORD


def _gap(word: str) -> int:
    if word in _HARMLESS:
        return _MARK
    return _LEFT_OUT


def _costs(note: Sequence[str], said: Sequence[str]) -> NDArray[np.int32]:
    """Return the table of least costs, shape (words of the quote + 1, words of the note + 1)."""
    numbers: dict[str, int] = {}
    for word in note:
        numbers.setdefault(_bare(word), len(numbers))
    ids = np.array([numbers[_bare(word)] for word in note])
    like = np.array([word[0].isdigit() for word in note])
    gaps = np.array([0, *map(_gap, note)], dtype=np.int32).cumsum()
    table = np.zeros((len(said) + 1, len(note) + 1), dtype=np.int32)
    for row, word in enumerate(said, 1):
        own = _cost(word)
        # A number is exchanged for a number, a word for a word.
        exchange = np.where(like == word[0].isdigit(), own, own + 1)
        exchange[ids == numbers.get(_bare(word), -1)] = 0
        best = table[row - 1] + own
        best[1:] = np.minimum(best[1:], table[row - 1, :-1] + exchange)
        # A word of the note may be passed over: the running minimum does it for all columns.
        table[row] = np.minimum.accumulate(best - gaps) + gaps
    return table


def _end(row: NDArray[np.int32]) -> int:
    """Return where the cheapest alignment ends; a last word that was exchanged belongs to it."""
    end = int(row.argmin())
    while end + 1 < len(row) and row[end + 1] == row[end]:
        end += 1
    return end


_Pair = tuple[int | None, int | None]


def _walk_back(
    costs: NDArray[np.int32],
    note: Sequence[str],
    said: Sequence[str],
    end: int,
) -> list[_Pair]:
    """Return the pairs (word of the quote, word of the note) of the cheapest alignment."""
    pairs: list[_Pair] = []
    row, column = len(said), end
    while row > 0:
        cost = costs[row, column]
        own = _cost(said[row - 1])
        if column:
            exchange = _exchange(said[row - 1], note[column - 1])
            if cost == costs[row - 1, column - 1] + exchange:
                row, column = row - 1, column - 1
                pairs.append((row, column))
                continue
        if cost == costs[row - 1, column] + own:
            row -= 1
            pairs.append((row, None))
        else:
            column -= 1
            pairs.append((None, column))
    return pairs[::-1]


def _differences(
    pairs: Sequence[_Pair],
    note: Sequence[str],
    said: Sequence[str],
) -> Iterator[Difference]:
    """Yield what differs, run by run; marks that say nothing do not."""

    def differ(pair: _Pair) -> bool:
        i, j = pair
        return i is None or j is None or not _same(said[i], note[j])

    for different, run in groupby(pairs, differ):
        if not different:
            continue
        ours: list[str] = []
        theirs: list[str] = []
        for i, j in run:
            ours += [] if i is None else [said[i]]
            theirs += [] if j is None else [note[j]]
        if not _HARMLESS.issuperset(ours + theirs):
            yield Difference(" ".join(ours), " ".join(theirs))
