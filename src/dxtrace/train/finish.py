"""What a finished run leaves beside its adapter: plot, TensorBoard events, card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dxtrace.chain import Chain
from dxtrace.errors import InputError, MissingExtra
from dxtrace.files import read_json
from dxtrace.provenance import PROVENANCE, Provenance
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
    file = run / "adapter" / PROVENANCE
    if not file.is_file():
        raise InputError(f"{run}: has no adapter with its provenance yet")
    provenance = Provenance.from_json(read_json(file), str(file))
    write_card(run / "adapter", recipe, provenance, metrics, example, evaluation)
    return missing
