"""Loading what a run begins with: frozen base weights in the run's precision or in 4 bits, and
perhaps an adapter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dxtrace.engines.hub import hub_or_cache, why_not_loaded
from dxtrace.errors import InputError, MissingExtra, ModelError
from dxtrace.files import named_path
from dxtrace.models import shipped_adapter
from dxtrace.models.lora import adapter_folder, read_config
from dxtrace.models.torch_base import BaseLocation
from dxtrace.train.precision import ChosenPrecision
from dxtrace.train.recipe import Base, Recipe


def load_base(
    located: BaseLocation, base: Base, precision: ChosenPrecision, device: str
) -> tuple[Any, Any]:
    """Return (tokenizer, model) for training: frozen weights in the run's precision, or in 4 bits.

    Raises:
        ModelError: transformers cannot load it. MissingExtra: bitsandbytes is asked for and not
        installed.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options: dict[str, Any] = {
        "dtype": precision.dtype,
        "attn_implementation": "sdpa",
    }
    if base.quantisation == "nf4":
        options["quantization_config"] = _nf4(precision)
        options["device_map"] = {"": torch.cuda.current_device() if device == "cuda" else device}
    with hub_or_cache(located.where):
        try:
            tokenizer = AutoTokenizer.from_pretrained(located.where)
            model = AutoModelForCausalLM.from_pretrained(located.where, **options)
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = why_not_loaded(located.where, error)
            raise ModelError(
                f"{base.model}: transformers cannot load this model ({reason})",
            ) from None
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{base.model}: its tokenizer names no end-of-turn token (eos_token)")
    model.config.use_cache = False
    return tokenizer, model


def _nf4(precision: ChosenPrecision) -> Any:
    """QLoRA's 4-bit NormalFloat with double quantisation (Dettmers et al.

    2023, arXiv 2305.14314).
    """
    import importlib.util

    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra("base.quantisation=nf4 (bitsandbytes)", "train")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=precision.dtype,
        bnb_4bit_quant_storage=precision.dtype,
    )


def find_start(recipe: Recipe) -> Path | None:
    """Return the folder of the adapter that a run goes on from, or None for a new one.

    Raises:
        InputError: there is no such adapter, or it is of another shape than the recipe's.
    """
    name = recipe.base.adapter
    if name is None:
        return None
    if name == "shipped":
        folder = shipped_adapter(recipe.base.model)
    else:
        folder = adapter_folder(named_path(name))
    if folder is None or not (folder / "adapter_model.safetensors").is_file():
        raise InputError(
            f"base.adapter: {name}: no adapter there (adapter_config.json, adapter_model.safetensors)",
        )
    config = read_config(folder)
    found = {
        "rank": config.r,
        "alpha": config.lora_alpha,
        "rslora": config.use_rslora,
        "dora": config.use_dora,
    }
    for key, value in found.items():
        if value != getattr(recipe.lora, key):
            raise InputError(
                f"base.adapter: it has another {key}; set lora.{key}={str(value).lower()}",
            )
    return folder


def load_start(model: Any, folder: Path) -> None:
    """Fill the new adapter of a PEFT model with the weights of another, kept in the model's own
    precision.

    Raises:
        InputError: they cannot be read, or belong to another base or to other layers.
    """
    from peft import set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    wrong = InputError(
        f"{folder}: its weights are not those of an adapter of this base and these layers",
    )
    try:
        weights = load_file(folder / "adapter_model.safetensors")
        expected = sum("lora_" in name for name, _ in model.named_parameters())
        found = set_peft_model_state_dict(model, weights)
    except (OSError, SafetensorError, RuntimeError, KeyError):
        raise wrong from None
    if len(weights) != expected or found.unexpected_keys:
        raise wrong
