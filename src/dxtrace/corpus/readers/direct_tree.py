"""One DiReCT file: from its nested JSON object to sections, nodes and observations.

A key is ``text$Type_n``, split at its last ``$``. ``Intermedia`` keys are diagnosis nodes: the
outermost is the final diagnosis, and nesting goes towards the first suspicion. A node holds
``Cause`` keys (rationales), those hold ``Input1`` to ``Input6`` keys (observations; the number is
the section). Beside the tree, ``input1`` to ``input6`` are the note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dxtrace.corpus.base import Problem, ProblemKind, replace_surrogates
from dxtrace.notes.sections import INVISIBLE, SECTIONS

#: Nodes deeper than any published tree by far: what is nested deeper is a damaged file.
MAX_DEPTH = 40

#: Problems reported for one file; a damaged file can hold thousands.
MAX_PROBLEMS = 50

_TYPE = re.compile(r"(?i)(intermedia|cause|input)[ _]*(\d*)")
_SECTION_KEY = re.compile(r"(?i)input[ _]?([1-6])")
_PATIENT_KEYS = ("subject_id", "patient_id", "patient")


@dataclass(frozen=True)
class Observation:
    """One observation: its text, section (None if not said), rationale, and the nodes that hold it,
    outermost first.
    """

    text: str
    section: str | None
    rationale: str
    nodes: tuple[str, ...]


@dataclass
class DirectFile:
    """What one file holds. ``nodes`` runs from the final diagnosis to the first suspicion."""

    place: str
    sections: dict[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    observations: list[Observation] = field(default_factory=list)
    patient: str | None = None
    problems: list[Problem] = field(default_factory=list)

    def report(self, kind: ProblemKind, message: str) -> None:
        """Add a problem, unless the file has had its share."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(kind, self.place, message))
        elif len(self.problems) == MAX_PROBLEMS:
            self.problems.append(
                Problem(
                    "bad-shape",
                    self.place,
                    "more problems than are reported for one file",
                ),
            )


def read_file(data: Mapping[str, Any], place: str) -> DirectFile:
    """Read the parsed JSON object of one file.

    Whatever has another shape is left out and reported, never raised.
    """
    file = DirectFile(place)
    for key, value in data.items():
        if match := _SECTION_KEY.fullmatch(key.strip()):
            _read_section(file, SECTIONS[int(match[1]) - 1], value)
        elif key in _PATIENT_KEYS and isinstance(value, (str, int)):
            file.patient = file.patient or replace_surrogates(str(value))
        elif _split(key)[1] == "intermedia":
            if file.nodes:
                file.report(
                    "bad-shape",
                    "a second tree beside the first; only the first is read",
                )
            else:
                _read_node(file, key, value, ())
        elif "$" in key or isinstance(value, dict):
            file.report(
                "bad-shape",
                "a key beside the tree that is no diagnosis node and no input1 to input6",
            )
    return file


def keep_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of JSON pairs; a key that stands twice gets the ``#`` that the release marks such
    keys with.
    """
    result: dict[str, Any] = {}
    for key, value in pairs:
        while key in result:
            text, mark, kind = key.rpartition("$")
            if mark:
                key = f"{text} #{mark}{kind}"
            else:
                key = f"{key} #"
        result[key] = value
    return result


def _read_section(file: DirectFile, name: str, value: Any) -> None:
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        file.report(
            "bad-shape",
            f"{name} is a list, expected text; its lines are joined",
        )
        value = "\n".join(value)
    if not isinstance(value, str):
        if value is not None:
            file.report(
                "bad-shape",
                f"{name} is {type(value).__name__}, expected text; read as empty",
            )
        return
    file.sections[name] = value


def _read_node(file: DirectFile, key: str, body: Any, above: tuple[str, ...]) -> None:
    nodes = (*above, _plain(_split(key)[0]))
    if not nodes[-1]:
        file.report("bad-shape", f"the node at depth {len(nodes)} has no name")
        return
    if len(nodes) > MAX_DEPTH:
        file.report(
            "bad-shape",
            f"diagnosis nodes are nested deeper than {MAX_DEPTH}; the rest is left out",
        )
        return
    if len(nodes) > len(file.nodes):
        file.nodes = nodes
    for inner, value in _items(file, body, f"the node at depth {len(nodes)}"):
        kind = _split(inner)[1]
        if kind == "intermedia":
            _read_node(file, inner, value, nodes)
        elif kind == "cause":
            _read_cause(file, inner, value, nodes)
        else:
            if kind == "input":
                what = "an observation without a rationale"
            else:
                what = "a key without a known type"
            file.report(
                "bad-shape",
                f"the node at depth {len(nodes)} holds {what}; it is left out",
            )


def _read_cause(file: DirectFile, key: str, body: Any, nodes: tuple[str, ...]) -> None:
    place = f"the rationale before observation {len(file.observations) + 1}"
    rationale = _plain(_split(key)[0])
    if not rationale:
        file.report("bad-shape", f"{place} is empty; what it holds is left out")
        return
    empty = True
    for inner, value in _items(file, body, place):
        text, kind, number = _split(inner)
        if kind != "input":
            file.report(
                "bad-shape",
                f"{place} holds something that is no observation; it is left out",
            )
            continue
        empty = False
        if isinstance(value, dict) and value:
            file.report(
                "bad-shape",
                f"observation {len(file.observations) + 1} holds more below it; that is left out",
            )
        section = SECTIONS[number - 1] if 1 <= number <= len(SECTIONS) else None
        if section is None:
            file.report(
                "section",
                f"observation {len(file.observations) + 1} names no section from 1 to 6",
            )
        file.observations.append(Observation(_unmarked(text), section, rationale, nodes))
    if empty:
        file.report("bad-shape", f"{place} holds no observation")


def _items(file: DirectFile, body: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(body, dict):
        yield from body.items()
    elif body not in (None, [], ""):
        file.report(
            "bad-shape",
            f"{place} holds {type(body).__name__}, expected an object",
        )


def _split(key: str) -> tuple[str, str, int]:
    """Return text, type in lower case ("" if it is none), and number (0 if there is none) of a key."""
    text, mark, kind = key.rpartition("$")
    match = _TYPE.fullmatch(kind.strip()) if mark else None
    if match is None:
        return key, "", 0
    # A longer number is no section and no step: int() of thousands of digits would fail.
    return (
        text,
        match[1].lower(),
        int(match[2]) if 0 < len(match[2]) <= 3 else 0,
    )


def _unmarked(text: str) -> str:
    """Cut off the trailing `` #`` that keeps equal keys apart."""
    return re.sub(r"(?:\s+#+)+\s*\Z", "", text)


def _plain(text: str) -> str:
    visible = replace_surrogates(_unmarked(text)).translate(dict.fromkeys(map(ord, INVISIBLE)))
    return " ".join(visible.split())
