"""What a run will do and need, said before its first step."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dxtrace.train.precision import memory_of
from dxtrace.train.prepared import Prepared
from dxtrace.train.recipe import Lora, Recipe, apply_changes, resolve

GIB = 2**30

#: Share of a device's memory that a run may count on: the rest is the system's, and lost between
#: tensors.
_USABLE = 0.92

#: What Python, PyTorch, the libraries and their working memory take in a process (Linux, x86-64).
_PROGRAM = round(0.85 * GIB)

#: Modules of a model that reads images too (MedGemma) which are not its language model.
IMAGES = r".*(?:vision|visual|multi_modal).*"


@dataclass(frozen=True)
class Memory:
    """An estimate of the most memory that a run needs, in bytes, by its parts."""

    weights: int
    adapter: int
    activations: int
    logits: int
    program: int = 0

    @property
    def total(self) -> int:
        """The sum of the parts."""
        return self.weights + self.adapter + self.activations + self.logits + self.program


@dataclass(frozen=True)
class Timed:
    """What a few timed steps showed: tokens a second, and the peak of memory (bytes) at the longest
    row, or None if it was not measured.
    """

    tokens_per_s: float
    peak: int | None


@dataclass(frozen=True)
class Preflight:
    """Everything known before the first step; :meth:`lines` is what a user reads."""

    rows: int
    looked_at: int
    cases: int
    prompt: tuple[int, int, int]
    answer: tuple[int, int, int]
    longest: int
    shortened: list[str]
    dropped: list[str]
    unanswered: list[str]
    policy: str
    problems: int
    dev_cases: int
    held_out: str
    steps: int
    epochs: float
    tokens: int
    trainable: int
    memory: Memory
    device: str
    precision: str
    precision_reason: str
    room: int
    advice: str
    timed: Timed | None = None

    @property
    def seconds(self) -> float | None:
        """Estimated wall-clock time of the steps, or None before a few were timed."""
        if self.timed is None:
            return None
        return self.tokens / self.timed.tokens_per_s

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self) | {
            "memory_total": self.memory.total,
            "seconds": self.seconds,
        }

    def lines(self) -> list[str]:
        """Return the report, one line a fact."""
        memory = self.memory
        program = ""
        if memory.program:
            program = f" + the program itself {memory.program / GIB:.2f}"
        first = ""
        if self.looked_at < self.rows:
            first = f", the first {self.looked_at:,} rows"
        lines = [
            f"cases: {self.cases:,} to train on ({self.rows:,} rows), {self.dev_cases:,} to measure ({self.held_out})",
            f"tokens a case{first}, median / 95 % / most: prompt {_three(self.prompt)}, "
            f"answer {_three(self.answer)}; longest row {self.longest:,}",
            f"too long{first} (data.too_long={self.policy}): {_some('shortened', self.shortened)}, "
            + _some("dropped", self.dropped),
            f"steps: {self.steps:,} in {self.epochs:.2f} epochs, {self.tokens:,} tokens to read",
            f"adapter: {self.trainable:,} parameters, 32-bit",
            f"memory, estimated: {memory.total / GIB:.2f} GiB = weights {memory.weights / GIB:.2f} + adapter, "
            f"gradients and Adam {memory.adapter / GIB:.2f} + activations {memory.activations / GIB:.2f} + logits "
            f"{memory.logits / GIB:.2f}{program}",
            f"fits: {self.advice} ({memory.total / GIB:.2f} of {self.room / GIB:.2f} GiB)",
            f"device: {self.device}; precision {self.precision}: {self.precision_reason}",
        ]
        if self.unanswered or self.problems:
            lines.insert(
                3,
                f"left out: {len(self.unanswered)} cases without a gold chain; {self.problems} problems "
                "while reading the corpus (dxtrace corpus audit names them)",
            )
        if self.timed:
            speed, time = self.timed.tokens_per_s, _clock(self.seconds or 0)
            lines.append(f"time, from timed steps: {speed:,.0f} tokens/s, so about {time}")
        if self.timed and self.timed.peak:
            lines.append(
                f"memory, measured: at most {self.timed.peak / GIB:.2f} GiB at the longest row",
            )
        return lines


def run_preflight(prepared: Prepared, timed: Timed | None = None) -> Preflight:
    """Return the preflight of a run; no weights are needed."""
    report = prepared.encoded.report
    rows = prepared.train.sample
    lengths = rows.lengths
    recipe = prepared.recipe
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    per_step = recipe.optimiser.batch * recipe.optimiser.accumulation * processes
    epochs = prepared.steps * per_step / len(prepared.train)
    trainable, memory = estimate_memory(prepared)
    return Preflight(
        rows=len(prepared.train),
        looked_at=len(rows),
        cases=prepared.count_cases(),
        prompt=_summary(rows.prompts),
        answer=_summary(lengths - rows.prompts),
        longest=int(lengths.max()),
        shortened=report.shortened,
        dropped=report.dropped,
        unanswered=report.unanswered,
        policy=recipe.data.too_long,
        problems=prepared.cases.problems,
        dev_cases=len(prepared.dev),
        held_out=prepared.cases.held_out or "none",
        steps=prepared.steps,
        epochs=epochs,
        tokens=round(float(lengths.mean()) * per_step * prepared.steps),
        trainable=trainable,
        memory=memory,
        room=memory_of(prepared.device),
        advice=_advise(prepared, memory),
        device=prepared.device.name,
        precision=prepared.precision.name,
        precision_reason=prepared.precision.reason,
        timed=timed,
    )


def _advise(prepared: Prepared, memory: Memory) -> str:
    """Return "yes", or what to change so that the run fits the device's memory: as little as will
    do.
    """
    room = _USABLE * memory_of(prepared.device)
    if memory.total <= room:
        return "yes"
    optimiser = prepared.recipe.optimiser
    steps = [{"run.recompute": "true"}]
    if optimiser.batch > 1:
        whole = optimiser.batch * optimiser.accumulation
        steps.append({"optimiser.batch": "1", "optimiser.accumulation": str(whole)})
    if prepared.device.kind == "cuda":
        steps.append({"base.quantisation": "nf4"})
    changes: list[str] = []
    for step in steps:
        changes += [f"{key}={value}" for key, value in step.items()]
        recipe = resolve(apply_changes(prepared.recipe.model_dump(), changes), "the recipe")
        _, less = estimate_memory(replace(prepared, recipe=recipe))
        if less.total <= room:
            return f"no; it does with {' '.join(changes)}"
    return f"no, nor with {' '.join(changes)}: lower data.max_tokens, or take a smaller base"


def estimate_memory(prepared: Prepared) -> tuple[int, Memory]:
    """Return the number of trainable parameters, and the memory estimate at the longest row.

    Weights as they are stored (4-bit: 0.52 bytes for linear layers, QLoRA's table 1); adapter 16
    bytes a parameter (value, gradient, two moments, 32-bit); activations per token and layer 12
    widths + 5 MLP widths, or one width with recomputation and one layer in full. On a CPU the
    program itself counts too.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    recipe = prepared.recipe
    config = AutoConfig.from_pretrained(prepared.located.where)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        model.tie_weights()
    linear = 0
    whole = 0
    for name, weight in model.named_parameters():
        whole += weight.numel()
        if "layers." in name and weight.dim() == 2:
            linear += weight.numel()
    trainable = _count_trainable(model, recipe.lora)
    if prepared.precision.name == "fp32":
        size = 4
    else:
        size = 2
    if recipe.base.quantisation == "nf4":
        small = 0.52
    else:
        small = size
    batch = recipe.optimiser.batch
    tokens = batch * int(prepared.train.sample.lengths.max())
    config = config.get_text_config()
    layer = tokens * (12 * config.hidden_size + 5 * config.intermediate_size) * size
    deep = config.num_hidden_layers
    kept = deep * layer
    if recipe.run.recompute:
        kept = layer + deep * tokens * config.hidden_size * size
    # The head reads targets in pieces of 512 (see kernels.sparse_head).
    targets = min(512, batch * int(prepared.train.sample.targets.max()))
    program = 0
    if prepared.device.kind == "cpu":
        program = _PROGRAM
    memory = Memory(
        weights=round(linear * small + (whole - linear) * size),
        adapter=16 * trainable,
        activations=kept,
        logits=targets * config.vocab_size * (4 + 4 + size),
        program=program,
    )
    return trainable, memory


def _count_trainable(model: Any, lora: Lora) -> int:
    """Return the number of parameters of the adapter: of every adapted layer A and B, and with DoRA
    the magnitudes. PEFT would say the same, and takes seconds to import.
    """
    import torch

    head = model.get_output_embeddings()
    count = 0
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear) or module is head or re.match(IMAGES, name):
            continue
        if lora.targets != "all-linear" and name.rpartition(".")[2] not in lora.targets:
            continue
        count += lora.rank * (module.in_features + module.out_features)
        count += lora.dora * module.out_features
    return count


def lora_config(recipe: Recipe, reads_images: bool = False) -> Any:
    """Return PEFT's configuration of a recipe's adapter; what reads images is left as it is."""
    from peft import LoraConfig

    lora = recipe.lora
    targets: Any = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        task_type="CAUSAL_LM",
        exclude_modules=IMAGES if reads_images else None,
    )


def _summary(values: Any) -> tuple[int, int, int]:
    """Return the median, the 95th of a hundred, and the most."""
    ordered = np.sort(values)
    middle = ordered[len(ordered) // 2]
    high = ordered[int(0.95 * (len(ordered) - 1))]
    return int(middle), int(high), int(ordered[-1])


def _three(values: tuple[int, int, int]) -> str:
    return " / ".join(f"{value:,}" for value in values)


def _some(what: str, ids: Sequence[str]) -> str:
    if not ids:
        return f"none {what}"
    names = ", ".join(ids[:3])
    if len(ids) > 3:
        names += " ..."
    return f"{len(ids):,} {what} ({names})"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s"
