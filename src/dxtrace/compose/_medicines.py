"""The medicines of one patient: one of a class, none that does not go with the illnesses, all that
the note names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from dxtrace.compose._voice import Voice
from dxtrace.knowledge.background import DrugClass, background

#: A medicine with its dose and how often it is taken, and words by which a sentence says that it is
#: no longer taken.
_DOSED = re.compile(
    r"\b([A-Za-z][a-z]{5,}) (\d+(?:\.\d+)? (?:mg|mcg)) "
    r"(daily|nightly|weekly|once daily|twice daily|twice a day|three times a day|BID|TID|qd)\b",
)
_ENDED = re.compile(
    r"(?i)\b(?:stopped|quit|discontinued|ran out|finished|courses?|previous|until|denie\w+|not|never|started|gave|given"
    r"|paramedics?|mother|father|sister|brother|wife|husband)\b",
)

_OFTEN = {"qd": "daily", "twice a day": "twice daily", "three times a day": "three times daily"}

_SENTENCES = re.compile(r"(?<=[.;!?])\s+")


def prescribed(voice: Voice) -> list[str]:
    """Return what the patient takes: for the illnesses besides, what people with the present one
    take, small things.
    """
    rng, draft = voice.rng, voice.draft
    named = _named(voice.told)
    drugs: list[str] = []
    for item in draft.comorbidities:
        told = voice.named.get(item.id, "")
        fitting = [drug for drug in item.medications if _stem(drug) in told.lower()]
        if item.medications and (fitting or mentions(told) or rng.random() < 0.95):
            drugs.append(rng.choice(fitting or item.medications))
    drugs = [*named, *drugs]
    usual = draft.compiled.knowledge.medications
    drugs += rng.sample(usual, min(len(usual), rng.choice((0, 1, 1, 2, 3))))
    if voice.style.long:
        drugs += rng.sample(background().drugs, rng.randint(2, 12))
    return _one_of_a_class(voice, drugs, len(named))


def mentions(text: str) -> bool:
    """True if the text says that medicines are taken."""
    return bool(
        _pattern(background().medicated).search(text)
        or any(_pattern(c.names).search(text) for c in _classes()),
    )


def _named(texts: Iterable[str]) -> list[str]:
    """Return the medicines that the note so far says are taken, as a list would give them."""
    found: dict[str, str] = {}
    refused = _pattern(background().unmedicated)
    for text in texts:
        for sentence in _SENTENCES.split(text):
            if not _ENDED.search(sentence):
                for name, dose, often in _DOSED.findall(sentence):
                    found.setdefault(
                        name.lower(),
                        f"{name.lower()} {dose} {_OFTEN.get(often, often)}",
                    )
            if refused.search(sentence):
                continue
            by_name = {
                stem: drug for stem, drug in _formulary().items() if stem in sentence.lower()
            }
            by_kind = {
                c.id: c.example for c in _classes() if c.lay and _pattern(c.lay).search(sentence)
            }
            for key, drug in (by_name or by_kind).items():
                found.setdefault(key, drug)
    return list(found.values())


def _one_of_a_class(voice: Voice, drugs: Sequence[str], sure: int) -> list[str]:
    """Keep the first of each class; what the note names itself (the first ``sure``) stays whatever
    the illnesses.
    """
    present, category = (
        {item.id for item in voice.draft.comorbidities},
        voice.draft.compiled.category.name,
    )
    taken: set[str] = set()
    chosen: list[str] = []
    for number, drug in enumerate(drugs):
        classes = classes_of(drug)
        ids = {c.id for c in classes} or {_stem(drug)}
        avoided = {other for c in classes for other in c.never_beside}
        clash = bool(avoided & (taken | present)) or any(category in c.never_with for c in classes)
        clash = clash or any(c.id in taken and ids & set(c.never_beside) for c in _classes())
        if not ids & taken and (number < sure or not clash):
            taken |= ids
            chosen.append(drug)
    return chosen


@cache
def classes_of(drug: str) -> tuple[DrugClass, ...]:
    """Return the classes that a medicine belongs to."""
    return tuple(c for c in _classes() if _pattern(c.names).search(drug))


def _classes() -> tuple[DrugClass, ...]:
    return background().drug_classes


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _stem(drug: str) -> str:
    return drug.split()[0].split("/")[0].lower()


@cache
def _formulary() -> dict[str, str]:
    """Return, by its first word, how a list gives each medicine of the background."""
    every = [drug for item in background().comorbidities for drug in item.medications]
    every = [*background().formulary, *every]
    return {
        _stem(drug): drug for drug in reversed(every) if len(_stem(drug)) > 6 and classes_of(drug)
    }
