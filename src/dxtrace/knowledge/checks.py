"""What a schema cannot say of a knowledge file: unknown names, leaked labels, diagnoses with too
few findings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from dxtrace.knowledge.leaks import leaked_names
from dxtrace.knowledge.schema import (
    CASE_PLACEHOLDERS,
    CategoryKnowledge,
    Finding,
    Negative,
    Neutral,
)
from dxtrace.knowledge.taxonomy import Category, Taxonomy

#: Quantities that every case has: vital signs, drawn from normal ranges unless a category says
#: otherwise.
VITALS = frozenset({"temp_c", "hr", "sbp", "dbp", "rr", "spo2"})


def find_problems(knowledge: CategoryKnowledge, category: Category) -> Iterator[str]:
    """Yield what a schema cannot say: unknown names, leaked labels, diagnoses with too few
    findings.
    """
    nodes = {}
    for node in category.nodes:
        nodes[node.name] = node
    diagnoses = set()
    for node in category.diagnoses:
        diagnoses.add(node.name)
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
        if len(node.path) > 1:
            siblings = len(nodes[node.path[-2]].children)
        else:
            siblings = 1
        decisive = []
        for f in knowledge.findings:
            if f.node == node.name and f.decisive:
                decisive.append(f)
        if len(node.path) > 1 and siblings > 1 and not decisive:
            yield f"node {node.name}: no decisive finding tells it from its siblings"
        if node.is_leaf:
            usable = []
            for f in knowledge.findings:
                if f.node in node.path and (not f.only or node.name in f.only):
                    usable.append(f)
            if len(usable) < 12:
                yield f"diagnosis {node.name}: {len(usable)} findings on its path, 12 needed"


def _unknown_names(
    knowledge: CategoryKnowledge,
    nodes: set[str],
    diagnoses: set[str],
) -> Iterator[str]:
    known_categories = set()
    for category in Taxonomy.default().categories:
        known_categories.add(category.name)
    for other in {
        *knowledge.lookalikes,
        *(n.points_to for n in knowledge.neutral if n.points_to),
    }:
        if other not in known_categories:
            yield f"look-alike {other!r} is not a category"
    keyed: list[tuple[str, dict[str, Any]]] = [
        ("patients", dict(knowledge.patients)),
        ("onset", dict(knowledge.onset)),
    ]
    keyed += [
        (f"quantity {name}", dict(q.ranges)) for name, q in knowledge.quantities.items() if q.ranges
    ]
    keyed += [
        (f"finding {f.id}", f.frequency)
        for f in knowledge.findings
        if isinstance(f.frequency, dict)
    ]
    for place, mapping in keyed:
        if unknown := set(mapping) - diagnoses - nodes - {"default"}:
            yield f"{place}: {sorted(unknown)} not in the tree"
        if "default" not in mapping and not diagnoses <= set(mapping):
            yield f"{place}: no default"
    ids = set()
    for finding in knowledge.findings:
        ids.add(finding.id)
    for finding in knowledge.findings:
        if finding.node not in nodes:
            yield f"finding {finding.id}: node {finding.node!r} is not in the tree"
        if unknown := set(finding.only) - nodes:
            yield f"finding {finding.id}: only {sorted(unknown)} not in the tree"
        if unknown := set(finding.sets) - set(knowledge.quantities) - VITALS:
            yield f"finding {finding.id}: sets unknown quantities {sorted(unknown)}"
    silent: tuple[Negative | Neutral, ...] = (
        *knowledge.negatives,
        *knowledge.neutral,
    )
    for item in silent:
        if unknown := set(item.absent) - ids:
            yield f"{item.id}: absent {sorted(unknown)} are not findings"


def _items(
    knowledge: CategoryKnowledge,
) -> tuple[Finding | Negative | Neutral, ...]:
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


def _leaks(knowledge: CategoryKnowledge, category: Category) -> Iterator[str]:
    for place, text in _texts(knowledge):
        for name in leaked_names(text, category):
            yield f"{place}: the label {name!r} stands in {text!r}"


def _repeats(knowledge: CategoryKnowledge) -> Iterator[str]:
    items = _items(knowledge)
    ids = []
    for item in items:
        ids.append(item.id)
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"the id {name!r} is used twice"
    for item in items:
        if len(set(item.says.all)) < len(item.says.all):
            yield f"{item.id}: says the same thing twice"
        if not item.says.all:
            yield f"{item.id}: says nothing"
