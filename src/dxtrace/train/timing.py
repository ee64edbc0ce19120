"""How fast a device trains by a recipe: timed once, and kept beside the rows that it was timed on."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from dxtrace.errors import InputError
from dxtrace.files import atomic_write, check, read_json
from dxtrace.train.preflight import Timed
from dxtrace.train.prepared import Prepared, environment


def time_once(prepared: Prepared) -> Timed:
    """Return what a short timing shows, or showed before with the same rows, recipe, device and
    versions.
    """
    folder = prepared.encoded.folder
    if folder is None:
        return _time(prepared)
    decides = {
        "recipe": prepared.recipe.model_dump(mode="json", exclude={"name", "about", "data"}),
        "on": environment(prepared),
    }
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    file = folder / f"timed-{key[:16]}.json"
    with suppress(InputError):
        return check(Timed, read_json(file), str(file))
    timed = _time(prepared)
    atomic_write(file, json.dumps(asdict(timed)))
    return timed


def _time(prepared: Prepared) -> Timed:
    from dxtrace.train.session import Session

    # A trainer makes a folder for its checkpoints.
    with TemporaryDirectory() as folder:
        return Session(prepared, Path(folder), Console(quiet=True)).time_steps()
