"""The differential: a probability for every diagnosis, from the model's own choice among their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dxtrace.answering.choice import Options, rank
from dxtrace.chain import Differential, Ranked
from dxtrace.engines.base import Engine
from dxtrace.errors import InputError
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.prompt import step_head


@dataclass(frozen=True)
class Calibration:
    """Corrects the model's scores: ``log p' = log p / temperature + bias[diagnosis] + support * findings[diagnosis]``.

    Then normalised. Fitted on a development split (temperature scaling: Guo et al. 2017, arXiv 1706.04599; additive
    label bias as in Zhao et al. 2021, arXiv 2102.09690; a product of experts with what the findings in the note say,
    :mod:`dxtrace.findings.recogniser`: Hinton 2002). The default changes nothing.

    ``leave_open`` (0 to 1) is for diagnoses that leave their type open ("COPD", its grade not told): of the probability
    that the types hold without agreeing on one, this share goes to the diagnosis above them. With 2/3 a type is named
    only if it is more likely than not, given the illness. Not fitted: invented notes tell the type far oftener than
    real ones.
    """

    temperature: float = 1.0
    bias: Mapping[str, float] = field(default_factory=dict)
    support: float = 0.0
    leave_open: float = 0.0

    def apply(
        self,
        names: Sequence[str],
        probabilities: Sequence[float],
        findings: Mapping[str, float] | None = None,
    ) -> list[float]:
        """Return corrected probabilities that sum to 1.

        Args:
            names: the diagnoses.
            probabilities: the model's, in their order.
            findings: what the findings say for each, in nats; None for nothing.
        """
        said = findings or {}
        scores = [
            math.log(max(p, 1e-12)) / self.temperature
            + self.bias.get(name, 0.0)
            + self.support * said.get(name, 0.0)
            for name, p in zip(names, probabilities, strict=True)
        ]
        top = max(scores)
        weights = [math.exp(score - top) for score in scores]
        total = sum(weights)
        return [weight / total for weight in weights]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "temperature": self.temperature,
            "bias": dict(self.bias),
            "support": self.support,
            "leave_open": self.leave_open,
        }

    @classmethod
    def from_json(cls, data: Any) -> Calibration:
        """Read what :meth:`to_json` wrote.

        Raises:
            InputError: another shape.
        """
        try:
            temperature = float(data["temperature"])
            bias = {str(name): float(value) for name, value in data.get("bias", {}).items()}
            support, leave_open = (
                float(data.get("support", 0.0)),
                float(data.get("leave_open", 0.0)),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(
                "a calibration needs a temperature and a bias for each diagnosis",
            ) from None
        if not 0 < temperature < math.inf or not all(map(math.isfinite, (support, *bias.values()))):
            raise InputError(
                "a calibration's temperature is above 0, and all its numbers are finite",
            )
        if not 0 <= leave_open <= 1:
            raise InputError("a calibration's leave_open is a share, from 0 to 1")
        return cls(temperature, bias, support, leave_open)


def leave_open(nodes: Sequence[Node], shares: Sequence[float], share: float) -> list[float]:
    """Move ``share`` of what the types of an illness hold without agreeing to the diagnosis that leaves the type open.

    Args:
        nodes: all diagnoses.
        shares: their probabilities, in the same order.
        share: from 0 (nothing changes) to 1.

    Of types with probabilities p, whose largest part of their sum is s, each keeps ``p (1 - share (1 - s))``.
    """
    result = list(shares)
    for place, node in enumerate(nodes):
        types = [
            i
            for i, other in enumerate(nodes)
            if other.is_leaf and node.name in other.path and other != node
        ]
        held = sum(result[i] for i in types)
        if not share or not held:
            continue
        moved = share * (1 - max(result[i] for i in types) / held)
        for i in types:
            result[i] *= 1 - moved
        result[place] += moved * held
    return result


def label_options(engine: Engine, taxonomy: Taxonomy) -> Options:
    """Return the names of all diagnoses as a closed list of continuations of the prompt."""
    *labels, head = engine.encode(
        [*(f" {node.name}" for node in taxonomy.diagnoses), step_head(1, "x")],
    )
    return Options(tuple(tuple(label) for label in labels), (head[0],))


def rank_diagnoses(
    engine: Engine, prompt: Sequence[int], taxonomy: Taxonomy, options: Options, calibration: Calibration,
    findings: Mapping[str, float] | None = None,
) -> Differential:  # fmt: skip
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
    shares = calibration.apply(
        [node.name for node in nodes],
        rank(engine, prompt, options),
        findings,
    )
    shares = leave_open(nodes, shares, calibration.leave_open)
    entries = [
        Ranked(node.name, node.category, share) for node, share in zip(nodes, shares, strict=True)
    ]
    return Differential(
        tuple(sorted(entries, key=lambda entry: (-entry.probability, entry.diagnosis))),
    )
