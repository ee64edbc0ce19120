"""The differential: a probability for every diagnosis, from the model's own choice among their
names and the findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dxtrace.answering.calibration import Calibration, softmax
from dxtrace.answering.choice import Options, rank
from dxtrace.chain import Differential, Ranked
from dxtrace.engines.base import Engine
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.prompt import step_head


def leave_open(nodes: Sequence[Node], probabilities: Sequence[float], share: float) -> list[float]:
    """Move ``share`` of what the types of an illness hold without agreeing to the diagnosis that
    leaves the type open.

    Args:
        nodes: all diagnoses.
        probabilities: in the same order.
        share: from 0 (nothing changes) to 1.

    Of types with probabilities p, whose largest part of their sum is s, each keeps ``p (1 - share
    (1 - s))``.
    """
    result = list(probabilities)
    for index, node in enumerate(nodes):
        types = []
        for i, other in enumerate(nodes):
            if other.is_leaf and node.name in other.path and other != node:
                types.append(i)
        total = sum(result[i] for i in types)
        if not share or not total:
            continue
        moved = share * (1 - max(result[i] for i in types) / total)
        for i in types:
            result[i] *= 1 - moved
        result[index] += moved * total
    return result


def label_options(engine: Engine, taxonomy: Taxonomy) -> Options:
    """Return the names of all diagnoses as a closed list of continuations of the prompt."""
    names = []
    for node in taxonomy.diagnoses:
        names.append(f" {node.name}")
    *labels, head = engine.encode([*names, step_head(1, "x")])
    return Options(tuple(tuple(label) for label in labels), (head[0],))


def rank_diagnoses(
    engine: Engine,
    prompt: Sequence[int],
    taxonomy: Taxonomy,
    options: Options,
    calibration: Calibration,
    findings: Mapping[str, float] | None = None,
) -> Differential:
    """Return every diagnosis of the taxonomy with its probability, highest first.

    Args:
        engine: the model.
        prompt: token ids up to and including the cue of the diagnosis.
        taxonomy: the diagnoses.
        options: :func:`label_options` of engine and taxonomy.
        calibration: the correction to apply.
        findings: what the findings in the note say for each diagnosis, in nats; None for nothing.
    """
    nodes = taxonomy.diagnoses
    names = []
    for node in nodes:
        names.append(node.name)
    of_model = rank(engine, prompt, options)
    product = leave_open(
        nodes,
        calibration.apply(names, of_model, findings),
        calibration.leave_open,
    )
    of_findings: Sequence[float | None] = [None] * len(nodes)
    if findings is not None:
        of_findings = softmax([findings.get(name, 0.0) for name in names])
    entries = []
    for node, probability, model, found in zip(
        nodes,
        product,
        of_model,
        of_findings,
        strict=True,
    ):
        entries.append(Ranked(node.name, node.category, probability, model, found))
    entries.sort(key=lambda entry: (-entry.probability, entry.diagnosis))
    return Differential(tuple(entries))
