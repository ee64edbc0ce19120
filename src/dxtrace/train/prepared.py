"""A run before and after it: what is trained on what, and what came of it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dxtrace.files import named_path
from dxtrace.models import store
from dxtrace.models.opening import says_credentialed
from dxtrace.models.torch_base import BaseLocation
from dxtrace.provenance import Provenance, read_provenance
from dxtrace.train.corpora import Cases
from dxtrace.train.encoded import Encoded
from dxtrace.train.precision import ChosenPrecision, Device
from dxtrace.train.recipe import Base, Recipe
from dxtrace.train.rows import Rows
from dxtrace.train.shards import ShardedRows


@dataclass
class Prepared:
    """Everything that is known before the first step."""

    recipe: Recipe
    device: Device
    precision: ChosenPrecision
    located: BaseLocation
    cases: Cases
    tokenizer: Any
    encoded: Encoded
    start: Path | None = None

    @property
    def train(self) -> Rows | ShardedRows:
        """The rows to train on."""
        return self.encoded.train

    @property
    def dev(self) -> Rows:
        """The rows to measure on, the shortest first."""
        return self.encoded.dev

    def count_cases(self) -> int:
        """Return how many cases are trained on; of those not composed yet, all are counted."""
        if isinstance(self.train, ShardedRows):
            return len(self.cases.train)
        return self.encoded.report.encoded

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        optimiser = self.recipe.optimiser
        if optimiser.steps:
            return optimiser.steps
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        passes = math.ceil(math.ceil(len(self.train) / processes) / optimiser.batch)
        return math.ceil(math.ceil(passes / optimiser.accumulation) * optimiser.epochs)

    def provenance(self) -> Provenance:
        """What the adapter is made from."""
        base = self.recipe.base
        made = Provenance(
            corpora=self.cases.corpora,
            base_model=_origin(base, self.located.sha256),
            base_sha256=self.located.sha256,
            recipe=self.recipe.name,
            seed=self.recipe.run.seed,
            marked_credentialed=self.cases.credentialed or _is_marked(base.model),
        )
        if self.start:
            return made.joined(read_provenance(self.start))
        return made


def _origin(base: Base, sha256: str | None) -> str:
    """Return what a base model is known by: its hub id; the path of files of the user's own, whatever a
    recipe calls them, unless they are those of a packaged model.
    """
    packaged = {model.name: model.sha256 for model in store.PACKAGED}
    path = named_path(base.model)
    if base.model in packaged or sha256 in packaged.values() or not path.exists():
        return base.hub_id or base.model
    return str(path.resolve())


def _is_marked(base: str) -> bool:
    """Return whether a base model of the user's own says that it comes from credentialed data."""
    path = named_path(base)
    return path.exists() and says_credentialed(path)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    ``step`` is the last step done, ``best_step`` the one whose adapter was kept. ``problem`` says
    why a run was given up.
    """

    folder: Path
    state: Literal["done", "stopped early", "interrupted"]
    step: int
    best_step: int
    loss: float | None
    dev_loss: float | None
    problem: str | None = None

    @property
    def adapter(self) -> Path:
        """Folder of the adapter."""
        return self.folder / "adapter"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return vars(self) | {"folder": str(self.folder)}


def environment(prepared: Prepared) -> dict[str, Any]:
    """Return what the run depends on besides its recipe: device, precision, versions; and what it
    was measured on, if that is another corpus.
    """
    import importlib.metadata
    import platform

    names = (
        "dxtrace",
        "torch",
        "transformers",
        "trl",
        "peft",
        "accelerate",
        "bitsandbytes",
        "datasets",
    )
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    measured_on = None
    if prepared.cases.dev_corpus is not None:
        measured_on = prepared.cases.dev_corpus.id
    return {
        "measured_on": measured_on,
        "python": platform.python_version(),
        "system": platform.system(),
        "device": prepared.device.name,
        "precision": prepared.precision.name,
        "precision_reason": prepared.precision.reason,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "versions": versions,
    }
