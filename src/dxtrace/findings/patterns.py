"""What a clause must say to state a finding: a small language and its reader.

``cough* & week*|chronic`` asks for one word of each group; ``[hr > 100]`` for a measurement;
``~ulcer`` for a word that is denied or called normal; ``-lead`` forbids one, ``-[hr < 60]`` a value;
``@up`` stands for a list of words. Every other word has to be affirmed, in this patient: what
:mod:`dxtrace.findings.context` says about the words decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from dxtrace.errors import KnowledgeError
from dxtrace.files import packaged_yaml
from dxtrace.findings.quantities import DAYS, quantities
from dxtrace.findings.tokens import tokenise

_MEASURE = re.compile(
    r"\[\s*(?P<name>\w+)\s*(?:(?P<op><=|>=|<|>)\s*(?P<value>\d+(?:\.\d+)?)|(?P<low>\d+(?:\.\d+)?)\s*\.\.\s*(?P<high>\d+(?:\.\d+)?))"
    r"\s*(?P<unit>[^\]\d][^\]]*)?\]\Z",
)

# Most phrases: the words are their own tokens.
_PLAIN_WORDS = re.compile(r"[a-z]+\*?(?: [a-z]+\*?)*\Z")


class Words(NamedTuple):
    """An alternative of words in a row; each with whether it is only the beginning of a word."""

    words: tuple[tuple[str, bool], ...]
    denied: bool = False
    macro: str = ""


class Limit(NamedTuple):
    """An alternative that a measurement has to meet."""

    quantity: str
    op: str
    low: float
    high: float


Alternative = Words | Limit


@dataclass(frozen=True, eq=False)
class Choice:
    """Alternatives that one part of a pattern stands for; one object for all patterns with it."""

    alternatives: tuple[Alternative, ...]
    forbidden: bool = False


@dataclass(frozen=True)
class Pattern:
    """Groups of choices, one of each to be met, none of the forbidden.

    A choice is all the ways to state one thing: a word and its synonyms, the words of a macro.
    """

    text: str
    groups: tuple[tuple[Choice, ...], ...]
    forbidden: tuple[Alternative, ...] = ()


@cache
def macros() -> dict[str, list[str]]:
    """Return the lists of words that patterns share, by name (``macros.yaml``)."""
    lists: dict[str, list[str]] = packaged_yaml("dxtrace.findings", "macros.yaml")
    return lists


def parse_pattern(text: str, synonyms: Mapping[str, Sequence[str]] | None = None) -> Pattern:
    """Read one pattern.

    Args:
        text: in the language of this module.
        synonyms: further ways to say an alternative, by its text.

    Raises:
        KnowledgeError: the pattern cannot be read; it is quoted.
    """
    return PatternReader(synonyms or {}).read(text)


class PatternReader:
    """Reads patterns; what many of them have in common is read once."""

    def __init__(self, synonyms: Mapping[str, Sequence[str]]) -> None:
        """Begin without a pattern.

        Args:
            synonyms: further ways to say an alternative, by its text.
        """
        self._synonyms = synonyms
        self._choices: dict[str, Choice] = {}

    def read(self, text: str) -> Pattern:
        """Read one pattern; see :func:`parse_pattern`."""
        groups: list[tuple[Choice, ...]] = []
        forbidden: list[Alternative] = []
        for part in text.split("&"):
            group = []
            for written in part.split("|"):
                choice = self._choice(written.strip(), text)
                if choice.forbidden:
                    forbidden += choice.alternatives
                else:
                    group.append(choice)
            if group:
                groups.append(tuple(group))
        if not groups:
            raise KnowledgeError(f"pattern {text!r}: nothing that has to be said")
        return Pattern(text, tuple(groups), tuple(forbidden))

    def _choice(self, written: str, text: str) -> Choice:
        choice = self._choices.get(written)
        if choice is None:
            if not written:
                raise KnowledgeError(f"pattern {text!r}: an empty alternative")
            if written.removeprefix("-").startswith("["):
                limit = _limit(written.removeprefix("-"), text)
                choice = Choice((limit,), forbidden=written.startswith("-"))
            else:
                choice = self._words_choice(written, text)
            self._choices[written] = choice
        return choice

    def _words_choice(self, written: str, text: str) -> Choice:
        denied = written.startswith("~")
        forbidden = written.startswith("-") and len(written) > 1
        if denied or forbidden:
            plain = written[1:].strip()
        else:
            plain = written
        macro = ""
        # A word that is forbidden is forbidden as it stands, without what else may mean it.
        phrases: Sequence[str] = [plain]
        if plain.startswith("@"):
            macro = plain[1:]
            if macro not in macros():
                raise KnowledgeError(f"pattern {text!r}: unknown macro @{macro}")
            phrases = macros()[macro]
        elif not forbidden and plain in self._synonyms:
            phrases = [plain, *self._synonyms[plain]]
        alternatives = []
        for phrase in phrases:
            alternatives.append(Words(_words(phrase), denied, macro))
        return Choice(tuple(alternatives), forbidden)


# The words of macros and of synonyms are asked for thousands of times.
@lru_cache(maxsize=20_000)
def _words(phrase: str) -> tuple[tuple[str, bool], ...]:
    """Return the words of a phrase, each with whether a ``*`` follows it.

    Raises:
        KnowledgeError: there is no word, or a star stands behind none.
    """
    if _PLAIN_WORDS.match(phrase):
        return tuple((part.removesuffix("*"), part.endswith("*")) for part in phrase.split())
    words: list[tuple[str, bool]] = []
    for part in phrase.split():
        tokens = tokenise(part.removesuffix("*"))
        if not tokens:
            raise KnowledgeError(f"pattern part {phrase!r}: a star stands behind no word")
        words += [(token.text, False) for token in tokens]
        words[-1] = words[-1][0], part.endswith("*")
    if not words:
        raise KnowledgeError(f"pattern part {phrase!r} has no word")
    return tuple(words)


def _limit(choice: str, text: str) -> Limit:
    match = _MEASURE.match(choice)
    if match is None:
        raise KnowledgeError(f"pattern {text!r}: {choice!r} is no limit like [hr > 100]")
    name = match["name"]
    if name not in quantities():
        raise KnowledgeError(f"pattern {text!r}: unknown quantity {name!r}")
    unit = (match["unit"] or "").strip().lower()
    factor = 1.0
    if name == "duration":
        factor = DAYS.get(unit.rstrip("s"), DAYS["day"] if not unit else 0.0)
        if not factor:
            raise KnowledgeError(f"pattern {text!r}: unknown unit of time {unit!r}")
    if match["op"]:
        value = float(match["value"]) * factor
        return Limit(name, match["op"], value, value)
    return Limit(name, "..", float(match["low"]) * factor, float(match["high"]) * factor)
