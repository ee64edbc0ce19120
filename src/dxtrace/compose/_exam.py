"""The physical examination: the line of vital signs, and each system with what is found or not
found there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain

from dxtrace.compose._compile import CaseStatement
from dxtrace.compose._draft import finding_of
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, Piece, bare, chained
from dxtrace.knowledge.background import background

#: The quantity by which a vital sign is recognised in a template of the line of vital signs.
_SLOT = {
    "temperature": ("{temp_c}", "{temp_f}"),
    "heart_rate": ("{hr}",),
    "blood_pressure": ("{sbp}",),
    "respiratory_rate": ("{rr}",),
    "oxygen_saturation": ("{spo2}",),
}

#: How a fragment names the system that it belongs to.
_LABEL = re.compile(
    r"(?:General|Gen|HEENT|Neck|CV|Cor|Heart|Cardiac|CVS|Lungs?|Pulm|Resp|Chest|Abdomen|Abd|Extremities|Ext|Skin|Derm"
    r"|Neuro|Psych|Eyes?|ENT|Ears|Face|Thyroid|Exam|VS|MSK|Limbs|General exam|Neuro exam"
    r"|Neurological|Abdominal|GI|CNS)\s*:\s*",
    re.IGNORECASE,
)

#: Systems that one finding often joins ("heart and lungs normal, abdomen soft"), the likelier
#: first.
_TRUNK = ("heart", "lungs", "abdomen", "nerves")

#: What a segment of the line of vital signs holds besides the name: slots, "on room air".
_NO_NAME = re.compile(r"\{\w+\}|RA|on|air|room")

#: Share of findings that are a vital sign and are quoted from the line of vital signs; the others
#: are said in words besides.
_QUOTED_VITAL = 0.6

#: Share of notes that give the vital signs on arrival as well.
_ARRIVAL = 0.35

#: A system with a finding is described as otherwise normal so much less often.
_OTHERWISE_NORMAL = 0.5

#: Shares of examinations out of the usual order: within systems, and between them in prose.
_UNORDERED_SIGNS = 0.3
_UNORDERED_SYSTEMS = 0.3

#: Share of examinations whose labels are in capitals ("LUNGS: clear").
_UPPER_LABELS = 0.15

_SEGMENT = re.compile(r"\[([^\]]*)\]")


def vitals(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """The line of vital signs.

    A finding that is a vital sign is quoted from it, or said in words besides.
    """
    if part.layout == "prose":
        kind = "prose"
    else:
        kind = voice.style.vitals
    tags: dict[str, str] = {}
    for statement in own:
        vital = finding_of(statement).vital
        if vital and statement.id not in voice.stated_ids and voice.rng.random() < _QUOTED_VITAL:
            voice.stated_ids.add(statement.id)
            tags[vital] = statement.id
    return [vital_line(voice, kind, tags)]


def emergency(voice: Voice, _part: Part, _own: Sequence[CaseStatement]) -> list[Item]:
    """What was measured on arrival, in one sentence: the same numbers as in the examination."""
    told = voice.rng.random() < _ARRIVAL
    if not told or "clinic" in voice.draft.traits:
        return []
    return [vital_line(voice, "arrival", {})]


def vital_line(voice: Voice, kind: str, tags: dict[str, str]) -> Item:
    """Return the vital signs in one of the formats called ``kind``; ``tags`` maps a vital sign to
    its finding.
    """
    usable = []
    for t in background().vitals[kind]:
        if _names_all(t, tags):
            usable.append(t)
    template = voice.choose(usable)
    values = voice.values | _derived(voice.draft.numbers)
    pieces: list[Piece] = []
    for number, text in enumerate(_SEGMENT.split(template)):
        # Split by a pattern with a group: what stands in brackets comes at the odd places.
        bracketed = number % 2 == 1
        tag = _tag_of(text, tags) if bracketed else None
        if text:
            pieces.append((text.format_map(values), tag))
    text, tag = pieces[-1]
    if text.endswith(".") and text != ".":
        pieces[-1:] = [(text[:-1], tag), (".", None)]
    return Item(tuple(pieces), sentence=template.endswith("."))


def _derived(numbers: Mapping[str, float]) -> dict[str, str]:
    """Return the temperature in Fahrenheit and the mean arterial pressure, (SBP + 2 DBP) / 3."""
    fahrenheit = numbers["temp_c"] * 9 / 5 + 32
    mean_pressure = (numbers["sbp"] + 2 * numbers["dbp"]) / 3
    return {
        "temp_f": f"{fahrenheit:.1f}",
        "map": f"{mean_pressure:.0f}",
    }


def _tag_of(text: str, tags: Mapping[str, str]) -> str | None:
    """Return the finding that the vital sign in a segment of a template is."""
    for vital, slots in _SLOT.items():
        if vital in tags and any(slot in text for slot in slots):
            return tags[vital]
    return None


def _names_all(template: str, tags: dict[str, str]) -> bool:
    """True if each vital sign to be quoted stands with its name: a bare number is no evidence."""
    segments = _SEGMENT.findall(template)
    for vital in tags:
        slots = _SLOT[vital]
        own = []
        for text in segments:
            if any(slot in text for slot in slots):
                own.append(text)
        if not own:
            return False
        name = _NO_NAME.sub("", own[0])
        if not re.search(r"[A-Za-z]", name):
            return False
    return True


def examination(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """The systems in order. Systems without a finding may be normal, in words, or passed over."""
    rng = voice.rng
    by_system = _found_by_system(voice, part, own)
    for system in background().exam_labels:
        share = voice.style.normal_exam
        if by_system[system]:
            share *= _OTHERWISE_NORMAL
        if rng.random() < share:
            by_system[system] += _normal(voice, part, system)
    if rng.random() < _UNORDERED_SIGNS:
        for items in by_system.values():
            rng.shuffle(items)
    if part.layout in ("lines", "dashes", "bullets", "plus") and voice.style.systems:
        return _by_line(voice, by_system)
    groups = list(by_system.values())
    ordered = part.layout == "prose" and rng.random() < 1 - _UNORDERED_SYSTEMS
    if not ordered:
        rng.shuffle(groups)
    return list(chain.from_iterable(groups))


def _found_by_system(
    voice: Voice, part: Part, own: Sequence[CaseStatement]
) -> dict[str, list[Item]]:
    """Say what is found, by system in the order of an examination."""
    systems = ("vital", *background().exam_labels, "other")
    by_system: dict[str, list[Item]] = {system: [] for system in systems}
    for statement in own:
        if statement.id in voice.stated_ids:
            continue
        item = voice.say(statement, part)
        system = "other"
        if statement.system in by_system:
            system = _system(statement.system, item.text)
        by_system[system].append(item)
    return by_system


def _system(system: str, text: str) -> str:
    """Return where one wording belongs: of a finding of heart and lungs, one may speak of the lungs
    alone.
    """
    words = _patterns()
    if system not in _TRUNK or words[system].search(text):
        return system
    for other in _TRUNK:
        if words[other].search(text):
            return other
    return system


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    patterns: dict[str, re.Pattern[str]] = {}
    for system, pattern in background().exam_words.items():
        patterns[system] = re.compile(pattern, re.IGNORECASE)
    return patterns


def _normal(voice: Voice, part: Part, system: str) -> list[Item]:
    usable = []
    for item in background().exam[system]:
        if voice.draft.allows_statement(item):
            usable.append(item.id)
    if voice.style.long:
        wanted = voice.rng.randint(3, 8)
    else:
        wanted = voice.rng.choice((1, 1, 2, 3))
    chosen = set(voice.rng.sample(usable, min(len(usable), wanted)))
    normal_statements = []
    for id in usable:
        if id in chosen:
            normal_statements.append(voice.background(id, part))
    return normal_statements


def _by_line(voice: Voice, by_system: dict[str, list[Item]]) -> list[Item]:
    labels = background().exam_labels
    # One writer keeps to one set of labels: all short ("Pulm"), or all long ("Lungs").
    column = voice.rng.randrange(min(map(len, labels.values())))
    separator = voice.rng.choice((", ", ", ", ". ", "; "))
    upper = voice.rng.random() < _UPPER_LABELS
    lines: list[Item] = []
    for system, items in by_system.items():
        if not items:
            continue
        label = ""
        if system in labels:
            label = labels[system][column]
            items = [bare(item, _LABEL) for item in items]
        if upper:
            label = label.upper()
        pieces = chained(items, separator)
        ends = pieces[-1][0].endswith(".")
        if label:
            pieces = ((f"{label}: ", None), *pieces)
        lines.append(Item(pieces, sentence=ends))
    return lines
