"""The seam between metrics and what decides whether two statements mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Statement:
    """A text to be compared, with its half-open range in the note, and the id of the premise it says, where it has
    them."""

    text: str
    span: tuple[int, int] | None = None
    premise: str | None = None


@dataclass(frozen=True)
class Pair:
    """Two statements: the gold one and the predicted one, on the same note."""

    gold: Statement
    predicted: Statement


@dataclass(frozen=True)
class Verdict:
    """A judge's answer: same or not, and a score from 0 to 1 that ranks pairs within one judge."""

    same: bool
    score: float


@runtime_checkable
class Judge(Protocol):
    """Decides for pairs of statements. Deterministic: the same pair always gets the same verdict."""

    @property
    def name(self) -> str:
        """What a report says of the judge: kind, model, thresholds. Scores under different names are not comparable."""
        ...

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return a verdict for each pair, in order."""
        ...
