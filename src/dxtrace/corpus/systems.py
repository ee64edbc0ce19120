"""What answers annotated cases, and who that is: kept beside every answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dxtrace.answering.reasoner import Reasoner
from dxtrace.chain import Chain
from dxtrace.notes.annotated import AnnotatedCase

#: What is said when a part of an identity is another one.
_PARTS = {
    "base": "another model",
    "adapter_sha256": "another adapter",
    "calibration_sha256": "another calibration",
    "engine": "another engine",
    "learnt_from": "other training cases",
}


@dataclass(frozen=True)
class Identity:
    """Everything besides a case that an answer depends on.

    ``learnt_from`` is the SHA-256 of the cases that a baseline learnt from.
    """

    name: str
    base_sha256: str | None = None
    adapter_sha256: str | None = None
    calibration_sha256: str | None = None
    engine: str | None = None
    learnt_from: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return a JSON object."""
        return asdict(self)

    def difference(self, other: Mapping[str, Any]) -> str | None:
        """Say in what the JSON of another identity differs; None if in nothing that matters."""
        ours, theirs = _comparable(self.to_json()), _comparable(other)
        for part, message in _PARTS.items():
            if ours[part] != theirs[part]:
                return message
        return None


def _comparable(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts that matter: a file's name says nothing where its hash is known."""
    parts = {}
    for part in _PARTS:
        parts[part] = identity.get(part)
    parts["base"] = identity.get("base_sha256") or identity.get("name")
    return parts


@dataclass(frozen=True)
class System:
    """Anything that answers annotated cases. Call it with a case; it returns a chain or raises.

    ``at_once`` cases may be under way, each in a thread of its own.
    """

    identity: Identity
    answer: Callable[[AnnotatedCase], Chain] = field(repr=False)
    at_once: int = 1

    def __call__(self, case: AnnotatedCase) -> Chain:
        """Return the chain on a case."""
        return self.answer(case)


def identity_of(reasoner: Reasoner) -> Identity:
    """Return who answers when a reasoner does."""
    calibration = json.dumps(reasoner.calibration.to_json(), sort_keys=True)
    return Identity(
        name=reasoner.model.name,
        base_sha256=reasoner.model.base_sha256,
        adapter_sha256=reasoner.model.adapter_sha256,
        calibration_sha256=hashlib.sha256(calibration.encode()).hexdigest(),
        engine=type(reasoner.engine).__name__,
    )
