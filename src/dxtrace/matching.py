"""Which pieces of a note could bear out which premise, by their words.

Every finding in ``knowledge/`` lists ways in which notes say it. A quote matches a premise as far as it shares words
with the likest of these ways: the harmonic mean of the shared share of both, words weighted by how few findings of the
category use them (inverse document frequency, Spärck Jones 1972). It narrows what the model chooses from, no more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from dxtrace.grounding import Quote, has_cue
from dxtrace.knowledge import Premise

#: A pair below this is not offered. From 0.35 to 0.5 the share of gold pairs kept falls from 94 % to 93 % (80 cases of
#: the development split), and that of premises offered from a third to a quarter; real notes are worded otherwise.
THRESHOLD = 0.42
#: A pair below this shares no more than a common word.
LOOSE = 0.12
#: A quote must come this near to the likest quote of its premise.
NEAR = 0.7

_STOP = frozenset(
    re.findall(
        r"\w+",
        """a an and are as at be been by for from had has have he her hers him his in into is it its of on or she
        that the their them there they this to was were which who whom with within than then over under about after
        before during since one two three four five six seven eight nine ten
        needs need needed patient
        pt showed shows shown revealed found noted reports reported states said says
        day days week weeks month months year years hour hours minute minutes time times ago old""",
    )
)
_ENDINGS = re.compile(r"(?:ings?|edly|ed|ies|es|s|ly|al|ic)$")


def match(premises: Sequence[Premise], quotes: Sequence[Quote], threshold: float = THRESHOLD) -> dict[str, list[Quote]]:
    """Return, by premise id, the quotes that could bear it out; a premise that no quote matches is left out.

    Args:
        premises: of one category.
        quotes: pieces of one note.
        threshold: likeness from which a pair is offered, from 0 to 1.

    A quote with a cue of negation, uncertainty, family or past history matches only ways that have one too; one with
    numbers, only a finding that such numbers make.
    """
    ways = [(premise.id, has_cue(way), words(way)) for premise in premises for way in premise.says]
    weight = _weights([(id, found) for id, _, found in ways], len(premises))
    strange = math.log(1 + len(premises) / 3)
    found = [(quote, has_cue(quote.text), words(quote.text), numbers_in(quote.text)) for quote in quotes]
    result: dict[str, list[Quote]] = {}
    for premise in premises:
        own = [(cued, way) for id, cued, way in ways if id == premise.id]
        scored = [
            (_best(said, cued, own, weight, strange), quote)
            for quote, cued, said, numbers in found
            if values_fit(numbers, premise.values)
        ]
        top = max((score for score, _ in scored), default=0.0)
        if top >= threshold:
            result[premise.id] = [quote for score, quote in scored if score >= max(threshold, NEAR * top)]
    return result


@lru_cache(maxsize=20_000)
def words(text: str) -> frozenset[str]:
    """Return the telling words of a text: stems in lower case, without placeholders, numbers and function words."""
    plain = re.sub(r"\{\w*\}", " ", text.lower())
    found = (word for word in re.findall(r"[a-z][a-z0-9]*", plain) if word not in _STOP)
    return frozenset(_ENDINGS.sub("", word) if len(word) > 5 else word for word in found)


def numbers_in(text: str) -> list[float]:
    """Return the numbers in a text, limits in parentheses apart."""
    plain = re.sub(r"\([^)]*\)", " ", text).replace(",", "")
    return [float(number) for number in re.findall(r"(?<![\w.])\d{1,6}(?:\.\d{1,3})?(?![\w.]*\d)", plain)]


def values_fit(numbers: Sequence[float], ranges: Sequence[tuple[float, float]]) -> bool:
    """True unless there are numbers and none of them lies in a range of the finding (or up to 5 % beyond).

    More than two values say more than one thing: they fit no finding of one value.
    """
    if not numbers or not ranges:
        return True
    return len(numbers) <= 2 and any(
        low - (high - low) / 20 <= number <= high + (high - low) / 20 for number in numbers for low, high in ranges
    )


def _weights(ways: Iterable[tuple[str, frozenset[str]]], count: int) -> dict[str, float]:
    users: dict[str, set[str]] = {}
    for id, found in ways:
        for word in found:
            users.setdefault(word, set()).add(id)
    return {word: math.log(1 + count / len(ids)) for word, ids in users.items()}


def _best(
    said: frozenset[str],
    cued: bool,
    ways: Sequence[tuple[bool, frozenset[str]]],
    weight: dict[str, float],
    strange: float,
) -> float:
    return max((_alike(said, way, weight, strange) for way_cued, way in ways if way_cued or not cued), default=0.0)


def _alike(said: frozenset[str], way: frozenset[str], weight: dict[str, float], strange: float) -> float:
    """Return the likeness from 0 to 1; a word that no finding of the category uses weighs ``strange``."""
    common = said & way
    if not common or (len(common) == 1 and len(way) > 2):  # one word of many says something else
        return 0.0
    shared = sum(weight[word] for word in common)
    return 2 * shared / (sum(weight.get(word, strange) for word in said) + sum(weight[word] for word in way))
