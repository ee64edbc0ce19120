"""Which ways of saying a thing are kept for the hard test.

Decided by a hash of the text alone, so adding a way moves few others, and a corpus made tomorrow
from the same knowledge holds out the same wording.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

from dxtrace.knowledge.schema import Finding, Says

#: Share of the ways that only the hard test uses.
HELD_OUT = 1 / 3

Register = Literal["terse", "full", "lay", "vignette"]
REGISTERS: tuple[Register, ...] = ("terse", "full", "lay", "vignette")

_OPENING = re.compile(r"(?:An?|This|The patient is an?) (?:[\w-]+ ){0,2}\{age\}")

#: Which ways of ``knowledge/`` are looked for in a note: all, or those that training cases use. On
#: the hard test, whose notes are written in the others, only the second is fair.
Wordings = Literal["all", "training"]


def stable_hash(text: str) -> int:
    """Return a 64-bit hash that is the same in every process and version of Python."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def divide(texts: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return ``texts`` as (seen in training, hard test only), each in the order given; a single
    text is training's.
    """
    unique = list(dict.fromkeys(texts))
    count = max(1, round(len(unique) * HELD_OUT)) if len(unique) > 1 else 0
    held = set(sorted(unique, key=stable_hash)[:count])
    return tuple(t for t in unique if t not in held), tuple(t for t in unique if t in held)


def divide_says(
    says: Says,
) -> tuple[dict[Register, tuple[str, ...]], dict[Register, tuple[str, ...]]]:
    """Divide the ways of ``says`` into (training, hard test), within each register; each side gets
    at least one.
    """
    divided = {register: divide(getattr(says, register)) for register in REGISTERS}
    train = {register: parts[0] for register, parts in divided.items()}
    hard = {register: parts[1] for register, parts in divided.items()}
    if not any(hard.values()):
        last = [register for register in REGISTERS if train[register]][-1]
        hard[last] = train[last]
        if sum(map(len, train.values())) > 1:
            train[last] = ()
    return train, hard


def apart(finding: Finding) -> tuple[tuple[str, ...], Says]:
    """Return the ways that present the patient ("A {age}-year-old {man} ..."): they begin a note;
    and the others.
    """
    openings = tuple(way for way in finding.says.full if _OPENING.match(way))
    others = tuple(way for way in finding.says.full if way not in openings)
    return openings, finding.says.model_copy(update={"full": others})


def ways_of(finding: Finding, wordings: Wordings = "all") -> tuple[str, ...]:
    """Return the ways in which a note may say a finding, as a complaint and as the name of a test
    included.
    """
    test = (finding.lab.name,) if finding.lab else ()
    if wordings == "all":
        return finding.says.all + finding.chief + test
    openings, others = apart(finding)
    said = [way for ways in divide_says(others)[0].values() for way in ways]
    return (*said, *divide(openings)[0], *divide(finding.chief)[0], *test)
