"""A sweep: the same recipe with several values of one key, compared on the development cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from dxtrace.errors import InputError
from dxtrace.files import atomic_write, check, read_json
from dxtrace.models import store
from dxtrace.train.curves import plot_losses, read_metrics
from dxtrace.train.recipe import Recipe, apply_changes, resolve
from dxtrace.train.run import prepare, train


@dataclass(frozen=True)
class Trial:
    """One value of a sweep and how its run ended; losses are nats per target token."""

    value: str
    folder: str
    state: str
    steps: int
    loss: float | None
    dev_loss: float | None
    dev_label_loss: float | None


def parse_sweep(text: str) -> tuple[str, list[str]]:
    """Split ``learning_rate=5e-4,1e-3`` into key and values.

    Raises:
        InputError: another shape, or fewer than two different values.
    """
    key, mark, rest = text.partition("=")
    values = list(dict.fromkeys(value.strip() for value in rest.split(",") if value.strip()))
    if not mark or not key.strip() or len(values) < 2:
        raise InputError(
            f"{text[:80]!r}: a sweep is KEY=VALUE,VALUE,..., such as learning_rate=5e-4,1e-3,2e-3",
        )
    return key.strip(), values


def sweep(
    recipe: Recipe,
    text: str,
    out: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
    report: store.Report | None = None,
) -> list[Trial]:
    """Train ``recipe`` once for each value and write ``sweep.json`` and ``sweep.png``; best
    development loss first.

    With ``resume``, finished runs are kept and a broken one goes on.

    Raises:
        KeyboardInterrupt: a run of it was interrupted; what is done is kept.
        InputError: the sweep, the recipe or the folder cannot be used. UnknownName: no such key.
    """
    key, values = parse_sweep(text)
    recipes = {}
    for v in values:
        recipes[v] = resolve(
            apply_changes(recipe.model_dump(mode="json"), [f"{key}={v}"]),
            "the sweep",
        )
    if not resume and out.exists() and any(out.iterdir()):
        raise InputError(
            f"{out}: is not empty; choose another folder, or --resume to go on with the sweep in it",
        )
    trials: list[Trial] = []
    for value, changed in recipes.items():
        folder = out / f"{key.split('.')[-1]}-{value}"
        done = folder / "trial.json"
        if resume and done.is_file():
            trials.append(check(Trial, read_json(done), str(done)))
            continue
        if console:
            console.print(f"{key} = {value}", highlight=False)
        started = resume and (folder / "recipe.yaml").is_file()
        outcome = train(prepare(changed, report), folder, resume=started, console=console)
        label = []
        for row in read_metrics(folder):
            if "dev_label_loss" in row:
                label.append(row["dev_label_loss"])
        trial = Trial(
            value,
            folder.name,
            outcome.state,
            outcome.step,
            outcome.loss,
            outcome.dev_loss,
            label[-1] if label else None,
        )
        if outcome.state == "interrupted":
            raise KeyboardInterrupt
        atomic_write(done, json.dumps(asdict(trial)))
        trials.append(trial)
    return _conclude(trials, key, out)


def _conclude(trials: Sequence[Trial], key: str, out: Path) -> list[Trial]:
    ordered = sorted(
        trials,
        key=lambda trial: trial.dev_loss if trial.dev_loss is not None else float("inf"),
    )
    table = {"key": key, "trials": [asdict(trial) for trial in ordered]}
    atomic_write(out / "sweep.json", json.dumps(table, indent=1))
    if ordered:
        runs = {
            f"{key.split('.')[-1]}={trial.value}": read_metrics(out / trial.folder)
            for trial in ordered
        }
        plot_losses(runs, out / "sweep.png")
    return ordered
