"""Faults planted in quotes, kind by kind, and changes that are no faults."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from dxtrace.chain import Span, Step
from dxtrace.evaluate.verification.lines import sentences_of
from dxtrace.notes.annotated import AnnotatedCase

INVENTED = (
    "The abdomen shows three healed laparoscopic port scars",
    "Serum ferritin returned at 4120 micrograms",
    "He keeps homing pigeons on the roof of his bakery",
)

#: A word, and what it is changed to.
_EXCHANGED = {
    "left": "right",
    "right": "left",
    "increased": "decreased",
    "elevated": "reduced",
    "high": "low",
    "mild": "severe",
    "severe": "mild",
    "bilateral": "unilateral",
    "positive": "negative",
    "acute": "chronic",
    "upper": "lower",
    "lower": "upper",
    "days": "weeks",
    "weeks": "months",
    "months": "years",
    "man": "woman",
    "woman": "man",
}

Plant = Callable[[random.Random, AnnotatedCase, Span], str | Span | None]


@dataclass(frozen=True)
class Planted:
    """An answer as JSON, with one quote spoilt; ``number`` is its place in the answer, from 0."""

    case: AnnotatedCase
    kind: str
    answer: dict[str, Any]
    number: int


def _number(rng: random.Random, case: AnnotatedCase, span: Span) -> str | None:
    found = list(re.finditer(r"\d+", span.text))
    if not found:
        return None
    match = rng.choice(found)
    other = str(int(match[0]) + rng.choice((1, 3, 10)))
    return span.text[: match.start()] + other + span.text[match.end() :]


def _word(rng: random.Random, case: AnnotatedCase, span: Span) -> str | None:
    for word, other in _EXCHANGED.items():
        changed = re.sub(rf"\b{word}\b", other, span.text)
        if changed != span.text and changed not in case.case.note:
            return changed
    return None


def _added(rng: random.Random, case: AnnotatedCase, span: Span) -> str | None:
    words = span.text.split(" ")
    place = rng.randrange(len(words) + 1)
    word = rng.choice(("markedly", "not", "possibly", "left-sided", "recurrent"))
    return " ".join([*words[:place], word, *words[place:]])


def _left_out(rng: random.Random, case: AnnotatedCase, span: Span) -> str | None:
    words = span.text.split(" ")
    inner = [i for i in range(1, len(words) - 1) if words[i].strip(".,;:()").isalpha()]
    if not inner or len(words) < 4:
        return None
    place = rng.choice(inner)
    changed = " ".join(words[:place] + words[place + 1 :])
    return None if changed in case.case.note else changed


def _invented(rng: random.Random, case: AnnotatedCase, span: Span) -> str:
    return rng.choice(INVENTED)


def _denial(rng: random.Random, case: AnnotatedCase, span: Span) -> Span | None:
    """Take what a denial reaches, without the denial."""
    note = case.case.note
    choices: list[Span] = []
    for sentence in sentences_of(case.case):
        for scope in sentence.context.scopes:
            if scope.property != "denied" or scope.first < 0 or scope.start != scope.last + 1:
                continue
            words = sentence.tokens[scope.start : min(scope.end, scope.start + 4)]
            words = [word for word in words if word.text.isalpha()]
            if words:
                start, end = words[0].start, words[-1].end
                text = note[start:end]
                if note.lower().count(text.lower()) == 1 and len(text) > 4:
                    choices.append(Span(text, start, end, span.section))
    return rng.choice(choices) if choices else None


def _value(rng: random.Random, case: AnnotatedCase, span: Span) -> Span | None:
    """Cut a number within its decimals, or before its unit."""
    note = case.case.note
    found = list(
        re.finditer(r"\b[A-Za-z]{2,12} \d+(?=\.\d| ?(?:mg|mmol|%|/\d|g/L|bpm|mmHg))", note)
    )
    found = [match for match in found if note.count(match[0]) == 1]
    if not found:
        return None
    match = rng.choice(found)
    return Span(match[0], match.start(), match.end(), span.section)


def _comparator(rng: random.Random, case: AnnotatedCase, span: Span) -> Span | None:
    note = case.case.note
    numbers = re.finditer(r"(?<=[<>])\s?(\d+\.?\d* [a-zA-Z/]+)", note)
    found = [match for match in numbers if note.count(match[1]) == 1]
    if not found:
        return None
    match = rng.choice(found)
    return Span(match[1], match.start(1), match.end(1), span.section)


def _misplaced(rng: random.Random, case: AnnotatedCase, span: Span) -> Span | None:
    shift = rng.choice((-7, 5, 11))
    if span.start + shift < 0:
        return None
    return Span(span.text, span.start + shift, span.end + shift, span.section)


def _heading(rng: random.Random, case: AnnotatedCase, span: Span) -> str | None:
    found = re.search(
        r"(?m)^(?:Physical Exam|Past Medical History|Family History):", case.case.note
    )
    return found[0].rstrip(":") if found else None


def _clipped_word(rng: random.Random, case: AnnotatedCase, span: Span) -> str | None:
    text = span.text[:-2]
    long = re.search(r"[a-z]{5,}\Z", span.text)
    if long is None or re.search(rf"{re.escape(text)}(?![a-z])", case.case.note):
        return None
    return text


def _spliced(rng: random.Random, case: AnnotatedCase, span: Span) -> str | None:
    note = case.case.note
    place = len(note) // 2 if span.start < len(note) // 3 else 0
    other = re.search(r"[A-Za-z]+ [a-z]+ [a-z]+", note[place:])
    if other is None or span.text + " " + other[0] in note:
        return None
    return f"{span.text} {other[0]}"


#: What may be wrong with a quote.
FAULTS: dict[str, Plant] = {
    "number": _number,
    "word": _word,
    "added": _added,
    "left out": _left_out,
    "invented": _invented,
    "denial": _denial,
    "value": _value,
    "comparator": _comparator,
    "misplaced": _misplaced,
    "heading": _heading,
    "clipped word": _clipped_word,
    "spliced": _spliced,
}


def plant(case: AnnotatedCase, kind: str, rng: random.Random) -> Planted | None:
    """Return the gold answer of a case with a fault of one kind in one quote, or None."""
    assert case.gold is not None
    numbers = list(range(len(case.gold.steps)))
    rng.shuffle(numbers)
    for number in numbers:
        step = case.gold.steps[number]
        spoilt = FAULTS[kind](rng, case, step.evidence)
        if spoilt is None:
            continue
        answer = case.gold.to_json()
        answer["steps"][number]["evidence"] = _evidence(step, spoilt)
        return Planted(case, kind, answer, number)
    return None


def _evidence(step: Step, spoilt: str | Span) -> dict[str, Any]:
    if isinstance(spoilt, str):
        spoilt = replace(step.evidence, text=spoilt)
    return dict(vars(spoilt))


def respell(text: str, rng: random.Random) -> str:
    """Return a quote in another spelling, which is no fault."""
    way = rng.randrange(6)
    if way == 0:
        return text.upper()
    if way == 1:
        return "  ".join(text.split()) + "."
    if way == 2:
        return text.replace("-", "\u2013").replace("'", "\u2019").replace('"', "\u201d")
    if way == 3:
        return text.replace(" ", "\n", 1)
    if way == 4:
        return f"{text[: len(text) // 2]}\u00ad{text[len(text) // 2 :]}"
    return text.replace("e", "e\u0301", 1) if "e" in text else text


def pieces(text: str) -> Iterator[str]:
    """Yield a quote in two pieces with an ellipsis, if it has words enough."""
    words = text.split(" ")
    if len(words) > 5:
        yield f"{' '.join(words[:2])} ... {' '.join(words[3:])}"
