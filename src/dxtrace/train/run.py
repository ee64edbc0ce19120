"""Training from a recipe to an adapter: prepare, run, finish."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dxtrace.errors import DxtraceError, EngineError, InputError
from dxtrace.files import atomic_write, check, read_json
from dxtrace.models import store
from dxtrace.models.torch_base import locate
from dxtrace.train import checkpoints
from dxtrace.train.base import find_start
from dxtrace.train.corpora import read_cases
from dxtrace.train.encoded import encode
from dxtrace.train.examples import load_tokenizer
from dxtrace.train.precision import choose_precision, find_device
from dxtrace.train.prepared import Outcome, Prepared, environment
from dxtrace.train.recipe import Recipe, load_recipe, to_yaml

#: How a run ended, in its folder.
OUTCOME = "outcome.json"


def prepare(recipe: Recipe, report: store.Report | None = None) -> Prepared:
    """Read the corpora, find the base model and turn every case into tokens; no weights are loaded.

    Raises:
        InputError: the recipe, the corpus or a case cannot be used. ModelError: the base cannot be
        found.
    """
    device = find_device()
    precision = choose_precision(recipe.run.precision, device)
    start = find_start(recipe)
    cases = read_cases(recipe.data, recipe.run.seed, report)
    located = locate(recipe.base.model, report)
    encoded = encode(recipe, cases, located.where, report)
    tokenizer = load_tokenizer(located.where)
    return Prepared(recipe, device, precision, located, cases, tokenizer, encoded, start)


def train(
    prepared: Prepared,
    out: str | Path,
    *,
    resume: bool = False,
    console: Console | None = None,
) -> Outcome:
    """Run the training of ``prepared`` into the folder ``out``.

    Args:
        prepared: from :func:`prepare`.
        out: the run folder; must be new or empty unless ``resume``.
        resume: go on from the latest whole checkpoint in ``out``.
        console: where the progress is shown; nowhere if None.

    Raises:
        InputError: ``out`` holds another run, or nothing to go on from, or cannot be written.
        EngineError: the memory is full.
    """
    console = console or Console(quiet=True)
    with console.status("loading the trainer"):
        from dxtrace.train.finish import finish_run
        from dxtrace.train.session import Session

    folder = Path(out)
    before = finished(prepared.recipe, folder) if resume else None
    if before is not None:
        return before
    checkpoint = _first_then_others(
        prepared,
        lambda: _open_folder(prepared, folder, resume),
        folder,
        resume,
    )
    session = Session(prepared, folder, console)
    if checkpoint is not None:
        step = checkpoints.step_of(checkpoint)
        session.console.print(f"going on from step {step}", highlight=False)
    try:
        outcome = session.run(checkpoint)
    except Exception as error:
        known = explain(error, folder)
        if known is None:
            raise
        raise known from None
    first = int(os.environ.get("RANK", "0")) == 0
    if first and outcome.state != "interrupted":
        for line in finish_run(folder):
            session.console.print(f"not made: {line}", highlight=False)
    if first:
        atomic_write(folder / OUTCOME, json.dumps(outcome.to_json(), indent=1))
    return outcome


def finished(recipe: Recipe, folder: Path) -> Outcome | None:
    """Return how the run in ``folder`` ended; None if it goes on: it was interrupted, or ``recipe``
    asks for more steps than it took.

    Raises:
        InputError: the run began with another recipe, or what it left is damaged.
    """
    file = folder / OUTCOME
    if not file.is_file() or not (folder / "recipe.yaml").is_file():
        return None
    _same_recipe(recipe, folder / "recipe.yaml")
    outcome = replace(check(Outcome, read_json(file), str(file)), folder=folder)
    more = (recipe.optimiser.steps or 0) > outcome.step
    if outcome.state == "interrupted" or more:
        return None
    return outcome


def explain(error: Exception, folder: Path) -> DxtraceError | None:
    """Return what a user is told of a full disk, or of memory that is full; None for any other
    error.
    """
    text = str(error)
    # What writers of files say; PyTorch's raises no OSError.
    unwritten = (
        "No space left",
        "File too large",
        "PytorchStreamWriter",
        "inline_container",
    )
    if isinstance(error, OSError) or any(words in text for words in unwritten):
        reason = "no room to write"
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        kept = "what was saved before is kept: make room, then go on with --resume"
        return InputError(f"{folder}: cannot be written ({reason}); {kept}")
    if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text:
        less = "set run.recompute=true, or lower optimiser.batch (raising accumulation) or data.max_tokens"
        return EngineError(f"the memory is full; {less}; what was saved is kept: --resume")
    return None


def _first_then_others(
    prepared: Prepared,
    open_folder: Callable[[], Path | None],
    folder: Path,
    resume: bool,
) -> Path | None:
    """Let the first process make the folder ready before the others look into it."""
    from accelerate import PartialState

    state = PartialState(cpu=prepared.device.kind == "cpu")
    found = None
    if state.is_main_process:
        found = open_folder()
    state.wait_for_everyone()
    if resume and not state.is_main_process:
        return checkpoints.latest(folder / "checkpoints")
    return found


def _open_folder(prepared: Prepared, folder: Path, resume: bool) -> Path | None:
    """Make the run folder ready; return the checkpoint to go on from."""
    recipe_file = folder / "recipe.yaml"
    if resume:
        found = checkpoints.latest(folder / "checkpoints")
        if not recipe_file.is_file():
            raise InputError(f"{folder}: holds no run to go on with")
        _same_recipe(prepared.recipe, recipe_file)
        atomic_write(recipe_file, to_yaml(prepared.recipe))
        checkpoints.cut_metrics(
            folder / "metrics.jsonl",
            checkpoints.step_of(found) if found else -1,
        )
        return found
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder}: is not empty; choose another folder, or --resume to go on with the run in it",
        )
    atomic_write(recipe_file, to_yaml(prepared.recipe))
    atomic_write(folder / "split.json", prepared.encoded.split)
    provenance = json.dumps(prepared.provenance().to_json(), indent=1)
    atomic_write(folder / "provenance.json", provenance)
    atomic_write(folder / "environment.json", json.dumps(environment(prepared), indent=1))
    return None


def _same_recipe(recipe: Recipe, file: Path) -> None:
    """Refuse to go on with another recipe than the run began with; how often it logs and saves may
    differ.
    """
    before, now = _flat(load_recipe(file)), _flat(recipe)
    other = []
    for key, value in now.items():
        if before.get(key) != value:
            other.append(key)
    free = {
        "optimiser.steps",  # a run may be told to end sooner: its schedule then falls to nothing there
        "run.threads",
        "run.log_every",
        "run.eval_every",
        "run.save_every",
        "run.keep",
        "run.generate",
        "run.patience",
        "about",
    }
    wrong = []
    for key in other:
        if key not in free:
            wrong.append(key)
    if wrong:
        raise InputError(
            f"the run in {file.parent} began with another {', '.join(wrong)}; leave it as it was, or start anew",
        )


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Return every key of a recipe by its full name."""
    result: dict[str, Any] = {}
    for part, value in recipe.model_dump().items():
        if not isinstance(value, dict):
            result[part] = value
            continue
        for key, item in value.items():
            result[f"{part}.{key}"] = item
    return result
