"""What is built from other files and kept in the cache, by content."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import platformdirs

from dxtrace.errors import InputError
from dxtrace.files.writing import atomic_write, named_path


def home() -> Path:
    """Return the folder that holds everything dxtrace keeps: ``DXTRACE_HOME``, or the user's cache
    folder.
    """
    chosen = os.environ.get("DXTRACE_HOME")
    if chosen:
        return named_path(chosen)
    return Path(platformdirs.user_cache_dir("dxtrace"))


def derive(name: str, sources: Iterable[bytes], build: Callable[[], bytes]) -> bytes:
    """Return what ``build`` makes of ``sources``; built once, then read from the cache by content.

    A cache that cannot be written, and a file in it that is damaged, cost a build and nothing else.

    Args:
        name: says what is built; a newer build of it replaces the older one.
        sources: everything that goes into it, the code that builds it included.
        build: builds it.
    """
    digest = hashlib.sha256()
    for source in sources:
        digest.update(hashlib.sha256(source).digest())
    file = home() / "derived" / f"{name}-{digest.hexdigest()[:24]}"
    with suppress(OSError):
        check, content = _split_check(file.read_bytes())
        if hashlib.sha256(content).digest() == check:
            return content
    content = build()
    with suppress(InputError, OSError):
        atomic_write(file, hashlib.sha256(content).digest() + content)
        for other in file.parent.glob(f"{name}-{'?' * 24}"):
            if other != file:
                other.unlink()
    return content


def source_code(package: str) -> tuple[bytes, ...]:
    """Return the source files of a package, by name: a source of what its code builds."""
    folder = importlib.resources.files(package)
    files = []
    for file in folder.iterdir():
        if file.name.endswith(".py"):
            files.append(file)
    contents = []
    for file in sorted(files, key=lambda file: file.name):
        contents.append(file.read_bytes())
    return tuple(contents)


def _split_check(stored: bytes) -> tuple[bytes, bytes]:
    size = hashlib.sha256().digest_size
    return stored[:size], stored[size:]
