"""Writing GGUF files: another quantisation of a model, with or without a LoRA adapter merged in.

Quantisation is the ``gguf`` package's (numpy, no compiler). The merge happens in 32-bit floats
before quantisation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dxtrace.errors import ModelError
from dxtrace.files import gguf_content, open_gguf
from dxtrace.models.lora import ARCHITECTURES, LlamaShape, LoraPair, read_lora

Progress = Callable[[int, int], None]


def rewrite(
    source: Path,
    target: Path,
    quantisation: str,
    lora: Path | None = None,
    progress: Progress | None = None,
    said: Mapping[str, str] | None = None,
) -> None:
    """Write ``source`` again with its matrices in another quantisation, an adapter merged in.

    Args:
        source: a GGUF file.
        target: where to write; it appears whole or not at all.
        quantisation: F32, F16, Q8_0, Q4_0, Q4_1 ...: a name of ``gguf.GGMLQuantizationType``.
        lora: folder of a PEFT adapter to merge, or None.
        progress: called with (tensors done, tensors in all).
        said: keys and texts to add to the file's own.

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
    reader = open_gguf(source)
    pairs: dict[str, LoraPair] = {}
    if lora is not None:
        pairs = read_lora(lora, shape_of(source, reader))
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not a temporary file, which only its owner may read: a cache can be shared.
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with gguf_content(source):
            writer = _copy_header(reader, partial)
        for key, text in (said or {}).items():
            writer.add_string(key, text)
        for done, tensor in enumerate(reader.tensors):
            with gguf_content(source):
                data, kind = _convert(tensor, wanted, pairs.get(tensor.name))
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


def _convert(tensor: Any, wanted: Any, pair: LoraPair | None) -> tuple[Any, Any]:
    """Return a tensor's data and type: norms and embeddings as they are, matrices merged and
    quantised.
    """
    from gguf.quants import dequantize, quantize

    plain = wanted.name in ("F32", "F16")
    if len(tensor.shape) != 2 or (tensor.name == "token_embd.weight" and not plain):
        return tensor.data, tensor.tensor_type
    if tensor.tensor_type == wanted and pair is None:
        return tensor.data, tensor.tensor_type
    weight = dequantize(tensor.data, tensor.tensor_type)
    if pair is not None:
        weight = weight + pair.product()
    return quantize(weight.astype(np.float32), wanted), wanted


def shape_of(file: Path, reader: Any) -> LlamaShape:
    """Return the sizes of a Llama, or one of its kin, in a GGUF file.

    Args:
        file: named in errors.
        reader: a ``gguf.GGUFReader`` of it.

    Raises:
        ModelError: it is another kind of model, or does not say its sizes.
    """
    architecture = reader.fields["general.architecture"].contents()
    if architecture not in ARCHITECTURES.values():
        known = ", ".join(sorted({*ARCHITECTURES.values()}))
        raise ModelError(
            f"{file}: adapters can be merged into {known} models only, this is {architecture!r}",
        )

    def size(name: str, default: int | None = None) -> int:
        field = reader.fields.get(f"{architecture}.{name}")
        if field is None and default is not None:
            return default
        return int(field.contents())

    try:
        heads = size("attention.head_count")
        width = size("embedding_length")
        return LlamaShape(
            architecture=architecture,
            layers=size("block_count"),
            width=width,
            inner=size("feed_forward_length"),
            heads=heads,
            kv_heads=size("attention.head_count_kv", heads),
            head_size=size("attention.key_length", width // heads),
        )
    except (AttributeError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise ModelError(f"{file}: its sizes cannot be read ({type(error).__name__})") from None


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
