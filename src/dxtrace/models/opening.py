"""From what a user calls a model to a running engine."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dxtrace.answering.calibration import CALIBRATION, GGUF_CALIBRATION, Calibration
from dxtrace.chain import ModelInfo
from dxtrace.engines.base import Engine
from dxtrace.errors import InputError, MissingExtra, ModelError, NotAModelError, UnknownName
from dxtrace.files import named_path, open_gguf, parse_json, read_json
from dxtrace.models import float32, store
from dxtrace.models.lora import adapter_folder
from dxtrace.provenance import (
    CREDENTIALED_RULE,
    GGUF_PROVENANCE,
    PROVENANCE,
    Provenance,
    read_provenance,
    sha256_of,
)

#: What may run a model.
ENGINES = ("auto", "numpy", "llamacpp", "hf", "server")


@dataclass(frozen=True)
class Opened:
    """A model ready to answer: engine, identity, calibration, why this engine was chosen, what to
    warn of.
    """

    engine: Engine
    info: ModelInfo
    calibration: Calibration
    reason: str
    notice: str | None = None


@dataclass(frozen=True)
class _Source:
    """Where a model's weights are: a GGUF file, or a Hugging Face folder or hub id."""

    name: str
    gguf: Path | None = None
    hub: str | None = None
    folder: Path | None = None


def open_model(
    model: str = "default",
    *,
    adapter: str | Path | None = None,
    engine: str = "auto",
    threads: int | None = None,
    quantisation: str = "auto",
    url: str | None = None,
    may_send: bool = False,
    report: store.Report | None = None,
) -> Opened:
    """Fetch if need be, convert if need be, and load a model.

    Args:
        model: ``default``, a name of :mod:`dxtrace.models.store`, a GGUF file, a Hugging Face
            folder, or a hub id.
        adapter: folder of a PEFT adapter or a LoRA GGUF file; None: the one shipped with the model;
            ``none``: none.
        engine: one of :data:`ENGINES`; ``auto``: numpy for a Llama as GGUF whose weights take at
            most half of the memory in 32 bits, llamacpp for other GGUF files, hf for the rest.
        threads: CPU threads; None for one a core.
        quantisation: for llamacpp, which it chooses where ``engine`` is ``auto``: ``auto`` for the
            fastest on this CPU, a name such as ``Q8_0``, or ``as-is``.
        url: of a server of models, for the engine ``server``; ``model`` is then a name that the
            server knows (:class:`dxtrace.engines.server.ServerEngine`), and ``adapter`` the folder
            whose calibration belongs to it.
        may_send: whether credentialed notes may go to a server that is not on this machine.
        report: told what is being done while fetching and converting.

    Raises:
        UnknownName: no such model. ModelError: it cannot be fetched or loaded.
        MissingExtra: the engine is not installed. ServerGone, ServerUnfit: of a server.
    """
    if engine not in ENGINES:
        raise UnknownName("engine", engine, ENGINES)
    if engine == "server" or url is not None:
        return _open_server(model, adapter, engine, url, may_send)
    source = _find(model, report)
    chosen = _find_adapter(source, adapter)
    if engine == "auto":
        engine = _choose_engine(source, chosen, quantisation)
    if engine == "hf":
        built, why = _open_hf(source, chosen, threads, report)
    elif engine == "numpy":
        built, why = _open_numpy(source, chosen, threads, report)
    else:
        built, why = _open_llamacpp(source, chosen, threads, quantisation, report)
    info = ModelInfo(
        name=source.name + (f" + {chosen.name}" if chosen else ""),
        base_sha256=_known_sha256(source),
        adapter_sha256=_adapter_sha256(chosen),
        credentialed=_is_credentialed(source, chosen),
    )
    notice = _notice(source, chosen)
    if info.credentialed:
        notice = CREDENTIALED_RULE
    calibration = read_calibration(chosen or source.folder or source.gguf)
    return Opened(built, info, calibration, why, notice)


def _is_credentialed(source: _Source, adapter: Path | None) -> bool:
    """Return whether a model or its adapter says that it was made from credentialed data."""
    files = []
    for file in (source.gguf, source.folder, adapter):
        if file is not None:
            files.append(file)
    return any(says_credentialed(file) for file in files)


def says_credentialed(path: Path) -> bool:
    """Return whether a folder or GGUF file has a record that it was made from credentialed data."""
    if path.is_dir():
        return (path / PROVENANCE).is_file() and read_provenance(path).credentialed
    data = _gguf_record(path, GGUF_PROVENANCE)
    if data is None:
        return False
    return Provenance.from_json(data, f"{path}, {GGUF_PROVENANCE}").credentialed


def _gguf_record(path: Path, key: str) -> Any:
    """Return what an export wrote of a model into its GGUF file, or None."""
    if path.suffix != ".gguf" or path.is_relative_to(store.home()):
        return None
    field = open_gguf(path).fields.get(key)
    if field is None:
        return None
    return parse_json(field.contents(), f"{path}, {key}")


def _notice(source: _Source, adapter: Path | None) -> str | None:
    if adapter is None and source.name in {known.name for known in store.PACKAGED}:
        return (
            "this model was not trained for this task: its quotes are the note's own, "
            "its medicine is not to be trusted"
        )
    return None


def shipped_adapter(name: str) -> Path | None:
    """Return the folder of the adapter that the package ships for a base model, or None."""
    folder = Path(str(resources.files("dxtrace") / "adapters" / name))
    if (folder / "adapter_config.json").is_file():
        return folder
    return None


def read_calibration(model: Path | None) -> Calibration:
    """Return the calibration of an adapter or of what it was merged into: a folder's file, or the
    record in a GGUF file; one that changes nothing where there is none.

    Raises:
        InputError: it is there and cannot be read.
    """
    if model is None:
        return Calibration()
    if model.is_dir():
        place = str(model / CALIBRATION)
        data = read_json(model / CALIBRATION) if (model / CALIBRATION).is_file() else None
    else:
        place = f"{model}, {GGUF_CALIBRATION}"
        data = _gguf_record(model, GGUF_CALIBRATION)
    if data is None:
        return Calibration()
    try:
        return Calibration.from_json(data)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _find(model: str, report: store.Report | None) -> _Source:
    if model == "default":
        name = store.DEFAULT
    else:
        name = model
    if name in {known.name for known in store.PACKAGED}:
        return _Source(name, gguf=store.pull(name, report))
    path = named_path(name, NotAModelError)
    if path.is_file():
        packaged = path.stem in {known.name for known in store.PACKAGED}
        return _Source(path.name if packaged else path.stem, gguf=path)
    if (path / "config.json").is_file():
        return _Source(path.name, folder=path)
    if path.is_dir():
        raise NotAModelError(f"{path}: this folder holds no model (no config.json)")
    if path.suffix == ".gguf" or name.startswith((".", "/", "~")):
        raise NotAModelError(f"{path}: no such model file")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return _Source(name, hub=name)
    raise UnknownName("model", name, ["default", *(known.name for known in store.PACKAGED)])


def _find_adapter(source: _Source, adapter: str | Path | None) -> Path | None:
    if adapter is None:
        return shipped_adapter(source.name)
    if str(adapter) == "none":
        return None
    path = named_path(adapter, NotAModelError)
    if path.is_file() and path.suffix == ".gguf":
        return path
    return adapter_folder(path)


def _choose_engine(source: _Source, adapter: Path | None, quantisation: str) -> str:
    """Return the engine for a model: numpy where it can, the only one that is exact and needs no
    extra.
    """
    if source.gguf is None:
        return "hf"
    lora_file = adapter is not None and adapter.is_file()
    if quantisation != "auto" or lora_file:
        return "llamacpp"
    if source.name in {known.name for known in store.PACKAGED}:
        return "numpy"
    ready = float32.is_prepared(_known_sha256(source) or "", _folder(source), adapter)
    if ready or float32.obstacle(source.gguf) is None:
        return "numpy"
    return "llamacpp"


def _folder(source: _Source) -> Path:
    """Return where what is made of a model is kept."""
    return store.home() / "models" / re.sub(r"[^\w.-]+", "_", source.name)


def _open_numpy(
    source: _Source,
    adapter: Path | None,
    threads: int | None,
    report: store.Report | None,
) -> tuple[Engine, str]:
    from dxtrace.engines.numpy_engine import NumpyEngine

    if source.gguf is None:
        raise ModelError(
            f"{source.name}: the engine 'numpy' reads GGUF files; use the engine 'hf', or export the model to GGUF",
        )
    if adapter is not None and adapter.is_file():
        raise ModelError(
            f"{adapter}: the engine 'numpy' takes the folder of an adapter; use the engine 'llamacpp'",
        )
    sha256 = _known_sha256(source) or ""
    folder = float32.prepared(source.gguf, sha256, _folder(source), adapter, report)
    return NumpyEngine(folder, threads or thread_limit()), "numpy: 32 bits, exact"


def _open_llamacpp(
    source: _Source,
    adapter: Path | None,
    threads: int | None,
    quantisation: str,
    report: store.Report | None,
) -> tuple[Engine, str]:
    require_llamacpp()
    from dxtrace.engines.llamacpp import LlamaCppEngine, LlamaCppOptions

    if source.gguf is None:
        raise ModelError(
            f"{source.name}: llama.cpp reads GGUF files; use the engine 'hf', or export the model to GGUF",
        )
    file = source.gguf
    why = "GGUF as it is"
    # A LoRA file is loaded beside the model; an adapter's folder is merged into a converted copy.
    lora = merged = None
    if adapter is not None and adapter.suffix == ".gguf":
        lora = adapter
    else:
        merged = adapter
    packaged = source.name in {known.name for known in store.PACKAGED}
    if quantisation != "as-is" and (packaged or merged):
        if quantisation == "auto":
            kind, why = store.fastest_quantisation()
        else:
            kind, why = quantisation, "asked for"
        file = store.converted(file, _folder(source), kind, merged, report, _known_sha256(source))
    elif merged is not None:
        raise ModelError(
            "an adapter folder is merged while converting: choose a quantisation, or give a LoRA .gguf file",
        )
    options = LlamaCppOptions(threads=threads or thread_limit(), adapter=lora)
    return LlamaCppEngine(file, options), f"llamacpp: {why}"


def _open_hf(
    source: _Source,
    adapter: Path | None,
    threads: int | None,
    report: store.Report | None,
) -> tuple[Engine, str]:
    missing = []
    for name in ("torch", "transformers"):
        if importlib.util.find_spec(name) is None:
            missing.append(name)
    if missing:
        raise MissingExtra(f"the engine 'hf' ({' and '.join(missing)})", "hf")
    from dxtrace.engines.hf import HuggingFaceEngine
    from dxtrace.models.torch_base import torch_folder

    where = str(source.folder or source.hub)
    if source.gguf is not None:
        where = str(torch_folder(source.gguf, _known_sha256(source) or "", report))
    return HuggingFaceEngine(where, adapter, threads or thread_limit()), "hf: transformers"


def _open_server(
    model: str,
    adapter: str | Path | None,
    engine: str,
    url: str | None,
    may_send: bool,
) -> Opened:
    from dxtrace.engines.server import ServerEngine

    if url is None:
        raise InputError("the engine 'server' needs --url, such as http://127.0.0.1:8000/v1")
    if engine not in ("auto", "server"):
        raise InputError(f"--url belongs to the engine 'server', not to {engine!r}")
    chosen = None
    if adapter is not None:
        chosen = _find_adapter(_Source(model), adapter)
    key = os.environ.get("DXTRACE_SERVER_KEY")
    built = ServerEngine(url, model, key=key, may_send=may_send)
    info = ModelInfo(name=built.model, adapter_sha256=_adapter_sha256(chosen))
    return Opened(built, info, read_calibration(chosen), "server: as it runs there")


def require_llamacpp() -> None:
    """Check that llama.cpp is there.

    Raises:
        MissingExtra: it is not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("the engine 'llamacpp' (xllamacpp)", "llamacpp")


def thread_limit() -> int | None:
    """Return the user's own limit on threads (``DXTRACE_THREADS``), or None."""
    value = os.environ.get("DXTRACE_THREADS", "")
    if value and not (value.isascii() and value.isdigit() and len(value) < 6):
        raise InputError(f"DXTRACE_THREADS is {value!r}, expected a number")
    if not value or int(value) == 0:
        return None
    return int(value)


def limit_torch_threads() -> None:
    """Let torch use no more threads than the user allows (``DXTRACE_THREADS``)."""
    import torch

    limit = thread_limit()
    if limit is not None:
        torch.set_num_threads(limit)


def _known_sha256(source: _Source) -> str | None:
    for known in store.PACKAGED:
        if known.name == source.name:
            return known.sha256
    if source.gguf is None:
        return None
    return sha256_of(source.gguf)


def _adapter_sha256(adapter: Path | None) -> str | None:
    if adapter is None:
        return None
    if adapter.is_file():
        return sha256_of(adapter)
    return store.adapter_sha256(adapter)
