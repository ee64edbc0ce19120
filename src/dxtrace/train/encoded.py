"""The rows of a run: encoded once, and kept by all that goes into them.

Only rows of the composed corpus are kept: of other people's notes nothing is left on the disk.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from dxtrace.compose.processes import usable_cores
from dxtrace.errors import InputError
from dxtrace.files import atomic_write, check, parse_json, read_json, writing
from dxtrace.models import store
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.train.corpora import Cases, NumberedCases, fingerprint
from dxtrace.train.examples import (
    CHUNK,
    CaseStream,
    Deal,
    Example,
    Report,
    encode_cases,
    encode_wanted,
    load_tokenizer,
)
from dxtrace.train.recipe import Data, Recipe
from dxtrace.train.rows import Rows, write_rows
from dxtrace.train.shards import ShardedRows, write_shard

#: Most sets of rows that are kept; those used least recently go first.
_KEPT = 8

#: Cases of a shard, whole tasks: enough to shuffle among, and made in half a minute on one core.
SHARD = 40 * CHUNK

#: Most processes that compose and encode beside a run: a GPU that reads a hundred small cases a
#: second needs two.
_PROCESSES = 4

_NOTHING = (
    "the corpus holds no case to train on: each needs a gold chain, and must fit data.max_tokens"
)


@dataclass(frozen=True)
class Encoded:
    """The rows to train on and to measure on, and what became of the cases.

    ``split`` is JSON: ids and hashes of the notes of either part, without text. ``folder`` is where
    the rows are kept, if they are.
    """

    train: Rows | ShardedRows
    dev: Rows
    report: Report
    dev_report: Report
    split: str
    folder: Path | None = None


@dataclass(frozen=True)
class _About:
    """What is kept beside rows: what became of the cases of either part."""

    train: Report
    dev: Report


def encode(
    recipe: Recipe,
    cases: Cases,
    tokenizer: str,
    report: store.Report | None = None,
) -> Encoded:
    """Return the rows of a run; those of the composed corpus come from the disk the second time.

    Args:
        recipe: says how a case becomes tokens.
        cases: of the run.
        tokenizer: folder or hub id.
        report: told how far it is.

    Raises:
        InputError: no case is left to train on, or the rows cannot be kept. ModelError: there is no
            such tokenizer.
    """
    work: _Work | _ShardedWork = _Work(recipe, cases, tokenizer, report)
    if isinstance(cases.train, NumberedCases):
        if cases.dev_corpus is not None:
            return work.measured_elsewhere()
        work = _ShardedWork(recipe, cases, cases.train, tokenizer, report)
    elif not cases.composed:
        return work.in_memory()
    folder = store.home() / "rows" / work.key()
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _fill(folder, work)
    try:
        return work.open(folder)
    except (InputError, OSError, ValueError):  # damaged rows, which pyarrow says by a ValueError
        shutil.rmtree(folder, ignore_errors=True)
        with writing(folder):
            _fill(folder, work)
        return work.open(folder)


def _fill(folder: Path, work: _Work) -> None:
    """Write the rows of a run into the folder, unless they are there: one process does it."""
    from filelock import FileLock

    with FileLock(folder.with_suffix(".lock")):
        if (folder / "about.json").is_file():
            (folder / "about.json").touch()
            return
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as partial:
            work.write(Path(partial) / "rows")
            shutil.rmtree(folder, ignore_errors=True)
            (Path(partial) / "rows").replace(folder)
    _prune(folder.parent)


def _prune(folder: Path) -> None:
    kept = sorted(folder.glob("*/about.json"), key=lambda file: file.stat().st_mtime)
    for file in kept[:-_KEPT]:
        shutil.rmtree(file.parent, ignore_errors=True)
        file.parent.with_suffix(".lock").unlink(missing_ok=True)


class _Noted:
    """The first ``count`` cases on their way to the encoder; of each the hash of its note is kept."""

    def __init__(self, cases: CaseStream, count: int) -> None:
        self._cases = cases
        self._count = min(count, len(cases))
        self.hashes: dict[str, str] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[AnnotatedCase]:
        for case in islice(self._cases, self._count):
            digest = hashlib.sha256(case.case.note.encode()).hexdigest()
            self.hashes[case.id] = digest[:16]
            yield case


class _Work:
    """Encodes the cases of a run."""

    def __init__(
        self,
        recipe: Recipe,
        cases: Cases,
        tokenizer: str,
        report: store.Report | None,
    ) -> None:
        self._recipe = recipe
        self._train = _Noted(cases.train, len(cases.train))
        self._dev = _Noted(cases.dev, recipe.run.eval_cases)
        self._cases = cases
        self._tokenizer = tokenizer
        self._report = report
        self._counts = Report()
        self._dev_counts = Report()

    def key(self) -> str:
        """Return the name of these rows: a hash of all that decides them."""
        tokenizer = load_tokenizer(self._tokenizer)
        parts = {
            "made by": fingerprint("notes", "chain", "train/examples.py", "train/rows.py"),
            "sharded": isinstance(self._cases.train, NumberedCases),
            "corpora": [info.sha256 for info in self._cases.corpora],
            "cases": [len(self._train), len(self._dev)],
            "data": self._recipe.data.model_dump(mode="json", exclude={"train", "dev"}),
            "run": [self._recipe.run.seed, self._recipe.run.eval_cases],
            "tokenizer": tokenizer.backend_tokenizer.to_str(),
            "template": [tokenizer.chat_template, tokenizer.bos_token, tokenizer.eos_token],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

    def in_memory(self) -> Encoded:
        """Encode into memory."""
        train = Rows.in_memory(self._rows())
        dev = Rows.in_memory(self._dev_rows())
        return Encoded(train, dev, self._counts, self._dev_counts, self._split())

    def measured_elsewhere(self) -> Encoded:
        """Encode composed cases to train on, which are kept, and others to measure on, into memory."""
        composed = replace(
            self._cases,
            dev=(),
            corpora=self._cases.corpora[:1],
            dev_corpus=None,
        )
        kept = encode(self._recipe, composed, self._tokenizer, self._report)
        dev = Rows.in_memory(self._dev_rows())
        split = parse_json(kept.split, "split.json") | {"dev": self._dev.hashes}
        return replace(
            kept,
            dev=dev,
            dev_report=self._dev_counts,
            split=json.dumps(split, indent=1),
        )

    def write(self, folder: Path) -> None:
        """Encode into a new folder."""
        folder.mkdir()
        self._write_train(folder)
        write_rows(folder / "dev.arrow", self._dev_rows())
        atomic_write(folder / "split.json", self._split())
        about = {"train": asdict(self._counts), "dev": asdict(self._dev_counts)}
        atomic_write(folder / "about.json", json.dumps(about))

    def open(self, folder: Path) -> Encoded:
        """Return what :meth:`write` left in a folder."""
        file = folder / "about.json"
        about = check(_About, read_json(file), str(file))
        return Encoded(
            self._open_train(folder),
            Rows.open(folder / "dev.arrow"),
            about.train,
            about.dev,
            (folder / "split.json").read_text("utf-8"),
            folder,
        )

    def _open_train(self, folder: Path) -> Rows | ShardedRows:
        return Rows.open(folder / "train.arrow")

    def _write_train(self, folder: Path) -> None:
        write_rows(folder / "train.arrow", self._rows())

    def _rows(self) -> Iterator[Example]:
        data = self._recipe.data
        seed = self._recipe.run.seed
        total = max(1, len(self._train))
        none = True
        for row in encode_cases(self._tokenizer, data, self._train, seed, self._counts):
            none = False
            if self._report:
                self._report("turning cases into tokens", self._counts.cases / total)
            yield row
        if none:
            raise InputError(_NOTHING)

    def _dev_rows(self) -> list[Example]:
        """Return the rows to measure on, the shortest first."""
        if not len(self._dev):
            return []
        data = plain(self._recipe.data)
        rows = encode_cases(self._tokenizer, data, self._dev, 0, self._dev_counts)
        return sorted(rows, key=lambda row: len(row.ids))

    def _split(self) -> str:
        return json.dumps({"train": self._train.hashes, "dev": self._dev.hashes}, indent=1)


class _ShardedWork(_Work):
    """Composes and encodes the cases of a run a shard at a time; before it starts, the first."""

    def __init__(
        self,
        recipe: Recipe,
        cases: Cases,
        train: NumberedCases,
        tokenizer: str,
        report: store.Report | None,
    ) -> None:
        super().__init__(recipe, cases, tokenizer, report)
        self._numbered = train
        self._deal = Deal(recipe.data, len(train), recipe.run.seed)

    def _open_train(self, folder: Path) -> ShardedRows:
        sizes = []
        for first in range(0, len(self._numbered), SHARD):
            sizes.append(self._size(first))
        return ShardedRows(folder, sizes, self._make)

    def _write_train(self, folder: Path) -> None:
        made = self._make(0)
        write_shard(folder, 0, next(made))
        made.close()

    def _size(self, first: int) -> int:
        """Return how many rows the shard has that begins at the case ``first``."""
        last = min(first + SHARD, len(self._numbered))
        return sum(1 + self._deal.label_rows(number) for number in range(first, last))

    def _make(self, number: int) -> Generator[list[Example]]:
        """Yield the rows of the shards from ``number`` on.

        How many rows there are has to be known before they are made: the place of a case that is
        left out is taken by another of its shard.

        Raises:
            InputError: all cases of a shard are left out, or one that must not be.
        """
        first = number * SHARD
        places = self._numbered.places(first)
        wanted = self._deal.wanted(places, first)
        processes = min(usable_cores(), _PROCESSES)
        rows: list[Example] = []
        done = 0
        for some, counts in encode_wanted(self._tokenizer, self._recipe.data, wanted, processes):
            rows += some
            done += counts.cases
            if number == 0:
                self._counts.add(counts)
                self._tell(done)
            if done < SHARD and first + done < len(self._numbered):
                continue
            if not rows:
                raise InputError(_NOTHING)
            size = self._size(first)
            yield list(islice(cycle(rows), size))
            first += done
            number += 1
            rows, done = [], 0

    def _tell(self, done: int) -> None:
        if self._report:
            self._report("composing the first cases", done / min(SHARD, len(self._numbered)))

    def _split(self) -> str:
        """Return what decides the training cases: their notes are not known yet."""
        train = {
            "corpus": self._cases.corpora[0].id,
            "split": self._numbered.split,
            "cases": len(self._numbered),
        }
        return json.dumps({"train": train, "dev": self._dev.hashes}, indent=1)


def plain(data: Data) -> Data:
    """Return settings for measuring: every answer token weighs 1, so that losses of all recipes
    compare.
    """
    update = {
        "chains": 1.0,
        "label_only": 0.0,
        "label_weight": 1.0,
        "prompt_weight": 0.0,
    }
    return data.model_copy(update=update)
