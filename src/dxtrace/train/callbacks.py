# ruff: noqa: ARG002 - the signatures are those of transformers' callbacks
"""What happens beside the training loop: the log file, the progress bar, stopping on a signal, and
when losses rise.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from transformers import TrainerCallback

from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.train.examples import Encoder
from dxtrace.train.probe import score_generations

#: The loss has to fall from the mean of its first lines to that of its last ones, so many; it is
#: looked at after more lines than that.
_COMPARED = 5
_ENOUGH = 20

#: float16 losses are scaled up by some thousands; below this even their plain gradients overflow.
_LEAST_SCALE = 1.0

#: Keys of the log that metrics.jsonl holds, and their names there.
_KEPT = {
    "token_loss": "loss",
    "label_loss": "label_loss",
    "loss": "objective",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "epoch": "epoch",
    "targets": "targets",
    "tokens": "tokens",
    "eval_loss": "dev_loss",
    "eval_label_loss": "dev_label_loss",
}

#: Said at the first interrupt of a run.
_STOPPING = b"\nsaving and stopping; once more to end at once\n"


class MetricsFile(TrainerCallback):  # type: ignore[misc]
    """Appends one line a log to metrics.jsonl, written through to the disk."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._last = time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self._last = time.perf_counter()

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a line."""
        row = {}
        for key, name in _KEPT.items():
            # JSON has no number for what is none.
            if logs and key in logs and math.isfinite(logs[key]):
                row[name] = logs[key]
        if not state.is_world_process_zero or not row.keys() & {
            "loss",
            "dev_loss",
        }:
            return
        now = time.perf_counter()
        if "tokens" in row:
            row["tokens_per_s"] = round(row["tokens"] / max(now - self._last, 1e-6), 1)
        self._last = now
        self.write(state.global_step, row)

    def write(self, step: int, row: dict[str, Any]) -> None:
        """Append one line for a step."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step} | row) + "\n")


class Bar(TrainerCallback):  # type: ignore[misc]
    """A progress bar with the loss, tokens per second and the time left."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self.progress = Progress(
            *columns,
            TextColumn("{task.fields[news]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._console = console
        self._task: Any = None
        self._last = time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show the bar."""
        if state.is_world_process_zero:
            self.progress.start()
            self._task = self.progress.add_task(
                "training",
                total=state.max_steps,
                completed=state.global_step,
                news="",
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self._task is not None:
            self.progress.update(self._task, completed=state.global_step)

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Show the latest losses."""
        if not logs or self._task is None:
            return
        if "token_loss" in logs:
            now = time.perf_counter()
            news = (
                f"loss {logs['token_loss']:.3f}  label {logs.get('label_loss', float('nan')):.3f}"
            )
            news += f"  {logs['tokens'] / max(now - self._last, 1e-6):.0f} tokens/s"
            self._last = now
            self.progress.update(self._task, news=news)
            if not self._console.is_terminal:
                self._console.print(
                    f"step {state.global_step}/{state.max_steps}  {news}",
                    highlight=False,
                )
        elif "eval_loss" in logs:
            self._console.print(
                f"step {state.global_step}: dev loss {logs['eval_loss']:.4f}",
                highlight=False,
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the bar away."""
        self.progress.stop()


class Stopped(KeyboardInterrupt):
    """A run was told to stop in the middle of a step: the model is that of the last whole one."""


class StopOnSignal(TrainerCallback):  # type: ignore[misc]
    """Ctrl-C and SIGTERM end the run at once, with :class:`Stopped` where the model is whole.

    Where it is not (its weights change just now), or several processes step together, the trainer
    saves and stops after the step. A second signal, or one before the first step, ends the process.
    """

    def __init__(self) -> None:
        self.stopped: str | None = None
        self._training = False
        self._whole = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._note)
            except ValueError:  # not the main thread: signals are somebody else's
                return self
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.stopped is not None or not self._training:
            before = self._before[number]
            if callable(before):
                before(number, frame)
            raise KeyboardInterrupt
        self.stopped = signal.Signals(number).name
        if self._whole and os.environ.get("WORLD_SIZE", "1") == "1":
            raise Stopped
        # Not through a console: whatever runs now may be writing to it.
        os.write(2, _STOPPING)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """From now on there is something to keep."""
        self._training = True

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The weights change, and the step is counted after that."""
        self._whole = False

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """As :meth:`on_step_end`: what the open step has gathered is given up.

        Not where several processes step together.
        """
        if os.environ.get("WORLD_SIZE", "1") == "1":
            return self.on_step_end(args, state, control)
        return control

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Ask the trainer to save and stop."""
        self._whole = True
        if self.stopped:
            control.should_save = state.global_step > 0
            control.should_training_stop = True
            control.should_evaluate = False
        return control


class Probe(TrainerCallback):  # type: ignore[misc]
    """Lets the model answer a few development cases after each measurement, and writes the scores
    to metrics.jsonl.
    """

    def __init__(
        self,
        encoder: Encoder,
        cases: Sequence[AnnotatedCase],
        metrics: MetricsFile,
        console: Console,
    ) -> None:
        self.encoder, self.cases, self.metrics, self._console = (
            encoder,
            cases,
            metrics,
            console,
        )

    def on_evaluate(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        **kwargs: Any,
    ) -> None:
        """Answer and score."""
        if not state.is_world_process_zero:
            return
        scores = score_generations(model, self.encoder, self.cases)
        self.metrics.write(state.global_step, {"generated": scores, "answers": len(self.cases)})
        shown = ", ".join(f"{key.replace('_', ' ')} {value:.0%}" for key, value in scores.items())
        self._console.print(
            f"step {state.global_step}: {len(self.cases)} free answers: {shown}",
            highlight=False,
        )


class SaveBest(TrainerCallback):  # type: ignore[misc]
    """Saves a checkpoint wherever the development loss is the lowest so far, so that the best can
    be kept.
    """

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Look at the losses measured so far."""
        losses = []
        for row in state.log_history:
            if "eval_loss" in row:
                losses.append(row["eval_loss"])
        if losses and losses[-1] <= min(losses):
            control.should_save = True
        return control


class Watch(TrainerCallback):  # type: ignore[misc]
    """Stops a run that has come to grief, and says why: ``problem``.

    ``good`` is the last step whose adapter is known to be good: a finite loss was measured after
    it.
    """

    def __init__(self, learning_rate: float, precision: str) -> None:
        self.problem: str | None = None
        self.good = 0
        self.scaler: Any = None
        self._learning_rate = learning_rate
        self._precision = precision
        self._losses: list[float] = []

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Look at the losses since the last line."""
        loss = (logs or {}).get("token_loss")
        if loss is None:
            return control
        if math.isfinite(loss):
            self._losses.append(loss)
        self.problem = self._look(loss, state.global_step)
        if self.problem is None:
            self.good = state.global_step - 1
        else:
            control.should_training_stop = True
            control.should_save = False
            control.should_evaluate = False
        return control

    def _look(self, loss: float, step: int) -> str | None:
        rate = f"optimiser.learning_rate (now {self._learning_rate:g})"
        lower = f"lower {rate}"
        if self._precision == "fp16":
            lower += ", or set run.precision to bf16 or fp32"
        if not math.isfinite(loss):
            return f"the loss is no number any more at step {step}: {lower}"
        if self.scaler is not None and self.scaler.get_scale() < _LEAST_SCALE:
            return f"float16 overflows at every step, until step {step}: {lower}"
        first = median(self._losses[:_COMPARED])
        if loss > max(3 * first, first + 2):
            return f"the loss has shot up from {first:.3f} to {loss:.3f} at step {step}: {lower}"
        last = fmean(self._losses[-_COMPARED:])
        if len(self._losses) >= _ENOUGH and last >= first:
            return (
                f"the loss does not fall: {first:.3f} at first, {last:.3f} at step {step}; {rate} is "
                "far too high or far too low, or the rows are not what they should be"
            )
        return None


class StopWhenWorse(TrainerCallback):  # type: ignore[misc]
    """Stops after ``patience`` measurements in a row without a lower development loss than the best
    before.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.stopped = False

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Look at the losses measured so far."""
        losses = []
        for row in state.log_history:
            if "eval_loss" in row:
                losses.append(row["eval_loss"])
        if losses:
            best = min(range(len(losses)), key=losses.__getitem__)
        else:
            best = 0
        if len(losses) - 1 - best >= self.patience:
            self.stopped = True
            control.should_training_stop = True
        return control
