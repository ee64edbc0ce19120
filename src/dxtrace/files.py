"""Files: read with typed errors, written whole or not at all, grown row by row."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Generic, TypeVar

import yaml

from dxtrace.errors import InputError, RowError

#: Longest row of a JSONL file, in bytes, and its deepest nesting. The longest note takes a quarter.
MAX_ROW_BYTES = 1 << 25
MAX_DEPTH = 64

#: White space of JSON, and the byte order mark that some editors put first.
_BLANK = b" \t\r\n\xef\xbb\xbf"

#: Characters that end a line for some readers of JSONL, though JSON allows them in a string.
_LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}

Kept = TypeVar("Kept")


def parse_yaml(text: str) -> Any:
    """Parse YAML with the C loader where it is there (ten times faster)."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


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


def read_bytes(path: Path, kind: type[InputError] = InputError) -> bytes:
    """Return the content of a file.

    Raises:
        InputError: of the kind given; it cannot be read.
    """
    with reading(path, kind):
        try:
            return path.read_bytes()
        except ValueError:  # a NUL in the name
            raise kind(f"{str(path)!r}: no name of a file") from None


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
        beside = _beside(path)
        try:
            with beside.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                _sync(file)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


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


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@dataclass(frozen=True)
class Line:
    """A line of a JSONL file that is not blank, counted from 1."""

    path: Path
    number: int
    data: bytes

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.path}, line {self.number}"

    def parse(self) -> Any:
        """Return what the line says.

        Raises:
            RowError: it is no JSON in UTF-8, or too long or nested too deep.
        """
        if len(self.data) >= MAX_ROW_BYTES:
            raise RowError(self.place, f"longer than {MAX_ROW_BYTES:,} bytes")
        try:
            value = json.loads(self.data.decode("utf-8-sig").rstrip("\r\n"))
        except UnicodeDecodeError as error:
            raise RowError(self.place, f"not UTF-8 text (byte {error.start})") from None
        except json.JSONDecodeError as error:
            raise RowError(self.place, f"not valid JSON (column {error.colno})") from None
        except (RecursionError, ValueError):
            value = None
        else:
            if not _deeper_than(value, MAX_DEPTH):
                return value
        reason = "not usable JSON (nested too deep, or a number too long)"
        raise RowError(self.place, reason)


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return False
        level = below
    return True


def read_jsonl(path: Path, kind: type[InputError] = InputError) -> Iterator[Line]:
    """Yield the lines of a JSONL file that are not blank.

    Only a line feed ends a line: U+2028 in a note does not.

    Raises:
        InputError: of the kind given; the file cannot be read.
    """
    with reading(path, kind), path.open("rb") as file:
        number = 0
        while data := file.readline(MAX_ROW_BYTES):
            number += 1
            rest = data
            while len(rest) == MAX_ROW_BYTES and not rest.endswith(b"\n"):
                rest = file.readline(MAX_ROW_BYTES)
            if data.strip(_BLANK):
                yield Line(path, number, data)


def row_to_bytes(row: Any) -> bytes:
    """Return a row as one line of UTF-8 that every reader takes for one line."""
    text = json.dumps(row, ensure_ascii=False)
    for character, escape in _LINE_ENDS.items():
        text = text.replace(character, escape)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return f"{json.dumps(row)}\n".encode()


class RowStore(Generic[Kept]):
    """A JSONL file of our own that grows row by row, and that one process at a time may write.

    Used as a context. ``kept`` holds what is remembered of each row in the file, in its order.
    """

    def __init__(
        self,
        path: Path,
        remember: Callable[[dict[str, Any]], Kept | None],
        what: str,
        sync: bool = True,
    ) -> None:
        """Open nothing yet.

        Args:
            path: the file; made, with the folders above it, if it is not there.
            remember: returns what to remember of a row; None if the row is not one of ours.
            what: says what the rows are: "a result".
            sync: whether each row is on the disk before the next.
        """
        self.path = path
        self.kept: list[Kept] = []
        self._remember = remember
        self._what = what
        self._sync = sync
        self._files: list[BinaryIO] = []

    def __enter__(self) -> RowStore[Kept]:
        """Lock and read the file; cut off half a row that an interruption left at its end.

        Raises:
            InputError: it cannot be written, another run holds it, or it is not ours: then it
                stays as it is.
        """
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path = self.path.resolve()
            self._files.append(self.path.open("a+b"))
        try:
            self._lock()
            with reading(self.path):
                self._read()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._close()

    def append(self, row: dict[str, Any]) -> None:
        """Add a row.

        Raises:
            InputError: it cannot be written.
        """
        with writing(self.path):
            file = self._files[-1]
            file.write(row_to_bytes(row))
            file.flush()
            if self._sync:
                os.fsync(file.fileno())
        kept = self._remember(row)
        if kept is not None:
            self.kept.append(kept)

    def drop(self, numbers: Container[int]) -> None:
        """Write the file anew, without the rows of these numbers (indexes into ``kept``).

        Raises:
            InputError: it cannot be written; then all rows are still there.
        """
        beside = _beside(self.path)
        with writing(self.path):
            try:
                self._files.append(beside.open("w+b"))
                self._lock()
                lines = read_jsonl(self.path)
                for number, line in enumerate(lines):
                    if number not in numbers:
                        self._files[-1].write(line.data)
                _sync(self._files[-1])
                beside.replace(self.path)
            finally:
                beside.unlink(missing_ok=True)
        self.kept = [kept for number, kept in enumerate(self.kept) if number not in numbers]

    def _read(self) -> None:
        file = self._files[-1]
        end = 0
        data = b"\n"
        file.seek(0)
        for number, data in enumerate(file, 1):
            if not data.strip(_BLANK):
                end += len(data)
                continue
            line = Line(self.path, number, data)
            try:
                row = line.parse()
            except RowError:
                if self.kept and not data.endswith(b"\n"):
                    file.truncate(end)
                    return
                row = None
            kept = self._remember(row) if isinstance(row, dict) else None
            if kept is None:
                raise InputError(f"{line.place}: not {self._what}; write to another file")
            self.kept.append(kept)
            end += len(data)
        if not data.endswith(b"\n"):
            file.write(b"\n")

    def _lock(self) -> None:
        """Lock the newest file; the older ones stay locked until the end, for who waits on them."""
        file = self._files[-1]
        newest = len(self._files) > 1 or os.path.samestat(
            os.fstat(file.fileno()),
            self.path.stat(),
        )
        if not newest or not _try_lock(file):
            raise InputError(f"{self.path}: another run is writing it; wait for it to end")

    def _close(self) -> None:
        while self._files:
            self._files.pop().close()


def _try_lock(file: BinaryIO) -> bool:
    """Lock a file against other processes; where the system has no such locks, nothing is done."""
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
