"""What a quote leaves off that changes what it says: a denial, a doubt, a person, part of a value
or of a word; and quotes that say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dxtrace.evaluate.verification.folding import Place
from dxtrace.evaluate.verification.lines import sentences_of
from dxtrace.findings.reader import Sentence
from dxtrace.findings.scope import Scope
from dxtrace.notes.case import Case
from dxtrace.notes.sections import section_named

FaultKind = Literal[
    "changed",
    "absent",
    "misplaced",
    "clipped_denial",
    "clipped_doubt",
    "clipped_person",
    "clipped_value",
    "clipped_word",
    "heading",
    "empty",
    "repeated",
    "contradicted",
    "not_stated",
]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a quote, and what, in words."""

    kind: FaultKind
    what: str


_OF_SCOPE: dict[str, tuple[FaultKind, str]] = {
    "denied": ("clipped_denial", "leaves off the denial"),
    "normal": ("clipped_denial", "leaves off that it is normal"),
    "uncertain": ("clipped_doubt", "leaves off the doubt"),
    "family": ("clipped_person", "leaves off that it is of a relative"),
    "other": ("clipped_person", "leaves off that it is of somebody else"),
}

_NUMBER_GOES_ON = re.compile(r"[.,·]?\d|\s?(?:/|-|–|—|to\s)\s?\d")
_NUMBER_BEGAN = re.compile(r"\d[.,·]?\Z|\d\s?(?:/|-|–|—)\s?\Z")
_COMPARATOR = re.compile(
    r"(?:[<>≤≥=~±]\s?|(?<![\w)])[-−+]|\b(?:less|more|greater|fewer|lower|higher) than|\b(?:below|above"
    r"|over|under|up to|at least|at most|about|almost|nearly|exceeding)\s+)\Z",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[ \t]?-?(?:%|°|[x×][ ]?10"
    r"|(?:[mkµμunpf]|mc)?(?:g|mol|iu|pa)(?![a-z])|[mdµμf]?l(?![a-z])|[mcµμ]?m(?:[23²³]|\b)|m?eq\b|m?osm\b"
    r"|mm[ ]?hg|bpm|cm[ ]?h2o|cells\b|k?u\b|/[ ]?(?:min|mm|l|dl|ml|µl|ul|hpf|h|day|week)\b"
    r"|(?:beats|breaths)[ ]?(?:per|/)|per (?:min|hour|day|week|month)|[cf](?![a-z])"
    r"|(?:seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|wks?|months?|mo|years?|yrs?|(?-i:hrs?))(?![a-z])"
    r"|(?:lbs?|pounds?|pack-years?)(?![a-z]))",
    re.IGNORECASE,
)

#: A number so many characters behind its name, in the same cell of a table, belongs to it.
_NEAR = 16
_CELL_END = re.compile(r"[\n|]")

_LETTERS = re.compile(r"[^\W\d_]")


class ClippingCheck:
    """Tells what quotes of one note leave off."""

    def __init__(self, case: Case) -> None:
        self._note = case.note
        self._sentences = sentences_of(case)

    def faults(self, places: Sequence[Place]) -> list[Fault]:
        """Return what is wrong with a quote that stands at these places of the note."""
        found: list[Fault] = []
        for place in places:
            found += self._of_edges(place)
            found += self._of_heading(place)
            for sentence in self._touched(place):
                found += _cut_measurements(self._note, sentence, place)
        for place in places:
            for sentence in self._touched(place):
                found += _outside_cues(self._note, sentence, places)
        return list(dict.fromkeys(found))

    def sentences(self, places: Sequence[Place]) -> list[Sentence]:
        """Return the sentences that a quote touches."""
        sentences = []
        for place in places:
            for sentence in self._touched(place):
                sentences.append(sentence)
        return sentences

    def _touched(self, place: Place) -> Iterator[Sentence]:
        for sentence in self._sentences:
            if place.overlaps(Place(sentence.start, sentence.end)):
                yield sentence

    def _of_edges(self, place: Place) -> Iterator[Fault]:
        """Yield what is cut where a quote begins and ends."""
        note, start, end = self._note, place.start, place.end
        before, after = note[max(0, start - 24) : start], note[end : end + 24]
        if note[start].isdigit():
            if _NUMBER_BEGAN.search(before):
                yield Fault("clipped_value", "begins within a number")
            elif match := _COMPARATOR.search(before):
                yield Fault("clipped_value", f"leaves off {match[0].strip()!r} before a number")
        elif _cuts_word(before[-1:], note[start]):
            yield Fault("clipped_word", "begins within a word")
        if note[end - 1].isdigit():
            if match := _NUMBER_GOES_ON.match(after):
                yield Fault("clipped_value", f"leaves off {match[0].strip()!r} of a number")
            elif match := _UNIT.match(after):
                yield Fault("clipped_value", f"leaves off the unit {match[0].strip()!r}")
        elif _cuts_word(note[end - 1], after[:1]):
            yield Fault("clipped_word", "ends within a word")

    def _of_heading(self, place: Place) -> Iterator[Fault]:
        text = self._note[place.start : place.end]
        if not any(map(str.isalnum, text)):
            yield Fault("empty", "holds no word")
            return
        begin = self._note.rfind("\n", 0, place.start) + 1
        opens_line = not any(map(str.isalnum, self._note[begin : place.start]))
        stop = self._note.find("\n", place.end)
        rest = self._note[place.end : stop if stop >= 0 else len(self._note)].strip(" \t*_#\r")
        words = text.strip(" \t\r\n*_#:-")
        follows = text.rstrip(" *_").endswith(":") or rest.startswith(":") or not rest
        if opens_line and follows and "\n" not in words and section_named(words) is not None:
            yield Fault("heading", "is only a heading")


def _cuts_word(left: str, right: str) -> bool:
    return bool(_LETTERS.match(left) and _LETTERS.match(right))


def _cut_measurements(note: str, sentence: Sentence, place: Place) -> Iterator[Fault]:
    """Yield the values whose name a quote ends with, and whose number it leaves off."""
    for measurement in sentence.measurements:
        first, last = sentence.tokens[measurement.first], sentence.tokens[measurement.last]
        named = place.start <= first.start < place.end
        if not named or first.text[0].isdigit() or last.end <= place.end:
            continue
        tokens = sentence.tokens[measurement.first : measurement.last + 1]
        numbers = []
        for token in tokens:
            if token.text[0].isdigit():
                numbers.append(token)
        if not numbers or numbers[0].start < place.end:
            continue
        between = note[place.end : numbers[0].start]
        if len(between) <= _NEAR and not _CELL_END.search(between):
            yield Fault("clipped_value", "names a value and leaves off its number")


def _outside_cues(note: str, sentence: Sentence, places: Sequence[Place]) -> Iterator[Fault]:
    """Yield the cues that reach into a quote and stand outside it."""
    quoted: list[int] = []
    for index, token in enumerate(sentence.tokens):
        if any(place.start <= token.start and token.end <= place.end for place in places):
            quoted.append(index)
    telling = []
    for index in quoted:
        if sentence.tokens[index].text[0].isalnum():
            telling.append(index)
    scopes = sentence.context.scopes
    inside = []
    for scope in scopes:
        if scope.first >= 0 and _holds(scope, quoted):
            inside.append(scope)
    for scope in scopes:
        known = _OF_SCOPE.get(scope.property)
        if known is None or scope in inside:
            continue
        # "No edema, no cyanosis": the second needs the first "no" no more.
        own = [other for other in inside if other.property == scope.property]
        reached = []
        for index in telling:
            if scope.covers(index):
                reached.append(index)
        if all(any(_reaches(other, index) for other in own) for index in reached):
            continue
        kind, what = known
        if scope.first >= 0:
            cue = note[sentence.tokens[scope.first].start : sentence.tokens[scope.last].end]
            yield Fault(kind, f"{what} {cue!r}")
        elif scope.property == "denied":
            yield Fault(kind, f"{what} that opens the list or ends the row")


def _reaches(scope: Scope, index: int) -> bool:
    return scope.covers(index) or scope.first <= index <= scope.last


def _holds(scope: Scope, quoted: Sequence[int]) -> bool:
    return set(range(scope.first, scope.last + 1)) <= set(quoted)
