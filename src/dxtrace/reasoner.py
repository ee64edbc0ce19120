"""From a case to a chain: rank the diagnoses, force the winner, write the steps, verify every quote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dxtrace import knowledge
from dxtrace.case import Case
from dxtrace.chain import Chain, Differential, ModelInfo, PremiseRef, Step, Timing
from dxtrace.choice import Options, best
from dxtrace.differential import Calibration, label_options, rank_diagnoses
from dxtrace.engines.base import Engine, Work
from dxtrace.errors import CaseError, GroundingError
from dxtrace.grammar import MAX_STEPS, MIN_STEPS, rationale_grammar
from dxtrace.grounding import Quote, find_quotes, span_of
from dxtrace.knowledge import Premise
from dxtrace.prompt import MARK, Fitted, fit, prompt_parts, readable, step_head
from dxtrace.taxonomy import Node, Taxonomy

#: Tokens kept free for the answer.
ANSWER_TOKENS = 1024
#: No free rationale has more tokens: its grammar ends it after fewer characters.
_RATIONALE_TOKENS = 256


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
    ) -> None:
        self.engine = engine
        self.model = model or ModelInfo()
        self.taxonomy = taxonomy or Taxonomy.default()
        self.calibration = calibration or Calibration()
        self._labels = label_options(engine, self.taxonomy)

    @classmethod
    def load(
        cls,
        model: str = "default",
        *,
        adapter: str | Path | None = None,
        engine: str = "auto",
        threads: int | None = None,
        report: Callable[[str, float], None] | None = None,
    ) -> Reasoner:
        """Load a model by name, file, folder or hub id (see :mod:`dxtrace.models`).

        Raises:
            UnknownName: no such model. ModelError: it cannot be fetched or loaded.
            MissingExtra: the engine is not installed.
        """
        from dxtrace.models import open_model

        opened = open_model(model, adapter=adapter, engine=engine, threads=threads, report=report)
        return cls(opened.engine, opened.info, calibration=opened.calibration)

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
        for step in self._write(reading, node):
            _check(step, case, node)
            steps.append(step)
            yield step
        warnings = [text for text in (reading.fitted.warning, _too_few(steps)) if text]
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
        budget = self.engine.context - ANSWER_TOKENS - len(self.engine.encode_prompt(frame)) - 8
        fitted = fit(case, count, budget)
        quotes = find_quotes(case.note, fitted.keep)
        if not quotes:
            raise CaseError("nothing in the note can be quoted: it needs at least one clause of words")
        prompt = self.engine.encode_prompt(prompt_parts(self.engine.chat_template, fitted.text))
        return _Reading(case, prompt, quotes, fitted)

    def _rank(self, reading: _Reading) -> Differential:
        return rank_diagnoses(self.engine, reading.prompt, self.taxonomy, self._labels, self.calibration)

    def _write(self, reading: _Reading, node: Node) -> Iterator[Step]:
        """Yield steps along the path: first at its first node, last at the diagnosis, never a quote twice."""
        (label,) = self.engine.encode([f" {node.name}"])
        ids = [*reading.prompt, *label]
        free = reading.quotes
        premises = [p for p in knowledge.premises(node.category) if not p.only or set(p.only) & set(node.path)]
        at = 0
        for number in range(1, MAX_STEPS + 1):
            chosen = self._choose_node(ids, node, number, at, room=len(free))
            if chosen is None:
                return
            at, head = chosen
            ids += head
            (premise, rationale), premises = self._choose_rationale(ids, node.path[at], premises)
            quote = self._choose_quote(ids, free)
            free = [q for q in free if q.end <= quote.start or q.start >= quote.end]
            source = PremiseRef(premise.id, premise.source) if premise else None
            yield Step(node.path[at], rationale, span_of(reading.case, quote), source)
            if not free:
                return

    def _choose_node(self, ids: list[int], node: Node, number: int, at: int, room: int) -> tuple[int, list[int]] | None:
        """Choose the node that a step supports; None to end. ``room`` is the number of quotes left."""
        last = len(node.path) - 1
        places = [0] if number == 1 and last > 0 and room > 1 else list(range(at, last + 1))
        if number == MAX_STEPS or room == 1:
            places = [last]
        heads = self.engine.encode([step_head(number, node.path[place]) for place in places])
        may_end = number > MIN_STEPS and at == last and self.engine.end_tokens
        ending = [tuple(self.engine.end_tokens[:1])] if may_end else []
        options = Options((*map(tuple, heads), *ending), ())
        index = best(self.engine, ids, options)
        return None if index == len(places) else (places[index], heads[index])

    def _choose_rationale(
        self, ids: list[int], node: str, premises: list[Premise]
    ) -> tuple[tuple[Premise | None, str], list[Premise]]:
        """Choose a rationale for a node and append it to ``ids``; a premise is said once in a chain."""
        ways = [(premise, text) for premise in premises if premise.node == node for text in premise.rationales]
        if not ways:
            text = "".join(self.engine.stream(ids, rationale_grammar(), _RATIONALE_TOKENS)).strip()
            ids += self.engine.encode([f" {text}"])[0]
            return (None, text), premises
        *texts, mark = self.engine.encode([*(f" {text}" for _, text in ways), MARK])
        chosen = best(self.engine, ids, Options(tuple(map(tuple, texts)), (mark[0],)))
        ids += texts[chosen]
        return ways[chosen], [premise for premise in premises if premise is not ways[chosen][0]]

    def _choose_quote(self, ids: list[int], quotes: list[Quote]) -> Quote:
        mark, head, *texts = self.engine.encode([MARK, step_head(1, "x"), *(f" {readable(q.text)}" for q in quotes)])
        ids += mark
        ends = (head[0], *self.engine.end_tokens[:1])
        chosen = best(self.engine, ids, Options(tuple(map(tuple, texts)), ends))
        ids += texts[chosen]
        return quotes[chosen]


def _check(step: Step, case: Case, node: Node) -> None:
    """Verify one step before anybody sees it."""
    Chain(case.id, case.note, node.name, node.category, node.path, (step,)).verify()


def _too_few(steps: list[Step]) -> str | None:
    if len(steps) >= MIN_STEPS:
        return None
    return f"the note is too short for {MIN_STEPS} steps: it holds only {len(steps)} separate piece(s) of evidence"


def _timing(before: Work, after: Work, total: float) -> Timing:
    return Timing(
        prefill_tokens=after.prefill_tokens - before.prefill_tokens,
        prefill_s=round(after.prefill_s - before.prefill_s, 4),
        decode_tokens=after.decode_tokens - before.decode_tokens,
        decode_s=round(after.decode_s - before.decode_s, 4),
        total_s=round(total, 4),
    )
