"""The parts of a note that are not about the patient, whatever their words: text that talks to a
model, that markup hides, or that is another patient's.
"""

from __future__ import annotations

from collections.abc import Sequence

from dxtrace.findings.talk import end_of_paragraph, first_turn, talks_to_a_model
from dxtrace.findings.text_kinds import ANOTHER_PATIENT, hidden_ranges
from dxtrace.notes.case import Case


def mark_asides(case: Case, sentences: Sequence[tuple[int, int]]) -> bytes:
    """Return a mark for each character of a note: 1 in what is not about the patient, else 0.

    A turn of a chat runs to the next heading; talk to a model and another patient's text to the end
    of their paragraph.

    Args:
        case: the case.
        sentences: the half-open ranges of its sentences.
    """
    marks = bytearray(len(case.note))
    for start, end in hidden_ranges(case.note):
        _mark(marks, start, end)
    turn = first_turn(case.note)
    if turn is not None:
        _mark(marks, turn, _next_section(case, turn))
    marked = 0
    for start, end in sentences:
        text = case.note[start:end]
        if start >= marked and (ANOTHER_PATIENT.search(text) or talks_to_a_model(text)):
            marked = max(end, end_of_paragraph(case.note, start))
            _mark(marks, start, marked)
    return bytes(marks)


def _mark(marks: bytearray, start: int, end: int) -> None:
    marks[start:end] = b"\x01" * (end - start)


def _next_section(case: Case, start: int) -> int:
    for section in case.sections:
        if section.start > start:
            return section.start
    return len(case.note)
