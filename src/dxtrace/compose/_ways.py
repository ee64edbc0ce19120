"""Ways of saying something by side, training or hard test, and by register."""

from __future__ import annotations

import random
from dataclasses import dataclass

from dxtrace.knowledge.schema import Says
from dxtrace.knowledge.wordings import Register, divide_says

_FALLBACK: dict[Register, tuple[Register, ...]] = {
    "terse": ("terse", "full", "lay"),
    "full": ("full", "lay", "terse"),
    "lay": ("lay", "full", "terse"),
    "vignette": ("vignette", "full", "lay", "terse"),
}


@dataclass(frozen=True)
class Wordings:
    """The ways of one side (training or hard test) by register."""

    by_register: dict[Register, tuple[str, ...]]

    def pick(self, rng: random.Random, register: Register) -> tuple[str, Register]:
        """Return one way and its register: the one asked for, or the nearest that has any."""
        for near in _FALLBACK[register]:
            texts = self.by_register[near]
            if near == "full":
                # Wordings of examination questions are full sentences too.
                texts += self.by_register["vignette"]
            if texts:
                return rng.choice(texts), near
        raise LookupError("no way to say it")


def sides(says: Says) -> tuple[Wordings, Wordings]:
    """Divide the ways of ``says`` into (training, hard test), within each register; each side gets
    at least one.
    """
    train, hard = divide_says(says)
    return Wordings(train), Wordings(hard)
