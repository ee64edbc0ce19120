"""The model card of an adapter: written last, from what the run itself recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dxtrace.chain import DISCLAIMER, Chain
from dxtrace.files import check, read_json
from dxtrace.provenance import CREDENTIALED_RULE, Provenance
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

_SCALE = (
    "The public card's numbers are sums over the 8 micro-batches of a step (a fault of transformers 4.46.0 to 4.48.0, "
    "corrected in 4.48.1), not losses of a token: a model that knows nothing has ln(128256) = 11.76. Divided by 8 they "
    "compare with ours."
)


def write_card(
    folder: Path,
    recipe: Recipe,
    provenance: Provenance,
    metrics: Sequence[Mapping[str, Any]],
    example: Chain | None = None,
    evaluation: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``README.md`` into an adapter's folder and return its path.

    Args:
        folder: the adapter.
        recipe: how it was trained.
        provenance: what it was made from.
        metrics: lines of metrics.jsonl.
        example: an answered case to show; left out for credentialed provenance, whatever is given.
        evaluation: name of a measure to its value (a number) for the model index, or None.
    """
    parts = [
        f"# {recipe.name}: an adapter for diagnosis with a traceable chain of reasoning",
        f"**{DISCLAIMER}**",
        _what(recipe, provenance),
        _example(None if provenance.credentialed else example),
        "## How it was trained\n\n" + _settings(recipe, provenance),
        "## Losses\n\n" + _losses(metrics),
        _evaluation(evaluation),
        _LIMITS,
        _CITATIONS,
    ]
    text = (
        f"---\n{_header(recipe, provenance, evaluation)}---\n\n"
        + "\n\n".join(part for part in parts if part)
        + "\n"
    )
    path = folder / "README.md"
    beside = path.with_name("README.md.part")
    beside.write_text(text, "utf-8")
    beside.replace(path)
    return path


def _header(recipe: Recipe, provenance: Provenance, evaluation: Mapping[str, Any] | None) -> str:
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
    numbers = {}
    for key, value in (evaluation or {}).items():
        if isinstance(value, (int, float)):
            numbers[key] = value
    metrics = []
    for key, value in numbers.items():
        metrics.append({"type": key, "name": key.replace("_", " "), "value": round(value, 4)})
    if metrics:
        corpus = provenance.corpora[0] if provenance.corpora else None
        dataset = {
            "type": corpus.id if corpus else "unknown",
            "name": corpus.name if corpus else "unknown",
        }
        task = {"type": "text-generation", "name": "diagnosis with evidence"}
        header["model-index"] = [
            {
                "name": recipe.name,
                "results": [{"task": task, "dataset": dataset, "metrics": metrics}],
            },
        ]
    return str(yaml.safe_dump(header, sort_keys=False, allow_unicode=True))


def _what(recipe: Recipe, provenance: Provenance) -> str:
    corpora = (
        ", ".join(f"{c.name} (`{c.id}`, {c.licence})" for c in provenance.corpora) or "not recorded"
    )
    text = (
        f"A LoRA adapter (PEFT) for `{recipe.base.hub_id or recipe.base.model}`. It reads a patient case and writes a "
        "final diagnosis and numbered steps of reasoning, each quoting the case word for word. Used through dxtrace, "
        "every quote is checked against the case before it is shown.\n\n"
        f"Trained on: {corpora}."
    )
    if provenance.credentialed:
        text += f"\n\n**{CREDENTIALED_RULE}**"
    return text


def _example(chain: Chain | None) -> str:
    if chain is None:
        return ""
    fence = "````"
    return (
        f"## What it does\n\nA case of the corpus that it was not trained on:\n\n{fence}text\n{chain.note}\n{fence}\n\n"
        f"Its answer, as it wrote it:\n\n{fence}text\n{chain.text()}\n{fence}"
    )


def _settings(recipe: Recipe, provenance: Provenance) -> str:
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
        "Precision": run.precision,
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
    public = "\n".join(
        f"| {step} | {loss:.2f} | {loss / 8:.2f} |" for step, loss in PUBLIC_LOSSES.items()
    )
    return (
        "Nats per target token (answer tokens; prompts are not counted).\n\n"
        f"| Step | Training | Development |\n|---|---|---|\n{table}\n\n"
        "Beside it, what the public card of the Llama 3.2 3B model reported:\n\n"
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


def _evaluation(evaluation: Mapping[str, Any] | None) -> str:
    if not evaluation:
        return "## Evaluation\n\nNot measured yet. `dxtrace evaluate` measures it."
    rows = "\n".join(
        f"| {key.replace('_', ' ')} | {_shown(value)} |" for key, value in evaluation.items()
    )
    return f"## Evaluation\n\n| Measure | Value |\n|---|---|\n{rows}"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)


def read_evaluation(file: Path) -> dict[str, Any]:
    """Return the top-level numbers and texts of a JSON file of measures; what is nested is left
    out.

    Raises:
        InputError: the file cannot be read, or holds no object.
    """
    data = check(dict[str, Any], read_json(file), str(file))
    evaluation = {}
    for key, value in data.items():
        if isinstance(value, (int, float, str)):
            evaluation[key] = value
    return evaluation


_LIMITS = """## Limits and bias

- It knows 25 categories of illness and names one diagnosis among them, also where none fits.
- A quote is what the case says; that it supports the diagnosis is the model's claim. Read both.
- Invented cases (the teaching corpus) are tidier than real notes and all illnesses are about equally common in them;
  measured accuracy on real notes is lower. Notes of one hospital (DiReCT: one in Boston) do not stand for others.
- Groups of patients that its corpus describes seldom, or in other words than their own clinicians use, are read worse.
  Nobody has measured by how much.
- Probabilities are calibrated on invented cases at best. They are not chances of illness.
- Not a medical device. Never to be used in the care of anyone."""

_CITATIONS = """## Citations

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
