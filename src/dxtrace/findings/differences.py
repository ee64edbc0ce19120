"""Differences that a sentence states by two values: of blood pressure between postures and between
arms, of FEV1 before and after a bronchodilator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dxtrace.findings.numbers import is_number, number
from dxtrace.findings.quantities import Measurement

_AT_REST = frozenset(["lying", "supine", "recumbent", "flat", "sitting", "seated"])
_UPRIGHT = frozenset(["standing", "upright", "stand", "stood", "erect"])

_RIGHT = frozenset(["right", "r", "rt", "rue"])
_LEFT = frozenset(["left", "l", "lt", "lue"])
_ARM = frozenset(["arm", "arms", "rue", "lue"])
_PRESSURE = frozenset(["bp", "pressure", "pressures", "sbp", "systolic", "systolics", "mmhg"])

#: Words between a pressure and its posture or arm, at most: "fell to 90/54 mmHg when standing".
_REACH = 6

#: What a systolic pressure can be, in mmHg.
_LEAST, _MOST = 40, 300


#: FEV1 in litres and in millilitres.
_LITRES, _MILLILITRES = (0.3, 8.0), (300.0, 8000.0)
_FEV1 = frozenset(["fev1", "fev"])
_AFTER = frozenset(
    ["bronchodilator", "salbutamol", "albuterol", "terbutaline", "ventolin", "inhaler", "saba", "bd",
     "nebuliser", "nebulizer", "ipratropium", "formoterol", "post", "postbronchodilator"]
)  # fmt: skip
_BEFORE = frozenset(["pre", "before", "baseline", "prebronchodilator"])


def read_differences(words: Sequence[str]) -> Iterator[Measurement]:
    """Yield the differences of a sentence."""
    yield from _pressure_gaps(words)
    yield from _reversibility(words)


def _reversibility(words: Sequence[str]) -> Iterator[Measurement]:
    """Yield by how much FEV1 rises with a bronchodilator, in % of the first value
    (``reversibility``) and in mL (``fev1_gain``).
    """
    if not _FEV1.intersection(words) or not _AFTER.intersection(words):
        return
    for least, most in (_LITRES, _MILLILITRES):
        places = [index for index, word in enumerate(words) if _is_volume(word, least, most)]
        if len(places) != 2:
            continue
        one, two = places
        before = _find(words, _BEFORE)
        after = _find(words, _AFTER)
        if before is not None and after is not None and after < before:
            one, two = two, one
        first, second = number(words[one]), number(words[two])
        percent = 100 * (second - first) / first
        gain = 1000 * (second - first) / (least / _LITRES[0])
        yield Measurement("reversibility", percent, percent, min(places), max(places))
        yield Measurement("fev1_gain", gain, gain, min(places), max(places))


def _is_volume(word: str, least: float, most: float) -> bool:
    # Litres are written with a decimal point: "2" is a day or a number of puffs.
    written_so = most > _LITRES[1] or not word.isdigit()
    return is_number(word) and written_so and least <= number(word) <= most


def _pressure_gaps(words: Sequence[str]) -> Iterator[Measurement]:
    """Yield by how many mmHg the systolic pressure falls from rest to standing (``postural_fall``),
    and differs between the arms (``arm_gap``).

    Two pressures and two postures belong together in their order, whichever is named first:
    "lying 130/80, standing 100/60", "130/80 lying and 100/60 standing".
    """
    places = list(pressures(words))
    fall = _gap(words, places, _AT_REST, _UPRIGHT)
    if fall is not None:
        yield Measurement("postural_fall", fall, fall, *_extent(words, places))
    if not _ARM.intersection(words):
        return
    # The arms are often told apart by the systolic pressure alone.
    if not places and _PRESSURE.intersection(words):
        places = list(_systolics(words))
    gap = _gap(words, places, _RIGHT, _LEFT)
    if gap is not None:
        yield Measurement("arm_gap", abs(gap), abs(gap), *_extent(words, places))


def _gap(
    words: Sequence[str],
    places: Sequence[int],
    first_names: Collection[str],
    second_names: Collection[str],
) -> float | None:
    """Return how much higher the pressure is that the first names go with, or None if the sentence
    does not say two such pressures.
    """
    first = _find(words, first_names)
    second = _find(words, second_names)
    if len(places) != 2 or first is None or second is None:
        return None
    one, two = places
    if second < first:
        one, two = two, one
    if abs(one - first) > _REACH or abs(two - second) > _REACH:
        return None
    return number(words[one]) - number(words[two])


def _extent(words: Sequence[str], places: Sequence[int]) -> tuple[int, int]:
    """Return the first and the last word of what is said of two pressures."""
    named = _AT_REST | _UPRIGHT | _RIGHT | _LEFT
    first, last = min(places), max(places)
    if words[last + 1 : last + 2] == ["/"]:
        last += 2
    near = range(max(0, first - _REACH), min(len(words), last + _REACH + 1))
    for index in near:
        if words[index] in named:
            first = min(first, index)
            last = max(last, index)
    return first, last


def pressures(words: Sequence[str]) -> Iterator[int]:
    """Yield where a pressure such as "128/82" begins."""
    for index in range(len(words) - 2):
        if words[index + 1] == "/" and _is_systolic(words[index]) and is_number(words[index + 2]):
            yield index


def _systolics(words: Sequence[str]) -> Iterator[int]:
    for index, word in enumerate(words):
        if _is_systolic(word):
            yield index


def _is_systolic(word: str) -> bool:
    return is_number(word) and _LEAST <= number(word) <= _MOST


def _find(words: Sequence[str], names: Collection[str]) -> int | None:
    for index, word in enumerate(words):
        if word in names:
            return index
    return None
