"""The blocks of a note that tell a story: each turns a draft into items.

``_past`` has those that list a history.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dxtrace.compose._compile import CaseStatement
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
from dxtrace.compose._write import Item, Piece, bare, item_from, listed
from dxtrace.knowledge.background import Denial, background
from dxtrace.knowledge.wordings import Register

Block = Callable[[Voice, Part, Sequence[CaseStatement]], list[Item]]

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

#: Share of complaints on a finding that stands nowhere else in the note.
_ONLY_AS_COMPLAINT = 0.3

#: Share of notes that open with a finding whose wording presents the patient.
_OPENED_BY_FINDING = 0.35

#: Share of findings on age or sex that are not quoted from the opening.
_AGE_NOT_QUOTED = 0.3

#: Share of stories with what is absent among what is found, as patients tell it.
_MIXED_NEGATIVES = 0.35

#: Sentences linked to the one before, and those of them linked by a connective ("Of note, ...").
_LINKED = 0.3
_CONNECTED = 0.14

#: Linked sentences are shorter than this, in characters.
_LINKABLE = 90


def chief_complaint(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """The chief complaint; now and then the only place where its finding stands."""
    complaint = voice.complaint_of
    tag = None
    story = ("history_of_present_illness", "chief_complaint")
    of_story = complaint is not None and complaint.section in story
    if complaint and of_story and voice.rng.random() < _ONLY_AS_COMPLAINT:
        voice.stated_ids.add(complaint.id)
        tag = complaint.id
    items = [item_from(voice.typed(voice.complaint), tag)]
    more = []
    for statement in own:
        if statement.id not in voice.stated_ids and statement.section == "chief_complaint":
            more.append(statement)
    for statement in more:
        items.append(voice.say(statement, part))
    return items


def opener(voice: Voice, _part: Part, _own: Sequence[CaseStatement]) -> list[Item]:
    """The first sentence: who comes, how, and mostly why."""
    presenting: list[CaseStatement] = []
    for statement in voice.draft.findings:
        if statement.openings[voice.draft.side] and statement.id not in voice.stated_ids:
            presenting.append(statement)
    if presenting and voice.rng.random() < _OPENED_BY_FINDING:
        return [voice.open_with(presenting[0])]
    complaint = voice.complaint_phrase() or ""
    text = voice.choose(voice.suiting(_usable_openers(voice, complaint)))
    history = ""
    if "{history}" in text:
        history = _short_history(voice)
    return [_with_age(voice, voice.filled(text, cc=complaint, history=history))]


def _usable_openers(voice: Voice, complaint: str) -> list[str]:
    """Return the openers of the style whose placeholders can be filled, none rushed to a routine
    visit.
    """
    texts: list[str] = []
    for text in background().openers[voice.style.opener]:
        if "{cc}" in text and not complaint:
            continue
        if "{history}" in text and not voice.draft.comorbidities:
            continue
        texts.append(text)
    if not re.search(background().unhurried, voice.complaint, re.IGNORECASE):
        return texts
    calm = []
    for text in texts:
        if not re.search(background().hurried, text):
            calm.append(text)
    return calm or texts


def _with_age(voice: Voice, text: str) -> Item:
    """Return the opening; where age or sex is itself a finding, it may be quoted from here
    ("82-year-old woman").
    """
    item = item_from(text)
    telling = []
    for statement in voice.draft.findings:
        if statement.by_age and statement.id not in voice.stated_ids:
            telling.append(statement)
    found = _AGE.search(text)
    if not telling or not found or voice.rng.random() < _AGE_NOT_QUOTED:
        return item
    tag = telling[0].id
    voice.stated_ids.add(tag)
    pieces: list[Piece] = [
        (text[: found.start()], None),
        (found[0], tag),
        (text[found.end() :], None),
    ]
    shown = []
    for piece in pieces:
        if piece[0]:
            shown.append(piece)
    return Item(tuple(shown), item.sentence)


def _short_history(voice: Voice) -> str:
    """Return one to three illnesses besides, the weightier first, as an opening sentence names
    them.
    """
    # The background lists illnesses by weight.
    order = [item.id for item in background().comorbidities]
    known = sorted(voice.draft.comorbidities, key=lambda item: order.index(item.id))
    terse = voice.style.opener in ("telegraphic", "triage", "clerking")
    register: Register = "terse" if terse else "full"
    names: list[str] = []
    for item in known[: voice.rng.randint(1, 3)]:
        names.append(voice.names(item.id, register).removeprefix("h/o "))
    if terse:
        return ", ".join(names)
    return listed(names, "and", voice.rng)


def story(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """What brought the patient: findings first, then what is absent and what means nothing, not too
    orderly.
    """
    rng = voice.rng
    waiting = [statement for statement in own if statement.id not in voice.stated_ids]
    told = [statement for statement in waiting if not statement.negative]
    absent = [statement for statement in waiting if statement.negative]
    rng.shuffle(told)

    def lateness(statement: CaseStatement) -> float:
        # What means nothing tends to come late, but not always.
        delay = (statement.neutral is not None) * rng.random() * 2
        return delay + rng.random()

    told.sort(key=lateness)
    if absent and rng.random() < _MIXED_NEGATIVES:
        for statement in absent:
            told.insert(rng.randint(min(1, len(told)), len(told)), statement)
    else:
        told += absent
    items = [bare(voice.say(statement, part), LABEL) for statement in told]
    if part.layout == "prose":
        return _linked(voice, items)
    return items


def _linked(voice: Voice, items: Sequence[Item]) -> list[Item]:
    """Link some sentences: "Of note, ...", or two in one.

    What may be quoted stays what it was, but for a capital.
    """
    linked: list[Item] = []
    for item in items:
        roll = voice.rng.random()
        if not linked or roll > _LINKED or not _can_follow(item):
            linked.append(item)
        elif roll < _CONNECTED:
            connective: Piece = (voice.connective(), None)
            linked.append(_after((connective,), item))
        elif _can_join(linked[-1], item):
            joint: Piece = (voice.rng.choice((", and ", "; ", "; ")), None)
            without_stop = linked[-1].pieces[:-1]
            linked[-1] = _after((*without_stop, joint), item)
        else:
            linked.append(item)
    return linked


def _can_follow(item: Item) -> bool:
    first_word = item.pieces[0][0].split(" ", 1)[0]
    return item.sentence and first_word in _PLAIN and '"' not in item.text


def _can_join(before: Item, item: Item) -> bool:
    if before.pieces[-1][0] != "." or ";" in before.text:
        return False
    return max(len(before.text), len(item.text)) < _LINKABLE


def _after(before: tuple[Piece, ...], item: Item) -> Item:
    text = item.pieces[0][0]
    item = item.beginning_with(text[0].lower() + text[1:])
    return Item((*before, *item.pieces), item.sentence)


def course(voice: Voice, part: Part, _own: Sequence[CaseStatement]) -> list[Item]:
    """What was done on the way: it supports nothing."""
    low, high = voice.style.course
    return some_of(voice, part, background().course, voice.rng.randint(low, high))


def _denials(voice: Voice, count: int) -> list[Denial]:
    taken = voice.draft.hidden | voice.denied
    free = []
    for denial in background().ros:
        if denial.id not in taken:
            free.append(denial)
    chosen = voice.rng.sample(free, min(count, len(free)))
    voice.denied |= {denial.id for denial in chosen}
    return chosen


def denials(voice: Voice, part: Part, _own: Sequence[CaseStatement]) -> list[Item]:
    """Symptoms that the patient does not have, in one breath."""
    if "silent" in voice.draft.traits:
        return []
    # A review of systems in the same part denies the rest.
    count = 2
    if "ros" not in part.blocks:
        count = voice.rng.randint(*voice.style.denials)
    chosen = _denials(voice, count)
    if not chosen:
        return []
    return [_denied(voice, part, chosen)]


def _denied(voice: Voice, part: Part, chosen: Sequence[Denial]) -> Item:
    nouns = []
    for denial in chosen:
        nouns.append(voice.choose(denial.nouns))
    if voice.register(part) != "terse":
        name = "denials"
    elif "ros" in part.blocks:
        name = "ros_terse"
    else:
        name = "denials_terse"
    frame = voice.frame(name)
    if "no {either}" in frame or "No {list}" in frame:
        nouns = [re.sub(r"^an? ", "", noun) for noun in nouns]
    return item_from(voice.filled(frame, **_lists(voice, nouns)))


def _lists(voice: Voice, nouns: Sequence[str]) -> dict[str, str]:
    """Return what is denied, as the frames of denials take it."""
    return {
        "list": ", ".join(nouns),
        "either": listed(nouns, "or", voice.rng),
    }


def systems_review(voice: Voice, part: Part, _own: Sequence[CaseStatement]) -> list[Item]:
    """The review of systems: by system on lines, or in a few sentences."""
    if voice.style.long:
        count = voice.rng.randint(20, 40)
    elif part.layout == "lines":
        count = voice.rng.randint(6, 16)
    else:
        count = voice.rng.randint(3, 9)
    chosen = _denials(voice, count)
    if "silent" in voice.draft.traits:
        return [item_from(voice.filled(voice.frame("ros_silent")))]
    if part.layout == "lines":
        return _review_by_line(voice, chosen)
    items: list[Item] = []
    some = voice.rng.randint(2, 5)
    for start in range(0, len(chosen), some):
        items.append(_denied(voice, part, chosen[start : start + some]))
    return items


def _review_by_line(voice: Voice, chosen: Sequence[Denial]) -> list[Item]:
    items: list[Item] = []
    for system, labels in background().ros_labels.items():
        nouns = []
        for denial in chosen:
            if denial.system == system:
                nouns.append(voice.choose(denial.nouns))
        if not nouns:
            continue
        lists = _lists(voice, nouns)
        label = voice.choose(labels)
        line = voice.filled(voice.frame("ros_line"), **lists)
        items.append(item_from(f"{label}: {line}"))
    return items


def framed(name: str) -> Block:
    """Return a block that writes one of the closers called ``name``; "-" stands for nothing."""

    def block(voice: Voice, _part: Part, _own: Sequence[CaseStatement]) -> list[Item]:
        complaint = voice.complaint_phrase() or ""
        usable = [text for text in background().closers[name] if complaint or "{cc}" not in text]
        text = voice.filled(voice.choose(usable), cc=complaint)
        if text == "-":
            return []
        return [item_from(text)]

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
