"""What is fitted for an adapter: how far its probabilities are believed, and when it abstains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dxtrace.answering.scope import ScopeModel
from dxtrace.answering.step_writer import MIN_PROBABILITY
from dxtrace.errors import InputError

#: The file of a calibration, beside an adapter or what it was merged into.
CALIBRATION = "calibration.json"

#: Its key in a GGUF file that an adapter was exported to.
GGUF_CALIBRATION = "dxtrace.calibration"


@dataclass(frozen=True)
class Calibration:
    """Corrects the model's scores: ``log p' = log p / temperature + bias[diagnosis] + support *
    findings[diagnosis]``.

    Then normalised to sum to 1. Fitted on a development split (temperature scaling: Guo et al.
    2017, arXiv 1706.04599; additive label bias as in Zhao et al. 2021, arXiv 2102.09690; a product
    of experts with what the findings in the note say, :mod:`dxtrace.findings.recogniser`: Hinton
    2002). The default changes nothing.

    ``leave_open`` (0 to 1): of the probability that the types of an illness hold without agreeing
    on one, this share goes to the diagnosis above them. With 2/3 a type is named only if it is more
    likely than not, given the illness. Not
    fitted: invented notes tell the type far oftener than real ones. ``min_probability``: least
    probability that a quote states its finding. ``scope``: tells notes that none of the illnesses
    fits; None: none is told. ``conformal``: by coverage, the quantile of the nonconformity score
    (:func:`dxtrace.answering.conformal.conformal_set`).
    """

    temperature: float = 1.0
    bias: Mapping[str, float] = field(default_factory=dict)
    support: float = 0.0
    leave_open: float = 0.0
    min_probability: float = MIN_PROBABILITY
    scope: ScopeModel | None = None
    conformal: Mapping[str, float] = field(default_factory=dict)

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
        nats = findings or {}
        scores = []
        for name, p in zip(names, probabilities, strict=True):
            scores.append(
                math.log(max(p, 1e-12)) / self.temperature
                + self.bias.get(name, 0.0)
                + self.support * nats.get(name, 0.0)
            )
        return softmax(scores)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        scope = None
        if self.scope is not None:
            scope = {
                "coefficients": dict(self.scope.coefficients),
                "threshold": self.scope.threshold,
            }
        return {
            "temperature": self.temperature,
            "bias": dict(self.bias),
            "support": self.support,
            "leave_open": self.leave_open,
            "min_probability": self.min_probability,
            "scope": scope,
            "conformal": dict(self.conformal),
        }

    @classmethod
    def from_json(cls, data: Any) -> Calibration:
        """Read what :meth:`to_json` wrote.

        Raises:
            InputError: another shape.
        """
        try:
            calibration = _read(data)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(
                "a calibration needs a temperature and a bias for each diagnosis",
            ) from None
        _check(calibration)
        return calibration


def _read(data: Any) -> Calibration:
    scope = data.get("scope")
    return Calibration(
        temperature=float(data["temperature"]),
        bias=_floats(data.get("bias", {})),
        support=float(data.get("support", 0.0)),
        leave_open=float(data.get("leave_open", 0.0)),
        min_probability=float(data.get("min_probability", MIN_PROBABILITY)),
        scope=ScopeModel(_floats(scope["coefficients"]), float(scope["threshold"]))
        if scope
        else None,
        conformal=_floats(data.get("conformal", {})),
    )


def _floats(data: Mapping[Any, Any]) -> dict[str, float]:
    floats = {}
    for name, value in data.items():
        floats[str(name)] = float(value)
    return floats


def _check(calibration: Calibration) -> None:
    numbers = [
        calibration.support,
        calibration.min_probability,
        *calibration.bias.values(),
        *calibration.conformal.values(),
    ]
    if calibration.scope is not None:
        numbers += [calibration.scope.threshold, *calibration.scope.coefficients.values()]
    if not 0 < calibration.temperature < math.inf or not all(map(math.isfinite, numbers)):
        raise InputError("a calibration's temperature is above 0, and all its numbers are finite")
    if not 0 <= calibration.leave_open <= 1:
        raise InputError("a calibration's leave_open is a share, from 0 to 1")


def softmax(scores: Sequence[float]) -> list[float]:
    """Return probabilities that sum to 1, in proportion to the exponentials of the scores."""
    top = max(scores)
    weights = []
    for score in scores:
        weights.append(math.exp(score - top))
    total = sum(weights)
    shares = []
    for weight in weights:
        shares.append(weight / total)
    return shares
