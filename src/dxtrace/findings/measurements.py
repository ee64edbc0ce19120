"""Measurements in a sentence: which quantity, how much of it in one unit, and whether the note calls it
high or low.

A threshold of ``knowledge/`` ("potassium below 3.5") is compared with these and never with the ranges that invented
notes draw from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dxtrace.findings.differences import read_differences
from dxtrace.findings.numbers import is_number, number, word_lists
from dxtrace.findings.quantities import (
    Measurement,
    Quantity,
    convert,
    name_index,
    normal_unit,
    quantities,
)
from dxtrace.findings.times import read_ages, read_durations
from dxtrace.findings.tokens import Token
from dxtrace.findings.vitals import read_vitals

# What may stand between the name of a quantity and its number.
_FILLERS = frozenset(word_lists()["fillers"])


_COMPARATORS = {
    "<": "<",
    ">": ">",
    "≤": "<",
    "≥": ">",
    "under": "<",
    "below": "<",
    "above": ">",
    "exceeding": ">",
}


_MAX_FILLERS = 7


# ... and so many words besides ("FEV1 stood at 64 %"), but none of these.
_MAX_UNKNOWN = 2
_SHORT_NAME = 2


# What may stand between two values of one quantity: how it went, and when.
_BETWEEN_VALUES = frozenset(word_lists()["between"])

_STOPS = frozenset(word_lists()["stops"])


_UNIT = re.compile(
    r"\s*-?\s*\(?\s*("
    r"%|per\s?cent|pct"
    r"|°\s*[cf]|(?:degrees?\s*)?(?:celsius|fahrenheit)|[cf](?![\w])"
    r"|mm\s*hg|kpa"
    r"|(?:x\s*)?10\s*(?:\^|\*)?\s*(?:9|⁹)\s*/\s*l|g/l(?=\W|$)"
    r"|(?:cells?|k|thousand)\s*/\s*(?:[µμu]l|mm\s*(?:3|³)|mcl|cu\s*mm|cumm)"
    r"|/\s*(?:mm\s*(?:3|³)|[µμu]l|mcl|cu\s*mm|cumm)"
    r"|bpm|beats?\s*(?:/|per)\s*min(?:ute)?|breaths?\s*(?:/|per)\s*min(?:ute)?|/\s*min(?:ute)?|per\s*minute"
    r"|mmol\s*/\s*mol|m?c?g\s*/\s*(?:mmol|mg|g)(?=\W|$)|mosm\s*/\s*(?:kg|l)(?:\s*h2o)?"
    r"|ml\s*/\s*min(?:\s*/\s*1\.73\s*m\s*[2²])?|kg\s*/\s*m\s*\^?[2²]?|mm\s*/\s*h(?:r|our)?|ng\s*/\s*ml\s*/\s*h(?:r)?"
    r"|(?:m?eq|[mnpµμu]?mol|mc?g|[kµμunp]?g|m?[iu]u|[kµμu]i?u|mu|u|m[iI][uU])\s*/\s*(?:d?l|ml|l)"
    r"|ppb|fl|mm|cm|kgs?|kilos?|kilograms?|lbs?|pounds?|weeks?|years?"
    r")(?![a-z])",
    re.IGNORECASE,
)


# The unit in the label of a row: "Creatinine (umol/L)", "WBC (x10^9/L)". Thousands a microlitre and 10^9 a litre are
# the same, and each count has its usual power of ten.
_UNIT_IN_BRACKETS = re.compile(r"\s*[(\[]\s*(?P<unit>[^()\[\]\d]{1,16}?)\s*[)\]]")
_POWER_OF_TEN = re.compile(
    r"[\s,]*[(\[]?\s*[x×*]?\s*10\s*(?:[\^*]\s*\d{1,2}|[⁹³⁶]|¹²)\s*/\s*[a-zµμ]+\s*[)\]]?",
    re.IGNORECASE,
)

_NAMES_RANGE = frozenset(["normal", "ref", "reference", "nr", "range"])
_VOLUME = re.compile(r"(m?l(?:/(?:min|s))?)", re.IGNORECASE)

# A unit that is none of those above: "11 mEq/g".
_UNKNOWN_UNIT = re.compile(r"\s*[a-zµμ]{1,5}\s*/\s*[a-z]", re.IGNORECASE)
_FLAG = re.compile(r"\s*[(\[]?\s*(HH?|LL?|high|low|elevated|↑+|↓+)(?![\w])\s*[)\]]?")


_REFERENCE = re.compile(
    r"[\s,;|]*[(\[]\s*(?:(?:ref(?:erence)?|normal|nl|n|nr|rr)\.?\s*(?:range|value|limits?)?s?\s*[:=]?\s*)?"
    r"(?:(?P<bound>[<>≤≥])\s*(?P<limit>\d+(?:\.\d+)?)|(?P<low>\d+(?:\.\d+)?)\s*(?:-|–|—|to)\s*(?P<high>\d+(?:\.\d+)?))",
    re.IGNORECASE,
)


# Values of blood, unless the sentence is about another fluid.
_OF_BLOOD = frozenset(
    ["wbc", "neutrophils_pct", "eosinophils_pct", "eosinophils", "glucose", "ldh", "albumin", "ph"]
)


_OTHER_FLUID = re.compile(
    r"\b(?:csf|cerebrospinal|lumbar puncture|synovial|joint|arthrocentesis|pleural|ascit\w+|peritoneal"
    r"|paracentesis|thoracentesis|urin\w+|bal|bronchoalveolar|sputum|stool|semen|fluid)\b",
    re.IGNORECASE,
)


def read_measurements(text: str, tokens: Sequence[Token], offset: int = 0) -> list[Measurement]:
    """Return the measurements of a sentence, in no fixed order.

    Args:
        text: the sentence.
        tokens: its tokens, whose offsets begin at ``offset``.
        offset: where the text stands in the note.
    """
    reader = _Reader(text, tokens, offset)
    named = list(reader.named())
    # "temperature 38 C (100.4 F)" is one value, and "tachypneic (35 bpm)" no pulse.
    covered = set()
    for value in named:
        for index in range(value.first, value.last + 1):
            covered.add(index)
    known = set()
    for value in named:
        known.add(value.quantity)
    unnamed = []
    for value in reader.unnamed():
        if value.last not in covered and value.quantity not in known:
            unnamed.append(value)
    words = []
    for token in tokens:
        words.append(token.text)
    values = [*named, *unnamed, *read_ages(words), *read_durations(words)]
    values += read_differences(words)
    for vital in read_vitals(words):
        if vital.quantity not in known:
            values.append(vital)
    if _OTHER_FLUID.search(text):
        values = [value for value in values if value.quantity not in _OF_BLOOD]
    return values


class _Reader:
    """Finds measurements in one sentence."""

    def __init__(self, text: str, tokens: Sequence[Token], offset: int) -> None:
        self._text = text
        self._tokens = tokens
        self._offset = offset
        self._words = [token.text for token in tokens]

    def named(self) -> Iterator[Measurement]:
        """Yield values that follow, or precede, the name of their quantity."""
        for first, last, quantity in self._names():
            # Beside a short name ("RR", "K") nothing but fillers: "RR-MS at age 22" is no rate.
            short = first == last and len(self._words[first]) <= _SHORT_NAME
            unit, begin = self._unit_of_label(last)
            # "Troponin I (normal <14) 7": the range stands before the value.
            if _NAMES_RANGE.intersection(self._words[begin + 1 : begin + 2]):
                begin = self._behind_reference(begin)
            index = self._skip_fillers(begin, 0 if short else _MAX_UNKNOWN)
            value = self._value(index) if index is not None else None
            if value is not None and not value.unit:
                value = replace(value, unit=unit)
            if value is not None:
                found = list(self._measured(quantity, value, first))
                found = found or list(self._next_value(quantity, value, first))
                if not found and (quantity.before or quantity.needs_unit):
                    found = list(self._preceding(quantity, first, last))
                yield from found
                if found:
                    yield from self._later_values(quantity, found[-1])
            elif quantity.before or quantity.needs_unit:
                yield from self._preceding(quantity, first, last)

    def _names(self) -> Iterator[tuple[int, int, Quantity]]:
        """Yield the longest names at every place, with all quantities that they may stand for."""
        index = name_index()
        start = 0
        while start < len(self._words):
            for length in range(min(7, len(self._words) - start), 0, -1):
                found = index.get(tuple(self._words[start : start + length]))
                if found and not self._is_unit(start):
                    for quantity in found:
                        yield start, start + length - 1, quantity
                    start += length - 1
                    break
            start += 1

    def _is_unit(self, place: int) -> bool:
        """True for a word that is the unit of the number before it: "2.3 mg/dL" is no magnesium."""
        if place == 0 or not is_number(self._words[place - 1]):
            return False
        unit = _UNIT.match(self._text, self._tokens[place - 1].end - self._offset)
        return unit is not None and unit.end() > self._tokens[place].start - self._offset

    def _skip_fillers(self, index: int, most_unknown: int) -> int | None:
        """Return the index of the number that belongs to a name which ends before ``index``."""
        unknown = 0
        for place in range(index, min(index + _MAX_FILLERS, len(self._words))):
            word = self._words[place]
            if is_number(word) or word in _COMPARATORS:
                return place
            # A unit may stand in the heading of a column: "Total cholesterol (mg/dL) | 426".
            if word in _FILLERS or word in {")", "]"} or self._unit_at(place):
                continue
            unknown += 1
            if (
                unknown > most_unknown
                or not word.isalpha()
                or word in _STOPS
                or (word,) in name_index()
            ):
                return None
        return None

    def _unit_of_label(self, last: int) -> tuple[str, int]:
        """Return the unit that stands in a name which ends at ``last`` ("Cholesterol (mmol/L) 7.8"), or "",
        and the index of the first token behind both.
        """
        begin = self._tokens[last].end - self._offset
        power = _POWER_OF_TEN.match(self._text, begin)
        label = power or _UNIT_IN_BRACKETS.match(self._text, begin)
        if label is None:
            return "", last + 1
        index = last + 1
        while index < len(self._tokens) and self._tokens[index].end - self._offset <= label.end():
            index += 1
        if power:
            return "", index
        # "(L)" is a unit that few quantities have, "(fasting)" is none.
        unit = _UNIT.match(label["unit"]) or _VOLUME.fullmatch(label["unit"])
        return normal_unit(unit[1]) if unit else "", index

    def _unit_at(self, place: int) -> bool:
        token = self._tokens[place]
        if token.text in {"l", "ml", "dl", "/"}:
            return True
        match = _UNIT.match(self._text, token.start - self._offset)
        return match is not None and match.start(1) == token.start - self._offset

    def _value(self, index: int) -> _Value | None:
        """Read a number, a range or a pair at ``index``, with its unit, flag and reference range."""
        words = self._words
        bound = ""
        while index < len(words) and (words[index] in _COMPARATORS or words[index] == "="):
            bound = _COMPARATORS.get(words[index], bound)
            index += 1
        if index >= len(words) or not is_number(words[index]):
            return None
        low = high = number(words[index])
        last = index
        second: float | None = None
        if self._is_number_at(last + 2) and words[last + 1] == "/":
            second = number(words[last + 2])
            last += 2
        elif self._is_number_at(last + 2) and words[last + 1] in {"-", "–", "—", "to"}:
            high = number(words[last + 2])
            last += 2
        while self._is_number_at(last + 2) and words[last + 1] in {"x", "×"}:
            last += 2
        if high < low:
            low, high = high, low
        unit = _UNIT.match(self._text, self._tokens[last].end - self._offset)
        if unit:
            end = unit.end()
        else:
            end = self._tokens[last].end - self._offset
        return _Value(low, high, bound, second, last, normal_unit(unit[1]) if unit else "", end)

    def _is_number_at(self, index: int) -> bool:
        return index < len(self._words) and is_number(self._words[index])

    def _measured(self, quantity: Quantity, value: _Value, first: int) -> Iterator[Measurement]:
        pressure = quantity.name in {"sbp", "dbp"}
        out_of = value.second is not None and quantity.name in {
            "mmse",
            "moca",
            "gcs",
            "nihss",
            "curb65",
            "abcd2",
        }
        if value.second is not None and not pressure and not out_of:
            return
        # "She sat at 45 degrees" is no saturation.
        following = self._words[value.last + 1 : value.last + 2]
        if following == ["degrees"] and not value.unit and quantity.name != "temp":
            return
        if not quantity.unit and not value.unit and _UNKNOWN_UNIT.match(self._text, value.end):
            return
        scaled = (
            convert(value.low, quantity, value.unit),
            convert(value.high, quantity, value.unit),
        )
        low, high = scaled
        if low is None or high is None:
            return
        flag = self._flag(value, low / value.low if value.low else 1.0)
        last = self._last_token(value.end, value.last)
        if value.bound == "<":
            low = -math.inf
            high = math.nextafter(high, -math.inf)
        elif value.bound == ">":
            low, high = math.nextafter(low, math.inf), math.inf
        if pressure and value.second is not None:
            yield Measurement("sbp", value.low, value.high, first, last)
            yield Measurement("dbp", value.second, value.second, first, last)
        else:
            yield Measurement(quantity.name, low, high, first, last, flag)

    def _next_value(self, quantity: Quantity, value: _Value, first: int) -> Iterator[Measurement]:
        """Yield the value in the unit that is asked for, behind one in another: "FEV1 1.20 L (40 %
        predicted)".
        """
        for index in range(value.last + 1, min(value.last + 6, len(self._words))):
            if self._words[index] in {",", ";"}:
                return
            if is_number(self._words[index]):
                other = self._value(index)
                if other is not None and other.unit:
                    yield from self._measured(quantity, other, first)
                return

    def _later_values(self, quantity: Quantity, found: Measurement) -> Iterator[Measurement]:
        """Yield further values of a quantity in the same unit: "61 ng/L on arrival and 412 ng/L three
        hours later".
        """
        value = self._value(self._last_number(found))
        if value is None or not value.unit or value.second is not None:
            return
        index = found.last + 1
        while index < len(self._words):
            index = self._behind_reference(index)
            if index >= len(self._words):
                return
            if is_number(self._words[index]):
                later = self._value(index)
                if later is not None and later.unit == value.unit:
                    yield from self._measured(quantity, later, index)
                    index = self._last_token(later.end, later.last)
            elif self._words[index] not in _BETWEEN_VALUES:
                return
            index += 1

    def _behind_reference(self, index: int) -> int:
        """Return the index behind a reference range in brackets that begins at ``index``, or
        ``index``.
        """
        if self._words[index] not in {"(", "["}:
            return index
        reference = _REFERENCE.match(self._text, self._tokens[index].start - self._offset)
        if reference is None:
            return index
        while index < len(self._words) and self._words[index] not in {")", "]"}:
            index += 1
        return index + 1

    def _last_number(self, found: Measurement) -> int:
        """Return where the value of a measurement begins."""
        for index in range(found.last, found.first, -1):
            if is_number(self._words[index]) and not is_number(self._words[index - 1]):
                return index
        return found.first

    def _last_token(self, end: int, least: int) -> int:
        last = least
        while last + 1 < len(self._tokens) and self._tokens[last + 1].end - self._offset <= end:
            last += 1
        return last

    def _flag(self, value: _Value, factor: float) -> str:
        flag = _FLAG.match(self._text, value.end)
        if flag:
            if flag[1].lower()[0] in "he↑":
                return "up"
            return "down"
        reference = _REFERENCE.match(self._text, value.end)
        if reference is None:
            return ""
        if reference["limit"]:
            limit = float(reference["limit"]) * factor
            if reference["bound"] in "<≤":
                if value.low * factor > limit:
                    return "up"
                return ""
            if value.high * factor < limit:
                return "down"
            return ""
        if value.low > float(reference["high"]):
            return "up"
        if value.high < float(reference["low"]):
            return "down"
        return ""

    def _preceding(self, quantity: Quantity, first: int, last: int) -> Iterator[Measurement]:
        """Yield a value that stands before its name: "a 30 pack-year history", "a 4-kg weight
        loss".
        """
        for start in range(max(0, first - 7), first):
            if not is_number(self._words[start]) or (
                start and self._words[start - 1] in {"-", "/", "x"}
            ):
                continue
            value = self._value(start)
            if value:
                between = self._words[value.last + 1 : first]
            else:
                between = []
            plain = not any(word in {",", ";", "and", "with", ":"} for word in between)
            if value and value.last < first and plain and (value.unit or not quantity.needs_unit):
                for measurement in self._measured(quantity, value, start):
                    yield Measurement(
                        measurement.quantity,
                        measurement.low,
                        measurement.high,
                        start,
                        last,
                        measurement.flag,
                    )
                return

    def unnamed(self) -> Iterator[Measurement]:
        """Yield values whose unit alone says what they are: beats a minute, degrees, a pair in
        mmHg.
        """
        known = quantities()
        for index, word in enumerate(self._words):
            if not is_number(word) or (index and self._words[index - 1] in {"/", "-", "–"}):
                continue
            value = self._value(index)
            if value is None:
                continue
            unit = value.unit
            if unit in {"bpm", "beats/min"} and value.second is None:
                yield from self._measured(known["hr"], value, index)
            elif unit == "breaths/min" and value.second is None:
                yield from self._measured(known["rr"], value, index)
            elif unit in {"°c", "°f", "f", "fahrenheit", "celsius"} and value.second is None:
                yield from self._measured(known["temp"], value, index)
            elif unit == "mmhg" and value.second is not None:
                yield from self._measured(known["sbp"], value, index)


@dataclass(frozen=True)
class _Value:
    """A number as written: its range, its bound, what stands behind a slash, its last token, unit,
    end in the text.
    """

    low: float
    high: float
    bound: str
    second: float | None
    last: int
    unit: str
    end: int
