"""From a case to a chain: rank the diagnoses, force the winner, write the steps, verify every quote."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dxtrace.answering.differential import Calibration, label_options, rank_diagnoses
from dxtrace.answering.grammar import MIN_STEPS
from dxtrace.answering.step_writer import Writer
from dxtrace.chain import Chain, Differential, ModelInfo, PremiseRef, Step, Timing
from dxtrace.engines.base import Engine, Work
from dxtrace.errors import CaseError, GroundingError
from dxtrace.findings.recogniser import support
from dxtrace.knowledge import Wordings
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import prompt_parts
from dxtrace.notes.quotes import Quote, find_quotes, span_of
from dxtrace.notes.truncation import Fitted, fit

#: Tokens kept free for the answer, at most half of what the model reads.
ANSWER_TOKENS = 1536


@dataclass(frozen=True)
class _Reading:
    """A case as the model reads it: prompt ids, and what may be quoted."""

    case: Case
    prompt: list[int]
    quotes: list[Quote]
    fitted: Fitted


class Reasoner:
    """Answers cases with one model. Deterministic: the same case gives the same chain."""

    def __init__(
        self,
        engine: Engine,
        model: ModelInfo | None = None,
        taxonomy: Taxonomy | None = None,
        calibration: Calibration | None = None,
        notice: str | None = None,
        wordings: Wordings = "all",
    ) -> None:
        """
        Args:
            engine: runs the model.
            model: says in every answer what answered.
            taxonomy: the diagnoses; default the one that ships.
            calibration: corrects the probabilities of the differential.
            notice: a warning to give with every answer.
            wordings: which ways of saying a finding it knows; ``training`` on the hard test of a teaching corpus.
        """
        self.notice = notice
        self.wordings = wordings
        self.engine = engine
        self.model = model or ModelInfo()
        self.taxonomy = taxonomy or Taxonomy.default()
        self.calibration = calibration or Calibration()
        self._labels = label_options(engine, self.taxonomy)
        support(wordings)  # takes a second: part of loading, not of the first answer

    def differential(self, case: Case) -> Differential:
        """Return every diagnosis with its probability on this case, highest first."""
        return self._rank(self._read(case))

    def reason(self, case: Case) -> Chain:
        """Return the verified chain on a case.

        Raises:
            CaseError: nothing in the note can be quoted.
            GroundingError: the answer broke its contract; it is not returned.
            EngineError: the model failed.
        """
        for item in self.stream(case):
            if isinstance(item, Chain):
                return item
        raise GroundingError("no answer was written")  # pragma: no cover

    def stream(self, case: Case) -> Iterator[Differential | Step | Chain]:
        """Yield the differential, then each step as it is written, last the whole verified chain.

        Raises:
            As :meth:`reason`.
        """
        started = time.perf_counter()
        before = replace(self.engine.work)
        reading = self._read(case)
        differential = self._rank(reading)
        yield differential
        node = self.taxonomy.find(differential.top.diagnosis)
        steps: list[Step] = []
        guessed: list[int] = []
        for step, borne_out in self._write(reading, node):
            _check(step, case, node)
            steps.append(step)
            if not borne_out:
                guessed.append(len(steps))
            yield step
        found = (self.notice, reading.fitted.warning, _too_few(steps), _guessed(guessed))
        warnings = [text for text in found if text]
        chain = Chain(
            id=case.id,
            note=case.note,
            diagnosis=node.name,
            category=node.category,
            path=node.path,
            steps=tuple(steps),
            differential=differential,
            warnings=tuple(warnings),
            model=self.model,
            timing=_timing(before, self.engine.work, time.perf_counter() - started),
        )
        chain.verify()
        yield chain

    def _read(self, case: Case) -> _Reading:
        def count(texts: Sequence[str]) -> list[int]:
            return [len(ids) for ids in self.engine.encode(texts)]

        self.engine.forget()
        frame = prompt_parts(self.engine.chat_template, "")
        answer = min(ANSWER_TOKENS, self.engine.context // 2)
        budget = self.engine.context - answer - len(self.engine.encode_prompt(frame)) - 8
        fitted = fit(case, count, budget)
        quotes = find_quotes(case.note, fitted.keep)
        if not quotes:
            raise CaseError(
                "nothing in the note can be quoted: it needs at least one clause of words",
            )
        prompt = self.engine.encode_prompt(prompt_parts(self.engine.chat_template, fitted.text))
        return _Reading(case, prompt, quotes, fitted)

    def _rank(self, reading: _Reading) -> Differential:
        findings = (
            support(self.wordings).scores(reading.quotes) if self.calibration.support else None
        )
        return rank_diagnoses(
            self.engine,
            reading.prompt,
            self.taxonomy,
            self._labels,
            self.calibration,
            findings,
        )

    def _write(self, reading: _Reading, node: Node) -> Iterator[tuple[Step, bool]]:
        """Yield steps, each with whether its quote could say what its premise needs."""
        for draft in Writer(
            self.engine,
            reading.prompt,
            node,
            support(self.wordings),
            reading.quotes,
        ).steps():
            source = PremiseRef(draft.premise.id, draft.premise.source) if draft.premise else None
            step = Step(draft.supports, draft.rationale, span_of(reading.case, draft.quote), source)
            yield step, draft.borne_out or draft.premise is None


def _check(step: Step, case: Case, node: Node) -> None:
    """Verify one step before anybody sees it."""
    Chain(case.id, case.note, node.name, node.category, node.path, (step,)).verify()


def _too_few(steps: list[Step]) -> str | None:
    if len(steps) >= MIN_STEPS:
        return None
    return f"the note is too short for {MIN_STEPS} steps: it holds only {len(steps)} separate piece(s) of evidence"


def _guessed(numbers: list[int]) -> str | None:
    if not numbers:
        return None
    which = ", ".join(map(str, numbers))
    return f"step {which}: the words quoted do not plainly say what the reason needs; the model guessed"


def _timing(before: Work, after: Work, total: float) -> Timing:
    return Timing(
        prefill_tokens=after.prefill_tokens - before.prefill_tokens,
        prefill_s=round(after.prefill_s - before.prefill_s, 4),
        decode_tokens=after.decode_tokens - before.decode_tokens,
        decode_s=round(after.decode_s - before.decode_s, 4),
        total_s=round(total, 4),
    )
