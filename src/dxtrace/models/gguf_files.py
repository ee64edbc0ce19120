"""Writing GGUF files: another quantisation of a model, with or without a LoRA adapter merged in.

Quantisation is the ``gguf`` package's (numpy, no compiler). The merge happens in 32-bit floats
before quantisation:
``W + alpha / r * B @ A`` (Hu et al. 2021, arXiv 2106.09685).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dxtrace.errors import ModelError

Array = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

#: GGUF tensor name of each linear layer of a Llama block, by its Hugging Face name.
LLAMA_TENSORS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LORA_KEY = re.compile(r"layers\.(\d+)\.([a-z_.]+?)\.lora_([AB])(?:\.default)?\.weight$")


@dataclass(frozen=True)
class LoraAdapter:
    """A LoRA adapter: ``scale`` is alpha / r; ``pairs`` maps a GGUF tensor name to (A, B), rows in
    GGUF order.
    """

    scale: float
    alpha: float
    pairs: dict[str, tuple[Array, Array]]


def read_lora(folder: Path, heads: int, kv_heads: int) -> LoraAdapter:
    """Read a PEFT LoRA adapter of a Llama model; rows of q and k are put into GGUF's order.

    Args:
        folder: holds ``adapter_config.json`` and ``adapter_model.safetensors``.
        heads: attention heads of the base.
        kv_heads: key-value heads of the base.

    Raises:
        ModelError: files are missing, or it is no plain LoRA on the linear layers of a Llama.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    config = _read_config(folder)
    rank, alpha = config["r"], config["lora_alpha"]
    file = folder / "adapter_model.safetensors"
    if not file.is_file():
        raise ModelError(f"{folder}: not a LoRA adapter ({file.name} is missing)")
    try:
        tensors = load_file(file)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"{file}: damaged ({type(error).__name__}); copy it again") from None
    if not all(np.isfinite(value).all() for value in tensors.values()):
        raise ModelError(f"{file}: holds weights that are no numbers (NaN or infinite)")
    halves: dict[str, dict[str, Array]] = {}
    for key, value in tensors.items():
        match = _LORA_KEY.search(key)
        if match is None or match[2] not in LLAMA_TENSORS:
            raise ModelError(
                f"{folder}: unexpected tensor {key!r}: only linear layers of Llama models are known",
            )
        name = f"blk.{match[1]}.{LLAMA_TENSORS[match[2]]}.weight"
        halves.setdefault(name, {})[match[3]] = value.astype(np.float32)
    pairs = {}
    for name, half in halves.items():
        if half.keys() != {"A", "B"}:
            raise ModelError(f"{folder}: one half of {name} is missing")
        output = half["B"]
        if "attn_q." in name:
            output = _interleave(output, heads)
        elif "attn_k." in name:
            output = _interleave(output, kv_heads)
        pairs[name] = (half["A"], output)
    # Rank-stabilised LoRA (Kalajdzievski 2023, arXiv 2312.03732) divides by the root of the rank.
    if config.get("use_rslora"):
        divisor = rank**0.5
    else:
        divisor = rank
    return LoraAdapter(alpha / divisor, alpha, pairs)


def _read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a plain LoRA adapter."""
    file = folder / "adapter_config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
        config |= {"r": int(config["r"]), "lora_alpha": float(config["lora_alpha"])}
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"{file}: not the configuration of a LoRA adapter") from None
    if config.get("use_dora") or config.get("peft_type") != "LORA" or config["r"] < 1:
        raise ModelError(f"{folder}: only plain LoRA adapters can be merged into GGUF")
    return dict(config)


def _interleave(weight: Array, heads: int) -> Array:
    """Put rows from Hugging Face's order (two halves a head) into llama.cpp's (pairs)."""
    rows = weight.shape[0]
    halves = weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def rewrite(
    source: Path,
    target: Path,
    quantisation: str,
    lora: Path | None = None,
    progress: Progress | None = None,
) -> None:
    """Write ``source`` again with its matrices in another quantisation, an adapter merged in.

    Args:
        source: a GGUF file.
        target: where to write; it appears whole or not at all.
        quantisation: F32, F16, Q8_0, Q4_0, Q4_1 ...: a name of ``gguf.GGMLQuantizationType``.
        lora: folder of a PEFT adapter to merge, or None.
        progress: called with (tensors done, tensors in all).

    Raises:
        ModelError: the file is no GGUF file, the adapter does not fit it, or the quantisation is
        unknown.
    """
    import gguf

    wanted = {kind.name: kind for kind in gguf.GGMLQuantizationType}.get(quantisation.upper())
    if wanted is None:
        raise ModelError(
            f"unknown quantisation {quantisation!r}; known are F32, F16, Q8_0, Q4_0, Q4_1",
        )
    try:
        reader = gguf.GGUFReader(source)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise ModelError(f"{source}: not a GGUF file ({type(error).__name__})") from None
    adapter = (
        read_lora(
            lora,
            _scalar(reader, "attention.head_count"),
            _scalar(reader, "attention.head_count_kv"),
        )
        if lora
        else None
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not a temporary file, which only its owner may read: a cache can be shared.
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        writer = _copy_header(reader, partial)
        for done, tensor in enumerate(reader.tensors):
            data, kind = _convert(tensor, wanted, adapter)
            writer.add_tensor(tensor.name, data, raw_dtype=kind)
            if progress:
                progress(done + 1, len(reader.tensors))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _convert(tensor: Any, wanted: Any, adapter: LoraAdapter | None) -> tuple[Any, Any]:
    """Return a tensor's data and type: norms and embeddings as they are, matrices merged and
    quantised.
    """
    from gguf.quants import dequantize, quantize

    pair = adapter.pairs.get(tensor.name) if adapter else None
    plain = wanted.name in ("F32", "F16")
    if len(tensor.shape) != 2 or (tensor.name == "token_embd.weight" and not plain):
        return tensor.data, tensor.tensor_type
    if tensor.tensor_type == wanted and pair is None:
        return tensor.data, tensor.tensor_type
    weight = dequantize(tensor.data, tensor.tensor_type)
    if pair is not None and adapter is not None:
        down, up = pair
        if weight.shape != (up.shape[0], down.shape[1]):
            raise ModelError(f"the adapter does not fit the model: {tensor.name} is {weight.shape}")
        weight = weight + adapter.scale * (up @ down)
    return quantize(weight.astype(np.float32), wanted), wanted


def _scalar(reader: Any, name: str) -> int:
    architecture = reader.fields["general.architecture"].contents()
    if architecture != "llama":
        raise ModelError(f"adapters can be merged into Llama models only, this is {architecture!r}")
    return int(reader.fields[f"{architecture}.{name}"].contents())


def _copy_header(reader: Any, path: Path) -> Any:
    import gguf

    writer = gguf.GGUFWriter(path, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in (
            "general.architecture",
            "general.file_type",
        ):
            continue
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), field.types[0], sub_type)
    return writer
