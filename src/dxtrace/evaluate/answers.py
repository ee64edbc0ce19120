"""An account: what one side, gold or system, says about one case, in one shape whatever file it
came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dxtrace.chain import Chain, Differential, Status, Step, parse
from dxtrace.corpus.align import unknown_name
from dxtrace.errors import InputError
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.locate import locate
from dxtrace.notes.sections import SECTIONS


@dataclass(frozen=True)
class Observation:
    """One step as evaluation sees it.

    ``span`` is the half-open range of the evidence in the gold case's note, None where the text is
    not found there.
    ``grounded`` says that the evidence stands in the note word for word, at the place claimed if
    one is claimed.
    """

    text: str
    rationale: str
    node: str | None
    span: tuple[int, int] | None
    section: str | None
    grounded: bool = True
    premise: str | None = None


@dataclass(frozen=True)
class Account:
    """A diagnosis, its path and its observations on one case. ``faults`` says what breaks the
    format.

    ``named`` is False where no diagnosis is named: the path then ends before one, or is empty.
    ``out_of_scope`` is the stated probability that none of the known illnesses fits, None if none
    is stated.
    """

    id: str
    category: str
    path: tuple[str, ...]
    observations: tuple[Observation, ...]
    differential: Differential = field(default=Differential(()))
    faults: tuple[str, ...] = ()
    words: int = 0
    seconds: float | None = None
    status: Status = "answered"
    named: bool = True
    out_of_scope: float | None = None

    @property
    def diagnosis(self) -> str:
        """The last node of the path; empty where no diagnosis is named."""
        if self.named:
            return self.reached
        return ""

    @property
    def reached(self) -> str:
        """The last node of the path, a suspicion perhaps; empty without one."""
        if self.path:
            return self.path[-1]
        return ""

    @property
    def unique(self) -> tuple[Observation, ...]:
        """The observations as the published script sees them: of equal texts one, in the first
        place, with the last content."""
        return tuple({observation.text: observation for observation in self.observations}.values())


def find_node(name: str, taxonomy: Taxonomy) -> Node | None:
    """Return the node that a name, alias or short form stands for, or None."""
    return taxonomy.get(name)


def gold_account(annotated: AnnotatedCase) -> Account:
    """Return the gold side of an annotated case.

    Raises:
        InputError: the case has no gold chain.
    """
    if annotated.gold is None:
        raise InputError(f"case {annotated.id!r} has no gold chain")
    gold = annotated.gold
    observations = tuple(
        Observation(
            s.evidence.text,
            s.rationale,
            s.supports,
            (s.evidence.start, s.evidence.end),
            s.evidence.section,
            premise=_premise(s),
        )
        for s in gold.steps
    )
    return Account(gold.id, gold.category, gold.path, observations, words=len(gold.text().split()))


def chain_account(
    chain: Chain,
    case: Case,
    text: str | None = None,
    taxonomy: Taxonomy | None = None,
) -> Account:
    """Return the account of one of our result rows, with evidence placed in the gold case's note.

    Args:
        chain: the result.
        case: the gold case; its note is what offsets must refer to.
        text: the row's own ``text`` field, checked against the chain; None to skip.
        taxonomy: where the path must be.
    """
    observations = []
    for step in chain.steps:
        claimed = (step.evidence.start, step.evidence.end)
        exact = case.note[slice(*claimed)] == step.evidence.text != ""
        span: tuple[int, int] | None = claimed
        if not exact:
            span = locate(case.note, step.evidence.text)
        if span:
            section = case.section_at(span[0])
        else:
            section = step.evidence.section
        quote, premise = step.evidence.text, _premise(step)
        observations.append(
            Observation(quote, step.rationale, step.supports, span, section, exact, premise),
        )
    return Account(
        id=chain.id,
        category=chain.category,
        path=chain.path,
        observations=tuple(observations),
        differential=chain.differential,
        faults=tuple(_faults(chain, case, text, taxonomy or Taxonomy.default())),
        words=len(chain.text().split()),
        seconds=chain.timing.total_s or None,
        status=chain.status,
        named=bool(chain.diagnosis),
        out_of_scope=chain.out_of_scope,
    )


def _premise(step: Step) -> str | None:
    if step.premise:
        return step.premise.id
    return None


def _faults(chain: Chain, case: Case, text: str | None, taxonomy: Taxonomy) -> list[str]:
    faults: list[str] = []
    if chain.diagnosis or chain.path or chain.status in ("answered", "type_open"):
        faults += _path_faults(chain, taxonomy)
    if any(step.supports not in chain.path for step in chain.steps):
        faults.append("a step supports a node that is not on the path")
    if chain.note != case.note:
        faults.append("the note is not the corpus's")
    if text is not None and not _says(text, chain):
        faults.append("the text is not the published form of the steps")
    return faults


def _path_faults(chain: Chain, taxonomy: Taxonomy) -> Iterator[str]:
    """Yield what is wrong with the path of a chain that reaches a diagnosis or, with an open type,
    a suspicion.
    """
    if chain.path:
        end = chain.path[-1]
    else:
        end = ""
    node = find_node(chain.diagnosis or end, taxonomy)
    if node is None:
        yield unknown_name("diagnosis", chain.diagnosis or end, chain.note, taxonomy)
    elif node.path != chain.path or node.category != chain.category:
        yield "path or category do not lead to the diagnosis"
    if not end or (end != chain.diagnosis and (chain.diagnosis or chain.status == "answered")):
        yield "the path does not end at the diagnosis"
    if not chain.steps:
        yield "there is no step"


def _says(text: str, chain: Chain) -> bool:
    try:
        said = parse(text)
    except InputError:
        return False
    return said.render("card") == chain.answer.render("card")


def published_account(id: str, data: Mapping[str, Any], case: Case) -> Account:
    """Return the account of a published prediction file (facts: one key an observation, and
    ``chain``).

    Observations without a triple of texts are left out and named as a fault.

    Raises:
        InputError: there is no ``chain`` of names.
    """
    chain = data.get("chain")
    if (
        not isinstance(chain, Sequence)
        or isinstance(chain, str)
        or not all(isinstance(name, str) for name in chain)
    ):
        raise InputError('a published prediction needs "chain", a list of names')
    observations, faults = [], []
    for text, value in data.items():
        if text == "chain":
            continue
        if not (
            isinstance(value, list)
            and len(value) == 3
            and all(isinstance(v, str | None) for v in value)
        ):
            faults.append("an observation has no [rationale, section, node]")
            continue
        observations.append(_published_observation(text, value, case))
    if len(chain) < 2:
        faults.append("the chain has no node after the category")
    return Account(
        id,
        chain[0] if chain else "",
        tuple(chain[1:]),
        tuple(observations),
        faults=tuple(dict.fromkeys(faults)),
    )


def _published_observation(text: str, value: Sequence[str | None], case: Case) -> Observation:
    rationale, place, node = value
    number = (place or "").lower().removeprefix("input")
    section = (
        SECTIONS[int(number) - 1]
        if number.isdigit() and 1 <= int(number) <= len(SECTIONS)
        else None
    )
    within = next(((s.start, s.end) for s in case.sections if s.name == section), None)
    span = locate(case.note, text, within)
    grounded = span is not None and case.note[slice(*span)] == text.strip()
    return Observation(
        text,
        rationale or "",
        node,
        span,
        case.section_at(span[0]) if span else section,
        grounded,
    )
