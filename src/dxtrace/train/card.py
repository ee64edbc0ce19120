"""The model card of an adapter: written last, from what the run itself recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dxtrace.chain import DISCLAIMER, Chain
from dxtrace.files import atomic_write
from dxtrace.provenance import CREDENTIALED_RULE, CorpusInfo, Provenance
from dxtrace.train.measured import Evaluation
from dxtrace.train.recipe import Recipe

#: Losses that the public card of the Llama 3.2 3B model reported, by step: sums over 8
#: micro-batches.
PUBLIC_LOSSES = {
    10: 22.38,
    30: 19.23,
    50: 17.03,
    70: 15.23,
    90: 15.08,
    110: 15.07,
    130: 14.57,
    150: 13.90,
    170: 14.35,
    180: 13.71,
}

#: The recipe of that card.
PUBLIC_RECIPE = "card-llama-3.2-3b-t4"

_SCALE = (
    "The public card's numbers are sums over the 8 micro-batches of a step (a fault of transformers 4.46.0 to 4.48.0, "
    "corrected in 4.48.1), not losses of a token: a model that knows nothing has ln(128256) = 11.76. Divided by 8 they "
    "compare with ours."
)


@dataclass(frozen=True)
class Made:
    """What a run recorded of itself: cases, precision and device that were used, and the id of the
    corpus that it was measured on if that is another one.
    """

    train_cases: int = 0
    dev_cases: int = 0
    measured_on: str | None = None
    precision: str = ""
    device: str = ""


def write_card(
    folder: Path,
    recipe: Recipe,
    provenance: Provenance,
    metrics: Sequence[Mapping[str, Any]],
    example: Chain | None = None,
    evaluations: Sequence[Evaluation] = (),
    made: Made | None = None,
) -> Path:
    """Write ``README.md`` into an adapter's folder and return its path.

    Args:
        folder: the adapter.
        recipe: how it was trained.
        provenance: what it was made from.
        metrics: lines of metrics.jsonl.
        example: an answered case to show; left out for credentialed provenance, whatever is given.
        evaluations: what was measured, on which corpora.
        made: what else the run recorded.
    """
    made = made or Made()
    parts = [
        f"# {recipe.name}: an adapter for diagnosis with a traceable chain of reasoning",
        f"**{DISCLAIMER}**",
        _what(recipe, provenance, made),
        _use(recipe),
        _example(None if provenance.credentialed else example),
        "## How it was trained\n\n" + _settings(recipe, provenance, made),
        "## Losses\n\n" + _losses(metrics),
        _public_losses() if recipe.name == PUBLIC_RECIPE else "",
        _evaluation(evaluations),
        _LIMITS,
        _citations(provenance, recipe),
    ]
    text = (
        f"---\n{_header(recipe, provenance, evaluations)}---\n\n"
        + "\n\n".join(part for part in parts if part)
        + "\n"
    )
    path = folder / "README.md"
    atomic_write(path, text)
    return path


def _header(
    recipe: Recipe,
    provenance: Provenance,
    evaluations: Sequence[Evaluation],
) -> str:
    if provenance.credentialed:
        licence = "other"
    else:
        licence = recipe.base.licence
    header: dict[str, Any] = {
        "base_model": recipe.base.hub_id or recipe.base.model,
        "library_name": "peft",
        "license": licence,
        "language": ["en"],
        "pipeline_tag": "text-generation",
        "tags": [
            "medical",
            "diagnosis",
            "reasoning",
            "lora",
            "dxtrace",
            "education",
        ],
    }
    if provenance.credentialed:
        header |= {"license_name": "physionet-credentialed-health-data-license-1.5.0"}
    if evaluations:
        results = []
        for one in evaluations:
            results.append(_result(one))
        header["model-index"] = [{"name": recipe.name, "results": results}]
    return str(yaml.safe_dump(header, sort_keys=False, allow_unicode=True))


def _result(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as the model index has it."""
    metrics = []
    for key, value in evaluation.measures.items():
        metrics.append({"type": key, "name": key.replace("_", " "), "value": round(value, 4)})
    dataset = {"type": "unknown", "name": "not named"}
    if evaluation.corpus is not None:
        dataset = {"type": evaluation.corpus.id, "name": evaluation.corpus.name}
    task = {"type": "text-generation", "name": "diagnosis with evidence"}
    return {"task": task, "dataset": dataset, "metrics": metrics}


def _what(recipe: Recipe, provenance: Provenance, made: Made) -> str:
    trained = []
    for corpus in provenance.corpora:
        if corpus.id != made.measured_on:
            trained.append(corpus)
    measured = []
    for corpus in provenance.corpora:
        if corpus.id == made.measured_on:
            measured.append(corpus)
    if made.train_cases:
        cases = f"{made.train_cases:,} cases of "
    else:
        cases = ""
    text = (
        f"A LoRA adapter (PEFT) for `{recipe.base.hub_id or recipe.base.model}`. It reads a patient case and writes a "
        "final diagnosis and numbered steps of reasoning, each quoting the case word for word. Used through dxtrace, "
        "every quote is checked against the case before it is shown.\n\n"
        f"Trained on: {cases}{_named(trained)}."
    )
    if made.dev_cases:
        if measured:
            held_out = _named(measured)
        else:
            held_out = "the same corpus, held out"
        text += f" Measured while training, not trained on: {made.dev_cases:,} cases of {held_out}."
    if provenance.credentialed:
        text += f"\n\n**{CREDENTIALED_RULE}**"
    return text


def _named(corpora: Sequence[CorpusInfo]) -> str:
    named = [f"{corpus.name} (`{corpus.id}`, {corpus.licence})" for corpus in corpora]
    return ", ".join(named) or "a corpus that is not recorded"


def _use(recipe: Recipe) -> str:
    base = recipe.base.hub_id or recipe.base.model
    return (
        "## How to use it\n\nWith this folder in `adapter/`:\n\n```console\n"
        f"$ dxtrace reason case.txt --model {recipe.base.model} --adapter adapter\n```\n\n```python\n"
        "from dxtrace import load, read_case\n\n"
        f'reasoner = load("{recipe.base.model}", adapter="adapter")\n'
        'print(reasoner.reason(read_case("case.txt")).text())\n```\n\n'
        f"Without dxtrace it is a PEFT adapter on `{base}`; nobody then checks its quotes."
    )


def _example(chain: Chain | None) -> str:
    if chain is None:
        return ""
    fence = "````"
    return (
        f"## What it does\n\nA case of the corpus that it was not trained on:\n\n{fence}text\n{chain.note}\n{fence}\n\n"
        f"Its answer, as it wrote it:\n\n{fence}text\n{chain.text()}\n{fence}"
    )


def _settings(recipe: Recipe, provenance: Provenance, made: Made) -> str:
    lora, optimiser, run = recipe.lora, recipe.optimiser, recipe.run
    targets: str = "all-linear"
    if not isinstance(lora.targets, str):
        targets = ", ".join(lora.targets)
    weights = "not recorded"
    if provenance.base_sha256:
        weights = f"SHA-256 `{provenance.base_sha256}`"
    quantisation = "none"
    if recipe.base.quantisation == "nf4":
        quantisation = "4-bit NF4, double quantisation"
    start = "a new adapter"
    if recipe.base.adapter:
        start = "another adapter; its corpora are among those above"
    length = f"{optimiser.epochs:g}"
    if optimiser.steps:
        length = f"{optimiser.steps:,} steps"
    rows = {
        "Base model": recipe.base.hub_id or recipe.base.model,
        "Base weights": weights,
        "Quantisation of the base": quantisation,
        "Adapter": f"LoRA, rank {lora.rank}, alpha {lora.alpha:g}, dropout {lora.dropout:g}, on {targets}",
        "Begins with": start,
        "Learning rate": f"{optimiser.learning_rate:g}, {optimiser.schedule}, warm-up {optimiser.warmup:.0%}",
        "Epochs": length,
        "Batch": f"{optimiser.batch} x {optimiser.accumulation} (accumulation)",
        "Precision": made.precision or f"{run.precision} (asked for)",
        "Device": made.device or "not recorded",
        "Longest row": f"{recipe.data.max_tokens:,} tokens; longer: {recipe.data.too_long}",
        "Loss": f"answer; diagnosis tokens weigh {recipe.data.label_weight:g}, prompt {recipe.data.prompt_weight:g}",
        "Seed": str(run.seed),
        "dxtrace": provenance.version,
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return f"| | |\n|---|---|\n{table}"


def _losses(metrics: Sequence[Mapping[str, Any]]) -> str:
    ours = {}
    for row in metrics:
        if "loss" in row:
            ours[row["step"]] = row["loss"]
    dev = {}
    for row in metrics:
        if "dev_loss" in row:
            dev[row["step"]] = row["dev_loss"]
    steps = _thinned(sorted(ours.keys() | dev.keys()), 16)
    table = "\n".join(
        f"| {step} | {_number(ours.get(step))} | {_number(dev.get(step))} |" for step in steps
    )
    return (
        "Nats per target token (answer tokens; prompts are not counted).\n\n"
        f"| Step | Training | Development |\n|---|---|---|\n{table}"
    )


def _public_losses() -> str:
    public = "\n".join(
        f"| {step} | {loss:.2f} | {loss / 8:.2f} |" for step, loss in PUBLIC_LOSSES.items()
    )
    return (
        "Beside it, what the public card of this recipe reported:\n\n"
        f"| Step | As reported | Divided by 8 |\n|---|---|---|\n{public}\n\n{_SCALE}"
    )


def _thinned(steps: list[int], count: int) -> list[int]:
    if len(steps) <= count:
        return steps
    places = set()
    for i in range(count):
        places.add(round(i * (len(steps) - 1) / (count - 1)))
    spread = []
    for place in sorted(places):
        spread.append(steps[place])
    return spread


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}"


def _evaluation(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return "## Evaluation\n\nNot measured yet. `dxtrace evaluate` measures it."
    parts = ["## Evaluation"]
    for one in evaluations:
        corpus = "a corpus that was not named"
        if one.corpus is not None:
            corpus = f"{one.corpus.name} (`{one.corpus.id}`)"
        if one.cases:
            cases = f"{one.cases:,} cases of "
        else:
            cases = ""
        rows = []
        for key, value in one.measures.items():
            rows.append(f"| {key.replace('_', ' ')} | {value:.4f} |")
        table = "\n".join(rows)
        parts.append(f"On {cases}{corpus}:\n\n| Measure | Value |\n|---|---|\n{table}")
    return "\n\n".join(parts)


_LIMITS = """## Limits and bias

- It knows 25 categories of illness and names one diagnosis among them, also where none fits.
- A quote is what the case says; that it supports the diagnosis is the model's claim. Read both.
- Invented cases (the teaching corpus) are tidier than real notes and all illnesses are about equally common in them;
  measured accuracy on real notes is lower. Notes of one hospital (DiReCT: one in Boston) do not stand for others.
- Groups of patients that its corpus describes seldom, or in other words than their own clinicians use, are read worse.
  Nobody has measured by how much.
- Probabilities are calibrated on invented cases at best. They are not chances of illness.
- Not a medical device. Never to be used in the care of anyone."""


def _citations(provenance: Provenance, recipe: Recipe) -> str:
    """Return what to cite: DiReCT, where it was trained on or the recipe is that of its model."""
    if provenance.credentialed or recipe.name == PUBLIC_RECIPE:
        return _DIRECT
    return ""


_DIRECT = """## Citations

```bibtex
@inproceedings{wang2024direct,
  title = {DiReCT: Diagnostic Reasoning for Clinical Notes via Large Language Models},
  author = {Wang, Bowen and Chang, Jiuyang and Qian, Yiming and Chen, Guoxin and Chen, Junhao and Jiang, Zhouqiang and
            Zhang, Jiahao and Nakashima, Yuta and Nagahara, Hajime},
  booktitle = {Advances in Neural Information Processing Systems (Datasets and Benchmarks)},
  year = {2024},
  eprint = {2408.01933},
  archivePrefix = {arXiv}
}

@misc{wang2025directphysionet,
  title = {MIMIC-IV-Ext-DiReCT},
  author = {Wang, Bowen and Chang, Jiuyang and Qian, Yiming},
  publisher = {PhysioNet},
  year = {2025},
  doi = {10.13026/yf96-kc87}
}
```"""
