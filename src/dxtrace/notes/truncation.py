"""Cutting a note to what a model can read: each section keeps its share, whole sentences first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dxtrace.notes.case import Case
from dxtrace.notes.prompt import readable
from dxtrace.notes.sections import SECTIONS
from dxtrace.notes.sentences import sentences

#: Share of the room that each section gets when a note does not fit, before what is left over is
#: handed round.
_SHARES = {
    "chief_complaint": 0.05,
    "history_of_present_illness": 0.35,
    "pertinent_results": 0.28,
    "physical_exam": 0.20,
    "past_medical_history": 0.10,
    "family_history": 0.02,
}


#: Longest sentence that is kept or left out as one, in characters; a longer one is cut at white
#: space.
_LONGEST = 1200


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
        parts = ", ".join(
            f"{count:,} characters of {name}" for name, count in self.left_out.items()
        )
        return f"the note is longer than the model can read: left out {parts}"


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
    if len(whole) <= 24 * budget and count([whole])[0] <= budget:
        return Fitted(whole, ((0, len(case.note)),), {})
    pieces = {name: _pieces(case, name, count, budget) for name in SECTIONS}
    text, kept = _fill(case, pieces, count, budget)
    left_out = {}
    for name in SECTIONS:
        total = sum(s.end - s.start for s in case.sections if s.name == name)
        held = sum(end - start for start, end in kept if case.section_at(start) == name)
        if total - held > 0.01 * total:
            left_out[name] = total - held
    return Fitted(text, tuple(_joined(case.note, kept)), left_out)


def _fill(
    case: Case,
    pieces: dict[str, list[tuple[int, int, int]]],
    count: Count,
    budget: int,
) -> tuple[str, list[tuple[int, int]]]:
    """Return the text that fits and the ranges in it; what headings and marks of omission take is
    known only after.
    """
    wanted = {name: sum(cost for _, _, cost in items) for name, items in pieces.items()}
    total = max(0, int(0.96 * budget) - 40)
    while True:
        room = _allot(wanted, total)
        kept = sorted(span for name in SECTIONS for span in _ends(pieces[name], room[name]))
        text = _render(case, kept)
        over = count([text])[0] - budget
        if over <= 0 or not total:
            return (text, kept) if over <= 0 else ("", [])
        total = max(0, total - over - 8)


def _pieces(case: Case, name: str, count: Count, budget: int) -> list[tuple[int, int, int]]:
    """Return (start, end, tokens) of the sentences of one section; only as much of its two ends as
    could ever fit.
    """
    parts = [(section.start, section.end) for section in case.sections if section.name == name]
    if sum(end - start for start, end in parts) > 24 * budget:
        back = [(-end, -start) for start, end in reversed(parts)]
        parts = _first(parts, 12 * budget) + [
            (-end, -start) for start, end in reversed(_first(back, 12 * budget))
        ]
    ranges: list[tuple[int, int]] = []
    for start, end in parts:
        for a, b in sentences(case.note[start:end]):
            ranges += [
                (start + a + c, start + a + d) for c, d in _cut(case.note[start + a : start + b])
            ]
    costs = count([readable(case.note[start:end]) for start, end in ranges]) if ranges else []
    return [(start, end, cost + 1) for (start, end), cost in zip(ranges, costs, strict=True)]


def _first(parts: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Return the first ``length`` characters of ``parts``."""
    taken: list[tuple[int, int]] = []
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
    return [
        match.span()
        for match in re.finditer(rf"(?s)\S.{{0,{_LONGEST}}}(?!\S)|\S{{1,{_LONGEST}}}", sentence)
    ]


def _allot(wanted: dict[str, int], budget: int) -> dict[str, int]:
    room = {name: min(wanted[name], int(_SHARES[name] * budget)) for name in SECTIONS}
    for name in _SHARES:
        spare = budget - sum(room.values())
        room[name] += max(0, min(spare, wanted[name] - room[name]))
    return room


def _ends(pieces: list[tuple[int, int, int]], room: int) -> list[tuple[int, int]]:
    if sum(cost for _, _, cost in pieces) <= room:
        return [(start, end) for start, end, _ in pieces]
    head: list[tuple[int, int]] = []
    tail: list[tuple[int, int]] = []
    used, index, last = 0, 0, len(pieces) - 1
    while index <= last and used + pieces[index][2] <= 2 * room // 3:
        head.append(pieces[index][:2])
        used += pieces[index][2]
        index += 1
    while last >= index and used + pieces[last][2] <= room:
        tail.append(pieces[last][:2])
        used += pieces[last][2]
        last -= 1
    return head + tail[::-1]


def _joined(note: str, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join ranges with nothing but white space between them."""
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and not note[joined[-1][1] : start].strip():
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _render(case: Case, kept: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    section = None
    for start, end in _joined(case.note, kept):
        name = case.section_at(start)
        if name != section and len(case.sections) > 1:
            parts.append(f"{name.replace('_', ' ').capitalize()}:")
        elif section is not None:
            parts.append("[...]")
        parts.append(readable(case.note[start:end]))
        section = name
    return "\n".join(parts)
