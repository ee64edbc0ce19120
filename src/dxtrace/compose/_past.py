"""The blocks of a note that list a history: illnesses, operations, medicines, allergies, habits,
relatives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dxtrace.compose._compile import Said
from dxtrace.compose._medicines import mentions, prescribed
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, bare, listed, lowered, statement
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


def past_history(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Illnesses and whatever else of the past belongs here."""
    return _history(voice, part, own, voice.draft.comorbidities, "pmh")


def surgical_history(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Operations; a note without a part of their own says nothing if there are none."""
    if not voice.draft.surgeries and part.blocks[0] != "psh":
        return []
    if (
        not voice.draft.surgeries
        and not own
        and any(
            re.search(background().operated, text) for text in (*voice.told, *voice.named.values())
        )
    ):
        return []
    return _history(voice, part, own, voice.draft.surgeries, "psh")


def _own(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Say what the case itself has to say in this part."""
    items = [voice.say(said, part) for said in own if said.id not in voice.said]
    return [bare(item, LABEL) for item in items] if part.headings else items


def _history(
    voice: Voice,
    part: Part,
    own: Sequence[Said],
    items: Sequence[Comorbidity],
    kind: str,
) -> list[Item]:
    others = _own(voice, part, own)
    if part.layout == "prose":
        names = [voice.names(item.id, "full") for item in items if item.id not in voice.named]
        first: list[Item] = []
        if names:
            first = [
                statement(voice.filled(voice.frame(kind), list=listed(names, "and", voice.rng))),
            ]
        elif not others and not items:
            first = [statement(voice.filled(voice.frame(f"{kind}_none")))]
        return first + others
    left = [item for item in items if part.headings or item.id not in voice.named]
    both = [statement(voice.names(item.id, "terse")) for item in left] + others
    voice.rng.shuffle(both)
    if items and not both:
        return []
    return both or [statement(voice.filled(voice.frame(f"{kind}_none_terse")))]


def medications(voice: Voice, part: Part, _own: Sequence[Said]) -> list[Item]:
    """What the patient takes: for the illnesses besides, what people with the present one take, and
    small things.
    """
    rng, drugs = voice.rng, prescribed(voice)
    rng.shuffle(drugs)
    if not drugs and any(map(mentions, voice.told)):
        return []
    if part.layout == "prose":
        return _medicines_in_prose(voice, part, drugs)
    if not drugs:
        return [statement(voice.filled(voice.frame("meds_none_terse")))]
    ordered = voice.style.long and rng.random() < 0.6
    return [statement(as_ordered(drug) if ordered else voice.filled(drug)) for drug in drugs]


def _medicines_in_prose(voice: Voice, part: Part, drugs: Sequence[str]) -> list[Item]:
    if not drugs:
        return (
            [statement(voice.filled(voice.frame("meds_none")))]
            if part.headings or voice.rng.random() < 0.5
            else []
        )
    doses = voice.rng.random() < 0.4
    names = [lowered(drug if doses else re.split(r" \d", drug)[0]) for drug in drugs[:7]]
    return [statement(voice.filled(voice.frame("meds"), list=listed(names, "and", voice.rng)))]


def as_ordered(drug: str) -> str:
    """Return a medicine as a hospital's list prints it: "Lisinopril 10 mg PO DAILY", "Lidocaine
    patch 5% TD DAILY".
    """
    routes = background().routes.items()
    by = next((route for route, words in routes if re.search(words, drug, re.IGNORECASE)), "PO")
    for pattern, ordered in _ORDERS:
        drug = pattern.sub(ordered.format(by=by), drug)
    return drug[0].upper() + drug[1:]


def allergies(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Allergies, mostly none."""
    if own:
        return _own(voice, part, own)
    choices = background().allergies
    none = voice.rng.random() < 0.6
    return some_of(voice, part, [item for item in choices if item.alone] if none else choices, 1)


def social(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Work, home, habits."""
    few = len(part.blocks) > 3
    count = 1 if few else voice.rng.randint(4, 9) if voice.style.long else voice.rng.randint(1, 4)
    return _own(voice, part, own) + some_of(voice, part, background().social, count)


def family(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """What runs in the family; a note without a part for it often says nothing."""
    items = _own(voice, part, own)
    if voice.rng.random() < (0.6 if items else 0.0 if part.headings else 0.5):
        return items
    return items + some_of(
        voice,
        part,
        background().family,
        voice.rng.randint(1, 3),
        beside=bool(items),
    )


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
    allowed = [
        item
        for item in choices
        if voice.draft.permits(item) and not (beside and (item.alone or item.group))
    ]
    chosen: list[Statement] = []
    for item in voice.rng.sample(allowed, len(allowed)):
        if len(chosen) >= count or (chosen and chosen[0].alone):
            break
        groups = {other.group for other in chosen if other.group}
        if not (chosen and item.alone) and item.group not in groups:
            chosen.append(item)
    return [voice.background(item.id, part) for item in chosen]
