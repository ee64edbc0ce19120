"""The fall of blood pressure on standing, from two pressures that a sentence ties to postures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dxtrace.findings.numbers import is_number, number
from dxtrace.findings.quantities import Measurement

_AT_REST = frozenset(["lying", "supine", "recumbent", "flat", "sitting", "seated"])
_UPRIGHT = frozenset(["standing", "upright", "stand", "stood", "erect"])

#: Words between a pressure and its posture, at most: "fell to 90/54 mmHg when standing".
_REACH = 6

#: What a systolic pressure can be, in mmHg.
_LEAST, _MOST = 40, 300


def read_postural_falls(words: Sequence[str]) -> Iterator[Measurement]:
    """Yield by how much the systolic pressure falls from rest to standing, in mmHg.

    Two pressures and two postures belong together in their order, whichever is named first:
    "lying 130/80, standing 100/60", "130/80 lying and 100/60 standing".
    """
    pressures = list(_pressures(words))
    at_rest = _first(words, _AT_REST)
    upright = _first(words, _UPRIGHT)
    if len(pressures) != 2 or at_rest is None or upright is None:
        return
    one, two = pressures
    if upright < at_rest:
        one, two = two, one
    if abs(one - at_rest) > _REACH or abs(two - upright) > _REACH:
        return
    fall = number(words[one]) - number(words[two])
    first = min(one, two, at_rest, upright)
    last = max(one + 2, two + 2, at_rest, upright)
    yield Measurement("postural_fall", fall, fall, first, last)


def _pressures(words: Sequence[str]) -> Iterator[int]:
    """Yield where a pressure such as "128/82" begins."""
    for index in range(len(words) - 2):
        if not is_number(words[index]) or words[index + 1] != "/":
            continue
        if is_number(words[index + 2]) and _LEAST <= number(words[index]) <= _MOST:
            yield index


def _first(words: Sequence[str], names: Collection[str]) -> int | None:
    for index, word in enumerate(words):
        if word in names:
            return index
    return None
