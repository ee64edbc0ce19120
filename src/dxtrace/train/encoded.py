"""The rows of a run: encoded once, and kept by all that goes into them.

Only rows of the composed corpus are kept: of other people's notes nothing is left on the disk.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from dxtrace.errors import InputError
from dxtrace.files import atomic_write, writing
from dxtrace.models import store
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.train.corpora import Cases, fingerprint
from dxtrace.train.examples import CaseStream, Example, Report, encode_cases, load_tokenizer
from dxtrace.train.recipe import Data, Recipe
from dxtrace.train.rows import Rows, write_rows

#: Most sets of rows that are kept; those used least recently go first.
_KEPT = 8

_NOTHING = (
    "the corpus holds no case to train on: each needs a gold chain, and must fit data.max_tokens"
)


@dataclass(frozen=True)
class Encoded:
    """The rows to train on and to measure on, and what became of the cases.

    ``split`` is JSON: ids and hashes of the notes of either part, without text. ``folder`` is where
    the rows are kept, if they are.
    """

    train: Rows
    dev: Rows
    report: Report
    dev_report: Report
    split: str
    folder: Path | None = None


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
    work = _Work(recipe, cases, tokenizer, report)
    if not cases.composed:
        return work.in_memory()
    folder = store.home() / "rows" / work.key()
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _fill(folder, work)
    return _open(folder)


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


def _open(folder: Path) -> Encoded:
    about = json.loads((folder / "about.json").read_text("utf-8"))
    return Encoded(
        Rows.open(folder / "train.arrow"),
        Rows.open(folder / "dev.arrow"),
        Report(**about["train"]),
        Report(**about["dev"]),
        (folder / "split.json").read_text("utf-8"),
        folder,
    )


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

    def write(self, folder: Path) -> None:
        """Encode into a new folder."""
        folder.mkdir()
        write_rows(folder / "train.arrow", self._rows())
        write_rows(folder / "dev.arrow", self._dev_rows())
        atomic_write(folder / "split.json", self._split())
        about = {"train": asdict(self._counts), "dev": asdict(self._dev_counts)}
        atomic_write(folder / "about.json", json.dumps(about))

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
