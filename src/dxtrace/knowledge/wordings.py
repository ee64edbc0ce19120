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

#: The ways of one side.
ByRegister = dict[Register, tuple[str, ...]]

_OPENING = re.compile(r"(?:An?|This|The patient is an?) (?:[\w-]+ ){0,2}\{age\}")

#: Which ways of ``knowledge/`` are looked for in a note: all, or those that training cases use. On
#: the hard test, whose notes are written in the others, only the second is fair.
Wordings = Literal["all", "training"]


def stable_hash(text: str) -> int:
    """Return a 64-bit hash that is the same in every process and version of Python."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def divide(texts: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return ``texts`` as (seen in training, hard test only), each in the order given; a single
    text is training's.
    """
    unique = list(dict.fromkeys(texts))
    count = 0
    if len(unique) > 1:
        count = max(1, round(len(unique) * HELD_OUT))
    held_out = set(sorted(unique, key=stable_hash)[:count])
    train = []
    for text in unique:
        if text not in held_out:
            train.append(text)
    hard = []
    for text in unique:
        if text in held_out:
            hard.append(text)
    return tuple(train), tuple(hard)


def divide_says(says: Says) -> tuple[ByRegister, ByRegister]:
    """Divide the ways of ``says`` into (training, hard test), within each register; each side gets
    at least one.
    """
    train: ByRegister = {}
    hard: ByRegister = {}
    for register in REGISTERS:
        train[register], hard[register] = divide(getattr(says, register))
    if not any(hard.values()):
        # One way in each register at most: the hard test gets the last, shared if it is the only
        # one.
        last = [register for register in REGISTERS if train[register]][-1]
        hard[last] = train[last]
        if sum(map(len, train.values())) > 1:
            train[last] = ()
    return train, hard


def apart(finding: Finding) -> tuple[tuple[str, ...], Says]:
    """Return the ways that present the patient ("A {age}-year-old {man} ..."): they begin a note;
    and the others.
    """
    openings: list[str] = []
    others: list[str] = []
    for way in finding.says.full:
        if _OPENING.match(way):
            openings.append(way)
        else:
            others.append(way)
    says = finding.says.model_copy(update={"full": tuple(others)})
    return tuple(openings), says


def ways_of(finding: Finding, wordings: Wordings = "all") -> tuple[str, ...]:
    """Return the ways in which a note may say a finding, as a complaint and as the name of a test
    included.
    """
    ways: list[str] = []
    if wordings == "all":
        ways += finding.says.all
        ways += finding.chief
    else:
        openings, others = apart(finding)
        train, _ = divide_says(others)
        for texts in (
            *train.values(),
            divide(openings)[0],
            divide(finding.chief)[0],
        ):
            ways += texts
    if finding.lab:
        ways.append(finding.lab.name)
    return tuple(ways)
