"""Lengths of time in a sentence: how old somebody is, and how long something has lasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dxtrace.findings.numbers import as_number, word_lists
from dxtrace.findings.quantities import DAYS, Measurement

# Whose age it is not the patient's: "her 12-year-old grandson".
_RELATED = frozenset(word_lists()["related"])

# Behind a length of time: it is an age or a point in time, not how long something lasted.
_NOT_LASTING = frozenset(
    {
        "old",
        "ago",
        "later",
        "earlier",
        "gestation",
        "pregnant",
        "before",
        "prior",
        "of",
        "postpartum",
    }
)


def read_ages(words: Sequence[str]) -> Iterator[Measurement]:
    """Yield ages in years: "54-year-old", "aged 54", "54 yo"."""
    for index, word in enumerate(words):
        value = as_number(word)
        if value is None:
            continue
        rest = []
        for other in words[index + 1 : index + 5]:
            if other not in {"-", "–"}:
                rest.append(other)
        if rest:
            unit = rest[0].rstrip("s")
        else:
            unit = ""
        old = len(rest) > 1 and rest[1] == "old"
        if _is_of_another(words, index):
            continue
        if old and unit in DAYS:
            years = value * DAYS[unit] / DAYS["year"]
            yield Measurement("age", years, years, index, words.index("old", index))
        elif unit in {"yo", "y/o"} or rest[:2] in (["y", "o"], ["y", "/"]):
            yield Measurement("age", value, value, index, index + 1)
        elif index and words[index - 1] == "aged":
            yield Measurement("age", value, value, index - 1, index)


def read_durations(words: Sequence[str]) -> Iterator[Measurement]:
    """Yield lengths of time in days; not ages, and not how long ago."""
    for index, word in enumerate(words):
        value = as_number(word)
        second = (
            index > 1
            and words[index - 1] in {"-", "–", "to", "or"}
            and as_number(words[index - 2]) is not None
        )
        if value is None or second or (index and words[index - 1] == "/"):
            continue
        low = high = value
        place = index + 1
        if place + 1 < len(words) and words[place] in {"-", "–", "to", "or"}:
            other = as_number(words[place + 1])
            if other is not None:
                high = max(low, other)
                place += 2
        while place < len(words) and words[place] in {"-", "–", "of"}:
            place += 1
        if place < len(words):
            unit = words[place]
        else:
            unit = ""
        days = DAYS.get(unit) or DAYS.get(unit.rstrip("s").rstrip("'"))
        after = [w for w in words[place + 1 : place + 4] if w not in {"-", "–"}][:2]
        if days is None or (unit in {"h", "d", "y"} and low != int(low)):
            continue
        if (
            after
            and after[0] in _NOT_LASTING
            and after != ["of", "history"]
            and not _symptom_follows(after)
        ):
            continue
        yield Measurement("duration", low * days, high * days, index, place)


def _symptom_follows(after: Sequence[str]) -> bool:
    """True for "2 weeks of cough", unlike "20 weeks of gestation"."""
    return (
        len(after) == 2 and after[0] == "of" and after[1] not in {"gestation", "pregnancy", "age"}
    )


def _is_of_another(words: Sequence[str], index: int) -> bool:
    """True for the age of somebody else: "her 12-year-old grandson"."""
    return any(word in _RELATED for word in words[index + 1 : index + 7]) and words[
        index - 1 : index
    ] in (["his"], ["her"], ["their"])
