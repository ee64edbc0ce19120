"""Files: read with typed errors, and written whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dxtrace.errors import InputError


@contextmanager
def reading(path: object, kind: type[InputError] = InputError) -> Iterator[None]:
    """Turn an error of the operating system into ``kind``, in one line that names ``path``."""
    try:
        yield
    except OSError as error:
        raise kind(f"{path}: cannot be read ({_reason(error)})") from None


@contextmanager
def writing(path: object, kind: type[InputError] = InputError) -> Iterator[None]:
    """As :func:`reading`, for what is written."""
    try:
        yield
    except OSError as error:
        raise kind(f"{path}: cannot be written ({_reason(error)})") from None


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def named_path(name: str | Path, kind: type[InputError] = InputError) -> Path:
    """Return the path that a user names; ``~`` is their home.

    Raises:
        InputError: of the kind given; it cannot be the name of a file.
    """
    if len(str(name)) > 1000 or re.search(r"[\x00-\x1f]", str(name)):
        raise kind("this is no name of a file (too long, or of several lines)")
    path = Path(name)
    try:
        path = path.expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise kind(f"{str(name)[:80]!r}: no name of a file ({type(error).__name__})") from None
    return path


def read_bytes(
    path: Path,
    kind: type[InputError] = InputError,
    most: int | None = None,
) -> bytes:
    """Return the content of a file of ``most`` bytes; None for any number.

    Raises:
        InputError: of the kind given; it cannot be read, or is longer.
    """
    with reading(path, kind):
        try:
            size = path.stat().st_size
            if most is not None and size > most:
                raise kind(f"{path}: {size:,} bytes; at most {most:,} are read")
            return path.read_bytes()
        except ValueError:  # a NUL in the name, half a character
            raise kind(f"{str(path)!r}: no name of a file") from None


def read_text(path: Path, kind: type[InputError] = InputError) -> str:
    """Return a text file in UTF-8.

    Raises:
        InputError: of the kind given; it cannot be read.
    """
    try:
        return read_bytes(path, kind).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise kind(f"{path}: not UTF-8 text (byte {error.start})") from None


def atomic_write(
    path: Path,
    content: str | bytes | Iterable[bytes],
    kind: type[InputError] = InputError,
) -> None:
    """Write beside ``path``, then rename: a reader sees the old file or the whole new one.

    Folders above are made; the mode follows the umask.

    Raises:
        InputError: of the kind given; it cannot be written. What was there before still is.
    """
    if isinstance(content, str):
        content = content.encode()
    chunks: Iterable[bytes]
    if isinstance(content, bytes):
        chunks = [content]
    else:
        chunks = content
    with writing(path, kind):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = beside_of(path)
        try:
            with beside.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                sync(file)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write files into; they move to ``path`` once all are there, and none does if
    the block is left by an error or an interrupt.

    All files may then be read by whom the umask lets: some libraries write for their owner alone.

    Raises:
        InputError: it cannot be written.
    """
    with writing(path):
        beside = beside_of(path)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            yield beside
            follow_umask(beside)
            path.mkdir(parents=True, exist_ok=True)
            for file in sorted(beside.iterdir()):
                file.replace(path / file.name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def follow_umask(folder: Path) -> None:
    """Give the files of a folder the mode that new ones have."""
    fresh = folder / ".mode"
    fresh.touch()
    for file in folder.iterdir():
        if file.is_file():
            shutil.copymode(fresh, file)
    fresh.unlink()


def refuse_to_replace(paths: Iterable[Path]) -> None:
    """Check that nothing stands where files are to be written.

    Raises:
        InputError: something does; names the first.
    """
    for path in paths:
        if path.exists():
            raise InputError(
                f"{path}: is there already; write elsewhere, or replace it with --force"
            )


def beside_of(path: Path) -> Path:
    """Return where a file is written before it takes its place."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def sync(file: BinaryIO) -> None:
    """Put what was written on the disk."""
    file.flush()
    os.fsync(file.fileno())
