"""Ways of saying something, some of them kept for the hard test.

Which ones is decided by a hash of the text alone, so adding a way moves few others, and a corpus made tomorrow from the
same knowledge holds out the same wording.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dxtrace.knowledge.schema import Says

Register = Literal["terse", "full", "lay"]

#: Share of the ways that only the hard test uses.
HELD_OUT = 1 / 3

_FALLBACK: dict[Register, tuple[Register, ...]] = {
    "terse": ("terse", "full", "lay"),
    "full": ("full", "lay", "terse"),
    "lay": ("lay", "full", "terse"),
}


def stable_hash(text: str) -> int:
    """Return a 64-bit hash that is the same in every process and version of Python."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def divide(texts: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return ``texts`` as (seen in training, hard test only), each in the order given; a single text is training's."""
    unique = list(dict.fromkeys(texts))
    count = max(1, round(len(unique) * HELD_OUT)) if len(unique) > 1 else 0
    held = set(sorted(unique, key=stable_hash)[:count])
    return tuple(t for t in unique if t not in held), tuple(t for t in unique if t in held)


@dataclass(frozen=True)
class Ways:
    """The ways of one side (training or hard test) by register."""

    by_register: dict[Register, tuple[str, ...]]

    def pick(self, rng: random.Random, register: Register) -> tuple[str, Register]:
        """Return one way and its register: the one asked for, or the nearest that has any."""
        for near in _FALLBACK[register]:
            if texts := self.by_register[near]:
                return rng.choice(texts), near
        raise LookupError("no way to say it")

    def has(self, register: Register) -> bool:
        """True if there is a way in exactly this register."""
        return bool(self.by_register[register])


def sides(says: Says) -> tuple[Ways, Ways]:
    """Divide the ways of ``says`` into (training, hard test), within each register; each side gets at least one."""
    registers: tuple[Register, ...] = ("terse", "full", "lay")
    divided = {register: divide(getattr(says, register)) for register in registers}
    train = {register: parts[0] for register, parts in divided.items()}
    hard = {register: parts[1] for register, parts in divided.items()}
    if not any(hard.values()):
        last = [register for register in registers if train[register]][-1]
        hard[last] = train[last]
        if sum(map(len, train.values())) > 1:
            train[last] = ()
    return Ways(train), Ways(hard)


def choose(rng: random.Random, texts: Sequence[str], other: Sequence[str] = ()) -> str:
    """Return one of ``texts``, or of ``other`` if there are none."""
    return rng.choice(texts or other)
