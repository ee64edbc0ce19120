"""Losses of a run: reading metrics.jsonl, the plot, and TensorBoard events."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dxtrace.errors import InputError, MissingExtra, RowError
from dxtrace.files import Line, read_jsonl


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics.jsonl: a step, and numbers.

    A half-written last line, and what is no such line, is left out.

    Raises:
        InputError: there is no such file.
    """
    file = run / "metrics.jsonl"
    if not file.is_file():
        raise InputError(f"{file}: no such file; is {run} the folder of a run?")
    metrics = []
    for _, row in read_rows(file):
        metrics.append(row)
    return metrics


def read_rows(file: Path) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Yield the lines of metrics that can be read, and what they say.

    Raises:
        InputError: the file cannot be read.
    """
    for line in read_jsonl(file):
        try:
            row = line.parse()
        except RowError:
            continue
        if isinstance(row, dict) and type(row.get("step")) is int:
            numbers = {}
            for key in row:
                if isinstance(row[key], int | float):
                    numbers[key] = row[key]
            yield line, numbers


def plot_losses(runs: Mapping[str, Sequence[Mapping[str, Any]]], out: Path) -> None:
    """Draw the losses of one or more runs (name to lines of metrics) into a PNG file.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("the plot of losses (matplotlib)", "train")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for number, (name, rows) in enumerate(runs.items()):
        colour, prefix = f"C{number}", f"{name}: " if len(runs) > 1 else ""
        for key, label, style in (
            ("loss", "training", "-"),
            ("dev_loss", "development", "o--"),
        ):
            points = []
            for row in rows:
                if key in row:
                    points.append((row["step"], row[key]))
            if points:
                if key == "loss" and len(runs) > 1:
                    faint = 0.35
                else:
                    faint = 0.9
                axes.plot(
                    *zip(*points, strict=True),
                    style,
                    color=colour if len(runs) > 1 else None,
                    label=prefix + label,
                    alpha=faint,
                    markersize=4,
                )
    axes.set_xlabel("step")
    axes.set_ylabel("loss per target token (nats)")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    figure.savefig(out)


def write_events(rows: Sequence[Mapping[str, Any]], folder: Path) -> bool:
    """Write the metrics as TensorBoard events; return False where TensorBoard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return False
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(folder))
        for row in rows:
            for key, value in row.items():
                if key != "step" and isinstance(value, (int, float)):
                    writer.add_scalar(key, value, row["step"])
        writer.close()
    return True
