"""Loading the knowledge of a category, and the premises in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

import yaml
from pydantic import ValidationError

from dxtrace.errors import KnowledgeError
from dxtrace.files import derive, parse_yaml, source_code
from dxtrace.knowledge.checks import find_problems
from dxtrace.knowledge.schema import CategoryKnowledge, Finding, Proof
from dxtrace.knowledge.taxonomy import Category, Node, Taxonomy
from dxtrace.knowledge.wordings import Wordings, ways_of


@dataclass(frozen=True)
class Premise:
    """A piece of medical knowledge: stable id, the node it supports, its statement, its source,
    ways to say it.

    ``only`` names the diagnoses that it holds for; empty for all below its node. ``says`` are ways
    in which a note says the finding that bears it out; ``states`` are patterns of which a clause
    must meet one to state it, in a finding
    ``of`` the patient or another; ``plain`` is a rationale that claims no more than they ask for.
    """

    id: str
    node: str
    text: str
    source: str
    rationales: tuple[str, ...]
    only: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    kind: str = ""
    decisive: bool = False
    states: tuple[str, ...] = ()
    plain: str = ""
    of: str = "patient"


def slug(name: str) -> str:
    """Return the file name stem and premise prefix of a category: ``Heart Failure`` ->
    ``heart-failure``.
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@cache
def written() -> tuple[str, ...]:
    """Return the names of the categories whose knowledge file exists, in the order of the taxonomy."""
    names = []
    for category in Taxonomy.default().categories:
        if _file(category.name).is_file():
            names.append(category.name)
    return tuple(names)


@cache
def load(category: str) -> CategoryKnowledge:
    """Load and check the knowledge of one category.

    Raises:
        UnknownName: no such category.
        KnowledgeError: the file is missing or breaks the schema; names the file and every problem.
    """
    entry = Taxonomy.default().category(category)
    file = _file(entry.name)
    if not file.is_file():
        raise KnowledgeError(f"{file.name}: there is no knowledge file for {entry.name}")
    text = file.read_bytes()
    stored = derive(
        f"knowledge-{slug(entry.name)}",
        [text, repr(entry).encode(), *_sources()],
        lambda: _parse(file.name, text.decode(), entry).model_dump_json().encode(),
    )
    return CategoryKnowledge.model_validate_json(stored)


@cache
def _sources() -> tuple[bytes, ...]:
    """Return the code that decides what a knowledge file says, and whether it may."""
    return source_code("dxtrace.knowledge")


def _parse(name: str, text: str, entry: Category) -> CategoryKnowledge:
    try:
        knowledge = CategoryKnowledge.model_validate(parse_yaml(text))
    except yaml.YAMLError as error:
        raise KnowledgeError(f"{name}: not valid YAML: {error}") from None
    except ValidationError as error:
        problems = []
        for item in error.errors():
            problems.append(f"{'.'.join(map(str, item['loc']))}: {item['msg']}")
        raise KnowledgeError(f"{name}: " + "; ".join(problems)) from None
    problems = list(find_problems(knowledge, entry))
    if problems:
        raise KnowledgeError(f"{name}: " + "; ".join(problems))
    return knowledge


@cache
def premises(category: str, wordings: Wordings = "all") -> tuple[Premise, ...]:
    """Return the premises of one category, in the order of its findings; none if its knowledge is
    not written.

    Args:
        category: by any of its names.
        wordings: which ways of saying a finding they carry.
    """
    name = Taxonomy.default().category(category).name
    if name not in written():
        return ()
    prefix = slug(name)
    known = load(category)
    stated = []
    for finding in known.findings:
        stated.append(_premise(f"{prefix}/{finding.id}", finding, wordings))
    proven = []
    for proof in known.proofs:
        proven.append(_proof(f"{prefix}/{proof.id}", proof))
    return (*stated, *proven)


def _premise(id: str, finding: Finding, wordings: Wordings) -> Premise:
    return Premise(
        id=id,
        node=finding.node,
        text=finding.premise,
        source=finding.source,
        rationales=finding.rationales,
        only=finding.only,
        says=ways_of(finding, wordings),
        kind=finding.kind,
        decisive=finding.decisive,
        states=finding.states,
        plain=finding.plain or "",
        of=finding.of,
    )


def _proof(id: str, proof: Proof) -> Premise:
    return Premise(
        id=id,
        node=proof.node,
        text=proof.premise,
        source=proof.source,
        rationales=(proof.plain,),
        kind="proof",
        decisive=True,
        states=proof.states,
        plain=proof.plain,
    )


def frequency(finding: Finding, node: Node) -> float:
    """Return the share of patients with diagnosis ``node`` in whom the finding is present."""
    if isinstance(finding.frequency, float):
        return finding.frequency
    for name in (*reversed(node.path), "default"):
        if name in finding.frequency:
            return finding.frequency[name]
    return 0.0


def occurs(finding: Finding, node: Node) -> bool:
    """True if the finding may be shown for diagnosis ``node``: it supports the path, and ``only``
    allows it.
    """
    return finding.node in node.path and (not finding.only or node.name in finding.only)


def _file(category: str) -> Traversable:
    return resources.files("dxtrace.knowledge").joinpath("data", f"{slug(category)}.yaml")
