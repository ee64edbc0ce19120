"""Prompts: the one place where a note meets a chat template.

The same functions make the prompt for training, for answering and for serving: all three see the same token ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from dxtrace.case import INVISIBLE, SECTIONS, Case
from dxtrace.chain import EVIDENCE_MARK, Answer
from dxtrace.engines.base import PromptPart
from dxtrace.grounding import sentences

SYSTEM = "Name the diagnosis of this case, then explain it in numbered steps, each quoting its evidence from the case."

#: What every answer starts with; part of the prompt, so that the first token the model gives belongs to the diagnosis.
CUE = "FINAL DIAGNOSIS:"

#: Stands for the part that a template would fill with today's date (Llama 3): always the same, in training and after.
DATE = "26 Jul 2024"

_MARKER = "\ue000note\ue000"

#: Share of the room that each section gets when a note does not fit, before what is left over is handed round.
_SHARES = {
    "chief_complaint": 0.05,
    "history_of_present_illness": 0.35,
    "pertinent_results": 0.28,
    "physical_exam": 0.20,
    "past_medical_history": 0.10,
    "family_history": 0.02,
}

#: Longest sentence that is kept or left out as one, in characters; a longer one is cut at white space.
_LONGEST = 1200

Count = Callable[[Sequence[str]], list[int]]


def readable(text: str) -> str:
    """Return a note's text as the model reads it: no invisible characters, plain spaces, no runs of empty lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)
    lines = [" ".join(line.split()) for line in text.split("\n")]
    kept = [line for index, line in enumerate(lines) if line or (index and lines[index - 1])]
    return "\n".join(kept).strip()


_INVISIBLE = {ord(char): None for char in INVISIBLE}


def prompt_parts(template: str | None, note: str) -> list[PromptPart]:
    """Return the prompt for one note, as text parts that mark where control tokens are meant.

    Args:
        template: the model's chat template (Jinja), or None for a plain prompt.
        note: the note as the model reads it (:func:`readable`).

    The note itself is always a part without control tokens, whatever stands in it.
    """
    if template is None:
        return [(f"{SYSTEM}\n\n", False), (note, False), (f"\n\n{CUE}", False)]
    return [*chat_parts(template, SYSTEM, note), (CUE, False)]


def with_start_token(template: str | None, token: str | None) -> str | None:
    """Return a chat template that knows the model's start token, which some (Llama 3) write themselves."""
    if not template or not token or "bos_token" not in template:
        return template
    return f"{{%- set bos_token = {json.dumps(token)} -%}}{template}"


def chat_parts(template: str | None, system: str, text: str) -> list[PromptPart]:
    """Return the prompt for any question: what the model is told, and a text in which no control token is meant.

    Args:
        template: the model's chat template (Jinja), or None for a plain prompt.
        system: the instruction.
        text: the question; whatever stands in it, control tokens in it are text.
    """
    if template is None:
        return [(f"{system}\n\n", False), (text, False), ("\n\n", False)]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": _MARKER}]
    rendered = _template(template).render(
        messages=messages, add_generation_prompt=True, date_string=DATE, bos_token="", eos_token=""
    )
    before, _, after = rendered.partition(_MARKER)
    return [(before, True), (text, False), (after, True)]


@cache
def _template(source: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise ValueError(f"the model's chat template refuses the messages: {message}")

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda _: DATE}
    return environment.from_string(source)


def answer_segments(answer: Answer) -> list[str]:
    """Return the trained form of an answer after :data:`CUE`, cut where the writer chooses.

    Each segment is tokenised on its own, in training as in writing: label, head, rationale, mark, quote, head ...
    """
    segments = [f" {answer.diagnosis}"]
    for number, step in enumerate(answer.steps, 1):
        segments += [step_head(number, step.supports), f" {step.rationale}", MARK, f" {step.quote}"]
    return segments


#: The segment between rationale and quote.
MARK = EVIDENCE_MARK.rstrip()


def step_head(number: int, supports: str | None) -> str:
    """Return the segment that opens a step: ``Step 1 [Suspected Stroke]:``, after an empty line."""
    return f"\n\nStep {number} [{supports}]:" if supports else f"\n\nStep {number}:"


@dataclass(frozen=True)
class Fitted:
    """A note cut to a number of tokens.

    ``text`` is what the model reads; ``keep`` the ranges of the note that are in it; ``left_out`` the number of
    characters of each section that are not (empty when all fits).
    """

    text: str
    keep: tuple[tuple[int, int], ...]
    left_out: dict[str, int]

    @property
    def warning(self) -> str | None:
        """What was left out, in one line; None if nothing was."""
        if not self.left_out:
            return None
        parts = ", ".join(f"{count:,} characters of {name}" for name, count in self.left_out.items())
        return f"the note is longer than the model can read: left out {parts}"


def fit(case: Case, count: Count, budget: int) -> Fitted:
    """Cut a note to at most ``budget`` tokens, whole sentences, keeping the most telling sections.

    Every section first gets a share of the room; what a short one leaves goes to the others in order of importance.
    Within a section the first two thirds of its room hold its start, the rest its end.

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
    case: Case, pieces: dict[str, list[tuple[int, int, int]]], count: Count, budget: int
) -> tuple[str, list[tuple[int, int]]]:
    """Return the text that fits and the ranges in it; what headings and marks of omission take is known only after."""
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
    """Return (start, end, tokens) of the sentences of one section; only as much of its two ends as could ever fit."""
    parts = [(section.start, section.end) for section in case.sections if section.name == name]
    if sum(end - start for start, end in parts) > 24 * budget:
        back = [(-end, -start) for start, end in reversed(parts)]
        parts = _first(parts, 12 * budget) + [(-end, -start) for start, end in reversed(_first(back, 12 * budget))]
    ranges: list[tuple[int, int]] = []
    for start, end in parts:
        for a, b in sentences(case.note[start:end]):
            ranges += [(start + a + c, start + a + d) for c, d in _cut(case.note[start + a : start + b])]
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
    """Return the ranges of a sentence: one, unless it is too long (a list without end) to be kept whole."""
    if len(sentence) <= _LONGEST:
        return [(0, len(sentence))]
    return [match.span() for match in re.finditer(rf"(?s)\S.{{0,{_LONGEST}}}(?!\S)|\S{{1,{_LONGEST}}}", sentence)]


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
