"""Cases and readings as the page's script takes them: the JSON form of a result, with the sections
of its note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dxtrace.chain import Chain, Differential, ModelInfo
from dxtrace.errors import InputError
from dxtrace.findings.weights import weight_of
from dxtrace.knowledge.taxonomy import Category, Node, Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.sections import find_sections
from dxtrace.view._trust import trust_in

#: At most this many chains are compared on one note.
MAX_READINGS = 3

#: Diagnoses of a differential that a library keeps for each answer.
SHORT_DIFFERENTIAL = 10

#: Steps for each alternative that a library keeps.
SHORT_ALTERNATIVE = 4

#: Fields of a differential's entry that are probabilities.
_SHARES = ("probability", "model", "findings")

#: Words of a note that is long, and of one that is short, for the difficulty of a case.
LONG_NOTE, SHORT_NOTE = 300, 200

REFERENCE = "Reference"

_TITLE_CHARACTERS = 90

_SEXES = {
    "m": "man", "man": "man", "male": "man", "gentleman": "man", "he": "man", "his": "man", "mr": "man", "boy": "boy",
    "f": "woman", "woman": "woman", "female": "woman", "lady": "woman", "she": "woman", "her": "woman", "mrs": "woman",
    "ms": "woman", "girl": "girl",
}  # fmt: skip

#: "71M", "63 yo F", "86 year old woman", "a 9-month-old boy", "aged 40 years", "a man of 44 years".
_PERSON = re.compile(
    r"\b(?:(?P<first>man|woman|boy|girl)(?:,| of| aged) +)?(?:aged +)?(?P<age>\d{1,3})(?:"
    r"(?=[MFmf]\b)"
    r"|[ -]?(?P<unit>years?|yrs?|y|months?|mo)\.?[ /-]?(?:old|o)\b"
    r"|(?:(?<=aged \d\d)|(?<=man of \d\d)|(?<=man, \d\d)) years)"
    r"[ ,-]*(?P<sex>man|woman|male|female|gentleman|lady|boy|girl|[MF]\b)?",
    re.IGNORECASE,
)

_SEX = re.compile(
    r"\b(?:man|woman|male|female|gentleman|lady|boy|girl|mrs?|ms|he|she|his|her)\b", re.I
)


@dataclass(frozen=True)
class Reading:
    """One chain on a note, who it is by, and whether it is the reference (a physician's or the
    corpus's own).
    """

    chain: Chain
    label: str
    reference: bool = False


@dataclass(frozen=True)
class ViewCase:
    """A case on a page with one to three readings of its note.

    Raises:
        InputError: no reading, too many, or one of another note.
    """

    case: Case
    readings: tuple[Reading, ...]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def credentialed(self) -> bool:
        """Whether the note, or a model that answered it, is under a credentialed-use agreement."""
        if self.tags.get("credentialed") == "true":
            return True
        return any(reading.chain.model.credentialed for reading in self.readings)

    def __post_init__(self) -> None:
        if not 1 <= len(self.readings) <= MAX_READINGS:
            raise InputError(
                f"case {self.case.id!r}: a page shows 1 to {MAX_READINGS} answers on a note, not {len(self.readings)}",
            )
        if any(reading.chain.note != self.case.note for reading in self.readings):
            raise InputError(
                f"case {self.case.id!r}: its answers are on different notes and cannot be compared",
            )

    @classmethod
    def of_chains(cls, *readings: Reading, tags: Mapping[str, str] | None = None) -> ViewCase:
        """Make a case of chains on one note; its sections are found in the note."""
        if not readings:
            raise InputError("a page needs at least one answer")
        chain = readings[0].chain
        case = Case(chain.note, tuple(find_sections(chain.note)), chain.id)
        return cls(case, readings, tags or {})

    @classmethod
    def of_annotated(cls, annotated: AnnotatedCase) -> ViewCase:
        """Make a case of an annotated case; its gold chain is the reference.

        Raises:
            InputError: the case has no annotation.
        """
        if annotated.gold is None:
            raise InputError(f"case {annotated.id!r} has no annotation to show")
        return cls(
            annotated.case,
            (Reading(annotated.gold, REFERENCE, reference=True),),
            annotated.tags,
        )


def reading_of(chain: Chain) -> Reading:
    """Return a chain as a reading by its model."""
    return Reading(chain, label_of(chain.model) or "Model")


def label_of(model: ModelInfo) -> str:
    """Return what a model is called on a page: a base and its own adapter are named once."""
    base, plus, adapter = model.name.partition(" + ")
    if plus and adapter == base:
        return f"{base} with its adapter"
    return model.name


def title_of(case: Case) -> str:
    """Return what a case is called in a list: its complaint, or how its note begins.

    It never holds the diagnosis, and no heading of the note.
    """
    text = case.text_of("chief_complaint")
    if not text:
        first = case.sections[0]
        text = case.note[first.start : first.end]
    words = " ".join(re.sub(r"[#*>|]+|_{2,}", " ", text).split())
    if len(words) <= _TITLE_CHARACTERS:
        return words
    return words[:_TITLE_CHARACTERS].rsplit(" ", 1)[0].rstrip(".,;:…") + "…"


def about_of(case: Case) -> str:
    """Return whom a note is about and how long it is: ``86-year-old woman, 240 words``."""
    words = len(case.note.split())
    who = person_of(case.note)
    if who:
        return f"{who}, {words} words"
    return f"{words} words"


def person_of(note: str) -> str:
    """Return age and sex of the patient as the note says them first; empty where it does not."""
    found = _PERSON.search(note)
    if found is None:
        return ""
    age, unit, sex = found["age"], found["unit"] or "", found["first"] or found["sex"] or ""
    named = _SEXES.get(sex.lower(), "")
    if not named:
        before = note[max(0, found.start() - 40) : found.start()]
        near = _SEX.search(before) or _SEX.search(note, found.end(), found.end() + 120)
        if near:
            named = _SEXES[near[0].lower()]
        else:
            named = "patient"
    if unit.lower().startswith("m"):
        old = "month"
    else:
        old = "year"
    return f"{age}-{old}-old {named}"


def case_json(found: ViewCase, short: bool = False, answers: bool = True) -> dict[str, Any]:
    """Return a case as the page's script takes it.

    Args:
        found: the case.
        short: keep the head of each differential only.
        answers: hold the readings too.
    """
    readings = []
    if answers:
        for reading in found.readings:
            readings.append(_reading_json(reading, short))
    return {
        "id": found.case.id,
        "title": title_of(found.case),
        "note": found.case.note,
        "sections": [vars(section) for section in found.case.sections],
        "readings": readings,
    }


def entry_json(found: ViewCase) -> dict[str, Any]:
    """Return a case's line in the list of a library."""
    chain = found.readings[0].chain
    style = found.tags.get("style", "")
    return {
        "id": found.case.id,
        **front_json(found),
        "diagnosis": chain.headline,
        "category": chain.category,
        "labels": [reading.label for reading in found.readings],
        "tags": [style] if style else [],
        "probability": _least_probability(found),
    }


def _least_probability(found: ViewCase) -> float | None:
    """Return the least probability that an answer gives its own diagnosis; None where none says."""
    given = []
    for reading in found.readings:
        for entry in reading.chain.differential.entries:
            if entry.diagnosis == reading.chain.diagnosis:
                given.append(float(f"{entry.probability:.4g}"))
    return min(given, default=None)


def front_json(found: ViewCase) -> dict[str, Any]:
    """Return what may be told of a case before it is solved: complaint, person, length, difficulty and
    specialty.
    """
    category = Taxonomy.default().get_category(found.readings[0].chain.category)
    return {
        "title": title_of(found.case),
        "person": person_of(found.case.note),
        "words": len(found.case.note.split()),
        "level": _level_of(found),
        "specialty": category.specialty if category else "",
    }


def _level_of(found: ViewCase) -> int:
    """Return how hard a case is, from 1 to 3: long notes are harder, and those with little strong evidence."""
    strong = 0
    for step in found.readings[0].chain.steps:
        weight = step.weight
        if weight is None and step.premise is not None:
            weight = weight_of(step.premise.id)
        strong += weight == "strong"
    words = len(found.case.note.split())
    level = 2 + (words > LONG_NOTE) - (words < SHORT_NOTE) + (strong < 3) - (strong > 4)
    return max(1, min(3, level))


def catalogue() -> list[dict[str, Any]]:
    """Return the illnesses that a student may name, with full name, ICD-10-CM code, other names and
    category.

    These are all nodes but suspicions. A category whose name means one of its nodes gives that node
    its own names; any other is an entry of its own, marked ``whole``.
    """
    entries: list[dict[str, Any]] = []
    for category in Taxonomy.default().categories:
        own = [*category.aliases, *category.typed, category.name]
        meant = _node_meant(category)
        for node in category.nodes:
            if "Suspected" in node.name:
                continue
            entries.append(_catalogue_node(node))
            if node is meant:
                entries[-1]["aliases"] += own
        if meant is None:
            entries.append(_catalogue_category(category, own))
    return entries


def _node_meant(category: Category) -> Node | None:
    """Return the node that a category's name means: its namesake, else its only diagnosis."""
    for node in category.diagnoses:
        if node.name == category.name:
            return node
    if len(category.diagnoses) == 1:
        return category.diagnoses[0]
    return None


def _catalogue_node(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "full": node.full_name,
        "code": node.icd10cm,
        "category": node.category,
        "aliases": [*node.aliases, *node.short, *node.typed, node.full_name],
    }


def _catalogue_category(category: Category, names: Sequence[str]) -> dict[str, Any]:
    return {
        "name": category.name,
        "full": category.name,
        "code": category.icd10cm,
        "category": category.name,
        "aliases": list(names),
        "whole": True,
    }


def _reading_json(reading: Reading, short: bool) -> dict[str, Any]:
    data = reading.chain.to_json()
    for key in ("id", "note", "text"):
        del data[key]
    _add_weights(data["steps"])
    entries = list(map(_rounded, data["differential"]))
    data["differential"] = entries[: SHORT_DIFFERENTIAL if short else None]
    if short:
        totals = _category_totals(data["differential"], reading.chain.differential)
        data["categories"] = list(map(_rounded, totals))
        data["known_categories"] = len({entry["category"] for entry in entries})
        for alternative in data["alternatives"]:
            del alternative["steps"][SHORT_ALTERNATIVE:]
    trust = trust_in(reading.chain.model)
    if trust is not None:
        data["trust"] = trust
    return {"label": reading.label, "reference": reading.reference, **data}


def _add_weights(steps: Iterable[dict[str, Any]]) -> None:
    """Say of steps that were written without it how much their findings weigh."""
    for step in steps:
        if step["weight"] is None and step["premise"] is not None:
            step["weight"] = weight_of(step["premise"]["id"])


def _category_totals(
    kept: Iterable[Mapping[str, Any]],
    differential: Differential,
) -> list[dict[str, Any]]:
    """Return the sums over all diagnoses of each category that has one among those kept."""
    names = set()
    for one in kept:
        names.add(one["category"])
    totals: dict[str, dict[str, Any]] = {}
    for name in names:
        totals[name] = {"category": name}
    for entry in differential.entries:
        total = totals.get(entry.category, {})
        for key in _SHARES:
            share = getattr(entry, key)
            if share is not None:
                total[key] = total.get(key, 0.0) + share
    return list(totals.values())


def _rounded(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with four significant digits in each share, which is all that a page shows."""
    shares = {}
    for key in _SHARES:
        if entry.get(key) is not None:
            shares[key] = float(f"{entry[key]:.4g}")
    return {**entry, **shares}
