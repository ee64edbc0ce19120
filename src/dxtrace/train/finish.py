"""What a finished run leaves beside its adapter: plot, TensorBoard events, card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dxtrace.chain import Chain
from dxtrace.errors import InputError, MissingExtra
from dxtrace.files import check, read_json
from dxtrace.provenance import PROVENANCE, Provenance
from dxtrace.train.card import Made, write_card
from dxtrace.train.curves import plot_losses, read_metrics, write_events
from dxtrace.train.measured import Evaluation, evaluations, example_of, keep
from dxtrace.train.recipe import load_recipe


def finish_run(
    run: Path,
    example: Chain | None = None,
    evaluation: Evaluation | None = None,
) -> list[str]:
    """Write ``loss.png``, ``tensorboard/`` and the adapter's card; return what could not be made,
    in words.

    Can be called again, with an example or an evaluation that came later; those given before stay.

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
    keep(run, evaluation, example)
    write_card(
        run / "adapter",
        recipe,
        provenance,
        metrics,
        example_of(run),
        evaluations(run),
        _made(run),
    )
    return missing


def _made(run: Path) -> Made:
    """Return what a run recorded of itself; a file that is not there is no fault."""
    found: dict[str, Any] = {}
    for name in ("environment.json", "split.json"):
        if (run / name).is_file():
            found |= check(dict[str, Any], read_json(run / name), str(run / name))
    return Made(
        train_cases=len(found.get("train", ())),
        dev_cases=len(found.get("dev", ())),
        measured_on=found.get("measured_on"),
        precision=found.get("precision", ""),
        device=found.get("device", ""),
    )
