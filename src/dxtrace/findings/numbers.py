"""Numbers as a note writes them: digits, thousands, decimal points and commas, words."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from dxtrace.files import packaged_yaml


@cache
def word_lists() -> dict[str, Any]:
    """Return the words that a reader of numbers knows (``number_words.yaml``)."""
    lists: dict[str, Any] = packaged_yaml("dxtrace.findings", "number_words.yaml")
    return lists


_NUMBER_WORDS: dict[str, float] = word_lists()["numbers"]

_NUMBER = re.compile(r"\d[\d,'’ \u00a0\u2009\u202f]*(?:[.·]\d+)?\Z")
# Marks between groups of three digits that are nothing else.
_GROUP_MARKS = str.maketrans("", "", "'’ \u00a0\u2009\u202f")
# 1.850 is a thousand and more in half of the world, and one and a bit in the other.
_ONE_OF_TWO = re.compile(r"[1-9]\d{0,2}\.\d{3}\Z")


_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z")


def is_number(word: str) -> bool:
    """True for digits."""
    return _NUMBER.match(word) is not None


def number(word: str) -> float:
    """Return the value of digits: "1,200" is a thousand and two hundred, "1,2" one and a fifth."""
    word = word.translate(_GROUP_MARKS)
    if _THOUSANDS.match(word):
        plain = word.replace(",", "")
    else:
        plain = word.replace(",", ".")
    return float(plain.replace("·", "."))


def other_value(word: str) -> float | None:
    """Return what digits are worth where a point marks thousands, None where it cannot."""
    if _ONE_OF_TWO.match(word):
        return float(word.replace(".", ""))
    return None


def as_number(word: str) -> float | None:
    """Return the value of digits or of a number word; None for another word."""
    if is_number(word):
        return number(word)
    return _NUMBER_WORDS.get(word)
