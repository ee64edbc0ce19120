"""Training rows as an Arrow table: mapped from a file, or in memory where none may be left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dxtrace.errors import InputError
from dxtrace.files import writing
from dxtrace.train.examples import Example

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

#: Rows of one batch of the file: what is written, and read, at once.
_BATCH = 512


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        {
            "id": pa.string(),
            "input_ids": pa.list_(pa.int32()),
            "length": pa.int32(),
            "prompt": pa.int32(),
            "label": pa.int32(),
            "prompt_weight": pa.float32(),
            "label_weight": pa.float32(),
        },
    )


class Rows(Sequence[Example]):
    """Training rows; a million of them take no memory but what the system caches of their file."""

    def __init__(self, table: pa.Table, file: Path | None = None) -> None:
        """Take the table, which holds the columns of an :class:`Example`, and its file, if it has
        one.
        """
        self._table = table
        self._file = file

    @cached_property
    def dataset(self) -> Dataset:
        """The rows as the trainer takes them; importing what reads them takes a second."""
        from datasets import Dataset

        if self._file is None:
            return Dataset(self._table)
        return Dataset.from_file(str(self._file))

    @classmethod
    def open(cls, file: Path) -> Rows:
        """Map a file that :func:`write_rows` wrote."""
        import pyarrow as pa

        with pa.memory_map(str(file)) as source:
            return cls(pa.ipc.open_stream(source).read_all(), file)

    @classmethod
    def in_memory(cls, rows: Iterable[Example]) -> Rows:
        """Return rows that are in no file."""
        import pyarrow as pa

        return cls(pa.Table.from_batches(_batches(rows), _schema()))

    @property
    def sample(self) -> Rows:
        """The rows that a preflight looks at: all of them."""
        return self

    def parts(self) -> Iterator[tuple[int, Any]]:
        """Yield the rows that are shuffled together: the number of the first one, and the lengths
        of all.
        """
        yield 0, self.lengths

    def make_ahead(self) -> None:
        """Make what the trainer needs next: nothing, the rows are all there."""

    def close(self) -> None:
        """Stop making rows: none are made."""

    @cached_property
    def lengths(self) -> Any:
        """Tokens of every row (int32)."""
        return self._column("length")

    @cached_property
    def prompts(self) -> Any:
        """Prompt tokens of every row (int32)."""
        return self._column("prompt")

    @property
    def targets(self) -> Any:
        """Tokens of every row that count in the loss."""
        learnt = self._column("prompt_weight") > 0
        return np.where(learnt, self.lengths - 1, self.lengths - self.prompts)

    def _column(self, name: str) -> Any:
        return self._table.column(name).to_numpy()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            rows = []
            for number in range(*index.indices(len(self))):
                rows.append(self[number])
            return rows
        row = self._table.take([range(len(self))[index]]).to_pylist()[0]
        return Example(
            row["id"],
            tuple(row["input_ids"]),
            row["prompt"],
            row["label"],
            row["prompt_weight"],
            row["label_weight"],
        )


def write_rows(file: Path, rows: Iterable[Example]) -> None:
    """Write rows as an Arrow stream, a batch at a time.

    Raises:
        InputError: the file cannot be written.
    """
    import pyarrow as pa

    with (
        writing(file, InputError),
        pa.OSFile(str(file), "wb") as sink,
        pa.ipc.new_stream(sink, _schema()) as stream,
    ):
        for batch in _batches(rows):
            stream.write_batch(batch)


def _batches(rows: Iterable[Example]) -> Iterator[pa.RecordBatch]:
    some: list[Example] = []
    for row in rows:
        some.append(row)
        if len(some) == _BATCH:
            yield _batch(some)
            some = []
    if some:
        yield _batch(some)


def _batch(rows: Sequence[Example]) -> pa.RecordBatch:
    import pyarrow as pa

    columns = {
        "id": [row.id for row in rows],
        "input_ids": [row.ids for row in rows],
        "length": [len(row.ids) for row in rows],
        "prompt": [row.prompt for row in rows],
        "label": [row.label for row in rows],
        "prompt_weight": [row.prompt_weight for row in rows],
        "label_weight": [row.label_weight for row in rows],
    }
    return pa.RecordBatch.from_pydict(columns, _schema())
