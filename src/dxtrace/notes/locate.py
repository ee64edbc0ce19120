"""Finding a text in a note again: whole words and numbers, and never the opposite of what was said."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dxtrace.notes.cues import denies
from dxtrace.notes.sections import INVISIBLE

_GAP = r"[\s" + INVISIBLE + "]+"

#: Longest text that may be an abbreviation: "US" is no "us".
_SHORT = 3

#: A word of so many letters is still the same word without its first or last one.
_LONG = 5

#: What a first letter "a" turns into its opposite: afebrile, asymptomatic, atypical.
_OPPOSITE = re.compile(
    r"(?:cyanotic|febrile|kinetic|rrhythmic|septic|symptomatic|systolic|thrombotic|tonic|traumatic|typical"
    r"|trophic|vascular|pyrexi\w*|pn\w*|phasi\w*|taxi\w*|plastic)\b",
    re.IGNORECASE,
)

#: Beginnings of words that may turn the rest into its opposite.
_PREFIXES = ("a", "un", "in", "im", "ir", "non", "dis", "anti", "hyp")

#: How far before a text a denial of it may stand, in characters.
_DENIAL = 60


def locate(
    note: str,
    text: str,
    section: tuple[int, int] | None = None,
    near: int | None = None,
) -> tuple[int, int] | None:
    """Find ``text`` in ``note`` as whole words: exactly, with any white space, in any case.

    A letter may be missing at its ends, where the word in the note is the same ("rushing pain" is
    "crushing pain"), or there may be one too many at its end ("crackles" is "crackle").

    Args:
        note: the text to search.
        text: what to find; white space at its ends does not count.
        section: half-open range to look in first.
        near: where it is said to stand: of several places, the nearest.

    Returns:
        The half-open range of the best match, or None. Without ``near``, a place where the text is
        not denied comes before one where it is.
    """
    text = text.strip()
    if not text:
        return None
    for found in _attempts(note, text):
        if found:
            return min(found, key=lambda span: _order(note, text, span, section, near))
    return None


def _order(
    note: str,
    text: str,
    span: tuple[int, int],
    section: tuple[int, int] | None,
    near: int | None,
) -> tuple[bool, int, bool, int]:
    """Return what the better of two places is smaller in."""
    start, end = span
    outside = section is not None and not (section[0] <= start and end <= section[1])
    distance = 0
    if near is not None:
        distance = abs(start - near)
    before = re.split(r"[.;:\n]", note[max(0, start - _DENIAL) : start])[-1]
    denied = denies(before) and not denies(text)
    return outside, distance, denied, start


def _attempts(note: str, text: str) -> Iterator[list[tuple[int, int]]]:
    """Yield the places of a text, the exact ones first."""
    yield list(_exact(note, text))
    words = []
    for word in re.split(_GAP, text):
        if word:
            words.append(re.escape(word))
    if not words:
        return
    spaced = _GAP.join(words)
    yield _whole(note, spaced, 0)
    if len(text) <= _SHORT:
        return
    yield _whole(note, spaced, re.IGNORECASE)
    yield _grown(note, spaced, text)
    last = re.split(_GAP, text)[-1]
    if last.isalpha() and len(last) >= _LONG:
        yield _whole(note, _GAP.join([*words[:-1], re.escape(last[:-1])]), re.IGNORECASE)
    bare = text.rstrip(".,;:")
    if bare != text and bare:
        yield list(_exact(note, bare))
    if len(words) > 1:
        yield _widened(note, text)


def _exact(note: str, text: str) -> Iterator[tuple[int, int]]:
    start = note.find(text)
    while start >= 0:
        end = start + len(text)
        if _stands_alone(note, start, end):
            yield start, end
        start = note.find(text, start + 1)


def _whole(note: str, pattern: str, flags: int) -> list[tuple[int, int]]:
    found = []
    for match in re.finditer(pattern, note, flags):
        if _stands_alone(note, *match.span()):
            found.append(match.span())
    return found


def _grown(note: str, pattern: str, text: str) -> list[tuple[int, int]]:
    """Return places where one letter more, before or after the text, makes whole words."""
    words = re.findall(r"[^\W\d_]+", text)
    if not words:
        return []
    first = text.startswith(words[0]) and len(words[0]) >= _LONG - 1
    last = text.endswith(words[-1]) and len(words[-1]) >= _LONG - 1
    found = []
    for match in re.finditer(pattern, note, re.IGNORECASE):
        start, end = match.span()
        turned = note[start - 1 : start].lower() == "a" and _OPPOSITE.match(note, start)
        if first and start and not turned and not _starts_alone(note, start):
            start -= 1
        if last and not _ends_alone(note, end):
            end += 1
        if _stands_alone(note, start, end):
            found.append((start, end))
    return found


def _widened(note: str, text: str) -> list[tuple[int, int]]:
    """Return places of several words that begin or end within a word, with the whole of it.

    No number is widened, and no word to one that a prefix may have turned into its opposite.
    """
    found = []
    for match in re.finditer(re.escape(text), note):
        start, end = match.span()
        while start and note[start - 1].isalpha() and note[start].isalpha():
            start -= 1
        while end < len(note) and note[end].isalpha() and note[end - 1].isalpha():
            end += 1
        added = note[start : match.start()].lower()
        if _stands_alone(note, start, end) and not added.startswith(_PREFIXES):
            found.append((start, end))
    return found


def _stands_alone(note: str, start: int, end: int) -> bool:
    """Return whether a range of a note neither begins nor ends within a word or a number."""
    return _starts_alone(note, start) and _ends_alone(note, end)


def _starts_alone(note: str, start: int) -> bool:
    before, first = note[max(0, start - 2) : start], note[start : start + 1]
    if not first.isalnum():
        return True
    if before[-1:].isalnum():
        return before[-1:].isdigit() != first.isdigit() and not before[-1:].isalpha()
    return not (first.isdigit() and re.fullmatch(r"\d[.,]", before))


def _ends_alone(note: str, end: int) -> bool:
    last, after = note[end - 1 : end], note[end : end + 2]
    if not last.isalnum():
        return True
    if after[:1].isalnum():
        return last.isdigit() and after[:1].isalpha()
    return not (last.isdigit() and re.fullmatch(r"[.,]\d", after))
