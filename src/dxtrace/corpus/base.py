"""What every corpus is once it is read: cases, where they come from, and what was wrong with the
rest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.provenance import CorpusInfo

#: What can be wrong with a file, a line or an observation; reports count problems by these names.
ProblemKind = Literal[
    "unreadable",
    "bad-json",
    "bad-shape",
    "bad-note",
    "no-diagnosis",
    "unknown-diagnosis",
    "unknown-node",
    "off-path",
    "unaligned",
    "moved",
    "section",
    "duplicate-id",
    "data-list",
]


#: The tag (value ``true``) of a case that is under a credentialed-use agreement: it stays with the
#: case in every file.
CREDENTIALED = "credentialed"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: its kind, where it is (file, line, observation), and what to know;
    no note text.

    ``lost`` is the id of the case that is left out for it, where the rest cannot be used.
    """

    kind: ProblemKind
    place: str
    message: str
    lost: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.kind}]"


@dataclass(frozen=True)
class Corpus:
    """Annotated cases, the description of where they come from, and the problems met while reading
    them.

    What has a problem that can be mended (an observation that cannot be aligned) is loaded without
    it; what cannot be (a file that is not JSON) is left out. Either way the rest is there.
    """

    cases: list[AnnotatedCase]
    info: CorpusInfo
    problems: list[Problem]

    @property
    def annotated(self) -> list[AnnotatedCase]:
        """The cases that have a gold chain."""
        annotated = []
        for case in self.cases:
            if case.gold is not None:
                annotated.append(case)
        return annotated

    def count_problems(self) -> dict[str, int]:
        """Return how many problems of each kind there are, most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())


def row_bytes(case: AnnotatedCase) -> bytes:
    """Return a case as one line of a corpus file, as UTF-8."""
    return (json.dumps(case.to_json(), ensure_ascii=False) + "\n").encode()


def row_sha256(case: AnnotatedCase) -> str:
    """Return the SHA-256 of :func:`row_bytes`: what a manifest holds in place of a case."""
    return hashlib.sha256(row_bytes(case)).hexdigest()


def assemble(
    cases: Iterable[AnnotatedCase],
    problems: Iterable[Problem],
    *,
    name: str,
    id: str,
    licence: str,
    credentialed: bool = False,
) -> Corpus:
    """Make a corpus; its hash is taken over all rows.

    The second case ``x`` becomes ``x~2``, and a problem.
    """
    found = list(problems)
    unique: dict[str, AnnotatedCase] = {}
    for case in cases:
        new = case.id
        number = 1
        while new in unique:
            number += 1
            new = f"{case.id}~{number}"
        if new != case.id:
            found.append(
                Problem(
                    "duplicate-id",
                    case.id,
                    f"this id stands twice; the later case is called {new}",
                ),
            )
            case = renamed(case, new)
        unique[new] = case
    whole = hashlib.sha256(
        "".join(row_sha256(case) for case in unique.values()).encode(),
    ).hexdigest()
    return Corpus(
        list(unique.values()),
        CorpusInfo(name, id, whole, licence, credentialed),
        found,
    )


def renamed(case: AnnotatedCase, id: str) -> AnnotatedCase:
    """Return the case under another id."""
    gold = replace(case.gold, id=id) if case.gold else None
    return replace(case, case=Case(case.case.note, case.case.sections, id), gold=gold)


def replace_surrogates(text: str) -> str:
    """Return ``text`` with lone surrogates (which no file can hold) replaced by U+FFFD."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
