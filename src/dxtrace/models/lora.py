"""LoRA adapters of Llama models and their kin as PEFT writes them, read for merging.

A layer becomes ``W + alpha / r * B @ A`` (Hu et al. 2021, arXiv 2106.09685), with alpha and r of
its own where the configuration has a pattern for it. What changes a model in another way is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, FiniteFloat

from dxtrace.errors import ModelError, NotAModelError
from dxtrace.files import check, read_json, read_safetensors

Array = npt.NDArray[np.float32]

#: The file that makes a folder an adapter's.
CONFIG = "adapter_config.json"

#: Architectures, as GGUF calls them, whose blocks are built as a Llama's; by ``model_type`` of
#: transformers. What a block has besides (norms of queries and keys, sliding windows) no adapter
#: changes.
ARCHITECTURES = {
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma3": "gemma3",
    "gemma3_text": "gemma3",
    "smollm3": "smollm3",
}

#: Those whose queries and keys llama.cpp keeps in another order than transformers does.
_REORDERED = ("llama", "smollm3")

#: Parts of a model that reads images: an adapter on them is none on the language model.
_OF_IMAGES = re.compile(r"vision|visual|multi_modal")

_LORA_KEY = re.compile(
    r"(?P<module>(?:\w+\.)*?layers\.(?P<layer>\d{1,4})\.(?P<part>[a-z_.]+?))"
    r"\.lora_(?P<half>[AB])(?:\.default)?\.weight",
)

#: Ways to begin that change the base itself, which an adapter saved as it is does not say.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")

#: Settings of PEFT that are empty in a plain LoRA, for all others change what is computed.
_EMPTY_WHEN_PLAIN = (
    "alora_invocation_tokens",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_qalora",
    "velora_config",
)

Rank = Annotated[int, Field(ge=1, le=65_536)]


class LoraConfig(BaseModel):
    """What ``adapter_config.json`` says of scales; its other keys are kept as they are."""

    model_config = {"extra": "allow"}

    peft_type: str
    r: Rank
    lora_alpha: FiniteFloat
    use_rslora: bool = False
    use_dora: bool = False
    bias: str = "none"
    rank_pattern: dict[str, Rank] | None = None
    alpha_pattern: dict[str, FiniteFloat] | None = None
    init_lora_weights: bool | str | None = True
    base_model_name_or_path: str | None = None

    def not_plain(self) -> str | None:
        """Return the name of a setting that makes it more than a plain LoRA, or None."""
        if self.peft_type != "LORA":
            return "peft_type"
        if self.use_dora:
            return "use_dora"
        if self.bias != "none":
            return "bias"
        if str(self.init_lora_weights).lower().startswith(_CHANGES_BASE):
            return "init_lora_weights"
        extra = self.model_extra or {}
        return next((name for name in _EMPTY_WHEN_PLAIN if extra.get(name)), None)

    def scale_of(self, module: str, rank: int) -> float:
        """Return the factor of ``B @ A`` for a module, by its full name and the rank of its tensors.

        Rank-stabilised LoRA (Kalajdzievski 2023, arXiv 2312.03732) divides by the root of the rank.

        Raises:
            ValueError: the tensors have another rank than the configuration says.
        """
        if rank != _of_pattern(self.rank_pattern, module, self.r):
            raise ValueError("rank")
        alpha = _of_pattern(self.alpha_pattern, module, self.lora_alpha)
        if self.use_rslora:
            divisor = rank**0.5
        else:
            divisor = rank
        return float(alpha / divisor)


def _of_pattern(pattern: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    """Return the value of the first pattern that a module's name ends with, as PEFT finds it."""
    for key, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default


@dataclass(frozen=True)
class LlamaShape:
    """Architecture and sizes of a Llama or its kin: what an adapter must fit."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head_size: int
    architecture: str = "llama"

    def of(self, tensor: str) -> tuple[int, int]:
        """Return (out, in) of a linear layer, by its name in GGUF."""
        queries = self.heads * self.head_size
        keys = self.kv_heads * self.head_size
        sizes = {
            "attn_q": (queries, self.width),
            "attn_k": (keys, self.width),
            "attn_v": (keys, self.width),
            "attn_output": (self.width, queries),
            "ffn_gate": (self.inner, self.width),
            "ffn_up": (self.inner, self.width),
            "ffn_down": (self.width, self.inner),
        }
        return sizes[tensor]


@dataclass(frozen=True)
class LoraPair:
    """The two halves of one layer's adapter, rows in GGUF's order, and their factor."""

    down: Array
    up: Array
    scale: float

    def product(self) -> Array:
        """Return what is added to the layer's weights."""
        return np.float32(self.scale) * (self.up @ self.down)


def adapter_folder(path: Path) -> Path:
    """Return the folder of an adapter, given it or the run that made it.

    Raises:
        NotAModelError: neither.
    """
    for folder in (path, path / "adapter"):
        if (folder / CONFIG).is_file():
            return folder
    raise NotAModelError(f"{path}: not an adapter, nor a run with one (no {CONFIG} in it)")


def read_config(folder: Path) -> LoraConfig:
    """Read the configuration of an adapter.

    Raises:
        NotAModelError: it is missing, or that of something else than a LoRA adapter.
    """
    file = folder / CONFIG
    config = check(LoraConfig, read_json(file, NotAModelError), str(file), NotAModelError)
    for pattern in (*(config.rank_pattern or {}), *(config.alpha_pattern or {})):
        if not _is_quick(pattern):
            raise NotAModelError(f"{file}: {pattern[:40]!r} is no pattern of layer names")
    return config


def _is_quick(pattern: str) -> bool:
    """Return whether a regular expression is one, and none that can take for ever."""
    repeats = re.search(r"\)[*+?{]", pattern)
    if len(pattern) > 200 or repeats or len(re.findall(r"[*+{]", pattern)) > 3:
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def read_lora(folder: Path, base: LlamaShape) -> dict[str, LoraPair]:
    """Read a PEFT LoRA adapter of a Llama model: a pair for each GGUF tensor that it changes.

    Args:
        folder: holds ``adapter_config.json`` and ``adapter_model.safetensors``.
        base: the sizes of the model that it is for.

    Raises:
        ModelError: files are missing or damaged, it is no plain LoRA on the linear layers of a
            Llama, or it does not fit the base.
    """
    config = read_config(folder)
    setting = config.not_plain()
    if setting is not None:
        raise NotAModelError(
            f"{folder}: only plain LoRA adapters can be merged; {setting} in its configuration says "
            "that it is another kind",
        )
    file = folder / "adapter_model.safetensors"
    if not file.is_file():
        raise NotAModelError(f"{folder}: not a LoRA adapter ({file.name} is missing)")
    modules: dict[str, dict[str, Array]] = {}
    for key, value in read_safetensors(file).items():
        found = _LORA_KEY.fullmatch(key)
        if (
            found is None
            or _OF_IMAGES.search(key)
            or _tensor_of(found["part"], base.architecture) is None
        ):
            raise NotAModelError(
                f"{folder}: unexpected tensor {key[:80]!r}: only linear layers of Llama models and their "
                "kin are known",
            )
        modules.setdefault(found["module"], {})[found["half"]] = value.astype(np.float32)
    pairs: dict[str, LoraPair] = {}
    for module, halves in modules.items():
        name, pair = _pair(folder, module, halves, config, base)
        if name in pairs:
            raise NotAModelError(f"{folder}: {name} is there twice")
        pairs[name] = pair
    if not pairs:
        raise NotAModelError(f"{folder}: its file of weights is empty")
    return pairs


def _pair(
    folder: Path,
    module: str,
    halves: Mapping[str, Array],
    config: LoraConfig,
    base: LlamaShape,
) -> tuple[str, LoraPair]:
    """Return the name that GGUF has for a module, and its pair."""
    layer, part = re.findall(r"layers\.(\d+)\.([a-z_.]+)$", module)[0]
    tensor = _tensor_of(part, base.architecture) or part
    name = f"blk.{int(layer)}.{tensor}.weight"
    if halves.keys() != {"A", "B"}:
        raise NotAModelError(f"{folder}: one half of {name} is missing")
    down, up = halves["A"], halves["B"]
    if int(layer) >= base.layers:
        raise ModelError(
            f"{folder}: does not fit the model, which has {base.layers} layers: {name} is not there",
        )
    matrices = down.ndim == up.ndim == 2
    if not matrices or (up.shape[0], down.shape[1]) != base.of(tensor):
        raise ModelError(f"{folder}: does not fit the model: {name} has another size")
    try:
        if down.shape[0] != up.shape[1]:
            raise ValueError
        scale = config.scale_of(module.removeprefix("base_model.model."), down.shape[0])
    except ValueError:
        raise NotAModelError(
            f"{folder}: the rank of {name} is not the one in adapter_config.json",
        ) from None
    reordered = base.architecture in _REORDERED
    if reordered and tensor == "attn_q":
        up = _interleave(up, base.heads)
    elif reordered and tensor == "attn_k":
        up = _interleave(up, base.kv_heads)
    return name, LoraPair(down, up, scale)


@cache
def _tensor_of(part: str, architecture: str) -> str | None:
    """Return what GGUF calls a linear layer of a block, such as ``attn_q``; None for another part.

    The names are those of llama.cpp's own converter, which the ``gguf`` package holds.
    """
    import gguf

    kind = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    name = gguf.get_tensor_name_map(kind, 1).get_name(f"model.layers.0.{part}")
    if name is None or not part.endswith("_proj"):
        return None
    return str(name).rpartition(".")[2]


def _interleave(weight: Array, heads: int) -> Array:
    """Put rows from Hugging Face's order (two halves a head) into llama.cpp's (pairs)."""
    rows = weight.shape[0]
    halves = weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))
