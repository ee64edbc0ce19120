"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Adapter = Annotated[
    Path,
    typer.Argument(metavar="ADAPTER", help="Folder of a PEFT adapter, or of the run that made it."),
]
BaseModel = Annotated[
    str | None,
    typer.Option("--base", help="The base model; by default the one the adapter names."),
]
Column = Annotated[
    str | None,
    typer.Option(help="Of a CSV or TSV file: the column that holds the note."),
]
