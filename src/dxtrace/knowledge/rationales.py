"""Which rationales of a finding go with a quote: of the details that one speaks of, the quote must
tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from dxtrace.knowledge.background import background

#: A measure or a sign with a short name of its own.
_NAMED = re.compile(r"\b(?:[A-Z][A-Za-z]*[A-Z0-9]\w*|[A-Z]\d+\w*)\b")

#: Share of the ways of saying a finding up to which a word that they use is a detail, and no name
#: for the finding.
_DETAIL = 1 / 2

#: Words that are no details.
_PLAIN = frozenset(
    [
        "that",
        "this",
        "with",
        "when",
        "from",
        "into",
        "after",
        "before",
        "without",
        "over",
        "both",
        "more",
        "most",
        "than",
    ],
)

#: Ages of which a rationale speaks, and at which it may.
_OF_AGE = (
    (re.compile(r"\b(?:young|younger|early adult)\b(?! relative)"), range(46)),
    (
        re.compile(r"\b(?:elderly|older (?:adult|pa|pe|wo|man|men|ones))\b"),
        range(60, 121),
    ),
)


def fitting(
    rationales: Iterable[str],
    quote: str,
    ways: Sequence[str],
    about: str,
    age: int | None = None,
) -> tuple[str, ...]:
    """Return the rationales that go with a quote: those that speak of details of other ways or
    another age do not.

    Args:
        rationales: of one finding; some are always left.
        quote: what is quoted for it.
        ways: in which notes say it.
        about: its name, as in its id.
        age: of the patient in years, if known.
    """
    details = _details(ways)
    quoted = _stems(quote)

    def strangeness(rationale: str) -> int:
        # Details of other ways count against a rationale, those of the quote for it; another age
        # outweighs both.
        own = _stems(rationale) & details
        return len(own - quoted) - len(own & quoted) + 10 * _other_ages(rationale, age)

    missing: dict[str, int] = {}
    for rationale in rationales:
        missing[rationale] = _unsaid(rationale, quote, about) + _named(rationale, quote, ways)
    fewest = min(missing.values())
    supported = [rationale for rationale, count in missing.items() if count == fewest]
    least = max(0, min(map(strangeness, supported)))
    return tuple(rationale for rationale in supported if strangeness(rationale) <= least)


def _details(ways: Sequence[str]) -> set[str]:
    """Return the stems that only some of the ways use."""
    counts: Counter[str] = Counter()
    for way in ways:
        counts.update(_stems(way))
    most = max(1, _DETAIL * len(ways))
    details = set()
    for stem, count in counts.items():
        if count <= most:
            details.add(stem)
    return details


def _other_ages(rationale: str, age: int | None) -> int:
    """Count the ages that a rationale speaks of and the patient does not have."""
    if age is None:
        return 0
    return sum(age not in ages and bool(words.search(rationale)) for words, ages in _OF_AGE)


@lru_cache(maxsize=50_000)
def _stems(text: str) -> frozenset[str]:
    """Return the beginnings of the words that carry meaning."""
    without_placeholders = re.sub(r"\{\w+\}", " ", text.lower())
    stems: set[str] = set()
    for word in re.findall(r"[a-z]{4,}", without_placeholders):
        stem = re.sub(r"(?:ness|ing|ed|ly|es|s)$", "", word)
        stems.add(stem[:6])
    return frozenset(stems) - _PLAIN


def _unsaid(rationale: str, quote: str, about: str) -> int:
    """Count the details of a rationale that neither the quote nor the name of the finding tells of."""
    name = about.replace("-", " ")
    count = 0
    for tells in _claimed(rationale):
        if not tells.search(quote) and not tells.search(name):
            count += 1
    return count


def _named(rationale: str, quote: str, ways: Iterable[str]) -> int:
    """Count the measures that a rationale names and other ways of saying the finding give, but not
    the quote.
    """
    count = 0
    for name in set(_NAMED.findall(rationale)):
        if name not in quote and any(name in way for way in ways):
            count += 1
    return count


@lru_cache(maxsize=10_000)
def _claimed(rationale: str) -> tuple[re.Pattern[str], ...]:
    """Return, for each detail that the rationale speaks of, what tells of it."""
    claimed = []
    for claims, tells in _table():
        if claims.search(rationale):
            claimed.append(tells)
    return tuple(claimed)


@cache
def _table() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    table: list[tuple[re.Pattern[str], re.Pattern[str]]] = []
    for detail in background().details.values():
        claims = re.compile(detail.claims, re.IGNORECASE)
        tells = re.compile(f"{detail.claims}|{detail.tells}", re.IGNORECASE)
        table.append((claims, tells))
    return tuple(table)
