"""Vital signs that a chart writes without their names: "98.6 145/90 88 16 99%RA"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dxtrace.findings.differences import pressures
from dxtrace.findings.numbers import is_number, number, word_lists
from dxtrace.findings.quantities import Measurement

# What may stand before a pressure that has no name; a word that is none of these may be a drug.
_BEFORE = frozenset(word_lists()["before_vitals"])

# "Advair 250/50 mcg", "1 puff".
_DOSE = frozenset(word_lists()["after_doses"])

_BETWEEN = frozenset([",", ";", "-", "–", "|", "*"])

# Plausible values, least and most.
_SYSTOLIC, _DIASTOLIC, _PULSE_PRESSURE = (80, 260), (40, 150), (15, 130)
_CELSIUS, _FAHRENHEIT = (34, 42), (94, 107)
_HEART_RATE, _BREATHS, _SATURATION = (30, 220), (6, 60), (50, 100)


def read_vitals(words: Sequence[str]) -> Iterator[Measurement]:
    """Yield pressures such as "145/90" that have no name, and the vital signs in a row with the
    first: temperature before it, heart rate before or behind it, then breaths and saturation.
    """
    places = list(_unnamed_pressures(words))
    for place in places:
        yield Measurement("sbp", number(words[place]), number(words[place]), place, place + 2)
        low = number(words[place + 2])
        yield Measurement("dbp", low, low, place, place + 2)
    if places:
        yield from _row(words, places[0])


def _row(words: Sequence[str], pressure: int) -> Iterator[Measurement]:
    before = list(_numbers(words, range(pressure - 1, -1, -1)))[::-1]
    names = ["hr", "rr"]
    if before and _in(words[before[0]], _CELSIUS):
        yield _measured("temp", words, before[0], 1.0)
    elif before and _in(words[before[0]], _FAHRENHEIT):
        yield _measured("temp", words, before[0], 5 / 9)
    else:
        before = []
    if len(before) == 2 and _in(words[before[1]], _HEART_RATE):
        yield _measured("hr", words, before[1], 1.0)
        names = ["rr"]
    limits = {"hr": _HEART_RATE, "rr": _BREATHS}
    for place in _numbers(words, range(pressure + 3, len(words))):
        if words[place + 1 : place + 2] == ["%"] and _in(words[place], _SATURATION):
            yield _measured("spo2", words, place, 1.0)
            return
        if not names or not _in(words[place], limits[names[0]]):
            return
        yield _measured(names.pop(0), words, place, 1.0)


def _measured(quantity: str, words: Sequence[str], place: int, factor: float) -> Measurement:
    value = number(words[place])
    if factor != 1.0:
        value = (value - 32) * factor
    return Measurement(quantity, value, value, place, place)


def _unnamed_pressures(words: Sequence[str]) -> Iterator[int]:
    for place in pressures(words):
        high, low = words[place], words[place + 2]
        if not _in(high, _SYSTOLIC) or not _in(low, _DIASTOLIC):
            continue
        least, most = _PULSE_PRESSURE
        if not least <= number(high) - number(low) <= most:
            continue
        before = words[place - 1 : place] if place else []
        after = words[place + 3 : place + 4]
        if not _BEFORE.issuperset(word for word in before if not is_number(word)):
            continue
        if not _DOSE.intersection(after):
            yield place


def _numbers(words: Sequence[str], places: Sequence[int]) -> Iterator[int]:
    """Yield where numbers stand in a row, up to the first other word."""
    for place in places:
        if is_number(words[place]):
            yield place
        elif words[place] not in _BETWEEN:
            return


def _in(word: str, limits: tuple[int, int]) -> bool:
    return is_number(word) and limits[0] <= number(word) <= limits[1]
