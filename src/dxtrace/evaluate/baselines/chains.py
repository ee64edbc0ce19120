"""The chain of a baseline: the most probable diagnosis and its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dxtrace.chain import Chain, Differential, ModelInfo, Ranked, Step
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase

#: Steps that a baseline writes at most.
STEPS = 8


def answer_chain(
    case: AnnotatedCase,
    shares: Mapping[str, float],
    steps: Sequence[Step],
    name: str,
) -> Chain:
    """Return the chain of a baseline: the most probable diagnosis, and steps, in path order.

    Args:
        case: the case.
        shares: probability of each diagnosis, of which at least one is above 0.
        steps: steps for the winner; those that do not support its path are left out.
        name: of the baseline.
    """
    taxonomy = Taxonomy.default()
    entries = []
    for name_, share in shares.items():
        entries.append(Ranked(name_, taxonomy.find(name_).category, share))
    differential = Differential(
        tuple(sorted(entries, key=lambda entry: (-entry.probability, entry.diagnosis))),
    )
    node = taxonomy.find(differential.top.diagnosis)
    kept = sorted(
        (step for step in steps if step.supports in node.path),
        key=lambda step: node.path.index(step.supports),
    )
    return Chain(
        id=case.id,
        note=case.case.note,
        diagnosis=node.name,
        category=node.category,
        path=node.path,
        steps=tuple(kept),
        differential=differential,
        model=ModelInfo(name=f"baseline {name}"),
    )
