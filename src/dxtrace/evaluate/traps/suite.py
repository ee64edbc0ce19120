"""The traps (``traps.jsonl``, described in ``README.md``), and what a tool says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from dxtrace.errors import InputError
from dxtrace.files import read_jsonl

Answer = Literal["present", "absent", "normal", "uncertain", "family", "other", "past"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)

#: What each property of a prediction may say, what is meant where it is not given first.
PROPERTIES: dict[str, tuple[str, ...]] = {
    "polarity": ("present", "absent", "normal"),
    "certainty": ("certain", "uncertain"),
    "experiencer": ("patient", "family", "other"),
    "time": ("current", "past"),
}


@dataclass(frozen=True)
class Trap:
    """A text, a finding, and what the text says of it.

    ``finding`` is ``text[start:end]``; of a number it is the relation asked for, as "potassium > 6
    mmol/L", with ``quantity``, ``op`` and ``limit``, and no place. ``seen``: the recogniser was
    developed with the text in view.
    """

    id: str
    kind: str
    text: str
    finding: str
    expected: Answer
    seen: bool
    start: int = 0
    end: int = 0
    quantity: str = ""
    op: str = ""
    limit: float = 0.0

    def is_right(self, answer: str) -> bool:
        """True for the right answer; a normal finding is an absent one."""
        return _plain(answer) == _plain(self.expected)


def _plain(answer: str) -> str:
    if answer == "normal":
        return "absent"
    return answer


def suite_text() -> str:
    """Return the suite as JSON lines."""
    return resources.files("dxtrace.evaluate.traps").joinpath("traps.jsonl").read_text("utf-8")


@cache
def traps() -> tuple[Trap, ...]:
    """Return every trap, kind by kind."""
    traps = []
    for line in suite_text().splitlines():
        traps.append(Trap(**json.loads(line)))
    return tuple(traps)


def read_answers(path: Path) -> dict[str, Answer]:
    """Read what a tool says of the traps: JSON lines with ``id`` and the properties that it knows.

    Raises:
        InputError: the file cannot be read, a row has no known id or an unknown value, or a trap is
            answered twice.
    """
    known = set()
    for trap in traps():
        known.add(trap.id)
    answers: dict[str, Answer] = {}
    for line in read_jsonl(path):
        row = line.parse()
        id = row.get("id") if isinstance(row, dict) else None
        if not isinstance(id, str) or id not in known:
            raise InputError(
                f"{line.place}: no trap's id; 'dxtrace evaluate traps --write FILE' has them"
            )
        if id in answers:
            raise InputError(f"{line.place}: {id} was answered before")
        answers[id] = _answer(row, line.place)
    if not answers:
        raise InputError(f"{path}: holds no answer")
    return answers


def _answer(row: Mapping[str, Any], place: str) -> Answer:
    """Return what a row says in one word: of whom comes first, then whether, how sure, and when."""
    said: dict[str, str] = {}
    for name, values in PROPERTIES.items():
        value = row.get(name, values[0])
        if value not in values:
            raise InputError(f"{place}: {name!r} is one of {', '.join(values)}")
        said[name] = value
    for name in ("experiencer", "polarity", "certainty", "time"):
        if said[name] != PROPERTIES[name][0]:
            answer: Answer = next(one for one in ANSWERS if one == said[name])
            return answer
    return "present"
