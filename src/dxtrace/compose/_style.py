"""The kinds of notes that the composer writes: which parts, in which order, under which headings,
in whose words.

Everything here is about form. A style is ``hard`` if only the hard test uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dxtrace.knowledge.schema import Finding
from dxtrace.knowledge.wordings import Register

Layout = Literal[
    "prose",
    "stops",
    "semicolons",
    "commas",
    "lines",
    "dashes",
    "bullets",
    "plus",
    "numbers",
]
Print = Literal["dense", "chart", "table", "pipes", "columns", "prose", "short"]

#: How often a part's wording is terse, full, lay: a resident's notes, a mixed hand, full sentences.
TERSE = (0.85, 0.15, 0)
MIXED = (0.4, 0.53, 0.07)
FULL = (0.03, 0.9, 0.07)


@dataclass(frozen=True)
class Part:
    """One part of a note: blocks that stand together, under one of ``headings`` (none: no heading).

    ``share`` is how often the part is written; ``registers`` weighs terse, full and lay wording.
    """

    blocks: tuple[str, ...]
    headings: tuple[str, ...] = ()
    layout: Layout = "prose"
    registers: tuple[float, float, float] = (0, 1, 0)
    share: float = 1.0


@dataclass(frozen=True)
class Style:
    """A kind of note. Number pairs are the fewest and the most of something in a note.

    ``abbreviates``, ``typos``, ``wraps`` and ``masks`` are the shares of notes that do so;
    ``reports`` is the share of studies printed as a whole report; a ``long`` note leaves little
    out; one of a ``planned`` visit is not written of an illness of hours or days; ``without`` are
    sections of which it holds nothing.
    """

    name: str
    opener: str
    parts: tuple[Part, ...]
    vitals: str
    prints: tuple[Print, ...]
    hard: bool = False
    weight: float = 1.0
    findings: tuple[int, int] = (6, 11)
    negatives: tuple[int, int] = (4, 6)
    lookalikes: tuple[int, int] = (1, 2)
    neutral: tuple[int, int] = (1, 3)
    denials: tuple[int, int] = (2, 7)
    normal_exam: float = 0.6
    normal_tests: tuple[int, int] = (3, 9)
    studies: tuple[int, int] = (0, 2)
    course: tuple[int, int] = (0, 1)
    most_comorbidities: int = 5
    abbreviates: float = 0.0
    typos: float = 0.0
    wraps: float = 0.0
    heading: Literal["line", "inline", "caps", "caps-inline", "markdown", "stars"] = "line"
    gap: str = "\n\n"
    systems: bool = True
    masks: float = 0.0
    long: bool = False
    reports: float = 0.0
    planned: bool = False
    without: frozenset[str] = frozenset()

    @property
    def is_story(self) -> bool:
        """Whether it is a short presentation without tests."""
        return bool(self.without)

    def holds(self, finding: Finding, section: str) -> bool:
        """Return whether such a note may state a finding of a section; a story tells of no test and
        of nothing that was done in hospital.
        """
        if self.is_story and finding.kind in ("lab", "imaging", "procedure"):
            return False
        return section not in self.without

    def register(self, part: Part, roll: float) -> Register:
        """Return the register for a roll from 0 to 1."""
        terse, full, lay = part.registers
        roll *= terse + full + lay
        if roll < terse:
            return "terse"
        if roll < terse + full:
            return "full"
        return "lay"
