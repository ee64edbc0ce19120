"""A note in one spelling, with the way back: what case, accents, dashes and line breaks hide.

Folded: capitals, accents and compatibility forms (Unicode NFKD), typographic quotes and dashes,
invisible characters. A word divided at the end of a line keeps a mark there, which a search may
pass over.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from dxtrace.notes.sections import INVISIBLE

#: Stands for the hyphen and the line break inside a divided word.
DIVIDED = "\x00"

_DASHES = "‐‑‒–—―−﹣－"
_SINGLE = "‘’‚‛`´′ʼ"
_DOUBLE = "“”„‟«»″"
_TABLE = str.maketrans(
    dict.fromkeys(_DASHES, "-")
    | dict.fromkeys(_SINGLE, "'")
    | dict.fromkeys(_DOUBLE, '"')
    | dict.fromkeys(INVISIBLE),
)
_LINE_BREAK = re.compile(r"(?<=[^\W\d_])-[ \t]*\r?\n[ \t]*(?=[^\W\d_])")

#: A word, perhaps divided; a number with its decimals and thousands; any other mark.
_TOKEN = re.compile(rf"[^\W\d_]+(?:{DIVIDED}[^\W\d_]+)*|\d+(?:[.,]\d+)*|[^\w\s{DIVIDED}]|_+")


@dataclass(frozen=True)
class Place:
    """A half-open range of a note."""

    start: int
    end: int

    def overlaps(self, other: Place) -> bool:
        """True if the two share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Folded:
    """A text in one spelling; ``origins[i]`` is where its character ``i`` stood."""

    text: str
    origins: tuple[int, ...]

    @cached_property
    def tokens(self) -> tuple[tuple[str, Place], ...]:
        """Words, numbers and marks, each with its place in the text that was folded."""
        found: list[tuple[str, Place]] = []
        for match in tokenise(self.text):
            found.append((match[0].replace(DIVIDED, ""), self.place(*match.span())))
        return tuple(found)

    def place(self, start: int, end: int) -> Place:
        """Return where a range of the folded text stood."""
        return Place(self.origins[start], self.origins[end - 1] + 1)


def tokenise(text: str) -> list[re.Match[str]]:
    """Return the words, numbers and marks of a folded text; a hyphen between words is none."""
    found = list(_TOKEN.finditer(text))
    kept: list[re.Match[str]] = []
    for place, token in enumerate(found):
        inside = 0 < place < len(found) - 1
        if token[0] == "-" and inside:
            before, after = found[place - 1][0][-1], found[place + 1][0][0]
            if before.isalpha() and after.isalpha():
                continue
        kept.append(token)
    return kept


def fold(text: str) -> Folded:
    """Return a text in one spelling."""
    broken: dict[int, int] = {}
    for match in _LINE_BREAK.finditer(text):
        broken[match.start()] = match.end()
    characters: list[str] = []
    origins: list[int] = []
    place = 0
    while place < len(text):
        if place in broken:
            characters.append(DIVIDED)
            origins.append(place)
            place = broken[place]
            continue
        for char in _folded(text[place]):
            characters.append(char)
            origins.append(place)
        place += 1
    return Folded("".join(characters), tuple(origins))


def _folded(char: str) -> str:
    if char.isascii():
        return char.lower()
    plain = char.translate(_TABLE)
    if not plain.isascii():
        parts = unicodedata.normalize("NFKD", plain.casefold())
        plain = "".join(part for part in parts if not unicodedata.combining(part))
    return plain.translate(_TABLE)
