"""Whether a quote states what it is quoted for, where the recogniser of findings can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from dxtrace import knowledge
from dxtrace.errors import CaseError
from dxtrace.evaluate.verification.claims import Claim
from dxtrace.evaluate.verification.folding import Place
from dxtrace.findings.context import Context
from dxtrace.findings.lexicon import Lexicon
from dxtrace.findings.pattern_index import Match, PatternIndex
from dxtrace.findings.patterns import parse_pattern
from dxtrace.findings.reader import Sentence
from dxtrace.findings.recogniser import limited_quantities, recogniser
from dxtrace.knowledge import Premise
from dxtrace.notes.case import Case

Stated = Literal["stated", "not_stated", "contradicted", "cannot_tell"]

#: Words that deny what they reach, and mean nothing else.
_DENIALS = frozenset(
    ["no", "denies", "denied", "denying", "without", "negative", "absent", "none", "nil", "nor"],
)

_SILENT = Context((), no_result=False, hypothetical=False)


@dataclass(frozen=True)
class Verdict:
    """Whether a quote states its reason, and why not."""

    stated: Stated
    what: str = ""


class ReasonCheck:
    """Tells whether quotes of a note state their reasons."""

    def __init__(self) -> None:
        self._premises: dict[str, Premise] = {}
        self._of_rationale: dict[str, str] = {}
        for category in knowledge.written():
            for premise in knowledge.premises(category):
                self._premises[premise.id] = premise
                for rationale in (premise.text, premise.plain, *premise.rationales):
                    self._of_rationale.setdefault(_plain(rationale), premise.id)
        self._indexes: dict[str, PatternIndex] = {}

    def verdict(
        self,
        claim: Claim,
        sentences: Sequence[Sentence],
        places: Sequence[Place],
    ) -> Verdict:
        """Return whether a quote states its reason.

        Args:
            claim: names the premise, or gives the reason in words.
            sentences: that the quote touches.
            places: of the quote in the note.
        """
        id = claim.premise or self._of_rationale.get(_plain(claim.reason), "")
        premise = self._premises.get(id)
        if premise is not None and premise.states:
            return self._judge(premise, sentences, places)
        if premise is not None or not claim.reason.strip():
            return Verdict("cannot_tell")
        return self._judge_words(claim.reason, sentences, places)

    def _judge(
        self,
        premise: Premise,
        sentences: Sequence[Sentence],
        places: Sequence[Place],
    ) -> Verdict:
        """Return whether a quote states the finding of a premise."""
        index = self._index(premise)
        denied = False
        beyond = False
        for sentence in sentences:
            if _met(index, premise, sentence, sentence.context, places):
                return Verdict("stated")
            said = _met(index, premise, sentence, _SILENT, places)
            denied = denied or any(_denied(sentence, match) for match in said)
            beyond = beyond or _measures(index, sentence, places)
        # Of a finding that is itself a denial, "no flap in the arch", the words alone tell nothing.
        if denied and not any("~" in text for text in premise.states):
            return Verdict("contradicted", f"denies {_name(premise)}")
        if beyond:
            return Verdict("not_stated", f"its value does not bear out {_name(premise)}")
        return Verdict("not_stated", f"does not state {_name(premise)}")

    def _judge_words(
        self,
        reason: str,
        sentences: Sequence[Sentence],
        places: Sequence[Place],
    ) -> Verdict:
        """Return what a quote says of the findings that a reason in free words names."""
        found = []
        for premise in self._named(reason):
            found.append(self._judge(premise, sentences, places))
        if any(verdict.stated == "stated" for verdict in found):
            return Verdict("stated")
        for verdict in found:
            if verdict.stated == "contradicted":
                return verdict
        return Verdict("cannot_tell")

    def _named(self, reason: str) -> list[Premise]:
        """Return the premises whose finding a reason names, affirmed."""
        try:
            reading = recogniser().read(Case.from_text(reason))
        except CaseError:
            return []
        named = []
        for statement in reading.statements:
            named.append(statement.premise)
        return named

    def _index(self, premise: Premise) -> PatternIndex:
        if premise.id not in self._indexes:
            synonyms = Lexicon.default().synonyms
            index = PatternIndex()
            for text in premise.states:
                past = premise.kind not in {"symptom", "sign"}
                index.add(0, parse_pattern(text, synonyms), past_allowed=past)
            self._indexes[premise.id] = index
        return self._indexes[premise.id]


@cache
def reason_check() -> ReasonCheck:
    """Return the one :class:`ReasonCheck`; built on the first call."""
    return ReasonCheck()


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _name(premise: Premise) -> str:
    return premise.id.rsplit("/", 1)[-1].replace("-", " ")


def _met(
    index: PatternIndex,
    premise: Premise,
    sentence: Sentence,
    context: Context,
    places: Sequence[Place],
) -> list[Match]:
    """Return the matches of a premise's patterns that a quote holds at least a word of."""
    matches = index.matches(
        sentence.tokens,
        context,
        sentence.measurements,
        {0: premise.of},
        sentence.clauses,
    )
    held: list[Match] = []
    for match in matches:
        spans = []
        for token in match.tokens:
            spans.append(sentence.tokens[token])
        if any(place.overlaps(Place(t.start, t.end)) for place in places for t in spans):
            held.append(match)
    return held


def _denied(sentence: Sentence, match: Match) -> bool:
    """True if a plain denial reaches over all the words of a match.

    "Cannot catch her breath" denies no dyspnoea, and what is gone by now was there.
    """
    for scope in sentence.context.scopes:
        if scope.property != "denied" or not all(map(scope.covers, match.tokens)):
            continue
        cue = []
        for token in sentence.tokens[max(scope.first, 0) : scope.last + 1]:
            cue.append(token.text)
        if scope.first < 0 or _DENIALS.intersection(cue):
            return True
    return False


def _measures(index: PatternIndex, sentence: Sentence, places: Sequence[Place]) -> bool:
    """True if a quote measures what alone the patterns set a limit on."""
    limited = limited_quantities([pattern for _, pattern, _ in index.patterns])
    for measurement in sentence.measurements:
        token = sentence.tokens[measurement.last]
        inside = any(place.overlaps(Place(token.start, token.end)) for place in places)
        if inside and measurement.quantity in limited:
            return True
    return False
