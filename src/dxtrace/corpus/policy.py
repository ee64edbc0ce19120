"""Answering annotated cases: the one place that decides which wordings a recogniser may know, and
whether a case may go to a server.

On a hard split, whose notes are written in wordings that were held out of training, only those of
training may be known. Everything that answers annotated cases goes through here, and every result
says which wordings were known.
"""

from __future__ import annotations

import threading

from dxtrace.answering.reasoner import Reasoner
from dxtrace.chain import Chain, Differential
from dxtrace.corpus.base import CREDENTIALED
from dxtrace.corpus.systems import System, identity_of
from dxtrace.engines.server import CASES_AT_ONCE, ServerEngine
from dxtrace.findings.recogniser import FindingRecogniser, Reading, recogniser
from dxtrace.knowledge import Wordings
from dxtrace.notes.annotated import AnnotatedCase

#: Splits in wordings that were held out of training.
_HELD_OUT = ("hard", "stories")


def wordings_of(case: AnnotatedCase) -> Wordings:
    """Return which ways of stating a finding may be known to who answers a case."""
    if case.tags.get("split") in _HELD_OUT:
        return "training"
    return "all"


class FairReasoner:
    """Answers annotated cases, each with the recogniser that its split allows."""

    def __init__(self, reasoner: Reasoner) -> None:
        """Share the engine of a reasoner.

        Args:
            reasoner: answers; its own recogniser is not used.
        """
        self._reasoner = reasoner
        self._by_wordings: dict[Wordings, Reasoner] = {}
        self._lock = threading.Lock()

    @property
    def system(self) -> System:
        """The reasoner as a system: its identity and its answers."""
        at_once = 1
        if isinstance(self._reasoner.engine, ServerEngine):
            at_once = CASES_AT_ONCE
        return System(identity_of(self._reasoner), self.reason, at_once)

    def for_case(self, case: AnnotatedCase) -> Reasoner:
        """Return the reasoner that may answer a case.

        Raises:
            InputError: the case is credentialed and would go to a server elsewhere.
        """
        engine = self._reasoner.engine
        if isinstance(engine, ServerEngine):
            engine.expect_may_read(case.tags.get(CREDENTIALED) == "true")
        return self.knowing(wordings_of(case))

    def knowing(self, wordings: Wordings) -> Reasoner:
        """Return the reasoner whose recogniser knows these wordings and no others.

        For a program that was handed the note of a case and :func:`wordings_of` it.
        """
        # Several threads may ask; a recogniser takes seconds to build, once.
        with self._lock:
            if wordings not in self._by_wordings:
                self._by_wordings[wordings] = self._reasoner.with_findings(recogniser(wordings))
            return self._by_wordings[wordings]

    def reason(self, case: AnnotatedCase) -> Chain:
        """Return the chain on a case.

        Raises:
            As :meth:`dxtrace.answering.reasoner.Reasoner.reason`.
        """
        return self.for_case(case).reason(case.case)

    def differential(self, case: AnnotatedCase) -> Differential:
        """Return the differential on a case."""
        return self.for_case(case).differential(case.case)


def fair_recogniser(case: AnnotatedCase) -> FindingRecogniser:
    """Return the recogniser that a case allows."""
    return recogniser(wordings_of(case))


def read_fairly(case: AnnotatedCase) -> Reading:
    """Return what the note of an annotated case states, to a recogniser that the case allows."""
    return fair_recogniser(case).read(case.case)
