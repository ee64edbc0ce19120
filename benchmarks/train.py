"""CPU training throughput: dxtrace's run against a plain TRL script, same model, rows, loss and
steps.

    python benchmarks/train.py [--model smollm2-135m] [--data FOLDER] [--steps 3] [--threads 2]

The plain script is what TRL's documentation shows: SFTTrainer on the same token ids and labels,
PEFT's LoRA, padding by its own collator, 32-bit or bfloat16 (``--plain-precision``). Both begin
with the same adapter and see the same rows in the same order of steps. Tokens are those read;
padding does not count. Prints a table and JSON. On a shared machine use ``--processor-time``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
warnings.filterwarnings("ignore")


def prepared(arguments: argparse.Namespace) -> Any:
    """Return the rows and everything else of a run, as both sides take it."""
    from dxtrace.train import load_recipe, prepare

    rows = 8 * (arguments.steps + 1)
    changes = [
        f"data.limit={rows}",
        "run.eval_cases=0",
        f"threads={arguments.threads}",
        f"steps={arguments.steps + 1}",
    ]
    changes += ["chains=1", "accumulation=8", "log_every=1", "save_every=1000000", "label_weight=1"]
    changes += [f"base.model={arguments.model}"]
    changes += [f"max_tokens={arguments.max_tokens}"]
    changes += [f"data.train={arguments.data}"] if arguments.data else []
    return prepare(load_recipe("smollm2-135m-cpu", changes))


def clock(processor: bool) -> float:
    """Return seconds: of processor time, or of the wall."""
    return time.process_time() if processor else time.perf_counter()


def timer(processor: bool) -> Any:
    """Return a callback that keeps the time at the end of every step."""
    from transformers import TrainerCallback

    class Timer(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.at: list[float] = []

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            self.at.append(clock(processor))

    return Timer()


def ours(ready: Any, processor: bool, start: Path) -> tuple[float, list[float]]:
    """Return seconds after the first step, and the losses, of dxtrace's run.

    ``start``: the folder into which its new adapter is saved, for the other side.
    """
    from rich.console import Console

    from dxtrace.train.session import Session

    watch = timer(processor)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Session(ready, Path(folder), Console(quiet=True)).trainer([watch])
        trainer.model.save_pretrained(start)
        trainer.train()
        losses = [row["token_loss"] for row in trainer.state.log_history if "token_loss" in row]
    return watch.at[-1] - watch.at[0], losses


def plain(
    ready: Any,
    processor: bool,
    precision: str,
    batch: int,
    start: Path,
) -> tuple[float, list[float]]:
    """Return the same of a plain TRL script; it begins with the adapter in ``start``."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, set_peft_model_state_dict
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    rows = [ready.train[i] for i in order(ready)]
    dataset = Dataset.from_dict(
        {"input_ids": [list(r.ids) for r in rows], "labels": [r.labels for r in rows]},
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(ready.located.where, dtype=torch.float32)
    watch = timer(processor)
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=8 // batch,
            max_steps=ready.steps,
            learning_rate=1e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.03,
            max_length=None,
            bf16=precision == "bf16",
            use_cpu=True,
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            gradient_checkpointing=False,
            train_sampling_strategy="sequential",
            disable_tqdm=True,
        )
        lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = SFTTrainer(
            model,
            args=settings,
            train_dataset=dataset,
            processing_class=ready.tokenizer,
            peft_config=lora,
            callbacks=[watch],
        )
        set_peft_model_state_dict(trainer.model, load_file(start / "adapter_model.safetensors"))
        trainer.train()
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return watch.at[-1] - watch.at[0], losses


def order(ready: Any) -> list[int]:
    """Return the order in which the run reads its rows."""
    from dxtrace.train.trainer import StepSampler

    return list(StepSampler(ready.train, 8, ready.recipe.run.seed))


def main() -> None:
    """Measure both sides and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--data", help="a corpus; by default the teaching corpus is composed")
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=2048,
        help="longest row; notes of longer ones are shortened",
    )
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--plain-precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--plain-batch", type=int, choices=(1, 2, 4, 8), default=4)
    parser.add_argument("--processor-time", action="store_true")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    ready = prepared(arguments)
    tokens = sum(len(ready.train[i].ids) for i in order(ready)[8 : 8 * ready.steps])
    processor = arguments.processor_time
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder)
        sides = {"dxtrace": ours(ready, processor, start)}
        sides["plain TRL"] = plain(
            ready,
            processor,
            arguments.plain_precision,
            arguments.plain_batch,
            start,
        )
    speed = {name: tokens / seconds for name, (seconds, _) in sides.items()}
    print("| side | tokens/s | losses |\n|---|---|---|")
    for name, (_, losses) in sides.items():
        print(f"| {name} | {speed[name]:.0f} | {', '.join(f'{loss:.3f}' for loss in losses)} |")
    apart = [
        abs(one - other)
        for one, other in zip(*(losses for _, losses in sides.values()), strict=True)
    ]
    found = {
        "losses_apart": max(apart),
        "tokens_per_s": speed,
        "ratio": speed["dxtrace"] / speed["plain TRL"],
        "precision": ready.precision.name,
    }
    print(
        json.dumps(
            found | {"plain_precision": arguments.plain_precision, "threads": arguments.threads},
        ),
    )


if __name__ == "__main__":
    main()
