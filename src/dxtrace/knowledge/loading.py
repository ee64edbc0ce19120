"""Loading the knowledge of a category, and the premises in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

import yaml
from pydantic import ValidationError

from dxtrace.errors import KnowledgeError
from dxtrace.files import parse_yaml
from dxtrace.knowledge.checks import find_problems
from dxtrace.knowledge.schema import CategoryKnowledge, Finding, Quantity
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.knowledge.wordings import Wordings, ways_of


@dataclass(frozen=True)
class Premise:
    """A piece of medical knowledge: stable id, the node it supports, its statement, its source, ways to say it.

    ``only`` names the diagnoses that it holds for; empty for all below its node. ``says`` are ways in which a note
    says the finding that bears it out; ``values`` are the ranges that the numbers in them lie in, if there are any.
    """

    id: str
    node: str
    text: str
    source: str
    rationales: tuple[str, ...]
    only: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    values: tuple[tuple[float, float], ...] = ()


def slug(name: str) -> str:
    """Return the file name stem and premise prefix of a category: ``Heart Failure`` -> ``heart-failure``."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def written() -> list[str]:
    """Return the names of the categories whose knowledge file exists, in the order of the taxonomy."""
    return [
        category.name
        for category in Taxonomy.default().categories
        if _file(category.name).is_file()
    ]


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
    try:
        knowledge = CategoryKnowledge.model_validate(parse_yaml(file.read_text("utf-8")))
    except yaml.YAMLError as error:
        raise KnowledgeError(f"{file.name}: not valid YAML: {error}") from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise KnowledgeError(f"{file.name}: " + "; ".join(problems)) from None
    problems = list(find_problems(knowledge, entry))
    if problems:
        raise KnowledgeError(f"{file.name}: " + "; ".join(problems))
    return knowledge


@cache
def premises(category: str, wordings: Wordings = "all") -> tuple[Premise, ...]:
    """Return the premises of one category, in the order of its findings; none if its knowledge is not written.

    Args:
        category: by any of its names.
        wordings: which ways of saying a finding they carry.
    """
    name = Taxonomy.default().category(category).name
    if name not in written():
        return ()
    prefix = slug(name)
    known = load(category)
    return tuple(
        Premise(
            f"{prefix}/{f.id}",
            f.node,
            f.premise,
            f.source,
            f.rationales,
            f.only,
            ways_of(f, wordings),
            _values(f, known.quantities),
        )
        for f in known.findings
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
    """True if the finding may be shown for diagnosis ``node``: it supports the path, and ``only`` allows it."""
    return finding.node in node.path and (not finding.only or node.name in finding.only)


def _values(
    finding: Finding,
    quantities: Mapping[str, Quantity],
) -> tuple[tuple[float, float], ...]:
    """Return the ranges of the numbers in a finding's ways, temperatures in both scales."""
    names = set(finding.says.placeholders) | set(
        re.findall(r"\{(\w+)\}", finding.lab.value if finding.lab else ""),
    )
    found: list[tuple[float, float]] = []
    for name in sorted(names):
        ranges = quantities[name].ranges if name in quantities else {}
        if name in finding.sets:
            own = [finding.sets[name]]
        else:
            own = [ranges[finding.node]] if finding.node in ranges else list(ranges.values())
        own = [_abnormal(low, high, finding) for low, high in own]
        found += own
        found += [(low * 1.8 + 32, high * 1.8 + 32) for low, high in own if name == "temp_c"]
    return tuple(found)


def _abnormal(low: float, high: float, finding: Finding) -> tuple[float, float]:
    """Cut a range at the laboratory's own limit where the finding is a value flagged high or low."""
    limits = (
        [float(limit) for limit in re.findall(r"\d+(?:\.\d+)?", finding.lab.reference)]
        if finding.lab
        else []
    )
    if limits and finding.lab and finding.lab.flag.startswith("H") and high > limits[-1]:
        return max(low, limits[-1]), high
    if limits and finding.lab and finding.lab.flag.startswith("L") and low < limits[0]:
        return low, min(high, limits[0])
    return low, high


def _file(category: str) -> Traversable:
    return resources.files("dxtrace.knowledge").joinpath("data", f"{slug(category)}.yaml")
