"""``dxtrace doctor``: what is installed, what this CPU can do, where things are kept."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dxtrace.cli._progress import console as stdout_console
from dxtrace.cli._progress import reporting
from dxtrace.engines.base import Engine
from dxtrace.models import PACKAGED, home, open_model, shipped_adapter, store
from dxtrace.models.engine_speed import measure_agreement, measure_speed
from dxtrace.provenance import version

_CORE = ("numpy", "tokenizers", "threadpoolctl", "llguidance", "gguf", "pydantic")
_EXTRAS = {
    "llamacpp": ("xllamacpp",),
    "hf": ("torch", "transformers", "peft", "accelerate"),
    "train": ("trl", "bitsandbytes", "datasets", "matplotlib", "tensorboard"),
    "evaluate": ("scipy", "scikit-learn", "statsmodels"),
    "serve": ("fastapi", "uvicorn"),
    "inspect": ("inspect-ai",),
}
_FLAGS = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "amx_int8", "amx_bf16", "asimd", "sve")


#: Engines that run a model in this process, and what each needs besides the core.
_ENGINES = {"numpy": (), "llamacpp": ("xllamacpp",), "hf": ("torch", "transformers")}


def doctor(
    engines: Annotated[
        bool,
        typer.Option(
            "--engines",
            help="Measure the engines that are installed (a minute or two).",
        ),
    ] = False,
) -> None:
    """Show what is installed, and where.

    Also: which engine answers and why, what the CPU can do, the cache of models.
    """
    if engines:
        _show_engines()
        return
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row("dxtrace", version())
    table.add_row(
        "python",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    )
    table.add_row("executable", sys.executable)
    table.add_row("core", _installed(_CORE))
    for extra, packages in _EXTRAS.items():
        table.add_row(f"extra '{extra}'", _installed(packages))
    table.add_row("default engine", f"numpy, 32 bits: {_matrix_library()}")
    table.add_row("quantisation", _quantisation())
    table.add_row("cpu", f"{os.cpu_count()} threads; {_cpu_features()}")
    table.add_row("gpu", _gpu())
    table.add_row("cache", f"{home()}{' (DXTRACE_HOME)' if os.environ.get('DXTRACE_HOME') else ''}")
    for problem in store.cache_problems():
        table.add_row("", f"problem: {problem}")
    for model in PACKAGED:
        base = store.base_file(model.name)
        if base:
            size = sum(f.stat().st_size for f in base.parent.rglob("*.*"))
        else:
            size = 0
        if base:
            state = f"fetched, {size / 1e6:.0f} MB"
        else:
            state = "not fetched: dxtrace models pull"
        table.add_row(
            f"model {model.name}",
            f"{state}; adapter {'shipped' if shipped_adapter(model.name) else 'none'}",
        )
    stdout_console().print(table, highlight=False)


def _show_engines() -> None:
    """Print how fast each engine ranks the demo case here, and how true it is to the default one."""
    with reporting() as report:
        chosen = open_model(report=report)
        note = (resources.files("dxtrace") / "demo_case.txt").read_text("utf-8")
        table = Table(box=None, padding=(0, 2))
        for head in (
            "engine",
            "tokens a second",
            "processor time",
            "first candidate",
            "divergence",
        ):
            table.add_column(head)
        for number, (name, packages) in enumerate(_ENGINES.items()):
            report(f"measuring {name}", number / len(_ENGINES))
            if all(map(importlib.util.find_spec, packages)):
                engine = open_model(engine=name, report=report).engine
                table.add_row(name, *_measured(chosen.engine, engine, note))
                engine.close()
            else:
                table.add_row(name, "not installed")
        chosen.engine.close()
    stdout_console().print(table, highlight=False)
    stdout_console().print(f"chosen: {chosen.reason}", highlight=False)


def _measured(default: Engine, engine: Engine, note: str) -> list[str]:
    speed = measure_speed(engine, note)
    found = measure_agreement(default, engine, [note])
    return [
        f"{speed.tokens / speed.seconds:.0f}",
        f"{speed.processor_s:.2f} s",
        f"{found.first_same:.0%} of {found.places} the same",
        f"{found.divergence:.2g} nats",
    ]


def _installed(packages: tuple[str, ...]) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} -")
    return ", ".join(found)


def _matrix_library() -> str:
    """Return what multiplies matrices for numpy, and how many threads it would use."""
    import numpy as np
    from threadpoolctl import threadpool_info

    for found in threadpool_info():
        if found["user_api"] == "blas":
            return f"{found['internal_api']} {found['version']}, {found['num_threads']} threads"
    return str(np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"])


def _quantisation() -> str:
    try:
        kind, why = store.fastest_quantisation()
    except ImportError:
        return "none: llama.cpp is not installed"
    return f"{kind} for llama.cpp: {why}"


def _cpu_features() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        words = set(re.findall(r"\w+", info.read_text()))
    else:
        words = set()
    return ", ".join(flag for flag in _FLAGS if flag in words) or "features unknown"


def _gpu() -> str:
    try:
        import torch
    except ImportError:
        return "unknown (torch is not installed)"
    if not torch.cuda.is_available():
        return "none that torch sees"
    return ", ".join(
        torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
    )
