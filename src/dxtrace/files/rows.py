"""JSONL: read line by line, and grown row by row by one run at a time."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Generic, TypeVar

from dxtrace.errors import InputError, RowError
from dxtrace.files.parsing import UnusableError, decode_json
from dxtrace.files.writing import beside_of, reading, sync, writing

#: Longest row of a JSONL file, in bytes. The longest note takes a quarter.
MAX_ROW_BYTES = 1 << 25

#: White space of JSON, and the byte order mark that some editors put first.
_BLANK = b" \t\r\n\xef\xbb\xbf"

#: Characters that end a line for some readers of JSONL, though JSON allows them in a string.
_LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}

Kept = TypeVar("Kept")


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
            RowError: it is no JSON in UTF-8, too long, nested too deep, or names a key twice.
        """
        try:
            if len(self.data) >= MAX_ROW_BYTES:
                raise UnusableError(f"longer than {MAX_ROW_BYTES:,} bytes")
            return decode_json(self.data)
        except UnusableError as error:
            reason = str(error)
            text = self.data.strip()
            if not (text.startswith(b"{") and text.endswith(b"}")):
                reason += "; each line is one whole object"
            raise RowError(self.place, reason) from None


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
        beside = beside_of(self.path)
        with writing(self.path):
            try:
                self._files.append(beside.open("w+b"))
                self._lock()
                lines = read_jsonl(self.path)
                for number, line in enumerate(lines):
                    if number not in numbers:
                        self._files[-1].write(line.data)
                sync(self._files[-1])
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
