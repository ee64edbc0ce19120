"""The blocks of a note that tell a story or list a history: each turns a draft into items."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dxtrace.compose._compile import Said
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, listed, lowered, statement
from dxtrace.knowledge.background import Comorbidity, Denial, background

Block = Callable[[Voice, Part, Sequence[Said]], list[Item]]


def chief_complaint(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """The chief complaint; now and then the only place where its finding stands."""
    said, tag = voice.complaint_of, None
    if said and said.section in ("history_of_present_illness", "chief_complaint") and voice.rng.random() < 0.3:
        voice.said.add(said.id)
        tag = said.id
    items = [statement(voice.filled(voice.complaint.replace("{", "").replace("}", "")), tag)]
    return items + [
        voice.say(said, part) for said in own if said.id not in voice.said and said.section == "chief_complaint"
    ]


def opener(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """The first sentence: who comes, how, and mostly why."""
    texts = background().openers[voice.style.opener]
    values = {"history": _short_history(voice)}
    cc = voice.complaint_phrase() if "reason" not in part.blocks else None
    if cc:
        values["cc"] = cc
    usable = [t for t in texts if ("{cc}" in t) <= bool(cc) and ("{history}" in t) <= bool(values["history"])]
    return [statement(voice.filled(voice.choose(usable), **values))]


def _short_history(voice: Voice) -> str:
    known = [*voice.draft.comorbidities][:3]
    register = "terse" if voice.style.opener in ("telegraphic", "triage", "clerking") else "full"
    names = [voice.names(item.id, register) for item in known]
    if register == "terse":
        return ", ".join(names)
    return listed(names, "and", voice.rng)


def story(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """What brought the patient: findings first, then what is absent and what means nothing, not too orderly."""
    said = [s for s in own if s.id not in voice.said]
    positive = [s for s in said if s.finding or s.neutral]
    negative = [s for s in said if s.negative]
    voice.rng.shuffle(positive)
    positive.sort(key=lambda s: (s.neutral is not None) * voice.rng.random() * 2 + voice.rng.random())
    if negative and voice.rng.random() < 0.35:
        for one in negative:
            positive.insert(voice.rng.randint(min(1, len(positive)), len(positive)), one)
        negative = []
    return [voice.say(s, part) for s in (*positive, *negative)]


def past_history(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Illnesses and whatever else of the past belongs here."""
    return _history(voice, part, own, voice.draft.comorbidities, "pmh")


def surgical_history(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Operations."""
    if not voice.draft.surgeries and (not part.headings or part.blocks[0] != "psh"):
        return []
    return _history(voice, part, own, voice.draft.surgeries, "psh")


def _history(voice: Voice, part: Part, own: Sequence[Said], items: Sequence[Comorbidity], kind: str) -> list[Item]:
    others = [voice.say(s, part) for s in own if s.id not in voice.said]
    if part.layout == "prose":
        names = [voice.names(item.id, "full") for item in items]
        first = [statement(voice.filled(voice.frame(kind), list=listed(names, "and", voice.rng)))] if names else []
        if not names and not others:
            first = [statement(voice.filled(voice.frame(f"{kind}_none")))]
        return first + others
    both = [statement(voice.names(item.id, "terse")) for item in items] + others
    voice.rng.shuffle(both)
    return both or [statement(voice.filled(voice.frame(f"{kind}_none_terse")))]


def medications(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """What the patient takes: for the illnesses besides, and what people with the present one take."""
    rng, draft = voice.rng, voice.draft
    drugs = [rng.choice(item.medications) for item in draft.comorbidities if item.medications and rng.random() < 0.85]
    usual = draft.compiled.knowledge.medications
    drugs += rng.sample(usual, min(len(usual), rng.choice((0, 1, 1, 2, 3))))
    drugs = list({drug.split()[0].lower(): drug for drug in drugs}.values())
    rng.shuffle(drugs)
    if part.layout == "prose":
        if not drugs:
            return [statement(voice.filled(voice.frame("meds_none")))] if rng.random() < 0.5 or part.headings else []
        names = [lowered(drug if rng.random() < 0.5 else drug.split(" ")[0]) for drug in drugs[:6]]
        return [statement(voice.filled(voice.frame("meds"), list=listed(names, "and", rng)))]
    return [statement(voice.filled(drug)) for drug in drugs] or [
        statement(voice.filled(voice.frame("meds_none_terse")))
    ]


def allergies(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Allergies, mostly none."""
    return _some(voice, part, [item.id for item in background().allergies], 1)


def social(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Work, home, habits."""
    draft = voice.draft
    fits = [
        item.id for item in background().social
        if item.age[0] <= draft.age <= item.age[1] and item.sex in (None, "female" if draft.female else "male")
    ]  # fmt: skip
    few = len(part.blocks) > 3
    return [voice.say(s, part) for s in own if s.id not in voice.said] + _some(
        voice, part, fits, 1 if few else voice.rng.randint(1, 4)
    )


def family(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """What runs in the family."""
    items = [voice.say(s, part) for s in own if s.id not in voice.said]
    if items and voice.rng.random() < 0.6:
        return items
    if not items and not part.headings and voice.rng.random() < 0.5:
        return []
    return items + _some(voice, part, [item.id for item in background().family], voice.rng.randint(1, 2))


def _some(voice: Voice, part: Part, ids: Sequence[str], count: int) -> list[Item]:
    allowed = [id for id in ids if id not in voice.draft.hidden]
    return [voice.background(id, part) for id in voice.rng.sample(allowed, min(count, len(allowed)))]


def course(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """What was done on the way: it supports nothing."""
    low, high = voice.style.course
    return _some(voice, part, [item.id for item in background().course], voice.rng.randint(low, high))


def _denials(voice: Voice, count: int) -> list[Denial]:
    free = [d for d in background().ros if d.id not in voice.draft.hidden and d.id not in voice.denied]
    chosen = voice.rng.sample(free, min(count, len(free)))
    voice.denied |= {denial.id for denial in chosen}
    return chosen


def denials(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Symptoms that the patient does not have, in one breath."""
    items = [voice.say(s, part) for s in own if s.id not in voice.said]
    chosen = _denials(voice, voice.rng.randint(*voice.style.denials) if "ros" not in part.blocks else 2)
    return items + ([_denied(voice, part, chosen)] if chosen else [])


def _denied(voice: Voice, part: Part, chosen: Sequence[Denial]) -> Item:
    nouns = [voice.choose(denial.nouns) for denial in chosen]
    terse = voice.register(part) == "terse"
    comma = listed(nouns, "or", voice.rng)
    return statement(
        voice.filled(voice.frame("denials_terse" if terse else "denials"), list=", ".join(nouns), either=comma)
    )


def systems_review(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """The review of systems: by system on lines, or in a few sentences."""
    items = [voice.say(s, part) for s in own if s.id not in voice.said]
    chosen = _denials(voice, voice.rng.randint(6, 18) if part.layout == "lines" else voice.rng.randint(3, 9))
    if part.layout != "lines":
        half = voice.rng.randint(2, 5)
        return items + [_denied(voice, part, chosen[at : at + half]) for at in range(0, len(chosen), half)]
    labels = background().ros_labels
    by_system = {system: [d for d in chosen if d.system == system] for system in labels}
    for system, some in by_system.items():
        if some:
            nouns = [voice.choose(d.nouns) for d in some]
            text = voice.filled(voice.frame("ros_line"), list=", ".join(nouns), either=listed(nouns, "or", voice.rng))
            items.append(statement(f"{voice.choose(labels[system])}: {text}"))
    return items


def framed(name: str) -> Block:
    """Return a block that writes one sentence out of the closers called ``name``."""

    def block(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
        texts = background().closers[name]
        cc = voice.complaint_phrase()
        usable = [text for text in texts if ("{cc}" in text) <= bool(cc)]
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
