"""The cases of a run: training and development, and what they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path

from dxtrace.corpus import (
    corpus_info,
    make_corpus,
    open_corpus,
    parse_spec,
    read_manifest,
    read_teaching,
    split_by_patient,
)
from dxtrace.corpus.base import CREDENTIALED
from dxtrace.corpus.teaching import LICENCE, NAME, CaseNumber, corpus_id, deal_numbers
from dxtrace.errors import InputError
from dxtrace.files import writing
from dxtrace.models import store
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CorpusInfo
from dxtrace.train.examples import CaseStream
from dxtrace.train.recipe import Data

#: Stands in a recipe for the open teaching corpus, composed on the first run.
TEACHING = "teaching"

#: Most cases of the teaching corpus that are composed and written before a run; of a larger one
#: the cases are composed as the run comes to them.
LARGEST_WRITTEN = 100_000

#: What decides the cases of the teaching corpus, besides size and seed.
_COMPOSED_BY = ("compose", "knowledge", "notes", "chain", "corpus/split.py")

#: Endings of the files that make what a fingerprint is of.
_SOURCES = (".py", ".yaml", ".json")


@dataclass(frozen=True)
class StoredCases:
    """The first ``count`` cases of a split of a teaching corpus, read from the disk each time."""

    folder: Path
    split: str
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[AnnotatedCase]:
        return islice(read_teaching(self.folder, self.split), self.count)


@dataclass(frozen=True)
class NumberedCases:
    """Cases of a split of a teaching corpus that nobody has composed: each is when it is read."""

    seed: int
    split: str
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[AnnotatedCase]:
        for place in self.places():
            yield place.compose()

    def places(self, first: int = 0) -> Iterator[CaseNumber]:
        """Yield the cases from the one at ``first`` on, none of them composed."""
        for index in range(first, len(self.numbers)):
            yield CaseNumber(self.seed, self.split, self.numbers[index])


@dataclass(frozen=True)
class Cases:
    """The cases of a run.

    ``dev_corpus``: where they come from if it is another corpus than that of the training cases;
    ``held_out``: the same in words; ``problems``: how many were met reading; ``composed``:
    they are all of the open teaching corpus, nobody's notes are among them.
    """

    train: CaseStream
    dev: CaseStream
    corpora: tuple[CorpusInfo, ...]
    held_out: str
    problems: int = 0
    credentialed: bool = False
    composed: bool = False
    dev_corpus: CorpusInfo | None = None

    def first_dev(self, count: int) -> list[AnnotatedCase]:
        """Return the first development cases."""
        return list(islice(self.dev, count))


def read_cases(data: Data, seed: int, report: store.Report | None = None) -> Cases:
    """Read the corpora that a recipe names. Of a corpus with splits, its train and dev splits are
    taken.

    Raises:
        InputError: no corpus is named, or it holds no case with a gold chain. CorpusError: it
        cannot be read.
    """
    spec = data.train
    if not spec:
        raise InputError("the recipe names no corpus: --data PATH, or data.train in the recipe")
    if spec == TEACHING and data.teaching_size > LARGEST_WRITTEN:
        return _numbered(data)
    if spec == TEACHING:
        spec = f"teaching:{_teaching(data, report)}"
    kind, path, split = parse_spec(spec)
    if kind == "teaching" and split is None and data.dev is None:
        return _stored(Path(path), data)
    corpus = open_corpus(spec)
    corpora: tuple[CorpusInfo, ...] = (corpus.info,)
    problems = len(corpus.problems)
    train = corpus.annotated
    dev: list[AnnotatedCase] = []
    held_out = ""
    dev_corpus = None
    if split is None and any("split" in case.tags for case in train):
        dev = []
        for case in train:
            if case.tags.get("split") == "dev":
                dev.append(case)
        train = [case for case in train if case.tags.get("split") == "train"]
        held_out = "the corpus' own development split"
    if data.dev:
        other = open_corpus(data.dev)
        dev = other.annotated
        held_out = data.dev
        corpora = tuple(dict.fromkeys((*corpora, other.info)))
        if other.info != corpus.info:
            dev_corpus = other.info
        problems += len(other.problems)
    elif not held_out and len(train) > 1:
        train, dev, held_out = _hold_out(train, seed)
    if data.limit:
        train = train[: data.limit]
    if not train:
        raise InputError(f"{spec}: holds no case with a gold chain to train on")
    marked = any(case.tags.get(CREDENTIALED) == "true" for case in (*train, *dev))
    return Cases(
        train,
        dev,
        corpora,
        held_out,
        problems,
        marked or any(info.credentialed for info in corpora),
        dev_corpus=dev_corpus,
    )


def _teaching(data: Data, report: store.Report | None) -> Path:
    """Return the folder of the composed corpus; it is composed once, and kept by what goes into it."""
    from filelock import FileLock

    made_by = fingerprint(*_COMPOSED_BY)
    name = f"teaching-{made_by[:12]}-s{data.teaching_seed}-n{data.teaching_size}"
    folder = store.home() / "corpora" / name
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not (folder / "manifest.json").is_file():
                make_corpus(data.teaching_size, data.teaching_seed, folder, _told(report))
    return folder


def _told(report: store.Report | None) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        if report:
            report("composing the teaching corpus", done / total)

    return tell


def _stored(folder: Path, data: Data) -> Cases:
    """Return the training and development split of a teaching corpus, left on the disk."""
    counts = read_manifest(folder)["counts"]
    train = counts["train"]
    if data.limit:
        train = min(train, data.limit)
    return Cases(
        StoredCases(folder, "train", train),
        StoredCases(folder, "dev", counts["dev"]),
        (corpus_info(folder),),
        "the corpus' own development split",
        composed=True,
    )


def _numbered(data: Data) -> Cases:
    """Return the training cases of a corpus that is composed as it is read, and those to measure on:
    of its development split, or of another corpus.
    """
    numbers = deal_numbers(data.teaching_size, data.teaching_seed)
    name = corpus_id(data.teaching_size, data.teaching_seed)
    # Its cases' own hash is not known before all are composed: this is of what composes them.
    decides = f"{name} {fingerprint(*_COMPOSED_BY)}"
    digest = hashlib.sha256(decides.encode()).hexdigest()
    info = CorpusInfo(NAME, name, digest, LICENCE)
    train = NumberedCases(data.teaching_seed, "train", numbers["train"][: data.limit])
    if data.dev is None:
        dev = NumberedCases(data.teaching_seed, "dev", numbers["dev"])
        return Cases(train, dev, (info,), "the corpus' own development split", composed=True)
    other = open_corpus(data.dev)
    marked = any(case.tags.get(CREDENTIALED) == "true" for case in other.annotated)
    return Cases(
        train,
        other.annotated,
        (info, other.info),
        data.dev,
        len(other.problems),
        marked or other.info.credentialed,
        dev_corpus=other.info,
    )


def fingerprint(*places: str) -> str:
    """Return the SHA-256 of the package's files in some of its folders: what they make is made anew
    when they change.
    """
    whole = hashlib.sha256()
    root = Path(str(resources.files("dxtrace")))
    for place in places:
        files = [root / place]
        if files[0].is_dir():
            files = sorted(path for path in files[0].rglob("*") if path.suffix in _SOURCES)
        for file in files:
            whole.update(f"{file.relative_to(root)}\n".encode())
            whole.update(file.read_bytes())
    return whole.hexdigest()


def _hold_out(
    cases: list[AnnotatedCase],
    seed: int,
) -> tuple[list[AnnotatedCase], list[AnnotatedCase], str]:
    """Keep a tenth of the patients for development, so that every run can tell when to stop."""
    keys = ((case.id, case.patient, case.gold.diagnosis if case.gold else "") for case in cases)
    splits = split_by_patient(keys, {"train": 9, "dev": 1}, seed)
    train = []
    for case in cases:
        if splits[case.id] == "train":
            train.append(case)
    dev = []
    for case in cases:
        if splits[case.id] == "dev":
            dev.append(case)
    return train, dev, "a tenth of the patients, held out"
