"""A chain of reasoning: the diagnosis, and steps with evidence quoted from the note."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dxtrace.chain.result import (
    AlternativeV1,
    ContradictionV1,
    ResultV1,
    Status,
    StepV1,
    Strength,
    Weight,
)
from dxtrace.chain.text import HEADLINES, Answer, AnswerStep, Style, flatten
from dxtrace.errors import GroundingError

DISCLAIMER = "For education and research only. Not for patient care. Not a medical device."

#: A step whose evidence states its finding less probably than this is shown as doubtful.
DOUBTFUL = 0.75


@dataclass(frozen=True)
class Span:
    """A verbatim piece of a note: ``text == note[start:end]``, and the section that holds it."""

    text: str
    start: int
    end: int
    section: str


@dataclass(frozen=True)
class PremiseRef:
    """The piece of medical knowledge that a rationale says: its id and its source."""

    id: str
    source: str


@dataclass(frozen=True)
class Step:
    """One step: the node of the path that it supports, why, the evidence, how probably it states the
    finding, and how much that finding weighs.
    """

    supports: str
    rationale: str
    evidence: Span
    premise: PremiseRef | None = None
    probability: float | None = None
    weight: Weight | None = None

    @property
    def doubtful(self) -> bool:
        """True if the evidence perhaps does not state what the rationale needs."""
        return self.probability is not None and self.probability < DOUBTFUL


@dataclass(frozen=True)
class Contradiction:
    """A piece of the note that speaks against nodes: why, its evidence, and how strongly (``veto``
    or ``strong``).
    """

    against: tuple[str, ...]
    strength: Strength
    rationale: str
    evidence: Span
    premise: PremiseRef


@dataclass(frozen=True)
class Alternative:
    """Another diagnosis that was weighed, and what in the note speaks for it."""

    diagnosis: str
    category: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Ranked:
    """One entry of a differential; probabilities lie between 0 and 1.

    ``model`` and ``findings`` are the two opinions of which ``probability`` is the calibrated
    product: what the model says alone, and what the findings stated in the note say alone.
    """

    diagnosis: str
    category: str
    probability: float
    model: float | None = None
    findings: float | None = None


@dataclass(frozen=True)
class Differential:
    """Diagnoses with probabilities, highest first; over all diagnoses of the taxonomy they sum to
    1.
    """

    entries: tuple[Ranked, ...]

    @property
    def top(self) -> Ranked:
        """The most probable diagnosis."""
        return self.entries[0]

    def category_probabilities(self) -> dict[str, float]:
        """Return the probability of each category, highest first."""
        totals: dict[str, float] = {}
        for entry in self.entries:
            totals[entry.category] = totals.get(entry.category, 0.0) + entry.probability
        return dict(sorted(totals.items(), key=lambda item: -item[1]))


@dataclass(frozen=True)
class ModelInfo:
    """The model that answered: name, SHA-256 of base and adapter (None without one), and whether it
    was made from credentialed data.
    """

    name: str = ""
    base_sha256: str | None = None
    adapter_sha256: str | None = None
    credentialed: bool = False


@dataclass(frozen=True)
class Timing:
    """Work done for one answer: tokens, and seconds of wall-clock time."""

    prefill_tokens: int = 0
    prefill_s: float = 0.0
    decode_tokens: int = 0
    decode_s: float = 0.0
    total_s: float = 0.0


# What shows a chain in a notebook. The page stands above this room and registers itself here.
_renderers: list[Callable[[Chain], str]] = []


def register_renderer(render: Callable[[Chain], str]) -> None:
    """Let a function show chains in notebooks; the last one registered does.

    Args:
        render: returns HTML.
    """
    _renderers.append(render)


@dataclass(frozen=True)
class Chain:
    """A final diagnosis on one note and the steps that lead to it; also the gold chain of an
    annotated case.

    ``diagnosis`` is empty where none is named: of an open type the path may end at a suspicion, and
    without support, or out of scope, ``category`` and path are empty too. ``undecided``: what
    would decide a type that is left open. ``out_of_scope``: the probability that none of the known
    illnesses fits.
    """

    id: str
    note: str
    diagnosis: str
    category: str
    path: tuple[str, ...]
    steps: tuple[Step, ...]
    differential: Differential = Differential(())
    warnings: tuple[str, ...] = ()
    status: Status = "answered"
    contradictions: tuple[Contradiction, ...] = ()
    undecided: tuple[str, ...] = ()
    out_of_scope: float | None = None
    alternatives: tuple[Alternative, ...] = ()
    model: ModelInfo = field(default=ModelInfo(), compare=False)
    timing: Timing = field(default=Timing(), compare=False)

    def __repr__(self) -> str:
        """Say what it is in a line, without the note."""
        return f"Chain({self.id!r}: {self.headline}, {len(self.steps)} steps)"

    def verify(self) -> None:
        """Check that every evidence is the note's own text and every step supports a node of the
        path.

        Raises:
            GroundingError: naming the step, never its text.
        """
        for number, step in enumerate(self.steps, 1):
            evidence = step.evidence
            if (
                not evidence.text.strip()
                or self.note[evidence.start : evidence.end] != evidence.text
            ):
                raise GroundingError(f"step {number}: its evidence is not in the note")
            if step.supports not in self.path:
                raise GroundingError(
                    f"step {number}: supports {step.supports!r}, which is not on the path",
                )
        quoted: list[Contradiction | Step] = [*self.contradictions]
        for alternative in self.alternatives:
            quoted += alternative.steps
        for item in quoted:
            if self.note[item.evidence.start : item.evidence.end] != item.evidence.text:
                raise GroundingError(
                    "what speaks against, or for another: its evidence is not in the note"
                )
        if self.path:
            end = self.path[-1]
        else:
            end = ""
        if end != self.diagnosis and (self.diagnosis or self.status == "answered"):
            raise GroundingError("the path does not end at the diagnosis")

    @property
    def answer(self) -> Answer:
        """The chain as it is said: without offsets."""
        parts = (AnswerStep(s.rationale, flatten(s.evidence.text), s.supports) for s in self.steps)
        return Answer(self.headline, tuple(parts))

    @property
    def headline(self) -> str:
        """The diagnosis, or what is said in its place."""
        if self.diagnosis or self.status == "answered":
            return self.diagnosis
        if self.status == "type_open":
            return f"{self.category}, {HEADLINES[self.status]}"
        return HEADLINES[self.status]

    def text(self, style: Style = "card") -> str:
        """Return the published text form."""
        return self.answer.render(style)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the contract of ``dxtrace reason --format json``
        (:class:`dxtrace.chain.result.ResultV1`).

        Raises:
            InputError: a field cannot stand in a result, as a probability above 1; names it.
        """
        fields = {
            "id": self.id,
            "note": self.note,
            "status": self.status,
            "headline": self.headline,
            "diagnosis": self.diagnosis or None,
            "category": self.category or None,
            "path": self.path,
            "differential": self.differential.entries,
            "steps": _numbered(self.steps),
            "contradictions": self.contradictions,
            "undecided": self.undecided,
            "out_of_scope": self.out_of_scope,
            "alternatives": [_alternative_json(item) for item in self.alternatives],
            "text": self.text(),
            "warnings": self.warnings,
            "model": self.model,
            "timing": self.timing,
        }
        return ResultV1.parse(fields).to_json()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Chain:
        """Read the JSON form back.

        Raises:
            InputError: a field is missing or wrong; names it.
        """
        return cls.of_result(ResultV1.parse(data))

    @classmethod
    def of_result(cls, result: ResultV1) -> Chain:
        """Return a parsed result as a chain."""
        return cls(
            id=result.id,
            note=result.note,
            diagnosis=result.diagnosis or "",
            category=result.category or "",
            path=result.path,
            steps=tuple(map(_step, result.steps)),
            differential=Differential(tuple(Ranked(**vars(one)) for one in result.differential)),
            warnings=result.warnings,
            status=result.status,
            contradictions=tuple(map(_contradiction, result.contradictions)),
            undecided=result.undecided,
            out_of_scope=result.out_of_scope,
            alternatives=tuple(map(_alternative, result.alternatives)),
            model=ModelInfo(**vars(result.model)),
            timing=Timing(**vars(result.timing)),
        )

    def _repr_html_(self) -> str | None:
        """Return how a notebook shows the chain; None, for plain text, while no page has been loaded."""
        if _renderers:
            return _renderers[-1](self)
        return None


def step_to_json(number: int, step: Step) -> dict[str, Any]:
    """Return the JSON form of step ``number`` of a chain, as :meth:`Chain.to_json` has it."""
    return StepV1.model_validate({"number": number, **vars(step)}).model_dump(mode="json")


def _numbered(steps: Sequence[Step]) -> list[dict[str, Any]]:
    numbered = []
    for number, step in enumerate(steps, 1):
        numbered.append({"number": number, **vars(step)})
    return numbered


def _alternative_json(item: Alternative) -> dict[str, Any]:
    return {**vars(item), "steps": _numbered(item.steps)}


def _alternative(data: AlternativeV1) -> Alternative:
    return Alternative(data.diagnosis, data.category, tuple(map(_step, data.steps)))


def _step(data: StepV1) -> Step:
    return Step(
        supports=data.supports,
        rationale=data.rationale,
        evidence=Span(**vars(data.evidence)),
        premise=PremiseRef(**vars(data.premise)) if data.premise else None,
        probability=data.probability,
        weight=data.weight,
    )


def _contradiction(data: ContradictionV1) -> Contradiction:
    return Contradiction(
        against=data.against,
        strength=data.strength,
        rationale=data.rationale,
        evidence=Span(**vars(data.evidence)),
        premise=PremiseRef(**vars(data.premise)),
    )
