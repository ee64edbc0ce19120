"""Cutting a note to what a model can read: each section keeps its share, whole sentences first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dxtrace.notes.case import Case
from dxtrace.notes.prompt import readable
from dxtrace.notes.sections import ALL_SECTIONS
from dxtrace.notes.sentences import sentences

#: Share of the room that each section gets when a note does not fit, before what is left over is
#: handed round.
_SHARES = {
    "chief_complaint": 0.05,
    "history_of_present_illness": 0.35,
    "pertinent_results": 0.28,
    "physical_exam": 0.20,
    "past_medical_history": 0.08,
    "medications": 0.02,
    "family_history": 0.02,
    "allergies": 0.0,
    "discharge_instructions": 0.0,
}


#: Longest sentence that is kept or left out as one, in characters; a longer one is cut at white
#: space.
_LONGEST = 1200

#: A stretch of a long sentence: up to white space, or of so many characters where there is none.
_RUN = re.compile(rf"(?s)\S.{{0,{_LONGEST}}}(?!\S)|\S{{1,{_LONGEST}}}")

#: No text has more characters a token: longer ones do not fit, and need not be counted.
_CHARACTERS_A_TOKEN = 24

#: A half-open range of the note.
Range = tuple[int, int]

#: A range and the tokens that it takes.
Piece = tuple[int, int, int]

Count = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Fitted:
    """A note cut to a number of tokens.

    ``text`` is what the model reads; ``keep`` the ranges of the note that are in it; ``left_out``
    the number of characters of each section that are not (empty when all fits).
    """

    text: str
    keep: tuple[tuple[int, int], ...]
    left_out: dict[str, int]

    @property
    def warning(self) -> str | None:
        """What was left out, in one line; None if nothing was."""
        if not self.left_out:
            return None
        parts = []
        for name, count in self.left_out.items():
            parts.append(f"{count:,} characters of {name}")
        return "the note is longer than the model can read: left out " + ", ".join(parts)


def fit(case: Case, count: Count, budget: int) -> Fitted:
    """Cut a note to at most ``budget`` tokens, whole sentences, keeping the most telling sections.

    Every section first gets a share of the room; what a short one leaves goes to the others in
    order of importance. Within a section the first two thirds of its room hold its start, the rest
    its end.

    Args:
        case: the case.
        count: returns the number of tokens of each text.
        budget: tokens that the note may take.
    """
    whole = readable(case.note)
    if len(whole) <= _CHARACTERS_A_TOKEN * budget and count([whole])[0] <= budget:
        return Fitted(whole, ((0, len(case.note)),), {})
    pieces = {}
    for name in ALL_SECTIONS:
        pieces[name] = _pieces(case, name, count, budget)
    text, kept = _fill(case, pieces, count, budget)
    left_out = _left_out(case, kept)
    return Fitted(text, tuple(_joined(case.note, kept)), left_out)


def text_of(case: Case, fitted: Fitted) -> str:
    """Return the same ranges of a case whose note was blanked here and there; it takes no more tokens."""
    if not fitted.left_out:
        return readable(case.note)
    return _render(case, fitted.keep)


def _left_out(case: Case, kept: Sequence[Range]) -> dict[str, int]:
    """Return how many characters of each section are gone, where it is more than white space."""
    total = dict.fromkeys(ALL_SECTIONS, 0)
    held = dict.fromkeys(ALL_SECTIONS, 0)
    for section in case.sections:
        total[section.name] += section.end - section.start
    for start, end in kept:
        held[case.section_at(start)] += end - start
    left_out: dict[str, int] = {}
    for name in ALL_SECTIONS:
        gone = total[name] - held[name]
        if gone > 0.01 * total[name]:
            left_out[name] = gone
    return left_out


def _fill(
    case: Case,
    pieces: dict[str, list[Piece]],
    count: Count,
    budget: int,
) -> tuple[str, list[Range]]:
    """Return the text that fits and the ranges in it; what headings and marks of omission take is
    known only after.
    """
    wanted = {}
    for name, items in pieces.items():
        wanted[name] = _cost(items)
    # First guess: headings and marks of omission take 40 tokens and a twenty-fifth of the rest.
    total = max(0, int(0.96 * budget) - 40)
    while True:
        room = _token_budget(wanted, total)
        kept: list[Range] = []
        for name in ALL_SECTIONS:
            kept += _head_and_tail(pieces[name], room[name])
        kept.sort()
        text = _render(case, kept)
        over = count([text])[0] - budget
        if over <= 0:
            return text, kept
        if not total:
            return "", []
        # A little more than what is over, so that the search ends in a few rounds.
        total = max(0, total - over - 8)


def _cost(pieces: Iterable[Piece]) -> int:
    return sum(cost for _, _, cost in pieces)


def _pieces(case: Case, name: str, count: Count, budget: int) -> list[Piece]:
    """Return (start, end, tokens) of the sentences of one section; only as much of its two ends as
    could ever fit.
    """
    parts = []
    for section in case.sections:
        if section.name == name:
            parts.append((section.start, section.end))
    most = _CHARACTERS_A_TOKEN * budget
    if sum(end - start for start, end in parts) > most:
        parts = _first(parts, most // 2) + _mirrored(_first(_mirrored(parts), most // 2))
    ranges: list[Range] = []
    for start, end in parts:
        for first, last in sentences(case.note[start:end]):
            sentence = case.note[start + first : start + last]
            for left, right in _cut(sentence):
                ranges.append((start + first + left, start + first + right))
    if not ranges:
        return []
    costs = count([readable(case.note[start:end]) for start, end in ranges])
    pieces: list[Piece] = []
    for (start, end), cost in zip(ranges, costs, strict=True):
        # One more for the white space between pieces.
        pieces.append((start, end, cost + 1))
    return pieces


def _mirrored(parts: Sequence[Range]) -> list[Range]:
    """Return ranges as seen from the end: what is first of these is last of those."""
    lines = []
    for start, end in reversed(parts):
        lines.append((-end, -start))
    return lines


def _first(parts: Sequence[Range], length: int) -> list[Range]:
    """Return the first ``length`` characters of ``parts``."""
    taken: list[Range] = []
    for start, end in parts:
        if length <= 0:
            break
        taken.append((start, min(end, start + length)))
        length -= end - start
    return taken


def _cut(sentence: str) -> list[tuple[int, int]]:
    """Return the ranges of a sentence: one, unless it is too long (a list without end) to be kept
    whole.
    """
    if len(sentence) <= _LONGEST:
        return [(0, len(sentence))]
    pieces = []
    for match in _RUN.finditer(sentence):
        pieces.append(match.span())
    return pieces


def _token_budget(wanted: dict[str, int], budget: int) -> dict[str, int]:
    """Return the room of each section: its share, then what others leave, by importance."""
    room: dict[str, int] = {}
    for name in ALL_SECTIONS:
        room[name] = min(wanted[name], int(_SHARES[name] * budget))
    for name in _SHARES:
        spare = budget - sum(room.values())
        missing = wanted[name] - room[name]
        room[name] += max(0, min(spare, missing))
    return room


def _head_and_tail(pieces: Sequence[Piece], room: int) -> list[Range]:
    """Return the pieces at the start, up to two thirds of the room, and those at the end."""
    if _cost(pieces) <= room:
        ranges = []
        for start, end, _ in pieces:
            ranges.append((start, end))
        return ranges
    head: list[Range] = []
    used = 0
    for start, end, cost in pieces:
        if used + cost > 2 * room // 3:
            break
        head.append((start, end))
        used += cost
    tail: list[Range] = []
    for start, end, cost in reversed(pieces[len(head) :]):
        if used + cost > room:
            break
        tail.append((start, end))
        used += cost
    return head + tail[::-1]


def _joined(note: str, ranges: Sequence[Range]) -> list[Range]:
    """Join ranges with nothing but white space between them."""
    joined: list[Range] = []
    for start, end in ranges:
        if joined and not note[joined[-1][1] : start].strip():
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _render(case: Case, kept: Sequence[Range]) -> str:
    parts: list[str] = []
    section = None
    for start, end in _joined(case.note, kept):
        name = case.section_at(start)
        if name != section and len(case.sections) > 1:
            heading = name.replace("_", " ").capitalize()
            parts.append(f"{heading}:")
        elif section is not None:
            parts.append("[...]")
        parts.append(readable(case.note[start:end]))
        section = name
    return "\n".join(parts)
