"""Checkpoints: which one is whole, and going on from it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

_NAME = re.compile(r"checkpoint-(\d+)$")
_NEEDED = (
    "adapter_model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "trainer_state.json",
)


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
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    present = all(
        (checkpoint / name).is_file() and (checkpoint / name).stat().st_size for name in _NEEDED
    )
    return present and state.get("global_step") == step_of(checkpoint)


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


def cut_metrics(file: Path, step: int) -> None:
    """Drop the lines of metrics.jsonl after ``step`` (and a half-written last one): they will be
    written again.
    """
    if not file.is_file():
        return
    kept = []
    for line in file.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue
    beside = file.with_name(file.name + ".part")
    beside.write_text("".join(kept), "utf-8")
    beside.replace(file)
