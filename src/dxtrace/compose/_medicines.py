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

_OFTEN = {
    "qd": "daily",
    "twice a day": "twice daily",
    "three times a day": "three times daily",
}

#: Share of illnesses with medicines that are treated, where the note does not say.
_TREATED = 0.95

#: A first word of up to so many letters does not name a medicine in a sentence.
_SHORT_STEM = 6

_SENTENCES = re.compile(r"(?<=[.;!?])\s+")


def prescribed(voice: Voice) -> list[str]:
    """Return what the patient takes: for the illnesses besides, what people with the present one
    take, small things.
    """
    rng = voice.rng
    draft = voice.draft
    named = _named(voice.told)
    drugs = list(named)
    for item in draft.comorbidities:
        if not item.medications:
            continue
        told = voice.named.get(item.id, "")
        fitting = []
        for drug in item.medications:
            if _stem(drug) in told.lower():
                fitting.append(drug)
        if fitting or mentions(told) or rng.random() < _TREATED:
            drugs.append(rng.choice(fitting or item.medications))
    usual = draft.compiled.knowledge.medications
    count = min(len(usual), rng.choice((0, 1, 1, 2, 3)))
    drugs += rng.sample(usual, count)
    if voice.style.long:
        drugs += rng.sample(background().drugs, rng.randint(2, 12))
    return _one_of_a_class(voice, drugs, len(named))


def mentions(text: str) -> bool:
    """True if the text says that medicines are taken."""
    if _pattern(background().medicated).search(text):
        return True
    return bool(classes_of(text))


def _named(texts: Iterable[str]) -> list[str]:
    """Return the medicines that the note so far says are taken, as a list would give them."""
    found: dict[str, str] = {}
    refused = _pattern(background().unmedicated)
    for text in texts:
        for sentence in _SENTENCES.split(text):
            if not _ENDED.search(sentence):
                for name, dose, often in _DOSED.findall(sentence):
                    often = _OFTEN.get(often, often)
                    found.setdefault(name.lower(), f"{name.lower()} {dose} {often}")
            if refused.search(sentence):
                continue
            mentioned = _by_name(sentence) or _by_class(sentence)
            for key, drug in mentioned.items():
                found.setdefault(key, drug)
    return list(found.values())


def _by_name(sentence: str) -> dict[str, str]:
    """Return the medicines that a sentence names, by their first word."""
    mentioned: dict[str, str] = {}
    for stem, drug in _formulary().items():
        if stem in sentence.lower():
            mentioned[stem] = drug
    return mentioned


def _by_class(sentence: str) -> dict[str, str]:
    """Return an example of each class that a sentence names as patients do ("a water pill")."""
    mentioned: dict[str, str] = {}
    for drug_class in _classes():
        if drug_class.lay and _pattern(drug_class.lay).search(sentence):
            mentioned[drug_class.id] = drug_class.example
    return mentioned


def _one_of_a_class(voice: Voice, drugs: Sequence[str], sure: int) -> list[str]:
    """Keep the first of each class; what the note names itself (the first ``sure``) stays whatever
    the illnesses.
    """
    illnesses = set()
    for item in voice.draft.comorbidities:
        illnesses.add(item.id)
    category = voice.draft.compiled.category.name
    taken: set[str] = set()
    chosen: list[str] = []
    for number, drug in enumerate(drugs):
        ids = {drug_class.id for drug_class in classes_of(drug)} or {_stem(drug)}
        if ids & taken:
            continue
        if number < sure or not _clashes(drug, ids, taken, illnesses, category):
            taken |= ids
            chosen.append(drug)
    return chosen


def _clashes(
    drug: str,
    ids: set[str],
    taken: set[str],
    illnesses: set[str],
    category: str,
) -> bool:
    """True if a medicine does not go with the illnesses, or with a class that is taken; either of
    two classes may name the other.
    """
    for drug_class in classes_of(drug):
        if category in drug_class.never_with:
            return True
        if set(drug_class.never_beside) & (taken | illnesses):
            return True
    others = []
    for drug_class in _classes():
        if drug_class.id in taken:
            others.append(drug_class)
    return any(ids & set(other.never_beside) for other in others)


@cache
def classes_of(drug: str) -> tuple[DrugClass, ...]:
    """Return the classes that a medicine belongs to."""
    classes = []
    for c in _classes():
        if _pattern(c.names).search(drug):
            classes.append(c)
    return tuple(classes)


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
    every = [*background().formulary]
    for item in background().comorbidities:
        every += item.medications
    formulary: dict[str, str] = {}
    for drug in reversed(every):
        stem = _stem(drug)
        # Short first words ("iron") are words of other things too.
        if len(stem) > _SHORT_STEM and classes_of(drug):
            formulary[stem] = drug
    return formulary
