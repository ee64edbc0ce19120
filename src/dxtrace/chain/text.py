"""The two text forms in which an answer is published.

The *card* form::

    FINAL DIAGNOSIS: Tuberculosis

    Step 1: <rationale> Supporting evidence: <quote>

The *trained* form names the node that each step supports: ``Step 1 [Suspected Tuberculosis]: ...``.
In both, a run of white space inside a quote is one space; offsets stand in the chain alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from dxtrace.chain.result import Status
from dxtrace.errors import InputError, UnknownName

Style = Literal["card", "trained"]

STYLES: tuple[Style, ...] = get_args(Style)

#: What stands in place of a diagnosis where none is named.
HEADLINES: dict[Status, str] = {
    "out_of_scope": "none of the illnesses that dxtrace knows",
    "not_supported": "not supported by this note",
    "type_open": "type not stated",
}

EVIDENCE_MARK = " Supporting evidence: "
_DIAGNOSIS = re.compile(r"\A\s*FINAL DIAGNOSIS:[ \t]*(?P<diagnosis>[^\n]+?)[ \t]*(?:\n|\Z)")
_STEP = re.compile(
    r"^Step (?P<number>\d+)(?: \[(?P<supports>[^\]\n]+)\])?:[ \t]+(?P<body>[^\n]+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class AnswerStep:
    """One step as said: rationale, quote with single spaces, and the node (None in the card form)."""

    rationale: str
    quote: str
    supports: str | None = None


@dataclass(frozen=True)
class Answer:
    """A chain as it is said, without a note: what the text forms hold."""

    diagnosis: str
    steps: tuple[AnswerStep, ...]

    def render(self, style: Style = "card") -> str:
        """Return the text form; :func:`parse` reads it back.

        Raises:
            UnknownName: no such form.
        """
        if style not in STYLES:
            raise UnknownName("text form", style, STYLES)
        lines = [f"FINAL DIAGNOSIS: {self.diagnosis}"]
        for number, step in enumerate(self.steps, 1):
            if style == "trained" and step.supports:
                node = f" [{step.supports}]"
            else:
                node = ""
            lines.append(f"Step {number}{node}: {step.rationale}{EVIDENCE_MARK}{step.quote}")
        return "\n\n".join(lines)


def parse(text: str) -> Answer:
    """Read an answer in either text form.

    Raises:
        InputError: it has no diagnosis line, or a step without evidence or out of order.
    """
    text = text.replace("\r\n", "\n")
    head = _DIAGNOSIS.match(text)
    if head is None:
        raise InputError("the answer does not start with 'FINAL DIAGNOSIS:'")
    steps: list[AnswerStep] = []
    for match in _STEP.finditer(text, head.end()):
        rationale, mark, quote = match["body"].partition(EVIDENCE_MARK)
        if not mark or not quote.strip() or not rationale.strip():
            raise InputError(
                f"step {match['number'][:20]} has no rationale or no supporting evidence",
            )
        if match["number"] != str(len(steps) + 1):
            raise InputError(
                f"step {match['number'][:20]} stands where step {len(steps) + 1} belongs",
            )
        steps.append(AnswerStep(rationale.strip(), quote.strip(), match["supports"]))
    return Answer(head["diagnosis"], tuple(steps))


def flatten(text: str) -> str:
    """Return ``text`` with every run of white space turned into one space, none at the ends."""
    return " ".join(text.split())


def status_of(headline: str) -> Status:
    """Return the status that the headline of a text form tells; an open type has one only where it
    names no diagnosis.
    """
    for status, words in HEADLINES.items():
        if headline.endswith(words):
            return status
    return "answered"
