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
    stems = [_stems(way) for way in ways]
    common = Counter(stem for way in stems for stem in way)
    details = {stem for stem, count in common.items() if count <= max(1, _DETAIL * len(ways))}
    said = _stems(quote)

    def strange(rationale: str) -> int:
        told = _stems(rationale) & details
        other_age = sum(
            age is not None and words.search(rationale) is not None and age not in ages
            for words, ages in _OF_AGE
        )
        return len(told - said) - len(told & said) + 10 * other_age

    missing = {
        rationale: _unsaid(rationale, quote, about) + _named(rationale, quote, ways)
        for rationale in rationales
    }
    borne = [rationale for rationale, count in missing.items() if count == min(missing.values())]
    least = max(0, min(map(strange, borne)))
    return tuple(rationale for rationale in borne if strange(rationale) <= least)


@lru_cache(maxsize=50_000)
def _stems(text: str) -> frozenset[str]:
    """Return the beginnings of the words that carry meaning."""
    words = re.findall(r"[a-z]{4,}", re.sub(r"\{\w+\}", " ", text.lower()))
    return frozenset(re.sub(r"(?:ness|ing|ed|ly|es|s)$", "", word)[:6] for word in words) - _PLAIN


def _unsaid(rationale: str, quote: str, about: str) -> int:
    """Count the details of a rationale that neither the quote nor the name of the finding tells of."""
    name = about.replace("-", " ")
    return sum(not tells.search(quote) and not tells.search(name) for tells in _claimed(rationale))


def _named(rationale: str, quote: str, ways: Iterable[str]) -> int:
    """Count the measures that a rationale names and other ways of saying the finding give, but not
    the quote.
    """
    names = [name for name in set(_NAMED.findall(rationale)) if name not in quote]
    return sum(any(name in way for way in ways) for name in names) if names else 0


@lru_cache(maxsize=10_000)
def _claimed(rationale: str) -> tuple[re.Pattern[str], ...]:
    """Return, for each detail that the rationale speaks of, what tells of it."""
    return tuple(tells for claims, tells in _table() if claims.search(rationale))


@cache
def _table() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    details = background().details.values()
    return tuple(
        (
            re.compile(detail.claims, re.IGNORECASE),
            re.compile(f"{detail.claims}|{detail.tells}", re.IGNORECASE),
        )
        for detail in details
    )
