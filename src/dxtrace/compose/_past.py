"""The blocks of a note that list a history: illnesses, operations, medicines, allergies, habits,
relatives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dxtrace.compose._compile import CaseStatement
from dxtrace.compose._medicines import mentions, prescribed
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, bare, item_from, listed, lowered
from dxtrace.knowledge.background import Comorbidity, Statement, background

#: How a fragment says to which part of a note it belongs; under that part's heading it is left out.
LABEL = re.compile(
    r"(?:PMHx?|PSHx?|SHx?|SocHx|FHx?|[Ff]am(?:ily)? ?[Hh]x)\s*(?::|-|of)?\s+"
    r"|(?:Social|Family|Past medical) history:\s+",
)

#: How a hospital's list of medicines abbreviates.
_ORDERS = tuple(
    (re.compile(rf"\b(?:{plain})"), ordered)
    for plain, ordered in (
        ("(?:by mouth|inhaled|each nostril) ", ""),
        ("once daily", "daily"),
        ("twice daily", "BID"),
        ("three times daily", "{by} TID"),
        ("BID", "{by} BID"),
        ("every morning", "{by} QAM"),
        ("daily", "{by} DAILY"),
        ("nightly|at bedtime|at night", "{by} QHS"),
        ("as needed", "PRN"),
        ("weekly", "{by} QWEEK"),
    )
)


#: Share of long notes that print medicines as a hospital orders them ("Lisinopril 10 mg PO DAILY").
_ORDERED_LIST = 0.6

#: Medicines in prose: shares of notes that give doses, and that say so where there are none; and
#: how many a sentence lists at most.
_DOSES_IN_PROSE = 0.4
_SAYS_NO_MEDICINES = 0.5
_MOST_IN_PROSE = 7

#: Share of patients without an allergy among notes that speak of allergies.
_NO_ALLERGY = 0.6

#: A part of more blocks than this has room for one habit only.
_ROOMY_PART = 3

#: Shares of notes silent on relatives: with a finding on one, and without a part for them.
_NO_OTHER_RELATIVES = 0.6
_NO_RELATIVES = 0.5


def past_history(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """Illnesses and whatever else of the past belongs here."""
    return _history(voice, part, own, voice.draft.comorbidities, "pmh")


def surgical_history(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """Operations; a note without a part of their own says nothing if there are none."""
    if not voice.draft.surgeries:
        if part.blocks[0] != "psh":
            return []
        # The story may tell of an operation, and "no operations" would then be false.
        if not own and _tells_of_operation(voice):
            return []
    return _history(voice, part, own, voice.draft.surgeries, "psh")


def _tells_of_operation(voice: Voice) -> bool:
    written = (*voice.told, *voice.named.values())
    return any(re.search(background().operated, text) for text in written)


def _own(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """Say what the case itself has to say in this part."""
    items = []
    for statement in own:
        if statement.id not in voice.stated_ids:
            items.append(voice.say(statement, part))
    if part.headings:
        return [bare(item, LABEL) for item in items]
    return items


def _frame(voice: Voice, name: str, **values: str) -> Item:
    """Return one of the frames called ``name``, filled."""
    return item_from(voice.filled(voice.frame(name), **values))


def _history(
    voice: Voice,
    part: Part,
    own: Sequence[CaseStatement],
    items: Sequence[Comorbidity],
    kind: str,
) -> list[Item]:
    others = _own(voice, part, own)
    if part.layout == "prose":
        return _history_in_prose(voice, items, others, kind)
    listing: list[Item] = []
    for item in items:
        if part.headings or item.id not in voice.named:
            listing.append(item_from(voice.names(item.id, "terse")))
    listing += others
    voice.rng.shuffle(listing)
    if not listing and not items:
        listing.append(_frame(voice, f"{kind}_none_terse"))
    return listing


def _history_in_prose(
    voice: Voice,
    items: Sequence[Comorbidity],
    others: list[Item],
    kind: str,
) -> list[Item]:
    names: list[str] = []
    for item in items:
        if item.id not in voice.named:
            names.append(voice.names(item.id, "full"))
    if names:
        # The frame is chosen before the names are joined: both draw from one generator.
        frame = voice.frame(kind)
        joined = listed(names, "and", voice.rng)
        return [item_from(voice.filled(frame, list=joined)), *others]
    if not others and not items:
        return [_frame(voice, f"{kind}_none")]
    return others


def medications(voice: Voice, part: Part, _own: Sequence[CaseStatement]) -> list[Item]:
    """What the patient takes: for the illnesses besides, what people with the present one take, and
    small things.
    """
    rng = voice.rng
    drugs = prescribed(voice)
    rng.shuffle(drugs)
    if not drugs and any(map(mentions, voice.told)):
        return []
    if part.layout == "prose":
        return _medicines_in_prose(voice, part, drugs)
    if not drugs:
        return [_frame(voice, "meds_none_terse")]
    if voice.style.long and rng.random() < _ORDERED_LIST:
        return [item_from(as_ordered(drug)) for drug in drugs]
    medications = []
    for drug in drugs:
        medications.append(item_from(voice.filled(drug)))
    return medications


def _medicines_in_prose(voice: Voice, part: Part, drugs: Sequence[str]) -> list[Item]:
    if not drugs:
        if part.headings or voice.rng.random() < _SAYS_NO_MEDICINES:
            return [_frame(voice, "meds_none")]
        return []
    with_doses = voice.rng.random() < _DOSES_IN_PROSE
    names: list[str] = []
    for drug in drugs[:_MOST_IN_PROSE]:
        if not with_doses:
            drug = re.split(r" \d", drug)[0]
        names.append(lowered(drug))
    frame = voice.frame("meds")
    joined = listed(names, "and", voice.rng)
    return [item_from(voice.filled(frame, list=joined))]


def as_ordered(drug: str) -> str:
    """Return a medicine as a hospital's list prints it: "Lisinopril 10 mg PO DAILY", "Lidocaine
    patch 5% TD DAILY".
    """
    by = _route(drug)
    for pattern, ordered in _ORDERS:
        drug = pattern.sub(ordered.format(by=by), drug)
    return drug[0].upper() + drug[1:]


def _route(drug: str) -> str:
    """Return by which route a medicine is given, as orders abbreviate it; by mouth unless said."""
    for route, words in background().routes.items():
        if re.search(words, drug, re.IGNORECASE):
            return route
    return "PO"


def allergies(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """Allergies, mostly none."""
    if own:
        return _own(voice, part, own)
    choices: Sequence[Statement] = background().allergies
    if voice.rng.random() < _NO_ALLERGY:
        choices = [item for item in choices if item.alone]
    return some_of(voice, part, choices, 1)


def social(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """Work, home, habits."""
    if len(part.blocks) > _ROOMY_PART:
        count = 1
    elif voice.style.long:
        count = voice.rng.randint(4, 9)
    else:
        count = voice.rng.randint(1, 4)
    return _own(voice, part, own) + some_of(voice, part, background().social, count)


def family(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """What runs in the family; a note without a part for it often says nothing."""
    items = _own(voice, part, own)
    if items:
        silent = _NO_OTHER_RELATIVES
    elif part.headings:
        silent = 0.0
    else:
        silent = _NO_RELATIVES
    if voice.rng.random() < silent:
        return items
    count = voice.rng.randint(1, 3)
    return items + some_of(voice, part, background().family, count, beside=bool(items))


def some_of(
    voice: Voice,
    part: Part,
    choices: Sequence[Statement],
    count: int,
    beside: bool = False,
) -> list[Item]:
    """Make up to ``count`` of the statements that are true of the patient; ``beside``: the case's
    own are there.
    """
    allowed: list[Statement] = []
    for item in choices:
        repeats = beside and bool(item.alone or item.group)
        if voice.draft.allows_statement(item) and not repeats:
            allowed.append(item)
    chosen: list[Statement] = []
    for item in voice.rng.sample(allowed, len(allowed)):
        if len(chosen) >= count or (chosen and chosen[0].alone):
            break
        groups = set()
        for other in chosen:
            if other.group:
                groups.add(other.group)
        joins = not chosen or not item.alone
        if joins and item.group not in groups:
            chosen.append(item)
    texts = []
    for item in chosen:
        texts.append(voice.background(item.id, part))
    return texts
