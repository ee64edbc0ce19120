"""Columns of a table that hold earlier results: of a row only what is measured now is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Cells stand apart by two spaces, a tab or a bar.
_CELL = re.compile(r"[^\s|]+(?: [^\s|]+)*")

_NOW = re.compile(
    r"today|now|current(?:ly)?|(?:(?:on|at) )?(?:admission|arrival|presentation)|post-?op\w*"
    r"|this (?:visit|admission|week)",
    re.IGNORECASE,
)
_EARLIER = re.compile(
    r"pre-?op\w*|baseline|previous(?:ly)?|prior|earlier|before|last (?:week|month|year|visit)"
    r"|\d+ (?:weeks?|months?|years?) ago",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?:t ?[=+]? ?)?\+?\d{1,3} ?(?:h|hrs?|hours?|min|minutes?)|\d{1,2}:\d{2}|(?:day|hour) ?\d{1,2}",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_MONTH = re.compile(r"[A-Z][a-z]{2,8}\.? (?:19|20)\d\d")


@dataclass(frozen=True)
class Columns:
    """The cells of a row that hold earlier results, the label being cell 0, and how many cells a row has."""

    earlier: frozenset[int]
    count: int


def earlier_columns(line: str) -> Columns | None:
    """Return the columns that a heading says to be of earlier tests, or None if it is no such heading.

    There must be one of now beside them: "Test | 2019 | today", or years, of which the last is now.
    """
    cells = _CELL.findall(line)
    years = [cell for cell in cells if _YEAR.fullmatch(cell)]
    latest = ""
    if not any(_NOW.fullmatch(cell) for cell in cells):
        if len(years) < 2:
            return None
        latest = max(years)
    # A heading may leave the place above the labels empty.
    shift = int(_begins_empty(line))
    earlier = set()
    for place, cell in enumerate(cells):
        dated = _MONTH.fullmatch(cell) and not latest
        if dated or _EARLIER.fullmatch(cell) or (cell in years and cell != latest):
            earlier.add(place + shift)
    if not earlier or 0 in earlier:
        return None
    return Columns(frozenset(earlier), len(cells) + shift)


def names_times(line: str) -> bool:
    """True for a heading whose columns are times of one stay: "Test | 0 h | 3 h"."""
    times = 0
    for cell in _CELL.findall(line):
        if _TIME.fullmatch(cell):
            times += 1
        elif any(char.isdigit() for char in cell):
            return False
    return times > 1


def _begins_empty(line: str) -> bool:
    before = line[: len(line) - len(line.lstrip(" \t|"))]
    if "|" in before:
        return before.count("|") > 1
    return bool(before)


def is_row(line: str) -> bool:
    """True for a line of more than one cell."""
    return len(_CELL.findall(line)) > 1


def without_earlier(line: str, columns: Columns | None) -> str:
    """Return a row with its earlier results blank, as long as before; other lines as they are."""
    if columns is None:
        return line
    cells: Sequence[re.Match[str]] = list(_CELL.finditer(line))
    if len(cells) != columns.count:
        return line
    for place in columns.earlier:
        start, end = cells[place].span()
        line = line[:start] + " " * (end - start) + line[end:]
    return line
