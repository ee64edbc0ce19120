"""``dxtrace train``, ``calibrate``, ``publish``, ``card``, ``export`` and ``verify-export``."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shlex
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import filesize
from rich.console import Console

from dxtrace.cli._interrupts import keep
from dxtrace.cli._options import Adapter, BaseModel
from dxtrace.cli._progress import STDERR, reporting
from dxtrace.errors import InputError, MissingExtra
from dxtrace.provenance import read_provenance

if TYPE_CHECKING:
    from dxtrace.train import Outcome, Prepared, Recipe

#: The recipe of a run, in its folder.
RECIPE = "recipe.yaml"

#: Fewer cases than these tell too little for a calibration.
FEW_CASES = 100

_LOADING = "loading PyTorch"

_NEEDED = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")

Data = Annotated[
    str | None,
    typer.Option(metavar="SPEC", help="Corpus: PATH[:split] or NAME:PATH[:split]."),
]


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe's name, a .yaml file or a run to go on with; 'list' tells what there is, "
            "'show NAME' prints one, 'keys' tells what each key decides.",
        ),
    ],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="After 'show'.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; by default runs/RECIPE."),
    ] = None,
    data: Data = None,
    dev: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="Development corpus; by default a split of --data."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe. Repeat."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the last checkpoint in the folder."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done and needed, and stop."),
    ] = False,
    sweep: Annotated[
        str | None,
        typer.Option(metavar="KEY=V1,V2,...", help="One run for each value."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train an adapter from a recipe.

    The folder of the run holds the adapter, its card, the losses, and what it takes to resume or
    repeat the run.
    """
    from dxtrace.train.recipe import load_recipe

    if recipe == "list":
        print(_recipes(), end="")
        return
    if recipe == "show":
        print(_recipe_text(name), end="")
        return
    if recipe == "keys":
        print(_keys(), end="")
        return
    if name is not None:
        raise InputError(f"{name[:80]!r}: one recipe is trained at a time")
    changes = list(set_ or ())
    if data:
        changes.append(f"data.train={data}")
    if dev:
        changes.append(f"data.dev={dev}")
    begun = Path(recipe) / RECIPE
    folder = out or Path("runs") / Path(recipe).stem
    if begun.is_file():
        folder = out or Path(recipe)
        recipe = str(begun)
    chosen = load_recipe(recipe, changes)
    if resume and (folder / RECIPE).is_file():
        chosen = _begun(folder, chosen.name, changes)
    require_extra()
    if sweep:
        keep(folder, "the same command with --resume goes on")
        _sweep(chosen, sweep, folder, resume, as_json)
    else:
        _train(chosen, folder, resume, dry_run, as_json)


def _recipes() -> str:
    """Return the names of the recipes, each with what it is for."""
    from dxtrace.train.recipe import load_recipe, recipe_names

    lines = []
    for name in recipe_names():
        about = " ".join(load_recipe(name).about.split())
        lines.append(f"{name}\n    {about}\n")
    return "".join(lines)


def _keys() -> str:
    """Return every key of a recipe with its default and what it decides."""
    from dxtrace.train.recipe import recipe_keys

    lines = []
    for key in recipe_keys():
        lines.append(f"{key.name} = {key.default}\n    {key.about}\n")
    return "".join(lines)


def _recipe_text(name: str | None) -> str:
    """Return a recipe as it is written; a copy can be changed and trained by its path."""
    from dxtrace.train.recipe import recipe_file, recipe_names

    if name is None:
        raise InputError(f"show which recipe? One of {', '.join(recipe_names())}")
    return recipe_file(name).read_text("utf-8")


def _begun(folder: Path, name: str, changes: list[str]) -> Recipe:
    """Return the recipe of the run in a folder, with changes.

    Raises:
        InputError: it is not the recipe of this name.
    """
    from dxtrace.train.recipe import load_recipe

    begun = load_recipe(folder / RECIPE, changes)
    if begun.name != name:
        raise InputError(
            f"{folder}: this run began with the recipe {begun.name}, not {name}; "
            f"go on with: dxtrace train {folder} --resume",
        )
    return begun


def require_extra() -> None:
    """Say what is missing before anything is read.

    Raises:
        MissingExtra: a library for training is not installed.
    """
    missing = []
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            missing.append(name)
    if missing:
        raise MissingExtra(f"training ({', '.join(missing)})", "train")
    quieten()


def quieten() -> None:
    """Keep what libraries say of themselves and each other from the terminal and the network."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not STDERR.is_terminal:
        os.environ.setdefault("TQDM_DISABLE", "1")
    warnings.filterwarnings("ignore")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def _train(recipe: Recipe, folder: Path, resume: bool, dry_run: bool, as_json: bool) -> None:
    with reporting(_LOADING) as report:
        from dxtrace.train.preflight import run_preflight
        from dxtrace.train.run import finished, prepare
        from dxtrace.train.run import train as run

        before = finished(recipe, folder) if resume else None
        if before is None:
            prepared = prepare(recipe, report)
    if before is not None:
        STDERR.print("finished before; nothing is changed", highlight=False)
        _tell(before, as_json)
        return
    first = int(os.environ.get("RANK", "0")) == 0
    if first and not dry_run:
        keep(folder / RECIPE, f"go on with: dxtrace train {shlex.quote(str(folder))} --resume")
    if dry_run:
        _dry_run(prepared, as_json)
        return
    if first:
        STDERR.print("\n".join(run_preflight(prepared).lines()), highlight=False, soft_wrap=True)
    outcome = run(prepared, folder, resume=resume, console=STDERR if first else Console(quiet=True))
    if not first:
        return
    _tell(outcome, as_json)
    if outcome.state == "interrupted":
        raise KeyboardInterrupt
    if outcome.problem:
        STDERR.print(
            f"given up: {outcome.problem}. The adapter is that of the last good checkpoint; "
            f"base.adapter={outcome.adapter} starts another run from it",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)


def _tell(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.to_json()))
        return
    loss = ""
    if outcome.dev_loss is not None:
        loss = f", development loss {outcome.dev_loss:.4f}"
    print(
        f"{outcome.state} at step {outcome.step}; adapter of step {outcome.best_step}{loss}: "
        f"{outcome.adapter}",
    )


def _dry_run(prepared: Prepared, as_json: bool) -> None:
    """Say what is known without the model, then what a few timed steps show."""
    from dxtrace.train.preflight import run_preflight

    known = run_preflight(prepared)
    said = known.lines()
    if not as_json:
        print("\n".join(said), flush=True)
    with STDERR.status("timing a few steps"):
        from dxtrace.train.timing import time_once

        whole = replace(known, timed=time_once(prepared))
    print(json.dumps(whole.to_json()) if as_json else "\n".join(whole.lines()[len(said) :]))


def _sweep(recipe: Recipe, text: str, folder: Path, resume: bool, as_json: bool) -> None:
    with reporting(_LOADING) as report:
        from dxtrace.train.sweep import sweep

        trials = sweep(recipe, text, folder, resume=resume, console=STDERR, report=report)
    if as_json:
        print(json.dumps([vars(trial) for trial in trials]))
        return
    key = text.partition("=")[0]
    print(
        f"| {key} | dev loss | dev label loss | loss | steps | state |\n|---|---|---|---|---|---|",
    )
    for t in trials:
        losses = " | ".join(
            "" if x is None else f"{x:.4f}" for x in (t.dev_loss, t.dev_label_loss, t.loss)
        )
        print(f"| {t.value} | {losses} | {t.steps} | {t.state} |")
    print(f"\n{folder / 'sweep.png'}")


def publish(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="An adapter, or the run that made it."),
    ],
    to: Annotated[str, typer.Option(help="Where: owner/name on the Hugging Face hub.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody can see it.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be shared, and stop."),
    ] = False,
) -> None:
    """Share an adapter on Hugging Face.

    What was made from credentialed data is refused.
    """
    from dxtrace.train.publish import check_place, check_publishable
    from dxtrace.train.publish import publish as share

    if dry_run:
        check_place(to)
        for file in check_publishable(folder):
            print(f"{file}: {filesize.decimal(file.stat().st_size)}")
        if public:
            who = "everybody"
        else:
            who = "its owner"
        print(f"would be shared as https://huggingface.co/{to}, to be seen by {who}")
        return
    print(share(folder, to, private=not public))


def card(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A report.json of 'dxtrace evaluate', or a JSON object of numbers."
        ),
    ] = None,
    example: Annotated[
        bool,
        typer.Option("--example", help="Let the adapter answer a development case, and show it."),
    ] = False,
) -> None:
    """Write the card of a finished run again.

    The plots are written again too; an example or measures that came later can be added.
    """
    from dxtrace.models.store import adapter_sha256
    from dxtrace.train.finish import finish_run
    from dxtrace.train.measured import read_evaluation

    folder = run / "adapter"
    if not folder.is_dir():
        raise InputError(f"{run}: no run with an adapter")
    measures = None
    if evaluation is not None:
        measures = read_evaluation(evaluation, adapter_sha256(folder))
    answered = None
    if example and read_provenance(folder).credentialed:
        STDERR.print("no example is shown: made from credentialed data", highlight=False)
    elif example:
        answered = _answered(run)
    for line in finish_run(run, answered, measures):
        STDERR.print(f"not made: {line}", highlight=False)
    print(folder / "README.md")


def _answered(run: Path):  # type: ignore[no-untyped-def]
    from dxtrace.models.loading import load as load_reasoner
    from dxtrace.train.corpora import read_cases
    from dxtrace.train.recipe import load_recipe

    recipe = load_recipe(run / "recipe.yaml")
    cases = list(read_cases(recipe.data, recipe.run.seed).dev)
    if not cases:
        raise InputError(f"{run}: its recipe has no development cases to show")
    shortest = min(cases, key=lambda case: len(case.case.note))
    with reporting():
        return load_reasoner(recipe.base.model, adapter=run / "adapter").reason(shortest.case)


def calibrate(
    adapter: Adapter,
    base: BaseModel = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "--cases",
            metavar="SPEC",
            help="Your own labelled notes to fit on; by default composed cases.",
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=10, help="Cases to fit on.")] = 300,
    scope: Annotated[
        bool,
        typer.Option("--scope", help="Fit when to abstain too, on short invented cases that ship."),
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit what an adapter is believed.

    The temperature says how far its probabilities are believed, the weight how much the findings
    recognised in the note count beside them; the conformal sets follow. Notes without a diagnosis
    are taken for out of scope: with some, when to abstain is fitted too. All is written into the
    adapter's folder, and what the notes came from into its provenance.
    """
    require_extra()
    with reporting(_LOADING) as report:
        from dxtrace.corpus import open_corpus
        from dxtrace.models.export import base_of
        from dxtrace.models.loading import load as load_reasoner
        from dxtrace.models.lora import adapter_folder
        from dxtrace.train import calibration
        from dxtrace.train.scope_cases import scope_cases

        folder = adapter_folder(adapter)
        corpus = open_corpus(data) if data else None
        if corpus is None:
            chosen = calibration.composed(count, report)
            outside = []
        else:
            chosen = corpus.annotated[:count]
            outside = [case for case in corpus.cases if case.gold is None][:count]
        if scope:
            outside += scope_cases()
        reasoner = load_reasoner(
            base or base_of(folder),
            adapter=folder,
            threads=threads,
            report=report,
        )
        found = calibration.calibrate(folder, chosen, reasoner, report, outside)
    if corpus is not None:
        calibration.record_corpus(folder, corpus)
    kept = found.calibration
    if found.cases < FEW_CASES:
        said = f"fitted on {found.cases} cases: its probabilities may be too sure; take {FEW_CASES} or more"
        STDERR.print(said, highlight=False)
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        print(
            f"{found.cases} cases: temperature {kept.temperature}, weight of the findings {kept.support}; "
            f"{found.before:.3f} nats before, {found.after:.3f} after",
        )
