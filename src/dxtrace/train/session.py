"""The run itself: model, trainer, signals, checkpoints, and what is kept at the end."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import numpy as np
import torch
from transformers import PrinterCallback, TrainerState
from trl import SFTConfig

from dxtrace.errors import EngineError
from dxtrace.files import atomic_write, follow_umask, read_json
from dxtrace.models.opening import limit_torch_threads
from dxtrace.provenance import WEIGHTS, sha256_of
from dxtrace.train import checkpoints
from dxtrace.train.base import load_base, load_start
from dxtrace.train.callbacks import (
    Bar,
    MetricsFile,
    Probe,
    SaveBest,
    StopOnSignal,
    Stopped,
    StopWhenWorse,
    Watch,
)
from dxtrace.train.examples import Encoder
from dxtrace.train.kernels.fast import unsupported, use_fast_layers
from dxtrace.train.preflight import Timed, lora_config
from dxtrace.train.prepared import Outcome, Prepared
from dxtrace.train.trainer import ChainTrainer, Collator

#: Tokens of a timing that are enough, however short it was.
_TIMED_TOKENS = 200_000


#: What transformers calls recomputation, or called it before.
_RECOMPUTE = "activation_checkpointing"
if _RECOMPUTE not in SFTConfig.__dataclass_fields__:
    _RECOMPUTE = "gradient_checkpointing"


class Session:
    """One run in one process. Everything it writes is under ``folder``."""

    def __init__(self, prepared: Prepared, folder: Path, console: Console) -> None:
        self.prepared = prepared
        self.recipe = prepared.recipe
        self.folder = folder
        self.console = console
        limit_torch_threads()
        if self.recipe.run.threads:
            torch.set_num_threads(self.recipe.run.threads)

    def run(self, checkpoint: Path | None) -> Outcome:
        """Train, from ``checkpoint`` if there is one, and keep the best adapter."""
        self.prepared.train.make_ahead()
        try:
            return self._run(checkpoint)
        finally:
            self.prepared.train.close()

    def _run(self, checkpoint: Path | None) -> Outcome:
        metrics = MetricsFile(self.folder / "metrics.jsonl")
        with StopOnSignal() as stop, warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            watch = Watch(self.recipe.optimiser.learning_rate, self.prepared.precision.name)
            with self.console.status("loading the model"):
                trainer = self.trainer([metrics, Bar(self.console), SaveBest(), stop, watch])
            watch.scaler = trainer.accelerator.scaler
            early = None
            if self.recipe.run.patience and self.prepared.dev:
                early = StopWhenWorse(self.recipe.run.patience)
                trainer.add_callback(early)
            if self.recipe.run.generate:
                chosen = self.prepared.cases.first_dev(self.recipe.run.generate)
                encoder = Encoder(self.prepared.tokenizer, self.recipe.data)
                trainer.add_callback(Probe(encoder, chosen, metrics, self.console))
            if checkpoint and checkpoints.step_of(checkpoint) >= self.prepared.steps:
                # Killed after its last step: only what comes after is left to do.
                file = checkpoint / "trainer_state.json"
                trainer.state = TrainerState.load_from_json(str(file))
                return self._finish(trainer, "done")
            try:
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            except Stopped:
                self._keep_last_step(trainer)
            if watch.problem:
                return self._give_up(trainer, watch)
            state = "done"
            if stop.stopped:
                state = "interrupted"
                if not trainer.state.global_step:  # there is nothing to keep
                    raise KeyboardInterrupt
            elif early and early.stopped:
                state = "stopped early"
            if state != "interrupted" and self.prepared.dev and not _measured(trainer):
                trainer.evaluate()
        return self._finish(trainer, state)

    def _keep_last_step(self, trainer: ChainTrainer) -> None:
        """Write a checkpoint of the last whole step of a run that was stopped in the next one."""
        trainer.callback_handler.on_train_end(trainer.args, trainer.state, trainer.control)
        step = trainer.state.global_step
        if step and not checkpoints.is_whole(self.folder / "checkpoints" / f"checkpoint-{step}"):
            trainer._save_checkpoint(trainer.model, trial=None)

    def _give_up(self, trainer: ChainTrainer, watch: Watch) -> Outcome:
        """Keep the last adapter that is known to be good.

        Raises:
            EngineError: none was saved.
        """
        folder = self.folder / "checkpoints"
        checkpoints.drop_after(folder, watch.good)
        good = checkpoints.latest(folder)
        if good is None:
            raise EngineError(f"{watch.problem}; nothing good was saved before")
        outcome = self._finish(trainer, "stopped early", checkpoints.step_of(good))
        return replace(outcome, problem=watch.problem)

    def trainer(self, callbacks: list[Any]) -> ChainTrainer:
        """Return the trainer, the base model loaded and the adapter new, or that which the run goes
        on from.
        """
        prepared, recipe = self.prepared, self.recipe
        torch.manual_seed(recipe.run.seed)
        tokenizer, model = load_base(
            prepared.located,
            recipe.base,
            prepared.precision,
            prepared.device.kind,
        )
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        trainer = ChainTrainer(
            model=model,
            args=self.arguments(),
            rows=prepared.train,
            eval_dataset=prepared.dev.dataset if prepared.dev else None,
            data_collator=Collator(tokenizer.pad_token_id),
            processing_class=tokenizer,
            peft_config=lora_config(
                self.recipe,
                reads_images=model.config.get_text_config() is not model.config,
            ),
            callbacks=callbacks,
            autocast=self.autocast(),
        )
        trainer.remove_callback(PrinterCallback)
        if prepared.start:
            load_start(trainer.model, prepared.start)
        self._fuse(trainer.model)
        return trainer

    def _fuse(self, model: Any) -> None:
        """Run Llama layers fused where that gives the same result, and say so, or why not."""
        if self.prepared.device.kind != "cpu" or not self.recipe.run.fast_kernels:
            return
        if self.recipe.run.recompute:
            reason: str | None = "layers are recomputed"
        else:
            reason = unsupported(model)
        outcome = f"not used, {reason}"
        if reason is None:
            use_fast_layers(model)
            outcome = "used"
        self.console.print(f"fused layers: {outcome}", highlight=False)

    def autocast(self) -> Any:
        """Return the dtype that the trainer casts matrix products to, or None."""
        if self.prepared.precision.name == "fp32":
            return None
        return self.prepared.precision.dtype

    def time_steps(self, seconds: float = 20.0) -> Timed:
        """Run rows of middle length forward and backward for about so many seconds, then the
        longest; nothing is learnt.

        Where a whole batch would take too long, fewer rows are read at once, and the memory is not
        measured.
        """
        trainer = self.trainer([])
        trainer.model.train()
        if self.recipe.run.recompute:
            # The trainer does so when it begins to train.
            getattr(trainer.model, f"{_RECOMPUTE}_enable")()
        lengths = self.prepared.train.sample.lengths
        by_length = np.argsort(lengths, kind="stable")
        middle = int(by_length[len(by_length) // 2])
        batch = self.recipe.optimiser.batch
        self._time_pass(trainer, middle, 1)  # the first pass warms caches up
        one = self._time_pass(trainer, middle, 1)
        count = max(1, min(batch, int(seconds / 4 / one)))
        spent = 0.0
        tokens = 0
        while not tokens or (spent < seconds / 2 and tokens < _TIMED_TOKENS):
            spent += self._time_pass(trainer, middle, count)
            tokens += count * int(lengths[middle])
        speed = tokens / spent
        if count < batch:
            return Timed(speed, None)
        self._time_pass(trainer, int(by_length[-1]), batch)
        return Timed(speed, peak_memory())

    def _time_pass(self, trainer: ChainTrainer, number: int, count: int) -> float:
        """Return the seconds that a row, read ``count`` times at once, takes forward and back."""
        row = self.prepared.train.sample.dataset[number]
        batch = trainer.data_collator([row] * count)
        started = time.perf_counter()
        inputs = trainer._prepare_inputs(batch)
        loss = trainer.compute_loss(trainer.model, inputs)
        trainer.accelerator.backward(loss)
        if self.prepared.device.kind == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    def arguments(self) -> SFTConfig:
        """Return the trainer's settings."""
        recipe, optimiser, run = (
            self.recipe,
            self.recipe.optimiser,
            self.recipe.run,
        )
        cuda, name = (
            self.prepared.device.kind == "cuda",
            self.prepared.precision.name,
        )
        measuring = bool(self.prepared.dev)
        return SFTConfig(
            output_dir=str(self.folder / "checkpoints"),
            num_train_epochs=optimiser.epochs,
            max_steps=optimiser.steps or -1,
            per_device_train_batch_size=optimiser.batch,
            per_device_eval_batch_size=optimiser.batch,
            gradient_accumulation_steps=optimiser.accumulation,
            learning_rate=optimiser.learning_rate,
            lr_scheduler_type=optimiser.schedule,
            warmup_steps=optimiser.warmup,
            weight_decay=optimiser.weight_decay,
            max_grad_norm=optimiser.max_grad_norm,
            adam_beta2=optimiser.beta2,
            optim="paged_adamw_8bit" if optimiser.eight_bit else "adamw_torch_fused",
            bf16=cuda and name == "bf16",
            fp16=cuda and name == "fp16",
            use_cpu=self.prepared.device.kind == "cpu",
            **{_RECOMPUTE: run.recompute},
            seed=run.seed,
            data_seed=run.seed,
            dataloader_num_workers=0,
            dataloader_pin_memory=cuda,
            logging_strategy="steps",
            logging_steps=run.log_every,
            logging_first_step=True,
            logging_nan_inf_filter=False,  # it waits for the device at every micro-batch
            disable_tqdm=True,
            report_to="none",
            eval_strategy="steps" if measuring else "no",
            eval_steps=run.eval_every,
            save_strategy="steps",
            save_steps=run.save_every,
            save_total_limit=run.keep,
            metric_for_best_model="eval_loss" if measuring else None,
            greater_is_better=False if measuring else None,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            remove_unused_columns=False,
            packing=False,
            project=recipe.name,
            ddp_find_unused_parameters=False,
        )

    def _finish(self, trainer: ChainTrainer, state: Any, last: int | None = None) -> Outcome:
        """Keep the best adapter; ``last`` is the last good step, where that is not the last one."""
        best = _best(trainer, last or trainer.state.global_step)
        source = self.folder / "checkpoints" / f"checkpoint-{best}"
        if trainer.is_world_process_zero():
            adapter = self.folder / "adapter"
            beside = self.folder / ".adapter.part"
            shutil.rmtree(beside, ignore_errors=True)
            if (source / "adapter_model.safetensors").is_file():
                beside.mkdir()
                for name in (
                    "adapter_model.safetensors",
                    "adapter_config.json",
                ):
                    shutil.copy2(source / name, beside / name)
            else:
                best = trainer.state.global_step
                trainer.model.save_pretrained(str(beside))
            _name_base(
                beside / "adapter_config.json",
                self.recipe.base.hub_id or self.recipe.base.model,
            )
            weights = sha256_of(beside / WEIGHTS)
            made_from = replace(self.prepared.provenance(), weights_sha256=weights)
            provenance = json.dumps(made_from.to_json(), indent=1)
            atomic_write(beside / "provenance.json", provenance)
            (beside / "README.md").unlink(missing_ok=True)
            follow_umask(beside)
            shutil.rmtree(adapter, ignore_errors=True)
            beside.replace(adapter)
        history = trainer.state.log_history
        losses = []
        for row in history:
            if "token_loss" in row:
                losses.append(row["token_loss"])
        dev = {}
        for row in history:
            if "eval_loss" in row:
                dev[row["step"]] = row["eval_loss"]
        return Outcome(
            self.folder,
            state,
            trainer.state.global_step,
            best,
            losses[-1] if losses else None,
            dev.get(best, min(dev.values(), default=None)),
        )


def peak_memory() -> int:
    """Return the most memory (bytes) in use so far: on the GPU if there is one, else of this
    process.
    """
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    if sys.platform == "win32":
        return 0
    # Linux hands the peak of ``getrusage`` on to a program that a large one starts.
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text("ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _name_base(file: Path, name: str) -> None:
    """Write the base model's public name into an adapter's configuration, in place of a folder of
    this machine.
    """
    config = read_json(file)
    named = config | {"base_model_name_or_path": name}
    atomic_write(file, json.dumps(named, indent=2, sort_keys=True))


def _measured(trainer: ChainTrainer) -> bool:
    """Say whether the last step was measured on the development cases."""
    return any(
        "eval_loss" in row and row["step"] == trainer.state.global_step
        for row in trainer.state.log_history
    )


def _best(trainer: ChainTrainer, last: int) -> int:
    """Return the step of the lowest development loss among the checkpoints that are there, else the
    ``last`` step.
    """
    folder = Path(trainer.args.output_dir)
    there = set()
    for path in folder.glob("checkpoint-*"):
        if checkpoints.is_whole(path):
            there.add(checkpoints.step_of(path))
    dev: dict[int, float] = {}
    for row in trainer.state.log_history:
        if "eval_loss" in row and row["step"] in there:
            dev[row["step"]] = row["eval_loss"]
    if dev:
        return min(dev, key=dev.__getitem__)
    return last
