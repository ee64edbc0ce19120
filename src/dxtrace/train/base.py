"""Loading the base model of a run: frozen weights in the run's precision, 4-bit if the recipe says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dxtrace.errors import MissingExtra, ModelError
from dxtrace.models.torch_base import Located
from dxtrace.train.precision import Chosen
from dxtrace.train.recipe import Base


def load_base(located: Located, base: Base, precision: Chosen, device: str) -> tuple[Any, Any]:
    """Return (tokenizer, model) for training: frozen weights in the run's precision, or in 4 bits.

    Raises:
        ModelError: transformers cannot load it. MissingExtra: bitsandbytes is asked for and not installed.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options: dict[str, Any] = {"dtype": precision.dtype, "attn_implementation": "sdpa"}
    if base.quantisation == "nf4":
        options["quantization_config"] = _nf4(precision)
        options["device_map"] = {"": torch.cuda.current_device() if device == "cuda" else device}
    try:
        tokenizer = AutoTokenizer.from_pretrained(located.where)
        model = AutoModelForCausalLM.from_pretrained(located.where, **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        known = Path(located.where).exists()
        reason = type(error).__name__ if known else "the hub cannot be reached, or there is no such model"
        raise ModelError(f"{base.model}: transformers cannot load this model ({reason})") from None
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{base.model}: its tokenizer names no end-of-turn token (eos_token)")
    model.config.use_cache = False
    return tokenizer, model


def _nf4(precision: Chosen) -> Any:
    """QLoRA's 4-bit NormalFloat with double quantisation (Dettmers et al. 2023, arXiv 2305.14314)."""
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
