"""What dxtrace itself says of the traps: the properties of their words, and their measurements."""

from __future__ import annotations

from collections.abc import Iterable

from dxtrace.evaluate.traps.suite import Answer, Trap
from dxtrace.findings.reader import Sentence, read_sentences
from dxtrace.notes.case import Case


def answer_traps(asked: Iterable[Trap]) -> dict[str, Answer]:
    """Return what the recogniser's reader says of each trap, by id."""
    answers: dict[str, Answer] = {}
    for trap in asked:
        sentences = list(read_sentences(Case.from_text(trap.text)))
        if trap.quantity:
            answers[trap.id] = _of_number(trap, sentences)
        else:
            answers[trap.id] = _of_words(trap, sentences)
    return answers


def _of_number(trap: Trap, sentences: Iterable[Sentence]) -> Answer:
    for sentence in sentences:
        for measurement in sentence.measurements:
            own = measurement.quantity == trap.quantity
            if own and measurement.meets(trap.op, trap.limit, trap.limit):
                return "present"
    return "absent"


def _of_words(trap: Trap, sentences: Iterable[Sentence]) -> Answer:
    said: set[str] = set()
    for sentence in sentences:
        for index, token in enumerate(sentence.tokens):
            if trap.start <= token.start < trap.end:
                said |= sentence.context.properties(index)
                if not sentence.quotable:
                    said.add("uncertain")
    if "denied" in said and not said & {"family", "other"}:
        return "absent"
    order: tuple[Answer, ...] = ("family", "other", "normal", "uncertain", "past")
    for answer in order:
        if answer in said:
            return answer
    return "present"
