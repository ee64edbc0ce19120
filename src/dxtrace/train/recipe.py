"""Recipes: everything that decides a training run, in one YAML file that documents itself.

A recipe is resolved before anything is loaded: unknown keys get a suggestion, values of the wrong
kind their place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from dxtrace.errors import InputError, UnknownName
from dxtrace.files import parse_yaml_strictly, read_yaml

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Base(_Part):
    """The model that is adapted."""

    model: str = Field(
        description="name in the model store, GGUF file, Hugging Face folder, or hub id",
    )
    quantisation: Literal["none", "nf4"] = Field(
        default="none",
        description="nf4: 4-bit NormalFloat with double quantisation (QLoRA)",
    )
    hub_id: str | None = Field(
        default=None,
        description="what the adapter's card calls the base; the model itself if empty",
    )
    licence: str = Field(
        default="apache-2.0",
        description="licence of the base, for the adapter's card",
    )
    adapter: str | None = Field(
        default=None,
        description="adapter to go on from: its folder or run, `shipped` for the one that ships; null for a new one",
    )


class Data(_Part):
    """What it is trained on, and how a case becomes tokens."""

    train: str | None = Field(
        default=None,
        description="corpus of the training cases, as NAME:PATH[:split] or PATH[:split]",
    )
    dev: str | None = Field(
        default=None,
        description="corpus of the development cases; null for the dev split beside train",
    )
    limit: int | None = Field(default=None, ge=1, description="use only the first N training cases")
    teaching_size: int = Field(
        default=4000,
        ge=10,
        description="cases of the teaching corpus that `train: teaching` composes",
    )
    teaching_seed: int = Field(default=7, description="its seed")
    max_tokens: int = Field(
        default=2048,
        ge=64,
        description="longest prompt plus answer, in tokens",
    )
    too_long: Literal["error", "drop", "shorten"] = Field(
        default="shorten",
        description="a longer case: stop, leave it out, or shorten the note's least telling sections",
    )
    node_tags: bool = Field(
        default=True,
        description="steps name the node that they support, as the reasoner writes them",
    )
    chains: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="share of cases whose chain is learnt; of the rest the diagnosis alone",
    )
    label_only: float = Field(
        default=0.0,
        ge=0,
        description="extra rows that end after the diagnosis, as a share of the cases",
    )
    label_weight: float = Field(
        default=1.0,
        gt=0,
        description="weight of a token of the diagnosis in the loss",
    )
    prompt_weight: float = Field(
        default=0.0,
        ge=0,
        description="weight of a token of the prompt in the loss (arXiv 2405.14394)",
    )


class Lora(_Part):
    """The adapter (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = Field(default=16, ge=1, description="rank of the update B A")
    alpha: float = Field(default=32, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="on the input of A, while training",
    )
    targets: tuple[str, ...] | Literal["all-linear"] = Field(
        default="all-linear",
        description="module names, or every linear layer",
    )
    rslora: bool = Field(
        default=False,
        description="scale by alpha / sqrt(rank) (arXiv 2312.03732)",
    )
    dora: bool = Field(
        default=False,
        description="weight-decomposed (arXiv 2402.09353); not for GGUF export",
    )


class Optimiser(_Part):
    """Steps and their size. One step sees ``batch * accumulation`` cases on each process."""

    learning_rate: float = Field(default=2e-4, gt=0, description="the highest, after the warm-up")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear",
        description="how the rate falls after the warm-up",
    )
    warmup: float = Field(
        default=0.03,
        ge=0,
        lt=1,
        description="share of the steps over which the rate rises",
    )
    weight_decay: float = Field(default=0.0, ge=0, description="of AdamW")
    max_grad_norm: float = Field(default=1.0, gt=0, description="longer gradients are scaled down")
    beta2: float = Field(default=0.999, gt=0, lt=1, description="of Adam's second moment")
    epochs: float = Field(default=3, gt=0, description="times that each case is seen")
    steps: int | None = Field(
        default=None,
        ge=1,
        description="stop after N steps, whatever the epochs say",
    )
    batch: int = Field(default=1, ge=1, description="cases in one forward pass")
    accumulation: int = Field(default=8, ge=1, description="forward passes in one step")
    eight_bit: bool = Field(
        default=False,
        description="Adam's moments in 8 bits (bitsandbytes, CUDA)",
    )


class Run(_Part):
    """How it runs; nothing here changes what is learnt, but precision and seed."""

    precision: Precision = Field(
        default="auto",
        description="auto: the fastest that this device computes exactly enough; says why",
    )
    recompute: bool = Field(
        default=False,
        description="activation checkpointing: less memory, about a third more time",
    )
    fast_kernels: bool = Field(
        default=True,
        description="fused layers for Llama models on CPUs; the same result to rounding",
    )
    seed: int = Field(default=0, description="of order, dropout and new weights")
    threads: int | None = Field(default=None, ge=1, description="CPU threads; null for one a core")
    log_every: int = Field(default=10, ge=1, description="steps between two lines of metrics.jsonl")
    eval_every: int = Field(
        default=100,
        ge=1,
        description="steps between two measurements on the development cases",
    )
    eval_cases: int = Field(
        default=200,
        ge=0,
        description="development cases for the loss; 0 for none",
    )
    save_every: int = Field(default=50, ge=1, description="steps between two checkpoints")
    keep: int = Field(default=3, ge=1, description="checkpoints kept, the best one besides")
    generate: int = Field(
        default=0,
        ge=0,
        description="development cases answered at each measurement, scored for form and diagnosis",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="stop after N measurements without a lower development loss",
    )


class Recipe(_Part):
    """A training run, wholly determined: one of ``recipes/*.yaml`` with the user's changes."""

    name: str
    about: str = ""
    base: Base
    data: Data = Data()
    lora: Lora = Lora()
    optimiser: Optimiser = Optimiser()
    run: Run = Run()


@dataclass(frozen=True)
class Key:
    """A key of a recipe: its name, its default ("needed" without one), and what it decides."""

    name: str
    default: str
    about: str


def parts() -> dict[str, type[BaseModel]]:
    """Return the parts of a recipe that hold keys, by name."""
    found: dict[str, type[BaseModel]] = {}
    for name, field in Recipe.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found[name] = kind
    return found


def recipe_keys() -> list[Key]:
    """Return every key that a part of a recipe holds, in the order of the recipe."""
    keys = []
    for part, model in parts().items():
        for name, field in model.model_fields.items():
            keys.append(Key(f"{part}.{name}", _default(field), field.description or ""))
    return keys


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if isinstance(field.default, str):
        return field.default
    return json.dumps(field.default)


def recipe_folder() -> Path:
    """Return the folder of the recipes that ship with dxtrace."""
    return Path(__file__).parent / "recipes"


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    folder = recipe_folder()
    recipe_names = []
    for path in folder.glob("*.yaml"):
        recipe_names.append(path.stem)
    return sorted(recipe_names)


def recipe_file(name: str) -> Path:
    """Return the file of a shipped recipe.

    Raises:
        UnknownName: there is none of this name.
    """
    if name not in recipe_names():
        raise UnknownName("recipe", name, recipe_names())
    return recipe_folder() / f"{name}.yaml"


def load_recipe(recipe: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name or file and apply ``changes`` such as ``optimiser.learning_rate=1e-3``.

    The part may be left out where a key stands in one part alone: ``learning_rate=1e-3``.

    Raises:
        UnknownName: no such recipe, or no such key; with suggestions.
        InputError: the file cannot be read, or a value is of the wrong kind; says where.
    """
    path = Path(recipe)
    if path.suffix not in (".yaml", ".yml"):
        path = recipe_file(str(recipe))
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: a recipe is a mapping of keys to values")
    place = str(recipe)
    if changes:
        place += f" with {' '.join(changes)}"
    return resolve(apply_changes(data, changes), place)


def apply_changes(data: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return recipe data with ``KEY=VALUE`` changes applied; values are YAML.

    Raises:
        InputError: a change has no ``=``, or its value is not YAML. UnknownName: no such key.
    """
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for change in changes:
        key, mark, text = change.partition("=")
        if not mark:
            raise InputError(
                f"{change[:80]!r}: a change is KEY=VALUE, such as optimiser.learning_rate=1e-3",
            )
        *parents, leaf = _place(key.strip())
        target = result
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise InputError(f"{key}: {parent} holds no keys in this recipe")
        target[leaf] = _value(key, text)
    return result


def _value(key: str, text: str) -> Any:
    value = parse_yaml_strictly(text, key)
    if isinstance(value, str):
        try:
            if len(value) < 40:
                return float(value)
            return value
        except ValueError:
            return value
    return value


def _keys() -> dict[str, list[str]]:
    """Return every key of a recipe with its parts: full names, and leaves that are unique."""
    full = {name: [name] for name in Recipe.model_fields if name not in parts()}
    for key in recipe_keys():
        full[key.name] = key.name.split(".")
    leaves = []
    for place in full.values():
        leaves.append(place[-1])
    return full | {place[-1]: place for place in full.values() if leaves.count(place[-1]) == 1}


def _place(key: str) -> list[str]:
    keys = _keys()
    if key not in keys:
        raise UnknownName("recipe key", key, keys)
    return keys[key]


def resolve(data: Mapping[str, Any], place: str) -> Recipe:
    """Check recipe data and fill in what is left out.

    Raises:
        UnknownName: a key does not exist. InputError: a value is missing or wrong; says where.
    """
    try:
        return Recipe.model_validate(_numbers(data))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(
            str(part) for part in problem["loc"] if not str(part).startswith(("literal", "tuple"))
        )
        if problem["type"] == "extra_forbidden":
            raise UnknownName(f"recipe key in {place}:", key, _keys()) from None
        raise InputError(f"{place}: {key}: {problem['msg'].lower()}") from None


def _numbers(value: Any) -> Any:
    """Return recipe data with texts such as ``2e-4``, which YAML 1.1 does not read as numbers, made
    numbers.
    """
    if isinstance(value, Mapping):
        numbers = {}
        for key, item in value.items():
            numbers[key] = _numbers(item) if key not in ("name", "about") else item
        return numbers
    if isinstance(value, str) and value[:1].isdigit() and "e" in value:
        try:
            return float(value)
        except ValueError:
            return value
    return value


def to_yaml(recipe: Recipe) -> str:
    """Return the resolved recipe as YAML, every key written out."""
    return yaml.safe_dump(
        recipe.model_dump(mode="json"),
        sort_keys=False,
        allow_unicode=True,
        width=110,
    )
