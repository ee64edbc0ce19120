"""What a sentence says *about* its words: denied, normal, uncertain, of a relative, of the past.

Polarity, certainty, experiencer and time are four properties of their own, each with the scopes of its cues
(:mod:`dxtrace.findings.scopes`). A normal result is a kind of denial that a pattern may also ask for by its word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dxtrace.findings.scope import Property, Scope
from dxtrace.findings.scopes import find_scopes
from dxtrace.findings.text_kinds import GENERAL, NO_RESULT, REACTION, RESULT, TEACHING
from dxtrace.findings.tokens import Token, reference_tokens


@dataclass(frozen=True)
class Context:
    """The scopes of one sentence, and what holds for all of it."""

    scopes: tuple[Scope, ...]
    no_result: bool
    hypothetical: bool
    reaction: bool = False

    def properties(self, index: int, ignore: frozenset[int] = frozenset()) -> set[Property]:
        """Return what is said about a token; cues of which a token is in ``ignore`` say nothing."""
        properties = set()
        for scope in self.scopes:
            if scope.covers(index) and not any(
                place in ignore for place in range(scope.first, scope.last + 1)
            ):
                properties.add(scope.property)
        return properties


_OWN_RELATIVE = re.compile(
    r"\W*(?:my|our)\s+(?:(?:[a-z]+\s+)?\d+[\s-]+year[\s-]+old\s+|elderly\s+|old\s+|late\s+)?([a-z]+)\b(?!\s+(?:says|said|thinks|told))",
    re.IGNORECASE,
)


# "... is brought to the physician by her daughter": her mother, later on, is the patient.
_BROUGHT_BY_CHILD = re.compile(
    r"\b(?:brought|accompanied)\b[^.]{0,60}\bby\s+(his|her)\s+(?:[a-z]+\s+)?(?:daughter|son|children)\b",
    re.IGNORECASE,
)


def patient_by_relation(note: str) -> str:
    """Return what the patient is to who tells the story: "mother" for "My mother cannot sleep", and for a woman
    who is brought by her daughter; else "".
    """
    match = _OWN_RELATIVE.match(note)
    if match is not None:
        return match[1].lower()
    brought = _BROUGHT_BY_CHILD.search(note)
    if brought is None:
        return ""
    if brought[1].lower() == "her":
        return "mother"
    return "father"


def read_context(
    text: str,
    tokens: Sequence[Token],
    *,
    patient: str = "",
) -> Context:
    """Return the context of one sentence.

    Args:
        text: the sentence.
        tokens: its tokens.
        patient: what the patient is to who tells the story (:func:`patient_by_relation`).
    """
    words = []
    for token in tokens:
        words.append(token.text)
    references = reference_tokens(tokens)
    scopes = []
    for scope in find_scopes(words):
        of_patient = patient and scope.property in {"family", "other"}
        if of_patient and words[scope.first].removesuffix("'s") == patient:
            continue
        if scope.first not in references:
            scopes.append(scope)
    no_result = NO_RESULT.search(text) is not None
    if no_result and RESULT.search(text):
        no_result = (
            re.search(r"\b(?:pending|awaited|inconclusive)\b", text, re.IGNORECASE) is not None
        )
    hypothetical = TEACHING.search(text) is not None or GENERAL.search(text) is not None
    reaction = REACTION.search(text) is not None
    return Context(tuple(scopes), no_result, hypothetical, reaction)
