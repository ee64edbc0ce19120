"""Finding a quote in a note: as it stands, in another spelling, or changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from dxtrace.evaluate.verification.alignment import Difference, align
from dxtrace.evaluate.verification.folding import DIVIDED, Folded, Place, fold, tokenise

Found = Literal["exactly", "normalised", "changed", "absent"]

#: At most so many places of one text are looked at.
MOST_PLACES = 50

#: Marks that end a sentence or a list and say nothing.
_CLOSING = " \t\r\n.,;:!\"'“”‘’…"

#: What stands for words that were left out.
_ELLIPSIS = re.compile(r"\[ ?(?:\.{3,}|…) ?\]|\( ?(?:\.{3,}|…) ?\)|\.{3,}|…")


@dataclass(frozen=True)
class Finding:
    """Where a quote stands, piece by piece, and how it was found; ``places`` is empty if it was
    not.
    """

    found: Found
    places: tuple[Place, ...] = ()
    differences: tuple[Difference, ...] = ()


def findings(note: str, folded: Folded, quote: str) -> Iterator[Finding]:
    """Yield the places of a quote in the order of the note, exact ones first; one finding that is
    changed or absent if there is none.

    Args:
        note: the text.
        folded: the same, folded.
        quote: what is said to stand there.
    """
    some = False
    taken: list[Place] = []
    for place in _exact(note, quote.strip()):
        some = True
        taken.append(place)
        yield Finding("exactly", (place,))
    for places in _normalised(folded, quote):
        if not any(places[0].overlaps(other) for other in taken):
            some = True
            yield Finding("normalised", places)
    if not some:
        yield _nearest(folded, quote)


def _exact(note: str, quote: str) -> Iterator[Place]:
    if quote:
        start = note.find(quote)
    else:
        start = -1
    for _ in range(MOST_PLACES):
        if start < 0:
            return
        yield Place(start, start + len(quote))
        start = note.find(quote, start + 1)


def _normalised(folded: Folded, quote: str) -> Iterator[tuple[Place, ...]]:
    pieces = []
    for piece in _ELLIPSIS.split(quote):
        if piece.strip(_CLOSING):
            pieces.append(piece)
    if len(pieces) > 1:
        places = _in_order(folded, pieces)
        if places:
            yield places
        return
    for piece in pieces:
        pattern = _pattern(piece.strip(_CLOSING))
        if pattern is None:
            return
        for count, match in enumerate(pattern.finditer(folded.text)):
            if count == MOST_PLACES:
                return
            yield (folded.place(*match.span()),)


def _in_order(folded: Folded, pieces: list[str]) -> tuple[Place, ...]:
    """Return the places of pieces that stand one behind the other, or none."""
    places: list[Place] = []
    begin = 0
    for piece in pieces:
        pattern = _pattern(piece.strip(_CLOSING))
        match = pattern.search(folded.text, begin) if pattern else None
        if match is None:
            return ()
        places.append(folded.place(*match.span()))
        begin = match.end()
    return tuple(places)


def _pattern(quote: str) -> re.Pattern[str] | None:
    """Return what finds a quote in a folded text, with other white space and hyphens."""
    text = fold(quote).text
    tokens = tokenise(text)
    if not tokens:
        return None
    parts = [_word(tokens[0][0])]
    for before, after in pairwise(tokens):
        parts.append(_gap(before, after, text[before.end() : after.start()]))
        parts.append(_word(after[0]))
    return re.compile("".join(parts))


def _word(token: str) -> str:
    """Return what finds a token; a word may be divided at the end of a line."""
    plain = token.replace(DIVIDED, "")
    if plain.isalpha():
        return f"{DIVIDED}?".join(plain)
    return re.escape(plain)


def _gap(before: re.Match[str], after: re.Match[str], between: str) -> str:
    """Return what may stand between two tokens of a quote, given what does."""
    left, right = before[0][-1], after[0][0]
    if left.isalpha() and right.isalpha():
        hyphen = "-" in between or DIVIDED in between
        if hyphen:
            return rf"\s*(?:[-{DIVIDED}]\s*)?"
        return rf"(?:\s*[-{DIVIDED}]\s*|\s+)"
    if left.isdigit() and right.isdigit():
        return r"\s+"
    if left.isdigit() and right.isalpha():
        return r"\s*(?:-\s*)?"
    return r"\s*"


def _nearest(folded: Folded, quote: str) -> Finding:
    tokens = folded.tokens
    said = []
    for token, _ in fold(quote.strip(_CLOSING)).tokens:
        said.append(token)
    aligned = align([token for token, _ in tokens], said)
    if aligned is None:
        return Finding("absent")
    place = Place(tokens[aligned.first][1].start, tokens[aligned.last][1].end)
    if not aligned.differences:
        return Finding("normalised", (place,))
    return Finding("changed", (place,), aligned.differences)
