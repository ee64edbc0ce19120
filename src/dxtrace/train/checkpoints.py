"""Checkpoints: which one is whole, and going on from it."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

from pydantic import BaseModel

from dxtrace.errors import DxtraceError
from dxtrace.files import atomic_write, check, read_json, read_safetensors
from dxtrace.train.curves import read_rows

_NAME = re.compile(r"checkpoint-(\d+)$")
_ARCHIVES = ("optimizer.pt", "scheduler.pt")


class _State(BaseModel):
    """What is read of ``trainer_state.json``."""

    global_step: int


def step_of(checkpoint: Path) -> int:
    """Return the step at which a checkpoint was written."""
    match = _NAME.search(checkpoint.name)
    if match:
        return int(match[1])
    return -1


def is_whole(checkpoint: Path) -> bool:
    """Say whether a checkpoint was written to its end: its state file comes last and says the
    checkpoint's step.
    """
    file = checkpoint / "trainer_state.json"
    try:
        state = check(_State, read_json(file), str(file))
        read_safetensors(checkpoint / "adapter_model.safetensors")
    except DxtraceError:
        return False
    # What torch saves is a zip archive, whose table of contents stands at its end.
    archives = all(zipfile.is_zipfile(checkpoint / name) for name in _ARCHIVES)
    return archives and state.global_step == step_of(checkpoint)


def latest(folder: Path) -> Path | None:
    """Return the latest whole checkpoint in ``folder``; what a kill left half-written is removed."""
    found = sorted(
        (path for path in folder.glob("checkpoint-*") if path.is_dir()),
        key=step_of,
        reverse=True,
    )
    for path in found:
        if is_whole(path):
            return path
        shutil.rmtree(path, ignore_errors=True)
    return None


def drop_after(folder: Path, step: int) -> None:
    """Remove the checkpoints after ``step``."""
    for path in folder.glob("checkpoint-*"):
        if step_of(path) > step:
            shutil.rmtree(path, ignore_errors=True)


def cut_metrics(file: Path, step: int) -> None:
    """Drop the lines of metrics.jsonl after ``step`` (and a half-written last one): they will be
    written again.
    """
    if not file.is_file():
        return
    kept: list[bytes] = []
    for line, row in read_rows(file):
        if row["step"] <= step:
            kept.append(line.data.rstrip(b"\r\n") + b"\n")
    atomic_write(file, kept)
