"""What dxtrace knows: one checked YAML file a category, and the premises in them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from pydantic import ValidationError

from dxtrace.errors import KnowledgeError
from dxtrace.knowledge.schema import CASE_PLACEHOLDERS, CategoryKnowledge, Finding, Negative, Neutral, Quantity, Says
from dxtrace.knowledge.wordings import Wordings, ways_of
from dxtrace.taxonomy import Category, Node, Taxonomy

__all__ = [
    "VITALS", "CategoryKnowledge", "Finding", "Premise", "Says", "Wordings", "frequency", "load", "occurs", "premises",
    "slug", "written",
]  # fmt: skip

#: Quantities that every case has: vital signs, drawn from normal ranges unless a category says otherwise.
VITALS = frozenset({"temp_c", "hr", "sbp", "dbp", "rr", "spo2"})


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
    return [category.name for category in Taxonomy.default().categories if _file(category.name).is_file()]


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


def _values(finding: Finding, quantities: Mapping[str, Quantity]) -> tuple[tuple[float, float], ...]:
    """Return the ranges of the numbers in a finding's ways, temperatures in both scales."""
    names = set(finding.says.placeholders) | set(re.findall(r"\{(\w+)\}", finding.lab.value if finding.lab else ""))
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
    limits = [float(limit) for limit in re.findall(r"\d+(?:\.\d+)?", finding.lab.reference)] if finding.lab else []
    if limits and finding.lab and finding.lab.flag.startswith("H") and high > limits[-1]:
        return max(low, limits[-1]), high
    if limits and finding.lab and finding.lab.flag.startswith("L") and low < limits[0]:
        return low, min(high, limits[0])
    return low, high


def parse_yaml(text: str) -> Any:
    """Parse YAML with the C loader where it is there (ten times faster)."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def find_problems(knowledge: CategoryKnowledge, category: Category) -> Iterator[str]:
    """Yield what a schema cannot say: unknown names, leaked labels, diagnoses with too few findings."""
    nodes = {node.name: node for node in category.nodes}
    diagnoses = {node.name for node in category.diagnoses}
    if knowledge.category != category.name:
        yield f"category is {knowledge.category!r}, expected {category.name!r}"
    yield from _unknown_names(knowledge, set(nodes), diagnoses)
    yield from _unknown_placeholders(knowledge)
    yield from _leaks(knowledge, category)
    yield from _repeats(knowledge)
    per_node: dict[str, int] = defaultdict(int)
    for finding in knowledge.findings:
        per_node[finding.node] += 1
    for node in category.nodes:
        if per_node[node.name] < 2:
            yield f"node {node.name}: fewer than 2 findings"
        siblings = len(nodes[node.path[-2]].children) if len(node.path) > 1 else 1
        decisive = [f for f in knowledge.findings if f.node == node.name and f.decisive]
        if len(node.path) > 1 and siblings > 1 and not decisive:
            yield f"node {node.name}: no decisive finding tells it from its siblings"
        if node.is_leaf:
            usable = [f for f in knowledge.findings if f.node in node.path and (not f.only or node.name in f.only)]
            if len(usable) < 12:
                yield f"diagnosis {node.name}: {len(usable)} findings on its path, 12 needed"


def _unknown_names(knowledge: CategoryKnowledge, nodes: set[str], diagnoses: set[str]) -> Iterator[str]:
    known_categories = {category.name for category in Taxonomy.default().categories}
    for other in {*knowledge.lookalikes, *(n.points_to for n in knowledge.neutral if n.points_to)}:
        if other not in known_categories:
            yield f"look-alike {other!r} is not a category"
    keyed: list[tuple[str, dict[str, Any]]] = [("patients", dict(knowledge.patients)), ("onset", dict(knowledge.onset))]
    keyed += [(f"quantity {name}", dict(q.ranges)) for name, q in knowledge.quantities.items() if q.ranges]
    keyed += [(f"finding {f.id}", f.frequency) for f in knowledge.findings if isinstance(f.frequency, dict)]
    for place, mapping in keyed:
        if unknown := set(mapping) - diagnoses - nodes - {"default"}:
            yield f"{place}: {sorted(unknown)} not in the tree"
        if "default" not in mapping and not diagnoses <= set(mapping):
            yield f"{place}: no default"
    ids = {finding.id for finding in knowledge.findings}
    for finding in knowledge.findings:
        if finding.node not in nodes:
            yield f"finding {finding.id}: node {finding.node!r} is not in the tree"
        if unknown := set(finding.only) - nodes:
            yield f"finding {finding.id}: only {sorted(unknown)} not in the tree"
        if unknown := set(finding.sets) - set(knowledge.quantities) - VITALS:
            yield f"finding {finding.id}: sets unknown quantities {sorted(unknown)}"
    silent: tuple[Negative | Neutral, ...] = (*knowledge.negatives, *knowledge.neutral)
    for item in silent:
        if unknown := set(item.absent) - ids:
            yield f"{item.id}: absent {sorted(unknown)} are not findings"


def _items(knowledge: CategoryKnowledge) -> tuple[Finding | Negative | Neutral, ...]:
    """Return everything that a note may say."""
    return (*knowledge.findings, *knowledge.negatives, *knowledge.neutral)


def _texts(knowledge: CategoryKnowledge) -> Iterator[tuple[str, str]]:
    """Yield (where, text) of everything that may stand in a note."""
    for item in _items(knowledge):
        for way in item.says.all:
            yield item.id, way
    for finding in knowledge.findings:
        for way in finding.chief:
            yield finding.id, way
        if finding.lab:
            yield finding.id, f"{finding.lab.name} {finding.lab.value}"
    for drug in knowledge.medications:
        yield "medications", drug


def _unknown_placeholders(knowledge: CategoryKnowledge) -> Iterator[str]:
    known = CASE_PLACEHOLDERS | VITALS | set(knowledge.quantities) | set(knowledge.choices)
    for place, text in _texts(knowledge):
        if unknown := set(re.findall(r"\{(\w*)\}", text)) - known:
            yield f"{place}: unknown placeholders {sorted(unknown)}"
    for finding in knowledge.findings:
        for text in (finding.premise, *finding.rationales):
            if "{" in text:
                yield f"{finding.id}: a premise or rationale has no placeholders"
    for name, quantity in knowledge.quantities.items():
        if (
            unknown := set(re.findall(r"[a-z_]\w*", quantity.formula or ""))
            - VITALS
            - set(knowledge.quantities)
            - {"age"}
        ):
            yield f"quantity {name}: formula uses unknown {sorted(unknown)}"


def leaked_names(text: str, category: Category) -> list[str]:
    """Return the names of a category or its nodes that stand in ``text`` (whole words, case folded)."""
    return [name for name, pattern in _name_patterns(category) if pattern.search(text)]


@cache
def _name_patterns(category: Category) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (name, re.compile(rf"(?<![A-Za-z0-9]){_flexible(name)}(?:'?s|es)?(?![A-Za-z0-9])", re.IGNORECASE))
        for name in category.names
    )


def _flexible(name: str) -> str:
    """Let any run of spaces or hyphens stand between the words of a name."""
    return r"[\s\-]+".join(re.escape(word) for word in re.split(r"[\s\-]+", name))


def _leaks(knowledge: CategoryKnowledge, category: Category) -> Iterator[str]:
    for place, text in _texts(knowledge):
        for name in leaked_names(text, category):
            yield f"{place}: the label {name!r} stands in {text!r}"


def _repeats(knowledge: CategoryKnowledge) -> Iterator[str]:
    items = _items(knowledge)
    ids = [item.id for item in items]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"the id {name!r} is used twice"
    for item in items:
        if len(set(item.says.all)) < len(item.says.all):
            yield f"{item.id}: says the same thing twice"
        if not item.says.all:
            yield f"{item.id}: says nothing"


def _file(category: str) -> Traversable:
    return resources.files("dxtrace.knowledge").joinpath(f"{slug(category)}.yaml")
