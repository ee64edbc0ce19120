"""Putting a note together piece by piece, so that the offsets of what is quoted are exact."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

Piece = tuple[str, str | None]

#: Share of lists of three or more with a comma before the last ("fever, cough, and chills").
SERIAL_COMMA = 0.7


@dataclass(frozen=True)
class Item:
    """One statement: pieces of text, each with the id of the finding that may be quoted from it, or
    None.

    ``sentence`` is true of a whole sentence with its final stop, false of a fragment without one.
    """

    pieces: tuple[Piece, ...]
    sentence: bool = False

    @property
    def text(self) -> str:
        """The text of all pieces."""
        return "".join(text for text, _ in self.pieces)

    def beginning_with(self, text: str) -> Item:
        """Return the item with ``text`` in place of that of its first piece."""
        (_, tag), *rest = self.pieces
        return Item(((text, tag), *rest), self.sentence)


def item_from(text: str, tag: str | None = None) -> Item:
    """Make an item of one text; the final stop of a sentence stays outside what is quoted."""
    if text.endswith("."):
        return Item(((text[:-1], tag), (".", None)), sentence=True)
    return Item(((text, tag),), sentence=text.endswith(('"', "?", "!", "”")))


def capitalised(item: Item) -> Item:
    """Return the item with its first letter raised, unless its first word has a spelling of its own
    ("pH", "eGFR").
    """
    text = item.pieces[0][0]
    word = text.split(" ", 1)[0]
    if not word[:1].islower():
        return item
    ordinary = word[1:].islower() or len(word) == 1
    if not ordinary and "," not in word and "-" not in word:
        return item
    return item.beginning_with(text[0].upper() + text[1:])


def bare(item: Item, label: re.Pattern[str]) -> Item:
    """Return the item without a label at its start: under the heading "FHx", a fragment needs no
    "FHx:" of its own.
    """
    text = item.pieces[0][0]
    found = label.match(text)
    if found is None or found.end() >= len(text) - 2:
        return item
    return item.beginning_with(text[found.end() :])


def lowered(text: str) -> str:
    """Return ``text`` with its first letter lowered, unless the first word is a name, an acronym or
    "I".
    """
    word = re.split(r"[ ,'’/-]", text, maxsplit=1)[0]
    if len(word) < 2 or not word[1:].islower():
        return text
    return text[0].lower() + text[1:]


def chained(items: Sequence[Item], separator: str) -> tuple[Piece, ...]:
    """Return the pieces of items on one line: fragments parted by ``separator``, sentences left
    whole.
    """
    pieces: list[Piece] = []
    previous: Item | None = None
    for item in items:
        if previous is not None:
            pieces.append((_between(previous, item, separator), None))
        starts = previous is None or previous.sentence or item.sentence
        if starts or separator == ". ":
            item = capitalised(item)
        pieces += item.pieces
        previous = item
    if previous is not None and not previous.sentence and separator == ". ":
        pieces.append((".", None))
    return tuple(pieces)


def _between(before: Item, after: Item, separator: str) -> str:
    """Return what stands between two items on one line."""
    if before.sentence:
        return " "
    if after.sentence:
        return ". "
    return separator


class Writer:
    """A growing note.

    ``marks`` holds where each tag's text stands: (start, end), in code points.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self.marks: dict[str, tuple[int, int]] = {}

    @property
    def note(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    def add(self, text: str, tag: str | None = None) -> None:
        """Append ``text``; the first text with a tag is the one that is quoted."""
        if tag is not None and tag not in self.marks:
            # White space at the ends is not part of a quote.
            start = self._length + len(text) - len(text.lstrip())
            end = self._length + len(text.rstrip())
            self.marks[tag] = (start, end)
        self._parts.append(text)
        self._length += len(text)

    def item(self, item: Item) -> None:
        """Append all pieces of an item."""
        for text, tag in item.pieces:
            self.add(text, tag)

    def prose(self, items: Sequence[Item]) -> None:
        """Append items as running sentences; fragments become short sentences."""
        for number, item in enumerate(items):
            if number:
                self.add(" ")
            self.item(capitalised(item))
            if not item.sentence and not item.text.endswith((".", ":", "?", ",")):
                self.add(".")

    def chain(self, items: Sequence[Item], separator: str) -> None:
        """Append items on one line: see :func:`chained`."""
        for text, tag in chained(items, separator):
            self.add(text, tag)

    def lines(self, items: Sequence[Item], bullet: str) -> None:
        """Append each item on a line of its own after ``bullet`` ("1" numbers them)."""
        for number, item in enumerate(items, 1):
            if number > 1:
                self.add("\n")
            if bullet == "1":
                self.add(f"{number}. ")
            else:
                self.add(bullet)
            self.item(item)


def wrapped(note: str, width: int) -> str:
    """Return ``note`` with long lines broken at a space that becomes a line break: no offset
    changes.
    """
    lines: list[str] = []
    for line in note.split("\n"):
        while len(line) > width:
            cut = line.rfind(" ", width // 2, width + 1)
            if cut < 0:
                break
            lines.append(line[:cut])
            line = line[cut + 1 :]
        lines.append(line)
    return "\n".join(lines)


def listed(words: Sequence[str], last: str, rng: random.Random | None = None) -> str:
    """Return "a, b and c" with ``last`` before the final one; with ``rng``, the serial comma comes
    and goes.
    """
    if len(words) < 3:
        return f" {last} ".join(words)
    joined = ", ".join(words[:-1])
    if rng is None or rng.random() < SERIAL_COMMA:
        joined += ","
    return f"{joined} {last} {words[-1]}"
