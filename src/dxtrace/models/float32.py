"""A GGUF model as the numpy engine reads it: a folder with 32-bit weights, an adapter merged in.

Made once and kept in the cache. What the folder is called depends on all that went into it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dxtrace.engines.numpy_llama import (
    Array,
    Layer,
    LlamaConfig,
    Weights,
    size,
    unpack,
)
from dxtrace.errors import ModelError
from dxtrace.files import atomic_write, gguf_content, open_gguf
from dxtrace.models import store
from dxtrace.models.gguf_files import shape_of
from dxtrace.models.gguf_tokenizer import kind_of_tokenizer, read_tokenizer
from dxtrace.models.lora import LoraPair, read_lora
from dxtrace.provenance import sha256_of

#: Raised when what is kept changes, so that an older folder is not taken for the new one.
_FORM = 1

#: Folders kept for each base model; the one not used for longest goes first.
_KEPT = 3

_TENSORS = (
    "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up",
    "ffn_down",
)  # fmt: skip


def key(base_sha256: str, adapter: Path | None) -> str:
    """Return the name of what is made of a base and an adapter: a hash of all that goes into it.

    Raises:
        ModelError: the adapter lacks a file.
    """
    parts = [str(_FORM), base_sha256]
    if adapter is not None:
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            if not (adapter / name).is_file():
                raise ModelError(f"{adapter}: not a LoRA adapter ({name} is missing)")
            parts.append(sha256_of(adapter / name))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def prepared(
    base: Path,
    base_sha256: str,
    folder: Path,
    adapter: Path | None = None,
    report: store.Report | None = None,
) -> Path:
    """Return the folder of a GGUF model in 32-bit floats; written on the first call.

    Args:
        base: a GGUF file.
        base_sha256: its hash.
        folder: where to keep it.
        adapter: folder of a PEFT adapter to merge, or None.
        report: told what is being done.

    Raises:
        ModelError: the file is no Llama that the numpy engine runs, the adapter does not fit, or
            the place cannot be written.
    """
    target = folder / f"f32-{key(base_sha256, adapter)}"
    if is_prepared(base_sha256, folder, adapter):
        with contextlib.suppress(OSError):  # a cache that may be read only
            os.utime(target)
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        store.sweep(folder)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            whole = Path(partial) / "model"
            whole.mkdir()
            with gguf_content(base):
                _write(base, whole, adapter, report or (lambda _what, _share: None))
            with contextlib.suppress(OSError):  # another process was faster
                whole.replace(target)
        if not (target / "model.json").is_file():
            raise OSError(0, "it could not be moved into place")
        _drop_oldest(folder)
    except OSError as error:
        raise ModelError(
            f"{target}: cannot be kept there ({error.strerror}); DXTRACE_HOME moves the cache",
        ) from None
    return target


def is_prepared(base_sha256: str, folder: Path, adapter: Path | None) -> bool:
    """Return whether :func:`prepared` would find its work done."""
    return (folder / f"f32-{key(base_sha256, adapter)}" / "model.json").is_file()


def _drop_oldest(folder: Path) -> None:
    newest_first = sorted(
        folder.glob("f32-*"),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for path in newest_first[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def obstacle(base: Path) -> str | None:
    """Return why the numpy engine cannot or should not run a GGUF file, or None.

    Raises:
        ModelError: it is no GGUF file.
    """
    reader = open_gguf(base)
    try:
        with gguf_content(base):
            config = _read_config(base, reader)
            kind_of_tokenizer(base, reader)
    except ModelError as error:
        return str(error)
    needed = 4 * size(config)
    if needed > memory() / 2:
        return f"{base}: in 32 bits it takes {needed / 1e9:.1f} GB, more than half of the memory"
    return None


def memory() -> int:
    """Return the bytes of memory of this machine; 4 GB where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 4 << 30


def _read_config(base: Path, reader: Any) -> LlamaConfig:
    """Return the sizes of a Llama.

    Raises:
        ModelError: it is another kind of model, or a Llama with parts that the numpy engine does
        not know.
    """
    get: dict[str, Any] = {}
    for name, field in reader.fields.items():
        # The lists of the tokenizer are long, and not wanted here.
        if "tokenizer" not in name:
            get[name.removeprefix("llama.")] = field.contents()
    if get.get("general.architecture") != "llama":
        raise ModelError(f"{base}: the numpy engine runs Llama models only")
    names = set()
    for tensor in reader.tensors:
        names.add(tensor.name)
    tied = "output.weight" not in names
    try:
        heads = int(get["attention.head_count"])
        width = int(get["embedding_length"])
        layers = int(get["block_count"])
        config = LlamaConfig(
            vocabulary=len(reader.fields["tokenizer.ggml.tokens"].data),
            width=width,
            layers=layers,
            heads=heads,
            kv_heads=int(get.get("attention.head_count_kv", heads)),
            head_size=int(get.get("attention.key_length", width // heads)),
            inner=int(get["feed_forward_length"]),
            context=int(get["context_length"]),
            epsilon=float(get["attention.layer_norm_rms_epsilon"]),
            tied=tied,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{base}: its sizes cannot be read ({type(error).__name__})") from None
    if layers > len(names):
        raise ModelError(f"{base}: says that it has {layers} layers, and holds fewer")
    expected = {"token_embd.weight", "output_norm.weight"}
    if not tied:
        expected.add("output.weight")
    for layer in range(layers):
        expected |= {f"blk.{layer}.{name}.weight" for name in _TENSORS}
    scaled = get.get("rope.scaling.type", "none") != "none"
    partly = int(get.get("rope.dimension_count", config.head_size)) != config.head_size
    if scaled or partly or names - {"rope_freqs.weight"} != expected:
        raise ModelError(f"{base}: a Llama with parts that the numpy engine does not know")
    return config


def _write(base: Path, target: Path, adapter: Path | None, report: store.Report) -> None:
    report("reading the model", 0.0)
    reader = open_gguf(base)
    config = _read_config(base, reader)
    tokenizer, start_token, end_tokens = read_tokenizer(base, reader)
    pairs: dict[str, LoraPair] = {}
    if adapter is not None:
        pairs = read_lora(adapter, shape_of(base, reader))
    flat = np.empty(size(config), np.float32)
    tensors = _Tensors(reader, pairs, report)
    _fill(unpack(config, flat), config, tensors, reader)
    np.save(target / "weights.npy", flat)
    tokenizer.save(str(target / "tokenizer.json"))
    template = reader.fields.get("tokenizer.chat_template")
    about = {
        "config": asdict(config),
        "chat_template": template.contents() if template else None,
        "start_token": start_token,
        "end_tokens": end_tokens,
    }
    atomic_write(target / "model.json", json.dumps(about, indent=1))


class _Tensors:
    """Reads tensors by name as 32-bit floats, an adapter merged in."""

    def __init__(self, reader: Any, pairs: dict[str, LoraPair], report: store.Report) -> None:
        self._found = {tensor.name: tensor for tensor in reader.tensors}
        self._pairs = pairs
        self._report = report
        self._done = 0

    def __call__(self, name: str) -> Array:
        from gguf.quants import dequantize

        tensor = self._found[f"{name}.weight"]
        weight: Array = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        if tensor.name in self._pairs:
            weight = weight + self._pairs[tensor.name].product()
        self._done += 1
        self._report("unpacking to 32 bits", self._done / len(self._found))
        return weight


def _fill(weights: Weights, config: LlamaConfig, read: _Tensors, reader: Any) -> None:
    """Read all weights. GGUF keeps matrices as (out, in), and pairs that turn together as pairs."""
    weights.embedding[:] = read("token_embd")
    weights.frequencies[:] = _frequencies(config, reader)
    for index, layer in enumerate(weights.layers):
        _fill_layer(layer, f"blk.{index}.", read)
    weights.norm[:] = read("output_norm")
    if not config.tied:
        weights.head[:] = read("output")


def _fill_layer(layer: Layer, block: str, read: _Tensors) -> None:
    def side_by_side(*names: str) -> Array:
        return np.concatenate([read(block + name) for name in names]).T

    layer.attention_norm[:] = read(f"{block}attn_norm")
    layer.qkv[:] = side_by_side("attn_q", "attn_k", "attn_v")
    layer.output[:] = side_by_side("attn_output")
    layer.mlp_norm[:] = read(f"{block}ffn_norm")
    layer.gate_up[:] = side_by_side("ffn_gate", "ffn_up")
    layer.down[:] = side_by_side("ffn_down")


def _frequencies(config: LlamaConfig, reader: Any) -> Array:
    """Return the angles (s/2,) by which pairs turn from place to place: ``base ** (-2 i / s)``.

    A file may divide them by factors of its own (Llama 3.1).
    """
    field = reader.fields.get("llama.rope.freq_base")
    base = np.float32(field.contents() if field else 10000.0)
    size = np.float32(config.head_size)
    exponents = np.arange(0, config.head_size, 2, dtype=np.float32) / size
    frequencies = (1 / base**exponents).astype(np.float32)
    for tensor in reader.tensors:
        if tensor.name == "rope_freqs.weight":
            frequencies /= tensor.data
    return frequencies
