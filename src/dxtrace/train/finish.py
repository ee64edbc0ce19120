"""What a finished run leaves beside its adapter: plot, TensorBoard events, card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from dxtrace.chain import Chain
from dxtrace.errors import InputError, MissingExtra
from dxtrace.provenance import Provenance
from dxtrace.train.card import write_card
from dxtrace.train.curves import plot_losses, read_metrics, write_events
from dxtrace.train.recipe import load_recipe


def finish_run(
    run: Path,
    example: Chain | None = None,
    evaluation: dict[str, Any] | None = None,
) -> list[str]:
    """Write ``loss.png``, ``tensorboard/`` and the adapter's card; return what could not be made,
    in words.

    Can be called again, with an example or an evaluation that came later.

    Raises:
        InputError: the folder is not that of a run.
    """
    metrics = read_metrics(run)
    recipe = load_recipe(run / "recipe.yaml")
    missing = []
    try:
        plot_losses({recipe.name: metrics}, run / "loss.png")
    except MissingExtra as error:
        missing.append(str(error))
    shutil.rmtree(run / "tensorboard", ignore_errors=True)
    if not write_events(metrics, run / "tensorboard"):
        missing.append("TensorBoard events: tensorboard is not installed")
    try:
        provenance = Provenance.from_json(
            json.loads((run / "adapter" / "provenance.json").read_text("utf-8")),
        )
    except (OSError, ValueError):
        raise InputError(f"{run}: has no adapter with its provenance yet") from None
    write_card(run / "adapter", recipe, provenance, metrics, example, evaluation)
    return missing
