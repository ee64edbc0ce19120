"""Prompts: the one place where a note meets a chat template.

The same functions make the prompt for training, for answering and for serving: all three see the
same token ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from dxtrace.chain import EVIDENCE_MARK, Answer
from dxtrace.errors import ModelError
from dxtrace.notes.sections import INVISIBLE

#: One piece of a prompt: its text, and whether control tokens in it are meant (template) or not
#: (note).
PromptPart = tuple[str, bool]

SYSTEM = "Name the diagnosis of this case, then explain it in numbered steps, each quoting its evidence from the case."


#: What every answer starts with; part of the prompt, so that the first token the model gives
#: belongs to the diagnosis.
CUE = "FINAL DIAGNOSIS:"


#: Stands for the part that a template would fill with today's date (Llama 3): always the same, in
#: training and after.
DATE = "26 Jul 2024"


#: Longest chat template, in characters; Llama 3's has 4,000.
MAX_TEMPLATE = 200_000


_MARKER = "\ue000note\ue000"


def readable(text: str) -> str:
    """Return a note's text as the model reads it: no invisible characters, plain spaces, no runs of
    empty lines.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)
    lines: list[str] = []
    for line in text.split("\n"):
        line = " ".join(line.split())
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip()


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
    """Return a chat template that knows the model's start token, which some (Llama 3) write
    themselves.
    """
    if not template or not token or "bos_token" not in template:
        return template
    return f"{{%- set bos_token = {json.dumps(token)} -%}}{template}"


def chat_parts(template: str | None, system: str, text: str) -> list[PromptPart]:
    """Return the prompt for any question: what the model is told, and a text in which no control
    token is meant.

    Args:
        template: the model's chat template (Jinja), or None for a plain prompt.
        system: the instruction.
        text: the question; whatever stands in it, control tokens in it are text.

    Raises:
        ModelError: the template cannot be used.
    """
    if template is None:
        return [(f"{system}\n\n", False), (text, False), ("\n\n", False)]
    alone = [{"role": "user", "content": f"{system}\n\n{_MARKER}"}]
    with_system = [{"role": "system", "content": system}, {"role": "user", "content": _MARKER}]
    try:
        rendered = _render(template, with_system)
    except _RefusedError:  # Gemma's, for one, knows no system message
        rendered = _render(template, alone)
    parts = rendered.split(_MARKER)
    if len(parts) != 2:
        raise ModelError("the model's chat template does not say the user's message once")
    return [(parts[0], True), (text, False), (parts[1], True)]


class _RefusedError(ModelError):
    """A template calls ``raise_exception``."""


def _render(template: str, messages: Sequence[Mapping[str, str]]) -> str:
    """Fill a chat template.

    Raises:
        ModelError: it is no template, or refuses the messages.
    """
    try:
        rendered: str = _template(template).render(
            messages=messages,
            add_generation_prompt=True,
            date_string=DATE,
            enable_thinking=False,
            bos_token="",
            eos_token="",
        )
    except ModelError:
        raise
    except Exception as error:  # Jinja's own, and whatever a template calls
        reason = type(error).__name__
    else:
        return rendered
    raise ModelError(f"the model's chat template cannot be used ({reason})")


@cache
def _template(source: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    if not isinstance(source, str) or len(source) > MAX_TEMPLATE:
        raise ModelError("the model's chat template is no text, or far too long")

    def refuse(message: str) -> None:
        raise _RefusedError(
            f"the model's chat template refuses the messages: {str(message)[:80]!r}"
        )

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {
        "raise_exception": refuse,
        "strftime_now": lambda _: DATE,
    }
    return environment.from_string(source)


def answer_segments(answer: Answer) -> list[str]:
    """Return the trained form of an answer after :data:`CUE`, cut where the writer chooses.

    Each segment is tokenised on its own, in training as in writing: label, head, rationale, mark,
    quote, head ...
    """
    segments = [f" {answer.diagnosis}"]
    for number, step in enumerate(answer.steps, 1):
        segments += [
            step_head(number, step.supports),
            f" {step.rationale}",
            MARK,
            f" {step.quote}",
        ]
    return segments


#: The segment between rationale and quote.
MARK = EVIDENCE_MARK.rstrip()


def step_head(number: int, supports: str | None) -> str:
    """Return the segment that opens a step: ``Step 1 [Suspected Stroke]:``, after an empty line."""
    if supports:
        return f"\n\nStep {number} [{supports}]:"
    return f"\n\nStep {number}:"
