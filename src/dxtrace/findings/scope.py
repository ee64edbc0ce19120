"""The reach of one cue over the words of a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Property = Literal["denied", "normal", "uncertain", "family", "other", "past", "overtaken"]


@dataclass(frozen=True)
class Scope:
    """One cue (tokens ``first`` to ``last``) and the tokens that it reaches, ``start`` to ``end``
    (half open).
    """

    property: Property
    first: int
    last: int
    start: int
    end: int

    def covers(self, index: int) -> bool:
        """True if the token is in the reach of the cue, the cue's own words excepted."""
        return self.start <= index < self.end and not self.first <= index <= self.last
