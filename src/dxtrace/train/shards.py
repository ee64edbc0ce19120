"""Training rows that are made ahead of the trainer, a shard at a time, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from dxtrace.errors import InputError
from dxtrace.files import writing
from dxtrace.train.examples import Example
from dxtrace.train.rows import Rows, write_rows

#: Shards that are made ahead of the one that the trainer reads, and shards that stay open.
AHEAD = 2
_OPEN = 4

#: Seconds between two looks at whether a shard is there.
_PAUSE = 0.1


class ShardedRows:
    """Training rows in many files, of which only those that the trainer has come to need exist.

    Once :meth:`make_ahead` was called, a thread makes the next ones. Processes share the files:
    whichever holds the lock of the folder makes them, the others wait for them to appear.
    """

    def __init__(
        self,
        folder: Path,
        sizes: Sequence[int],
        make: Callable[[int], Generator[list[Example]]],
    ) -> None:
        """
        Args:
            folder: where the shards are kept.
            sizes: rows of every shard.
            make: yields the rows of the shards from a number on, in order.
        """
        self._folder = folder
        self._starts = np.concatenate(([0], np.cumsum(sizes)))
        self._make = make
        self._open: dict[int, Rows] = {}
        self._reached = 0
        self._closed = False
        self._problem: Exception | None = None
        self._thread: Thread | None = None

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> Example:
        shard, row = self._place(index)
        example: Example = shard[row]
        return example

    @property
    def sample(self) -> Rows:
        """The first rows: what is known of them before a run stands for all."""
        return self.shard(0)

    @property
    def dataset(self) -> Any:
        """The rows as the trainer takes them."""
        return _Items(self)

    def parts(self) -> Iterator[tuple[int, Any]]:
        """Yield the number of the first row of every shard, and the lengths of its rows, as far as
        they are asked for.
        """
        for number in range(len(self._starts) - 1):
            yield int(self._starts[number]), self.shard(number).lengths

    def item(self, index: int) -> Any:
        """Return the columns of a row."""
        shard, row = self._place(index)
        return shard.dataset[row]

    def _place(self, index: int) -> tuple[Rows, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = int(np.searchsorted(self._starts, index, "right")) - 1
        return self.shard(number), index - int(self._starts[number])

    def shard(self, number: int) -> Rows:
        """Return the rows of a shard; waits until it is made.

        Raises:
            InputError: a case cannot be encoded, or the shard cannot be written. And what else
                composing or encoding raises.
        """
        if number in self._open:
            return self._open[number]
        self._reached = max(self._reached, number)
        file = shard_file(self._folder, number)
        while not file.is_file():
            self.make_ahead()
            time.sleep(_PAUSE)
        self._open[number] = Rows.open(file)
        while len(self._open) > _OPEN:
            del self._open[next(iter(self._open))]
        return self._open[number]

    def make_ahead(self) -> None:
        """Let a thread make what is missing, some shards ahead of the last one that was read.

        Raises:
            As :meth:`shard`.
        """
        if self._problem is not None:
            raise self._problem
        if self._thread is None or not self._thread.is_alive():
            self._closed = False
            self._thread = Thread(target=self._run, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop making shards; what is half made is given up."""
        self._closed = True
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        from filelock import FileLock, Timeout

        try:
            with FileLock(self._folder / "shards.lock", timeout=0):
                self._write_missing()
        except Timeout:
            return  # another process makes them
        except Exception as error:  # the trainer's thread raises it
            self._problem = error

    def _write_missing(self) -> None:
        count = len(self._starts) - 1
        first = 0
        while first < count and shard_file(self._folder, first).is_file():
            first += 1
        if first == count:
            return
        made = self._make(first)
        try:
            for number, rows in enumerate(made, first):
                write_shard(self._folder, number, rows)
                while number >= self._reached + AHEAD and not self._closed:
                    time.sleep(_PAUSE)
                if self._closed:
                    return
        finally:
            made.close()


class _Items:
    """What a data loader reads from."""

    def __init__(self, rows: ShardedRows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        return self._rows.item(index)


def shard_file(folder: Path, number: int) -> Path:
    """Return the file of a shard."""
    return folder / f"train-{number:05d}.arrow"


def write_shard(folder: Path, number: int, rows: Sequence[Example]) -> None:
    """Write the rows of a shard; its file appears whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    file = shard_file(folder, number)
    partial = file.with_suffix(".part")
    write_rows(partial, rows)
    with writing(file, InputError):
        partial.replace(file)
        # What is in use is not the oldest.
        (folder / "about.json").touch()
