"""Which findings of ``knowledge/`` a note states, where, and what they say for and against each
diagnosis.

A clause states a finding if it meets one of the finding's patterns
(:mod:`dxtrace.findings.patterns`): only such a clause is ever quoted. For the ranking, clauses that
meet no pattern count by their similarity as well. The ranking is naive Bayes with the frequencies
of the knowledge files, on clauses of which it is not sure which finding they state, if any; how
much it counts beside the model is fitted (:class:`dxtrace.answering.differential.Calibration`).
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dxtrace import knowledge
from dxtrace.findings.asserted import unasserted, without
from dxtrace.findings.evidence_span import quote_of
from dxtrace.findings.lexicon import Lexicon
from dxtrace.findings.pattern_index import Match, PatternIndex
from dxtrace.findings.patterns import Limit, Pattern, PatternReader
from dxtrace.findings.quantities import kin_of
from dxtrace.findings.reader import Sentence, read_sentences
from dxtrace.findings.similarity import FindingIndex, terms
from dxtrace.findings.weights import ratios_of
from dxtrace.knowledge import Premise, Wordings
from dxtrace.knowledge.schema import Contrary
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.case import Case
from dxtrace.notes.cues import denies
from dxtrace.notes.quotes import Quote, find_quotes, single_clauses

#: A clause says a finding with odds ``exp(SLOPE * (similarity - MIDPOINT))`` against saying none.
#: Chosen on development cases of which a third of the wordings was hidden, from a coarse grid: 8,
#: 12, 16 and 0.4, 0.5, 0.6.
SLOPE, MIDPOINT = 12.0, 0.5

#: Odds of a finding whose pattern is met, and what is left of the odds of one that has patterns of
#: which none is.
_STATED_ODDS, _UNMET = 40.0, 0.25

#: That a clause which meets a pattern states the finding: of 119 such clauses of published cases, which a reader had
#: labelled good or wrong, 114 were good (``dxtrace evaluate fit``).
STATED_PROBABILITY = 0.95

#: A similarity below this is none: one common word.
_MIN_SIMILARITY = 0.1

#: What a contrary finding takes from the log score of the nodes that it speaks against, in nats.
CONTRARY_NATS = {"veto": 6.0, "strong": 2.0}

#: Kinds of findings that are results: a test that is pending, or named without its result, states
#: none of them.
_RESULTS = frozenset({"lab", "imaging", "procedure", "criterion", "proof", "contrary"})

#: What a medicine that is taken may be evidence of.
_OF_MEDICINES = frozenset({"risk_factor", "procedure", "criterion", "proof"})

_Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Statement:
    """A piece of a note that states a finding: its premise, the quote, and the probability that it
    does.
    """

    premise: Premise
    quote: Quote
    probability: float


@dataclass(frozen=True)
class ContraryStatement:
    """A piece of a note that speaks against nodes."""

    contrary: Contrary
    category: str
    quote: Quote


@dataclass(frozen=True)
class Reading:
    """What a note states.

    ``scores``: for every diagnosis, what the note says for it, in nats. ``statements``: in the
    order of the note, one for each finding and piece. ``contrary``: what speaks against diagnoses.
    ``affirmed``: the clauses that say something clinical and deny nothing, whether they state a
    known finding or not. ``asserted``: the note with blanks in place of what it does not assert of
    the patient.
    """

    statements: tuple[Statement, ...]
    contrary: tuple[ContraryStatement, ...]
    scores: Mapping[str, float]
    affirmed: tuple[Quote, ...] = ()
    asserted: str = ""


class FindingRecogniser:
    """Recognises findings of all categories in the clauses of a note."""

    def __init__(self, wordings: Wordings = "all") -> None:
        """Build the indexes.

        Args:
            wordings: which wordings the similarity knows. The patterns are the same with both: they
                were written with all wordings in view, so of a hard test only the model and the
                similarity have seen nothing.
        """
        self.wordings = wordings
        self._premises: list[Premise] = []
        for category in knowledge.written():
            self._premises += knowledge.premises(category, wordings)
        self._numbers = {premise.id: number for number, premise in enumerate(self._premises)}
        self._similarity = FindingIndex(self._premises)
        self._known = _known_patterns()
        self._ratios = _ratios()

    def read(self, case: Case, keep: tuple[tuple[int, int], ...] | None = None) -> Reading:
        """Return what a note states.

        Args:
            case: the case.
            keep: half-open ranges of the note that the model reads (default: all of it).
        """
        statements: dict[tuple[int, int, int], Statement] = {}
        contrary: dict[str, ContraryStatement] = {}
        measured: list[tuple[int, int, str]] = []
        sentences = tuple(read_sentences(case, keep))
        for sentence in sentences:
            if not sentence.quotable:
                continue
            for measurement in sentence.measurements:
                start = sentence.tokens[measurement.first].start
                measured.append(
                    (start, sentence.tokens[measurement.last].end, measurement.quantity),
                )
            for number, quote in self._stated(case.note, sentence):
                if number >= len(self._premises):
                    category, item = self._known.contrary[number - len(self._premises)]
                    contrary.setdefault(
                        f"{category}/{item.id}",
                        ContraryStatement(item, category, quote),
                    )
                else:
                    premise = self._premises[number]
                    key = number, quote.start, quote.end
                    statements.setdefault(key, Statement(premise, quote, STATED_PROBABILITY))
        stated: dict[int, list[tuple[int, int]]] = {key[0]: [] for key in statements}
        for (number, start, end), _ in statements.items():
            stated[number].append((start, end))
        clauses = single_clauses(find_quotes(case.note, keep))
        left = without(case.note, unasserted(sentences))
        asserted = np.zeros(len(clauses), np.bool_)
        for row, quote in enumerate(clauses):
            asserted[row] = bool(terms(left[quote.start : quote.end]))
        scores = self._scores(clauses, asserted, stated, measured)
        self._subtract(scores, contrary.values())
        affirmed = []
        for quote, holds in zip(clauses, asserted, strict=True):
            if holds and not denies(quote.text):
                affirmed.append(quote)
        return Reading(
            tuple(statements.values()),
            tuple(contrary.values()),
            scores,
            tuple(affirmed),
            left,
        )

    def _stated(self, note: str, sentence: Sentence) -> list[tuple[int, Quote]]:
        """Return (number of the finding or contrary, quote) of every pattern that the sentence
        meets.
        """
        matches = self._known.index.matches(
            sentence.tokens,
            sentence.context,
            sentence.measurements,
            self._known.persons,
            sentence.clauses,
        )
        found = []
        for match in matches:
            own = match.owner < len(self._premises)
            if own:
                kind = self._premises[match.owner].kind
            else:
                kind = "contrary"
            if sentence.context.no_result and kind in _RESULTS:
                continue
            if not _may_state(sentence, match, kind):
                continue
            quote = quote_of(note, sentence, match)
            if quote is not None:
                found.append((match.owner, quote))
        return found

    def _scores(
        self,
        clauses: Sequence[Quote],
        asserted: NDArray[np.bool_],
        stated: Mapping[int, Sequence[tuple[int, int]]],
        measured: Sequence[tuple[int, int, str]],
    ) -> dict[str, float]:
        """Return, for every diagnosis, what the clauses say for it, in nats.

        Of a clause: the log of its likelihood given the diagnosis against that over all diagnoses,
        where it states each finding, or none, with the probability that patterns and words give. A
        finding counts once, where it is stated best. A clause that asserts nothing of the patient
        counts only for the findings that it states (a denial may be one).
        """
        similarity = self._similarity.similarity(clauses)
        odds = np.zeros_like(similarity)
        alike = similarity > _MIN_SIMILARITY
        odds[alike] = np.exp(SLOPE * (similarity[alike] - MIDPOINT))
        odds[:, self._known.has_patterns] *= _UNMET
        odds[~asserted] = 0.0
        self._drop_contradicted(odds, clauses, measured)
        for number, spans in stated.items():
            for row, clause in enumerate(clauses):
                if any(start < clause.end and clause.start < end for start, end in spans):
                    odds[row, number] = _STATED_ODDS
                    break
        odds = np.where(odds >= odds.max(axis=0, initial=0.0), odds, 0.0)
        total = 1 + odds.sum(axis=1)
        posterior, none = odds / total[:, None], 1 / total
        # Few findings are met at all: the product is taken over those, and not by BLAS, whose
        # threads cost more here than they save.
        met = np.flatnonzero(posterior.any(axis=0))
        told = np.einsum("cf,fd->cd", posterior[:, met], self._ratios[met])
        logs = np.log(none[:, None] + told).sum(axis=0)
        nodes = Taxonomy.default().diagnoses
        scores = {}
        for node, score in zip(nodes, logs, strict=True):
            scores[node.name] = float(score)
        return scores

    def _drop_contradicted(
        self,
        odds: _Matrix,
        clauses: Sequence[Quote],
        measured: Sequence[tuple[int, int, str]],
    ) -> None:
        """Clear the odds of findings that are limits on a quantity which a clause measures: only a
        pattern can meet them.
        """
        for row, clause in enumerate(clauses):
            own: set[str] = set()
            for start, end, name in measured:
                if start < clause.end and clause.start < end:
                    own |= kin_of(name)
            if own:
                for number, names in self._known.limited.items():
                    if names & own:
                        odds[row, number] = 0.0

    def _subtract(
        self,
        scores: dict[str, float],
        contrary: Iterable[ContraryStatement],
    ) -> None:
        """Take from each diagnosis what the strongest contrary finding against its path says."""
        penalties: dict[str, float] = {}
        for statement in contrary:
            item = statement.contrary
            for node in Taxonomy.default().diagnoses:
                if node.category == statement.category and set(item.against) & set(node.path):
                    nats = CONTRARY_NATS[item.strength]
                    penalties[node.name] = max(penalties.get(node.name, 0.0), nats)
        for name, nats in penalties.items():
            scores[name] -= nats

    def knows(self, premise: str) -> bool:
        """True if a finding of this premise id can be recognised."""
        return premise in self._numbers

    def similarity(self, premise: str, quote: Quote) -> float:
        """Return how similar a quote is to a finding by its words, from 0 to 1.

        Args:
            premise: id of a premise that is known.
            quote: a piece of a note.
        """
        number = self._numbers[premise]
        return float(self._similarity.similarity([quote])[0, number])

    def weight(self, premise: Premise, node: Node) -> float:
        """Return how much a finding speaks for a node rather than for any diagnosis, in nats: the
        log of its ratio.
        """
        number = self._numbers[premise.id]
        below = []
        for place, diagnosis in enumerate(Taxonomy.default().diagnoses):
            if diagnosis.category == node.category and node.name in (
                *diagnosis.path,
                diagnosis.name,
            ):
                below.append(place)
        return math.log(float(self._ratios[number, below].mean()))


def _may_state(sentence: Sentence, match: Match, kind: str) -> bool:
    """True if a sentence may state a finding of this kind of the patient now.

    A list of medicines tells what is taken, not the complaints that it is taken for. Of a drug that is not borne
    the name alone says nothing; with what it does it may.
    """
    if sentence.context.reaction:
        return kind == "risk_factor" and len(set(match.tokens)) > 1
    return sentence.section != "medications" or kind in _OF_MEDICINES


def limited_quantities(patterns: Sequence[Pattern]) -> frozenset[str]:
    """Return the quantities on which patterns set limits; not age and lengths of time."""
    names: set[str] = set()
    for pattern in patterns:
        for group in pattern.groups:
            for choice in group:
                for item in choice.alternatives:
                    if isinstance(item, Limit):
                        names.add(item.quantity)
    return frozenset(names - {"age", "duration"})


@dataclass(frozen=True)
class _KnownPatterns:
    """The patterns of all findings and contrary findings; they do not depend on the wordings.

    Findings are numbered as the premises of all categories in order, contrary findings after them.
    ``persons``: by number, whose finding it is. ``limited``: by number, the quantities on which it
    sets a limit. ``has_patterns``: of shape (premises,).
    """

    index: PatternIndex
    contrary: tuple[tuple[str, Contrary], ...]
    persons: Mapping[int, str]
    limited: Mapping[int, frozenset[str]]
    has_patterns: NDArray[np.bool_]


@cache
def _known_patterns() -> _KnownPatterns:
    reader = PatternReader(Lexicon.default().synonyms)
    index = PatternIndex()
    persons: dict[int, str] = {}
    limited: dict[int, frozenset[str]] = {}
    has_patterns: list[bool] = []
    for category in knowledge.written():
        for premise in knowledge.premises(category):
            number = len(has_patterns)
            patterns = []
            for text in premise.states:
                patterns.append(reader.read(text))
            past = premise.kind not in {"symptom", "sign"}
            for pattern in patterns:
                index.add(number, pattern, past_allowed=past)
            has_patterns.append(bool(patterns))
            persons[number] = premise.of
            quantities = limited_quantities(patterns)
            if quantities:
                limited[number] = quantities
    contrary: list[tuple[str, Contrary]] = []
    for category in knowledge.written():
        for item in knowledge.load(category).contrary:
            number = len(has_patterns) + len(contrary)
            contrary.append((category, item))
            persons[number] = item.of
            for text in item.states:
                index.add(number, reader.read(text))
    return _KnownPatterns(index, tuple(contrary), persons, limited, np.array(has_patterns))


@cache
def recogniser(wordings: Wordings = "all") -> FindingRecogniser:
    """Return the one :class:`FindingRecogniser` for these wordings; built on the first call."""
    with _collector_paused():
        return FindingRecogniser(wordings)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Let no garbage be looked for: what is built here is large, and all of it stays."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def _ratios() -> _Matrix:
    """Return how much oftener each finding is met in each diagnosis than over all of them.

    Shape (premises, diagnoses).
    """
    rows: list[NDArray[np.float64]] = []
    for category in knowledge.written():
        rows += ratios_of(category).values()
    return np.array(rows)
