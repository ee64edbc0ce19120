"""Quantities that notes measure: their names, units and limits (``measurements.yaml``)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from dxtrace.files import packaged_yaml
from dxtrace.findings.tokens import tokenise

#: Days in a unit of time.
DAYS = {
    "second": 1 / 86400,
    "sec": 1 / 86400,
    "minute": 1 / 1440,
    "min": 1 / 1440,
    "hour": 1 / 24,
    "hr": 1 / 24,
    "h": 1 / 24,
    "day": 1.0,
    "d": 1.0,
    "week": 7.0,
    "wk": 7.0,
    "month": 30.4,
    "mo": 30.4,
    "year": 365.25,
    "yr": 365.25,
    "y": 365.25,
    "decade": 3652.5,
}


@dataclass(frozen=True)
class Quantity:
    """One quantity: the words that name it, its unit, factors from other units, and what a value of
    it can be. ``spoken``: names of everyday speech, which need the unit. ``peaks``: of several values
    the highest counts. ``kin``: what it measures, where other quantities measure the same.
    """

    name: str
    names: tuple[str, ...]
    unit: str
    units: Mapping[str, Any]
    limits: tuple[float, float]
    needs_unit: bool
    before: bool
    rescale: tuple[float, float] | None
    rescale_below: tuple[float, float] | None
    rescale_above: tuple[float, float] | None
    spoken: tuple[str, ...] = ()
    peaks: bool = False
    kin: str = ""


@dataclass(frozen=True)
class Measurement:
    """A measured quantity: from ``low`` to ``high`` in its main unit, as tokens ``first`` to
    ``last`` of a sentence.

    ``flag``: "up" or "down" where the note marks it so or prints a range that it lies outside of;
        else "".
    """

    quantity: str
    low: float
    high: float
    first: int
    last: int
    flag: str = ""

    def meets(self, op: str, low: float, high: float) -> bool:
        """True if every value from ``self.low`` to ``self.high`` stands in the relation to the
        limit.
        """
        match op:
            case "<":
                return self.high < low
            case "<=":
                return self.high <= low
            case ">":
                return self.low > low
            case ">=":
                return self.low >= low
            case _:
                return self.low >= low and self.high <= high


@cache
def quantities() -> dict[str, Quantity]:
    """Return every quantity that can be measured, by its name."""
    entries = packaged_yaml("dxtrace.findings", "measurements.yaml")
    quantities = {}
    for name, entry in entries.items():
        quantities[name] = _quantity(name, entry)
    return quantities


def _quantity(name: str, entry: Mapping[str, Any]) -> Quantity:
    low, high = entry.get("limits", (-math.inf, math.inf))
    return Quantity(
        name,
        tuple(str(text) for text in entry["names"]),
        str(entry["unit"]),
        {str(unit): factor for unit, factor in entry.get("units", {}).items()},
        (low, high),
        entry.get("needs_unit", False),
        entry.get("before", False),
        tuple(entry["rescale"]) if "rescale" in entry else None,
        tuple(entry["rescale_below"]) if "rescale_below" in entry else None,
        tuple(entry["rescale_above"]) if "rescale_above" in entry else None,
        tuple(entry.get("spoken", ())),
        entry.get("peaks", False),
        entry.get("kin", ""),
    )


@cache
def kin_of(name: str) -> frozenset[str]:
    """Return the quantities that measure the same as one, itself among them."""
    kin = quantities()[name].kin
    names = {name}
    for other in quantities().values():
        if kin and other.kin == kin:
            names.add(other.name)
    return frozenset(names)


@cache
def name_index() -> dict[tuple[str, ...], list[Quantity]]:
    """Return the quantities that each name stands for, by the words of the name."""
    index: dict[tuple[str, ...], list[Quantity]] = {}
    for quantity in quantities().values():
        for name in quantity.names:
            words = tuple(token.text for token in tokenise(name))
            index.setdefault(words, []).append(quantity)
        for name in quantity.spoken:
            words = tuple(token.text for token in tokenise(name))
            index.setdefault(words, []).append(replace(quantity, needs_unit=True))
    return index


def normal_unit(unit: str) -> str:
    """Return a unit in one spelling: lower case, no spaces, Greek or Latin micro alike."""
    plain = re.sub(r"\s+", "", unit.lower()).replace("μ", "µ").replace("³", "3").replace("²", "2")
    plain = (
        plain.replace("mcl", "ul")
        .replace("mcg", "µg")
        .replace("meq/", "mmol/")
        .replace("cumm", "mm3")
        .replace("percent", "%")
        .replace("pct", "%")
    )
    plain = re.sub(r"(beats?|breaths?)(?:/|per)min(?:ute)?", r"\1/min", plain).replace(
        "beat/",
        "beats/",
    )
    plain = re.sub(r"^(?:x?10[\^*]?(?:9|⁹)/l)$", "10^9/l", plain)
    plain = re.sub(r"^perminute$", "/min", plain)
    return plain.replace("cell/", "cells/").replace("degrees", "").replace("degree", "")


def convert(value: float, quantity: Quantity, unit: str) -> float | None:
    """Return a value in the main unit of its quantity, or None if it cannot be one of it."""
    plain = unit.replace("µ", "u")
    factors = {}
    for name, factor in quantity.units.items():
        factors[name.replace("µ", "u")] = factor
    if quantity.name == "hba1c" and (unit.startswith("mmol") or (not unit and value > 20)):
        # IFCC to NGSP, Hoelzel et al. 2004. A number without unit that can be no share is of IFCC.
        value = 0.0915 * value + 2.15
    elif quantity.name == "temp" and ("f" in unit or (not unit and value > 60)):
        value = (value - 32) / 1.8
    elif plain in factors:
        value *= float(factors[plain])
    elif (plain and not _same_unit(plain, quantity.unit)) or (not plain and quantity.needs_unit):
        return None
    elif quantity.rescale and value > quantity.rescale[0]:
        value *= quantity.rescale[1]
    elif not plain and quantity.rescale_below and value < quantity.rescale_below[0]:
        value *= quantity.rescale_below[1]
    elif not plain and quantity.rescale_above and value > quantity.rescale_above[0]:
        value *= quantity.rescale_above[1]
    low, high = quantity.limits
    if low <= value <= high:
        return value
    return None


def _same_unit(unit: str, main: str) -> bool:
    """True if a unit is the main one, or another way of writing it."""
    alike = {
        "/min": {"bpm", "beats/min", "breaths/min", "/minute", "/min"},
        "c": {"c", "°c", "celsius"},
        "kg/m2": {"kg/m2", "kg/m", "kg/m^2"},
        "mm/h": {"mm/h", "mm/hr", "mm/hour"},
        "ml/min": {"ml/min", "ml/min/1.73m2"},
        "mosm/kg": {"mosm/kg", "mosm/l", "mosm/kgh2o"},
        "/ul": {"/ul", "/mm3", "cells/ul", "cells/mm3"},
        "10^9/l": {"10^9/l", "k/ul", "thousand/ul"},
        "u/l": {"u/l", "iu/l"},
        "weeks": {"weeks", "week"},
        "iu/l": {"iu/l", "u/l", "miu/ml"},
        "iu/ml": {"iu/ml", "u/ml"},
        "ng/ml": {"ng/ml", "ug/l"},
        "pg/ml": {"pg/ml", "ng/l"},
    }
    return unit == main or unit in alike.get(main, set())
