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
from dxtrace.findings.numbers import is_number, number, other_value, word_lists
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
from dxtrace.findings.units import (
    FLAG,
    NAMES_RANGE,
    POWER_OF_TEN,
    REFERENCE,
    UNIT,
    UNIT_IN_BRACKETS,
    UNKNOWN_UNIT,
    VOLUME,
)
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

_TIMES = (["h"], ["hr"], ["hrs"], ["hour"], ["hours"], ["min"], ["minutes"], ["days"])

_STOPS = frozenset(word_lists()["stops"])


# Values of blood, unless the sentence is about another fluid.
_OF_BLOOD = frozenset(
    ["wbc", "neutrophils_pct", "eosinophils_pct", "eosinophils", "glucose", "ldh", "albumin", "ph"]
)


_OTHER_FLUID = re.compile(
    r"\b(?:csf|cerebrospinal|lumbar puncture|synovial|joint|arthrocentesis|pleural|ascit\w+|peritoneal"
    r"|paracentesis|thoracentesis|urin\w+|bal|bronchoalveolar|sputum|stool|semen|fluid)\b",
    re.IGNORECASE,
)


def read_measurements(
    text: str,
    tokens: Sequence[Token],
    offset: int = 0,
    in_columns: bool = False,
) -> list[Measurement]:
    """Return the measurements of a sentence, in no fixed order.

    Args:
        text: the sentence.
        tokens: its tokens, whose offsets begin at ``offset``.
        offset: where the text stands in the note.
        in_columns: it is a row of a table whose columns are times.
    """
    reader = _Reader(text, tokens, offset, in_columns)
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

    def __init__(
        self,
        text: str,
        tokens: Sequence[Token],
        offset: int,
        in_columns: bool,
    ) -> None:
        self._text = text
        self._tokens = tokens
        self._offset = offset
        self._in_columns = in_columns
        self._words = [token.text for token in tokens]

    def named(self) -> Iterator[Measurement]:
        """Yield values that follow, or precede, the name of their quantity."""
        for first, last, quantity in self._names():
            # Beside a short name ("RR", "K") nothing but fillers: "RR-MS at age 22" is no rate.
            short = first == last and len(self._words[first]) <= _SHORT_NAME
            unit, begin = self._unit_of_label(last)
            # "Troponin I (normal <14) 7": the range stands before the value.
            if NAMES_RANGE.intersection(self._words[begin + 1 : begin + 2]):
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
                if found:
                    found += self._later_values(quantity, found[-1], unit)
                if quantity.peaks and found:
                    # "Troponin 9, then 480" is raised, and not normal at first.
                    found = [max(found, key=lambda one: one.high)]
                yield from found
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
        unit = UNIT.match(self._text, self._tokens[place - 1].end - self._offset)
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
        power = POWER_OF_TEN.match(self._text, begin)
        label = power or UNIT_IN_BRACKETS.match(self._text, begin)
        if label is None:
            return "", last + 1
        index = last + 1
        while index < len(self._tokens) and self._tokens[index].end - self._offset <= label.end():
            index += 1
        if power:
            return "", index
        # "(L)" is a unit that few quantities have, "(fasting)" is none.
        unit = UNIT.match(label["unit"]) or VOLUME.fullmatch(label["unit"])
        return normal_unit(unit[1]) if unit else "", index

    def _unit_at(self, place: int) -> bool:
        token = self._tokens[place]
        if token.text in {"l", "ml", "dl", "/"}:
            return True
        match = UNIT.match(self._text, token.start - self._offset)
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
        unit = UNIT.match(self._text, self._tokens[last].end - self._offset)
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
        if not quantity.unit and not value.unit and UNKNOWN_UNIT.match(self._text, value.end):
            return
        scaled = (
            convert(value.low, quantity, value.unit),
            convert(value.high, quantity, value.unit),
        )
        low, high = scaled
        if low is None or high is None:
            return
        # Where a point may mark thousands, both readings have to meet what is asked.
        other = other_value(self._words[value.last])
        if other is not None and value.low == value.high and value.second is None:
            high = max(high, convert(other, quantity, value.unit) or high)
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

    def _later_values(
        self,
        quantity: Quantity,
        found: Measurement,
        unit: str,
    ) -> Iterator[Measurement]:
        """Yield further values of a quantity in the same unit: "61 ng/L on arrival and 412 ng/L three
        hours later"; ``unit``: that of the row.
        """
        value = self._value(self._last_number(found))
        if value is None or value.second is not None:
            return
        index = found.last + 1
        if not value.unit and not self._is_series(index):
            return
        while index < len(self._words):
            index = self._behind_reference(index)
            if index >= len(self._words):
                return
            if is_number(self._words[index]) and not self._is_time(index):
                later = self._value(index)
                if later is not None and (later.unit == value.unit or not value.unit):
                    later = replace(later, unit=later.unit or unit)
                    yield from self._measured(quantity, later, index)
                    index = self._last_token(later.end, later.last)
            elif self._words[index] not in _BETWEEN_VALUES | {"|", ";"} and not (
                self._is_time(index) or self._words[index] == ">"
            ):
                return
            index += 1

    def _is_time(self, index: int) -> bool:
        """True for a number that tells when: "3" in "at 3 h"."""
        return is_number(self._words[index]) and self._words[index + 1 : index + 2] in _TIMES

    def _is_series(self, index: int) -> bool:
        """True if values without a unit go on: in the next column, behind an arrow, or at a time."""
        following = self._words[index : index + 3]
        if self._in_columns or following[:1] == ["→"] or following[:2] == ["-", ">"]:
            return True
        return any(self._is_time(place) for place in range(index, index + len(following)))

    def _behind_reference(self, index: int) -> int:
        """Return the index behind a reference range in brackets that begins at ``index``, or
        ``index``.
        """
        if self._words[index] not in {"(", "["}:
            return index
        reference = REFERENCE.match(self._text, self._tokens[index].start - self._offset)
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
        flag = FLAG.match(self._text, value.end)
        if flag:
            if flag[1].lower()[0] in "he↑":
                return "up"
            return "down"
        reference = REFERENCE.match(self._text, value.end)
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
