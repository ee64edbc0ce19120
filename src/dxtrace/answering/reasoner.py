"""From a case to a chain: rank the diagnoses, decide what the note bears out, write the steps,
verify every quote.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dxtrace.answering.calibration import Calibration
from dxtrace.answering.differential import label_options, rank_diagnoses
from dxtrace.answering.scope import scope_features
from dxtrace.answering.step_writer import Draft, draft_steps
from dxtrace.chain import (
    Alternative,
    Chain,
    Contradiction,
    Differential,
    ModelInfo,
    PremiseRef,
    Status,
    Step,
    Timing,
)
from dxtrace.engines.base import Engine, Work
from dxtrace.errors import CaseError, GroundingError
from dxtrace.findings.asserted import asserted_part
from dxtrace.findings.recogniser import ContraryStatement, FindingRecogniser, Reading, recogniser
from dxtrace.findings.talk import talks_to_a_model
from dxtrace.findings.weights import weight_of
from dxtrace.knowledge import load as load_knowledge
from dxtrace.knowledge import slug
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import prompt_parts
from dxtrace.notes.quotes import has_quote, span_of
from dxtrace.notes.sentences import sentences
from dxtrace.notes.truncation import Fitted, fit, text_of

#: Tokens kept free for the answer, at most half of what the model reads.
ANSWER_TOKENS = 1536

#: Other categories of which the best diagnosis is shown with what speaks for it.
_ALTERNATIVES = 3

#: Findings named as what would decide a type that is left open.
_UNDECIDED = 3


@dataclass(frozen=True)
class _Prompt:
    """A case as the model reads it: prompt ids, what of the note they hold, and what that states."""

    case: Case
    ids: list[int]
    fitted: Fitted
    reading: Reading


@dataclass(frozen=True)
class _Outcome:
    """What is answered: the node that the evidence reaches (None: no diagnosis is named), why, and
    its steps.
    """

    status: Status
    node: Node | None
    drafts: Sequence[Draft]
    undecided: tuple[str, ...] = ()
    out_of_scope: float | None = None


class Reasoner:
    """Answers cases with one model. Deterministic: the same case gives the same chain."""

    def __init__(
        self,
        engine: Engine,
        model: ModelInfo | None = None,
        taxonomy: Taxonomy | None = None,
        calibration: Calibration | None = None,
        notice: str | None = None,
        findings: FindingRecogniser | None = None,
    ) -> None:
        """Prepare what does not depend on a case.

        Args:
            engine: runs the model.
            model: says in every answer what answered.
            taxonomy: the diagnoses; default the one that ships.
            calibration: corrects the probabilities of the differential.
            notice: a warning to give with every answer.
            findings: recognises what a note states; default one that knows all wordings.
        """
        self.notice = notice
        self.engine = engine
        self.model = model or ModelInfo()
        self.taxonomy = taxonomy or Taxonomy.default()
        self.calibration = calibration or Calibration()
        self.findings = findings or recogniser()
        self._names = frozenset(node.name for node in self.taxonomy.diagnoses)
        self._labels = label_options(engine, self.taxonomy)

    def with_findings(self, findings: FindingRecogniser) -> Reasoner:
        """Return a reasoner on the same engine that recognises findings otherwise (on a hard
        split).
        """
        return Reasoner(
            self.engine,
            self.model,
            self.taxonomy,
            self.calibration,
            self.notice,
            findings,
        )

    def differential(self, case: Case | str) -> Differential:
        """Return every diagnosis with its probability on this case, highest first."""
        case = _case(case)
        prompt = self._prompt(case)
        return self._rank(prompt, prompt.reading)

    def reason(self, case: Case | str) -> Chain:
        """Return the verified chain on a case, or on the text of a note.

        Raises:
            CaseError: nothing in the note can be quoted.
            GroundingError: the answer broke its contract; it is not returned.
            EngineError: the model failed.
        """
        for item in self.stream(case):
            if isinstance(item, Chain):
                return item
        raise GroundingError("no answer was written")  # pragma: no cover

    def stream(self, case: Case | str) -> Iterator[Differential | Step | Chain]:
        """Yield the differential, then each step, last the whole verified chain.

        Raises:
            As :meth:`reason`.
        """
        case = _case(case)
        started = time.perf_counter()
        before = replace(self.engine.work)
        prompt = self._prompt(case)
        reading = prompt.reading
        differential = self._rank(prompt, reading)
        yield differential
        outcome = self._decide(reading, differential)
        steps = []
        for draft in outcome.drafts:
            step = _step(case, draft)
            steps.append(step)
            yield step
        if outcome.node:
            path = outcome.node.path
        else:
            path = ()
        chain = Chain(
            id=case.id,
            note=case.note,
            diagnosis=self._diagnosis(outcome.node),
            category=outcome.node.category if outcome.node else "",
            path=path,
            steps=tuple(steps),
            differential=differential,
            warnings=self._warnings(case, prompt),
            status=outcome.status,
            contradictions=tuple(_contradictions(case, reading, differential)),
            undecided=outcome.undecided,
            out_of_scope=outcome.out_of_scope,
            alternatives=tuple(self._alternatives(case, reading, differential, outcome.node)),
            model=self.model,
            timing=_timing(before, self.engine.work, time.perf_counter() - started),
        )
        chain.verify()
        yield chain

    def _prompt(self, case: Case) -> _Prompt:
        def count(texts: Sequence[str]) -> list[int]:
            return [len(ids) for ids in self.engine.encode(texts)]

        self.engine.forget()
        frame = prompt_parts(self.engine.chat_template, "")
        answer = min(ANSWER_TOKENS, self.engine.context // 2)
        budget = self.engine.context - answer - len(self.engine.encode_prompt(frame)) - 8
        fitted = fit(case, count, budget)
        if not has_quote(case.note, fitted.keep):
            raise CaseError(
                "nothing in the note can be quoted: it needs at least one clause of words",
            )
        reading = self.findings.read(case, fitted.keep)
        text = text_of(asserted_part(case, reading.asserted, fitted.keep), fitted)
        parts = prompt_parts(self.engine.chat_template, text)
        return _Prompt(case, self.engine.encode_prompt(parts), fitted, reading)

    def _rank(self, prompt: _Prompt, reading: Reading) -> Differential:
        return rank_diagnoses(
            self.engine,
            prompt.ids,
            self.taxonomy,
            self._labels,
            self.calibration,
            reading.scores,
        )

    def _decide(self, reading: Reading, differential: Differential) -> _Outcome:
        """Decide what may be answered: nothing beyond what pieces of the note state."""
        node = self.taxonomy.find(differential.top.diagnosis)
        none_fits = None
        scope = self.calibration.scope
        if scope is not None:
            features = scope_features(self.findings, reading, differential)
            none_fits = scope.probability(features)
            if none_fits >= scope.threshold:
                return _Outcome("out_of_scope", None, (), out_of_scope=none_fits)
        drafts = draft_steps(self.findings, reading, node, self.calibration.min_probability)
        reached = _before_veto(self.taxonomy, _reached(self.taxonomy, node, drafts), reading)
        if reached is None:
            return _Outcome("not_supported", None, (), out_of_scope=none_fits)
        kept = []
        for draft in drafts:
            if draft.supports in reached.path:
                kept.append(draft)
        if reached.children or reached.name not in self._names:
            undecided = _deciding_findings(reached, differential)
            return _Outcome("type_open", reached, kept, undecided, none_fits)
        return _Outcome("answered", reached, kept, out_of_scope=none_fits)

    def _alternatives(
        self,
        case: Case,
        reading: Reading,
        differential: Differential,
        answered: Node | None,
    ) -> Iterator[Alternative]:
        """Yield the best diagnosis of the next categories, with what the note says for it."""
        if answered:
            passed = {answered.category}
        else:
            passed = set()
        for entry in differential.entries:
            if len(passed) == _ALTERNATIVES + bool(answered):
                return
            if entry.category in passed:
                continue
            passed.add(entry.category)
            node = self.taxonomy.find(entry.diagnosis)
            drafts = draft_steps(self.findings, reading, node, self.calibration.min_probability)
            steps = tuple(_step(case, draft) for draft in drafts)
            yield Alternative(node.name, node.category, steps)

    def _diagnosis(self, node: Node | None) -> str:
        """Return the name of a node that may be final, else nothing: a suspicion is no diagnosis."""
        if node is not None and node.name in self._names:
            return node.name
        return ""

    def _warnings(self, case: Case, prompt: _Prompt) -> tuple[str, ...]:
        steering = None
        if any(talks_to_a_model(case.note[start:end]) for start, end in sentences(case.note)):
            steering = (
                "the note holds text that talks to a language model; it is not read as evidence"
            )
        found = (self.notice, prompt.fitted.warning, steering)
        return tuple(text for text in found if text)


def _before_veto(taxonomy: Taxonomy, node: Node | None, reading: Reading) -> Node | None:
    """Return the last node of a path that nothing in the note rules out; None if its first one is
    ruled out.
    """
    if node is None:
        return None
    vetoed: set[str] = set()
    for statement in reading.contrary:
        if statement.category == node.category and statement.contrary.strength == "veto":
            vetoed.update(statement.contrary.against)
    left = []
    for other in taxonomy.category_of(node).nodes:
        if other.name in node.path and not vetoed.intersection(other.path):
            left.append(other)
    return max(left, key=lambda other: len(other.path), default=None)


def _reached(taxonomy: Taxonomy, node: Node, drafts: Sequence[Draft]) -> Node | None:
    """Return the node that the evidence reaches: the last of the path that has a step of its own;
    None without a step.

    A node with no sibling to be told from ("Asthma" under its suspicion) is reached with the one
    above it.
    """
    supported = set()
    for draft in drafts:
        supported.add(draft.supports)
    nodes = {}
    for other in taxonomy.category_of(node).nodes:
        nodes[other.name] = other
    reached = None
    for index, name in enumerate(node.path):
        only_child = reached is not None and len(reached.children) == 1
        if only_child or supported.intersection(node.path[index:]):
            reached = nodes[name]
    return reached


def _deciding_findings(node: Node, differential: Differential) -> tuple[str, ...]:
    """Return premises of decisive findings that would tell the likeliest types of a diagnosis
    apart.
    """
    below = {other.name for other in node.walk()} - {node.name}
    likeliest = [entry.diagnosis for entry in differential.entries if entry.diagnosis in below][:2]
    findings = load_knowledge(node.category).findings
    decisive = []
    for finding in findings:
        if finding.decisive and finding.node in likeliest:
            decisive.append(finding.premise)
    return tuple(decisive[:_UNDECIDED])


def _step(case: Case, draft: Draft) -> Step:
    """Return a draft as a step; verified before anybody sees it."""
    reference = PremiseRef(draft.premise.id, draft.premise.source)
    evidence = span_of(case, draft.quote)
    if case.note[evidence.start : evidence.end] != evidence.text:
        raise GroundingError("a step's evidence is not in the note")
    return Step(
        supports=draft.supports,
        rationale=draft.rationale,
        evidence=evidence,
        premise=reference,
        probability=round(draft.probability, 4),
        weight=weight_of(draft.premise.id),
    )


def _contradictions(
    case: Case,
    reading: Reading,
    differential: Differential,
) -> Iterator[Contradiction]:
    """Yield what the note says against the three likeliest diagnoses before contrary findings
    counted.
    """
    likely = set()
    for entry in differential.entries[:3]:
        likely.add(entry.category)
    for statement in reading.contrary:
        if statement.category in likely:
            yield _contradiction(case, statement)


def _contradiction(case: Case, statement: ContraryStatement) -> Contradiction:
    item = statement.contrary
    return Contradiction(
        against=item.against,
        strength=item.strength,
        rationale=item.plain,
        evidence=span_of(case, statement.quote),
        premise=PremiseRef(f"{slug(statement.category)}/{item.id}", item.source),
    )


def _timing(before: Work, after: Work, total: float) -> Timing:
    return Timing(
        prefill_tokens=after.prefill_tokens - before.prefill_tokens,
        prefill_s=round(after.prefill_s - before.prefill_s, 4),
        decode_tokens=after.decode_tokens - before.decode_tokens,
        decode_s=round(after.decode_s - before.decode_s, 4),
        total_s=round(total, 4),
    )


#: A text of one word that ends like the name of a file.
_FILE_NAME = re.compile(r"\S+\.(?:txt|md|jsonl?|csv|tsv|pdf|docx?|html?)", re.IGNORECASE)


def _case(case: Case | str) -> Case:
    if isinstance(case, Case):
        return case
    if not isinstance(case, str):
        raise CaseError(f"a case or the text of a note is expected, not {type(case).__name__}")
    if _FILE_NAME.fullmatch(case.strip()):
        raise CaseError("this is the name of a file, not a note: read_case(NAME) reads it")
    return Case.from_text(case)
