"""Ways of saying something by side, training or hard test, and by register."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from dxtrace.compose._details import named, unsaid
from dxtrace.knowledge.schema import Finding, Says
from dxtrace.knowledge.wordings import Register, divide_says

_FALLBACK: dict[Register, tuple[Register, ...]] = {
    "terse": ("terse", "full", "lay"),
    "full": ("full", "lay", "terse"),
    "lay": ("lay", "full", "terse"),
}


#: Share of the ways of saying a finding up to which a word that they use is a detail, and no name for the finding.
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
    ]
)

#: Ages of which a rationale speaks, and at which it may.
_OF_AGE = (
    (re.compile(r"\b(?:young|younger|early adult)\b(?! relative)"), range(46)),
    (re.compile(r"\b(?:elderly|older (?:adult|pa|pe|wo|man|men|ones))\b"), range(60, 121)),
)  # fmt: skip


@dataclass(frozen=True)
class Ways:
    """The ways of one side (training or hard test) by register."""

    by_register: dict[Register, tuple[str, ...]]

    def pick(self, rng: random.Random, register: Register) -> tuple[str, Register]:
        """Return one way and its register: the one asked for, or the nearest that has any."""
        for near in _FALLBACK[register]:
            if texts := self.by_register[near]:
                return rng.choice(texts), near
        raise LookupError("no way to say it")

    def has(self, register: Register) -> bool:
        """True if there is a way in exactly this register."""
        return bool(self.by_register[register])


def sides(says: Says) -> tuple[Ways, Ways]:
    """Divide the ways of ``says`` into (training, hard test), within each register; each side gets at least one."""
    train, hard = divide_says(says)
    return Ways(train), Ways(hard)


def choose(rng: random.Random, texts: Sequence[str], other: Sequence[str] = ()) -> str:
    """Return one of ``texts``, or of ``other`` if there are none."""
    return rng.choice(texts or other)


def fitting(finding: Finding, quote: str, age: int) -> tuple[str, ...]:
    """Return the rationales that go with a quote: those that speak of details of other ways or another age do not."""
    every = (*finding.says.all, *finding.chief)
    ways = [_stems(way) for way in every]
    common = Counter(stem for way in ways for stem in way)
    details = {stem for stem, count in common.items() if count <= max(1, _DETAIL * len(ways))}
    said = _stems(quote)

    def strange(rationale: str) -> int:
        told = _stems(rationale) & details
        other_age = sum(words.search(rationale) is not None and age not in ages for words, ages in _OF_AGE)
        return len(told - said) - len(told & said) + 10 * other_age

    missing = {
        rationale: unsaid(rationale, quote, finding.id) + named(rationale, quote, every)
        for rationale in finding.rationales
    }
    borne = [rationale for rationale, count in missing.items() if count == min(missing.values())]
    least = max(0, min(map(strange, borne)))
    return tuple(rationale for rationale in borne if strange(rationale) <= least)


@lru_cache(maxsize=50_000)
def _stems(text: str) -> frozenset[str]:
    """Return the beginnings of the words that carry meaning."""
    words = re.findall(r"[a-z]{4,}", re.sub(r"\{\w+\}", " ", text.lower()))
    return frozenset(re.sub(r"(?:ness|ing|ed|ly|es|s)$", "", word)[:6] for word in words) - _PLAIN
