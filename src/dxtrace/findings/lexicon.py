"""Clinical wording: which words say the same thing. The data are in ``lexicon.yaml``; nothing about
it is in the code."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from dxtrace.errors import KnowledgeError
from dxtrace.files import parse_yaml

#: Weight of a word or group in a comparison: one that says little on its own, and any other.
LIGHT, FULL = 0.35, 1.0

_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*|[.;,:]")
_SUFFIXES = (
    "ational",
    "ations",
    "ation",
    "ities",
    "ically",
    "ments",
    "ment",
    "ness",
    "ingly",
    "edly",
    "ions",
    "ings",
    "ing",
    "ally",
    "ies",
    "ied",
    "ion",
    "ous",
    "ive",
    "ity",
    "ed",
    "es",
    "ly",
    "al",
    "s",
    "e",
    "y",
)


@dataclass(frozen=True)
class Term:
    """A word, or the words of one group: its name in a comparison ("" for none), what was written,
    its weight.
    """

    name: str
    word: str
    weight: float
    denied: bool = False

    def as_denied(self) -> Term:
        """Return the term with a negation on it."""
        return replace(self, denied=True)


@dataclass(frozen=True)
class _Entry:
    group: str
    denied: bool


class Lexicon:
    """Groups of clinical synonyms, poles that exclude each other, and words of no meaning."""

    def __init__(self, data: dict[str, Any]) -> None:
        try:
            self._generic = {str(name) for name in data["light"]}
            self._light = self._generic | {str(name) for name in data["illnesses"]}
            self._stop = {str(word) for word in data["stop"]}
            self._names: set[str] = set()
            self._entries: dict[tuple[str, ...], _Entry] = {}
            #: The affirmed ways to say a term, by its name.
            self.synonyms: dict[str, tuple[str, ...]] = {
                str(group[0]): tuple(str(way) for way in group[1:] if not str(way).startswith("!"))
                for group in data["groups"]
            }
            for group in data["groups"]:
                self._add(group)
            self._before, self._after = set(data["denies_before"]), set(data["denies_after"])
            self._numbers = {str(word): str(number) for word, number in data["numbers"].items()}
            self._read_as = {str(phrase): str(text) for phrase, text in data["read_as"].items()}
            phrases = sorted(self._read_as, key=len, reverse=True)
            self._phrases = re.compile(
                rf"\b(?:{'|'.join(map(re.escape, phrases))})\b",
                re.IGNORECASE,
            )
            self._poles = [
                {
                    tuple(_words(str(word))): str(pole)
                    for pole, words in axis.items()
                    for word in words
                }
                for axis in data["poles"]
            ]
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise KnowledgeError(f"lexicon: not the expected shape ({error!r})") from None
        self._longest: dict[str, int] = {}
        for stems in self._entries:
            self._longest[stems[0]] = max(len(stems), self._longest.get(stems[0], 0))

    @classmethod
    @cache
    def default(cls) -> Lexicon:
        """The lexicon that ships with dxtrace."""
        return cls(parse_yaml(cls.source().decode()))

    @staticmethod
    def source() -> bytes:
        """Return the file that the lexicon is read from."""
        return resources.files("dxtrace.findings").joinpath("lexicon.yaml").read_bytes()

    def _add(self, group: list[Any]) -> None:
        name = str(group[0])
        self._names.add(name)
        for phrase in map(str, group):
            denied = phrase.startswith("!")
            stems = tuple(stem(word) for word in _words(phrase.removeprefix("!")))
            self._entries.setdefault(stems, _Entry(name, denied))

    def terms(self, text: str) -> tuple[Term, ...]:
        """Return the terms of a text in order, the longest group first at each place. Punctuation
        and stop words have no name."""
        words = _words(text)
        stems = [stem(word) for word in words]
        terms: list[Term] = []
        place = 0
        while place < len(words):
            length, entry = self._longest_at(stems, place)
            if entry is None:
                terms.append(self._word(words[place], stems[place]))
            else:
                if length == 1:
                    word = words[place]
                else:
                    word = " ".join(words[place : place + length])
                terms.append(
                    Term(
                        entry.group,
                        word,
                        LIGHT if entry.group in self._light else FULL,
                        entry.denied,
                    ),
                )
            place += length
        return tuple(terms)

    def _longest_at(self, stems: list[str], place: int) -> tuple[int, _Entry | None]:
        for length in range(min(self._longest.get(stems[place], 0), len(stems) - place), 0, -1):
            entry = self._entries.get(tuple(stems[place : place + length]))
            if entry is not None:
                return length, entry
        return 1, None

    def _word(self, word: str, stemmed: str) -> Term:
        plain = word in self._stop or not word[0].isalpha() or len(word) < 2
        return Term("" if plain else stemmed, word, FULL)

    def plain(self, text: str) -> str:
        """Return a text with the phrases that are read as another word replaced."""
        return self._phrases.sub(lambda match: self._read_as[match[0].lower()], text)

    def is_cue(self, word: str) -> bool:
        """Return True for a word of negation."""
        return word in self._before or word in self._after

    def denies_behind(self, word: str) -> bool:
        """Return True for a word of negation that stands after what it denies."""
        return word in self._after

    def number_words(self, text: str) -> set[str]:
        """Return the numbers that are written as words, as digits."""
        number_words = set()
        for word in _words(text):
            if word in self._numbers:
                number_words.add(self._numbers[word])
        return number_words

    def tells_apart(self, name: str) -> bool:
        """Return True for a group that means something of its own: if each side has one that the
        other lacks, they differ."""
        return name in self._names and name not in self._generic

    def parts(self, name: str) -> tuple[str, ...]:
        """Return the names of the groups and words that a group's own name is made of ("leg edema":
        leg, edema).
        """
        words = name.split()
        if len(words) < 2:
            return ()
        return tuple(
            dict.fromkeys(term.name for word in words for term in self.terms(word) if term.name),
        )

    def weight(self, name: str) -> float:
        """Return the weight of a group or word."""
        if name in self._light:
            return LIGHT
        return FULL

    def poles(self, text: str) -> frozenset[tuple[str, str]]:
        """Return (axis, pole) for every pole that a text names: left or right, raised or low.

        A pole is named twice: for the whole text, and for the word that follows it ("left leg").
        """
        words = _words(text)
        found = set()
        for axis, poles in enumerate(self._poles):
            for place in range(len(words)):
                for length in (1, 2):
                    pole = poles.get(tuple(words[place : place + length]))
                    if pole is not None:
                        after = next(iter(words[place + length :]), "")
                        found |= {(str(axis), pole), (f"{axis} {stem(after)}", pole)}
        return frozenset(found)


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.lower().replace("-", " ").replace("/", " "))


@cache
def stem(word: str) -> str:
    """Return a word without its ending: what makes two inflections equal.

    At least four letters stay.
    """
    word = (
        word.removesuffix("'s")
        .replace("aemi", "emi")
        .replace("oedem", "edem")
        .replace("haem", "hem")
        .replace("ised", "ized")
    )
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            word = word[: -len(suffix)]
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "sl":
        return word[:-1]
    return word
