"""Clinical details of which a rationale speaks: only a quote that tells of them bears it out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from dxtrace.knowledge.background import background

#: A measure or a sign with a short name of its own.
_NAMED = re.compile(r"\b(?:[A-Z][A-Za-z]*[A-Z0-9]\w*|[A-Z]\d+\w*)\b")


def unsaid(rationale: str, quote: str, about: str) -> int:
    """Count the details of a rationale that neither the quote nor the name of the finding tells of."""
    name = about.replace("-", " ")
    return sum(not tells.search(quote) and not tells.search(name) for tells in _claimed(rationale))


def named(rationale: str, quote: str, ways: Iterable[str]) -> int:
    """Count the measures that a rationale names and other ways of saying the finding give, but not the quote."""
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
        (re.compile(detail.claims, re.IGNORECASE), re.compile(f"{detail.claims}|{detail.tells}", re.IGNORECASE))
        for detail in details
    )
