"""Weights and tables: safetensors, GGUF, parquet. A damaged file is one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from dxtrace.errors import InputError, MissingExtra, NotAModelError

#: Longest array in the metadata of a GGUF file: Gemma's half a million merges are the longest met.
_MOST_ITEMS = 2_000_000

#: Rows of a parquet file that are in memory at a time.
_BATCH = 1000


def read_safetensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a safetensors file by name, as numpy arrays of finite numbers.

    Raises:
        NotAModelError: it is missing, damaged, in a type that numpy has not, or holds NaN.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise NotAModelError(f"{path}: no such file")
    tensors: dict[str, Any] = {}
    try:
        with safe_open(path, "numpy") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                tensors[name] = file.get_tensor(name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise NotAModelError(f"{path}: damaged ({type(error).__name__}); copy it again") from None
    for value in tensors.values():
        if not np.isfinite(value).all():
            raise NotAModelError(f"{path}: holds weights that are no numbers (NaN or infinite)")
    return tensors


@cache
def _bounded_reader() -> Any:
    """Return ``gguf.GGUFReader``, but one that believes no array longer than the file could hold.

    It would fill the memory with as many empty items as a damaged length says. And each word of the
    vocabulary is cut from a plain array: from a memory map that takes thrice as long.
    """
    import gguf
    import numpy as np

    class BoundedReader(gguf.GGUFReader):  # type: ignore[misc]
        data: Any

        def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
            if raw_type == gguf.GGUFValueType.ARRAY:
                count = int(self._get(orig_offs + 4, np.uint64)[0])
                if count > min(_MOST_ITEMS, len(self.data) - orig_offs):
                    raise ValueError(f"an array of {count} items")
            return super()._get_field_parts(orig_offs, raw_type)

        def _get(self, *args: Any, **options: Any) -> Any:
            if isinstance(self.data, np.memmap):
                self.data = np.asarray(self.data)
            return super()._get(*args, **options)

    return BoundedReader


def open_gguf(path: Path) -> Any:
    """Return a ``gguf.GGUFReader`` of a file.

    Raises:
        NotAModelError: it is no GGUF file, or a damaged one.
    """
    try:
        reader = _bounded_reader()(path)
        reader.fields["general.architecture"].contents()
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise NotAModelError(f"{path}: not a GGUF file ({type(error).__name__})") from None
    return reader


@contextmanager
def gguf_content(path: Path) -> Iterator[None]:
    """Turn what a damaged part of a GGUF file raises when it is used into one clear error.

    Raises:
        NotAModelError: it is damaged.
    """
    try:
        yield
    except (IndexError, KeyError, TypeError, ValueError, MemoryError) as error:
        raise NotAModelError(f"{path}: damaged ({type(error).__name__}); copy it again") from None


def read_parquet(path: Path, kind: type[InputError] = InputError) -> Iterator[dict[str, Any]]:
    """Yield the rows of a parquet file.

    Raises:
        InputError: of the kind given; it is missing or damaged. MissingExtra: pyarrow is not
        installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("reading parquet files", "train") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH):
                yield from batch.to_pylist()
    except (OSError, ValueError, MemoryError, pyarrow.ArrowException) as error:
        raise kind(f"{path}: not a readable parquet file ({type(error).__name__})") from None
