"""The physical examination: the line of vital signs, and each system with what is found or not
found there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from dxtrace.compose._compile import Said
from dxtrace.compose._draw import finding_of
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

_SEGMENT = re.compile(r"\[([^\]]*)\]")


def vitals(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """The line of vital signs.

    A finding that is a vital sign is quoted from it, or said in words besides.
    """
    kind = (
        voice.style.vitals if part.layout != "prose" or voice.style.vitals == "prose" else "prose"
    )
    tags: dict[str, str] = {}
    for said in own:
        vital = finding_of(said).vital
        if vital and said.id not in voice.said and voice.rng.random() < 0.6:
            voice.said.add(said.id)
            tags[vital] = said.id
    return [vital_line(voice, kind, tags)]


def emergency(voice: Voice, _part: Part, _own: Sequence[Said]) -> list[Item]:
    """What was measured on arrival, in one sentence: the same numbers as in the examination."""
    told = voice.rng.random() < 0.35 and "clinic" not in voice.draft.traits
    return [vital_line(voice, "arrival", {})] if told else []


def vital_line(voice: Voice, kind: str, tags: dict[str, str]) -> Item:
    """Return the vital signs in one of the formats called ``kind``; ``tags`` maps a vital sign to
    its finding.
    """
    template = voice.choose([t for t in background().vitals[kind] if _names_all(t, tags)])
    numbers = voice.draft.numbers
    values = voice.values | {"temp_f": f"{numbers['temp_c'] * 9 / 5 + 32:.1f}"}
    values["map"] = f"{(numbers['sbp'] + 2 * numbers['dbp']) / 3:.0f}"
    pieces: list[Piece] = []
    for number, text in enumerate(_SEGMENT.split(template)):
        tag = None
        if number % 2:
            tag = next(
                (
                    tags[v]
                    for v, slots in _SLOT.items()
                    if v in tags and any(s in text for s in slots)
                ),
                None,
            )
        if text:
            pieces.append((text.format_map(values), tag))
    if pieces[-1][0].endswith(".") and len(pieces[-1][0]) > 1:
        text, tag = pieces.pop()
        pieces += [(text[:-1], tag), (".", None)]
    return Item(tuple(pieces), sentence=template.endswith("."))


def _names_all(template: str, tags: dict[str, str]) -> bool:
    """True if each vital sign to be quoted stands with its name: a bare number is no evidence."""
    segments = _SEGMENT.findall(template)
    for vital in tags:
        own = [text for text in segments if any(slot in text for slot in _SLOT[vital])]
        if not own or not re.search(r"[A-Za-z]{1,}", re.sub(r"\{\w+\}|RA|on|air|room", "", own[0])):
            return False
    return True


def examination(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """The systems in order. Systems without a finding may be normal, in words, or passed over."""
    by_system: dict[str, list[Item]] = {
        system: [] for system in ("vital", *background().exam_labels, "other")
    }
    for said in own:
        if said.id not in voice.said:
            item = voice.say(said, part)
            by_system[
                _system(said.system, item.text) if said.system in by_system else "other"
            ].append(item)
    for system in background().exam_labels:
        share = voice.style.normal_exam * (0.5 if by_system[system] else 1)
        if voice.rng.random() < share:
            by_system[system] += _normal(voice, part, system)
    if voice.rng.random() < 0.3:
        for items in by_system.values():
            voice.rng.shuffle(items)
    if part.layout in ("lines", "dashes", "bullets", "plus") and voice.style.systems:
        return _by_line(voice, by_system)
    if part.layout == "prose" and voice.rng.random() < 0.7:
        return [item for items in by_system.values() for item in items]
    groups = list(by_system.values())
    voice.rng.shuffle(groups)
    return [item for items in groups for item in items]


def _system(system: str, text: str) -> str:
    """Return where one wording belongs: of a finding of heart and lungs, one may speak of the lungs
    alone.
    """
    words = _patterns()
    if system not in _TRUNK or words[system].search(text):
        return system
    return next((other for other in _TRUNK if words[other].search(text)), system)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {
        system: re.compile(pattern, re.IGNORECASE)
        for system, pattern in background().exam_words.items()
    }


def _normal(voice: Voice, part: Part, system: str) -> list[Item]:
    usable = [item.id for item in background().exam[system] if voice.draft.permits(item)]
    count = min(
        len(usable),
        voice.rng.randint(3, 8) if voice.style.long else voice.rng.choice((1, 1, 2, 3)),
    )
    chosen = set(voice.rng.sample(usable, count))
    return [voice.background(id, part) for id in usable if id in chosen]


def _by_line(voice: Voice, by_system: dict[str, list[Item]]) -> list[Item]:
    labels = background().exam_labels
    column = voice.rng.randrange(min(map(len, labels.values())))
    separator = voice.rng.choice((", ", ", ", ". ", "; "))
    upper = voice.rng.random() < 0.15
    lines: list[Item] = []
    for system, items in by_system.items():
        if not items:
            continue
        label = labels[system][column] if system in labels else ""
        pieces = chained([bare(item, _LABEL) for item in items] if label else items, separator)
        head = f"{label.upper() if upper else label}: " if label else ""
        lines.append(
            Item(((head, None), *pieces) if head else pieces, sentence=pieces[-1][0].endswith(".")),
        )
    return lines
