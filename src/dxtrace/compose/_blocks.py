"""The blocks of a note that tell a story: each turns a draft into items.

``_past`` has those that list a history.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dxtrace.compose._compile import Said
from dxtrace.compose._past import (
    LABEL,
    allergies,
    family,
    medications,
    past_history,
    social,
    some_of,
    surgical_history,
)
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, Piece, bare, listed, statement
from dxtrace.knowledge.background import Denial, background
from dxtrace.knowledge.wordings import Register

Block = Callable[[Voice, Part, Sequence[Said]], list[Item]]

#: First words that lose their capital inside a sentence.
_PLAIN = frozenset(
    [
        "He",
        "She",
        "The",
        "A",
        "An",
        "There",
        "His",
        "Her",
        "It",
        "Over",
        "For",
        "In",
        "On",
        "At",
        "Since",
        "After",
        "No",
        "Both",
        "Lying",
        "Neither",
        "These",
        "This",
        "During",
        "With",
        "When",
        "While",
        "Two",
        "Three",
        "Four",
        "Five",
        "Six",
        "Each",
        "Most",
        "Some",
        "Several",
        "About",
        "Under",
    ],
)

#: Age and sex as an opening gives them.
_AGE = re.compile(
    r"\b\d{1,3}(?:[ -]?(?:yr|years?)[ -]old|[ -]?(?:yo|y/o|y\.o\.))?[ -]?(?:man|woman|male|female|[MF])\b",
)

#: Linked sentences are shorter than this, in characters.
_LINKABLE = 90


def chief_complaint(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """The chief complaint; now and then the only place where its finding stands."""
    said, tag = voice.complaint_of, None
    if (
        said
        and said.section in ("history_of_present_illness", "chief_complaint")
        and voice.rng.random() < 0.3
    ):
        voice.said.add(said.id)
        tag = said.id
    first = statement(voice.typed(voice.complaint), tag)
    more = [said for said in own if said.id not in voice.said and said.section == "chief_complaint"]
    return [first, *(voice.say(said, part) for said in more)]


def opener(voice: Voice, _part: Part, _own: Sequence[Said]) -> list[Item]:
    """The first sentence: who comes, how, and mostly why."""
    own = [
        s for s in voice.draft.findings if s.openings[voice.draft.side] and s.id not in voice.said
    ]
    if own and voice.rng.random() < 0.35:
        return [voice.open_with(own[0])]
    texts = background().openers[voice.style.opener]
    cc, ill = voice.complaint_phrase(), bool(voice.draft.comorbidities)
    usable = [t for t in texts if ("{cc}" in t) <= bool(cc) and ("{history}" in t) <= ill]
    if re.search(background().unhurried, voice.complaint, re.IGNORECASE):
        usable = [t for t in usable if not re.search(background().hurried, t)] or usable
    text = voice.choose(voice.suiting(usable))
    history = _short_history(voice) if "{history}" in text else ""
    return [_with_age(voice, voice.filled(text, cc=cc or "", history=history))]


def _with_age(voice: Voice, text: str) -> Item:
    """Return the opening; where age or sex is itself a finding, it may be quoted from here
    ("82-year-old woman").
    """
    item = statement(text)
    telling = [said for said in voice.draft.findings if said.by_age and said.id not in voice.said]
    found = _AGE.search(text)
    if not telling or not found or voice.rng.random() < 0.3:
        return item
    voice.said.add(telling[0].id)
    parts = ((text[: found.start()], None), (found[0], telling[0].id), (text[found.end() :], None))
    return Item(tuple(piece for piece in parts if piece[0]), item.sentence)


def _short_history(voice: Voice) -> str:
    """Return one to three illnesses besides, the weightier first, as an opening sentence names
    them.
    """
    order = [item.id for item in background().comorbidities]
    known = sorted(voice.draft.comorbidities, key=lambda item: order.index(item.id))[
        : voice.rng.randint(1, 3)
    ]
    register: Register = (
        "terse" if voice.style.opener in ("telegraphic", "triage", "clerking") else "full"
    )
    names = [voice.names(item.id, register).removeprefix("h/o ") for item in known]
    return ", ".join(names) if register == "terse" else listed(names, "and", voice.rng)


def story(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """What brought the patient: findings first, then what is absent and what means nothing, not too
    orderly.
    """
    said = [s for s in own if s.id not in voice.said]
    positive = [s for s in said if not s.negative]
    negative = [s for s in said if s.negative]
    voice.rng.shuffle(positive)
    positive.sort(
        key=lambda s: (s.neutral is not None) * voice.rng.random() * 2 + voice.rng.random(),
    )
    if negative and voice.rng.random() < 0.35:
        for one in negative:
            positive.insert(voice.rng.randint(min(1, len(positive)), len(positive)), one)
        negative = []
    items = [bare(voice.say(s, part), LABEL) for s in (*positive, *negative)]
    return _linked(voice, items) if part.layout == "prose" else items


def _linked(voice: Voice, items: Sequence[Item]) -> list[Item]:
    """Link some sentences: "Of note, ...", or two in one.

    What may be quoted stays what it was, but for a capital.
    """
    linked: list[Item] = []
    for item in items:
        roll = voice.rng.random()
        before = linked[-1] if linked else None
        if before is None or roll > 0.3 or not _can_follow(item):
            linked.append(item)
        elif roll < 0.14:
            linked.append(_after(((voice.connective(), None),), item))
        elif (
            before.pieces[-1][0] == "."
            and max(len(before.text), len(item.text)) < _LINKABLE
            and ";" not in before.text
        ):
            joint = voice.rng.choice((", and ", "; ", "; "))
            linked[-1] = _after((*before.pieces[:-1], (joint, None)), item)
        else:
            linked.append(item)
    return linked


def _can_follow(item: Item) -> bool:
    return item.sentence and item.pieces[0][0].split(" ", 1)[0] in _PLAIN and '"' not in item.text


def _after(before: tuple[Piece, ...], item: Item) -> Item:
    (text, tag), *rest = item.pieces
    return Item((*before, (text[0].lower() + text[1:], tag), *rest), item.sentence)


def course(voice: Voice, part: Part, _own: Sequence[Said]) -> list[Item]:
    """What was done on the way: it supports nothing."""
    low, high = voice.style.course
    return some_of(voice, part, background().course, voice.rng.randint(low, high))


def _denials(voice: Voice, count: int) -> list[Denial]:
    free = [
        d for d in background().ros if d.id not in voice.draft.hidden and d.id not in voice.denied
    ]
    chosen = voice.rng.sample(free, min(count, len(free)))
    voice.denied |= {denial.id for denial in chosen}
    return chosen


def denials(voice: Voice, part: Part, _own: Sequence[Said]) -> list[Item]:
    """Symptoms that the patient does not have, in one breath."""
    if "silent" in voice.draft.traits:
        return []
    chosen = _denials(
        voice,
        voice.rng.randint(*voice.style.denials) if "ros" not in part.blocks else 2,
    )
    return [_denied(voice, part, chosen)] if chosen else []


def _denied(voice: Voice, part: Part, chosen: Sequence[Denial]) -> Item:
    nouns = [voice.choose(denial.nouns) for denial in chosen]
    terse = voice.register(part) == "terse"
    name = ("ros_terse" if "ros" in part.blocks else "denials_terse") if terse else "denials"
    frame = voice.frame(name)
    if "no {either}" in frame or "No {list}" in frame:
        nouns = [re.sub(r"^an? ", "", noun) for noun in nouns]
    return statement(
        voice.filled(frame, list=", ".join(nouns), either=listed(nouns, "or", voice.rng)),
    )


def systems_review(voice: Voice, part: Part, _own: Sequence[Said]) -> list[Item]:
    """The review of systems: by system on lines, or in a few sentences."""
    by_lines = part.layout == "lines"
    chosen = _denials(
        voice,
        voice.rng.randint(20, 40)
        if voice.style.long
        else voice.rng.randint(6, 16)
        if by_lines
        else voice.rng.randint(3, 9),
    )
    if "silent" in voice.draft.traits:
        return [statement(voice.filled(voice.frame("ros_silent")))]
    if not by_lines:
        some = voice.rng.randint(2, 5)
        return [_denied(voice, part, chosen[at : at + some]) for at in range(0, len(chosen), some)]
    items: list[Item] = []
    for system, labels in background().ros_labels.items():
        nouns = [voice.choose(d.nouns) for d in chosen if d.system == system]
        if nouns:
            values = {"list": ", ".join(nouns), "either": listed(nouns, "or", voice.rng)}
            items.append(
                statement(
                    f"{voice.choose(labels)}: {voice.filled(voice.frame('ros_line'), **values)}",
                ),
            )
    return items


def framed(name: str) -> Block:
    """Return a block that writes one of the closers called ``name``; "-" stands for nothing."""

    def block(voice: Voice, _part: Part, _own: Sequence[Said]) -> list[Item]:
        cc = voice.complaint_phrase()
        usable = [text for text in background().closers[name] if ("{cc}" in text) <= bool(cc)]
        text = voice.filled(voice.choose(usable), **({"cc": cc} if cc else {}))
        return [statement(text)] if text != "-" else []

    return block


BLOCKS: dict[str, Block] = {
    "cc": chief_complaint,
    "opener": opener,
    "story": story,
    "denials": denials,
    "course": course,
    "ros": systems_review,
    "pmh": past_history,
    "psh": surgical_history,
    "meds": medications,
    "allergies": allergies,
    "social": social,
    "family": family,
    "salutation": framed("salutation"),
    "closing": framed("closing"),
    "question": framed("question"),
    "reason": framed("reason"),
}
