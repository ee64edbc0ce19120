"""The open teaching corpus: composing it into a folder, and reading it back.

A folder holds ``train.jsonl``, ``dev.jsonl``, ``test.jsonl``, ``hard.jsonl`` and ``stories.jsonl``
(one annotated case a line),
``manifest.json`` (ids and hashes, no text) and ``README.md`` (the dataset card).
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dxtrace.compose import STYLES, Composer
from dxtrace.compose.processes import map_in_order, usable_cores
from dxtrace.corpus.base import row_bytes
from dxtrace.corpus.ray_processes import map_on_ray
from dxtrace.corpus.split import SHARES, split_by_patient
from dxtrace.errors import CorpusError, DxtraceError, UnknownName
from dxtrace.files import Line, atomic_write, check, read_json, read_jsonl, reading, writing
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CorpusInfo, Provenance, sha256_of, version

#: The splits of the corpus. ``hard`` and ``stories`` come besides the size asked for.
SPLITS = ("train", "dev", "test", "hard", "stories")

#: What the corpus is called, whatever its size.
NAME = "dxtrace teaching corpus"

LICENCE = "Apache-2.0"

#: Cases that one task composes, and so many that starting a process pays.
_CHUNK = 50
_WORTH_A_PROCESS = 500

Progress = Callable[[int, int], None]


_OTHER = "not the manifest of a teaching corpus"


class _Split(BaseModel):
    """What is read of one split."""

    sha256: str


class _Manifest(BaseModel):
    """What is read of ``manifest.json``."""

    corpus: CorpusInfo
    splits: dict[str, _Split]


def hard_size(size: int) -> int:
    """Return how many cases the hard test of a corpus of ``size`` cases has: a tenth, from 200 to
    1,000.
    """
    return min(max(200, size // 10), 1000)


def story_size(size: int) -> int:
    """Return how many stories a corpus of ``size`` cases has: a tenth, from 50 to 300, which gives
    every category twelve.
    """
    return min(max(50, size // 10), 300)


def make_corpus(
    size: int,
    seed: int,
    out: str | Path,
    progress: Progress | None = None,
    ray: str | None = None,
) -> CorpusInfo:
    """Compose ``size`` cases (train, dev, test: 80/10/10), and the hard test and the stories
    besides, into the folder ``out``.

    The same version, size and seed give byte-identical files, wherever the cases are composed.
    Files appear complete or not at all, the manifest last.

    Args:
        size: cases in train, dev and test.
        seed: another seed, other cases.
        out: the folder.
        progress: called with (cases done, cases in all).
        ray: address of a Ray cluster that shares the work
            (:func:`dxtrace.corpus.ray_processes.map_on_ray`); None for the cores of this machine.

    Raises:
        CorpusError: the size is below 1, or the folder cannot be written.
        KnowledgeError: a knowledge file breaks its schema.
        InputError, MissingExtra, EngineError: of a cluster.
    """
    if size < 1:
        raise CorpusError(f"a corpus has at least 1 case, not {size}")
    planned = []
    for split, numbers in deal_numbers(size, seed).items():
        planned.append(_Plan(split, numbers))
    total = sum(len(plan.numbers) for plan in planned)
    writer = _Writer(Path(out), seed, total, progress, ray)
    with writing(out, CorpusError):
        writer.folder.mkdir(parents=True, exist_ok=True)
        (writer.folder / "manifest.json").unlink(missing_ok=True)
    for plan in planned:
        writer.write(plan)
    return writer.finish(size)


@dataclass(frozen=True)
class _Plan:
    """A split that is to be composed: the numbers of its cases."""

    split: str
    numbers: Sequence[int]


@dataclass(frozen=True)
class _Task:
    """Some cases of a split, for one process."""

    seed: int
    plan: _Plan


@dataclass(frozen=True)
class _Row:
    """A composed case as a line of its file, and what the manifest says of it."""

    id: str
    diagnosis: str
    style: str
    line: bytes


def deal_numbers(size: int, seed: int) -> dict[str, Sequence[int]]:
    """Return the numbers of the cases of every split of the corpus that these settings compose.

    Nothing is composed for it: a patient and a diagnosis are known before.
    """
    composer = Composer(seed)
    cases: list[tuple[str, str, str]] = []
    for number in range(size):
        name = composer.name(number)
        cases.append((name, f"patient-{name}", composer.diagnosis(number)))
    dealt = split_by_patient(cases, seed=seed)
    numbers = {split: array("L") for split in SHARES}
    for number, (name, _, _) in enumerate(cases):
        numbers[dealt[name]].append(number)
    sizes = {"hard": hard_size(size), "stories": story_size(size)}
    return {**numbers, **{split: range(count) for split, count in sizes.items()}}


@lru_cache(maxsize=1)
def _composer(seed: int) -> Composer:
    return Composer(seed)


@dataclass(frozen=True)
class CaseNumber:
    """A case of a teaching corpus before it is composed: all that decides what it says."""

    seed: int
    split: str
    number: int

    def compose(self) -> AnnotatedCase:
        """Return the case, with its split as a tag.

        Raises:
            KnowledgeError, DxtraceError: as :meth:`dxtrace.compose.Composer.case`.
        """
        composer = _composer(self.seed)
        if self.split == "stories":
            case = composer.story(self.number)
        else:
            case = composer.case(self.number, hard=self.split == "hard")
        return replace(case, tags={**case.tags, "split": self.split})


def _compose(task: _Task) -> list[_Row]:
    """Return the rows of a task; runs in a process of its own."""
    rows: list[_Row] = []
    for number in task.plan.numbers:
        case = CaseNumber(task.seed, task.plan.split, number).compose()
        diagnosis = ""
        if case.gold:
            diagnosis = case.gold.diagnosis
        rows.append(_Row(case.id, diagnosis, case.tags["style"], row_bytes(case)))
    return rows


class _Writer:
    """Writes the splits of a corpus as they are composed; of each row the manifest keeps a hash."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        total: int,
        progress: Progress | None,
        ray: str | None,
    ) -> None:
        self.folder = folder
        self._seed = seed
        self._total = total
        self._progress = progress
        self._ray = ray
        self._processes = max(1, min(usable_cores(), total // _WORTH_A_PROCESS))
        self._done = 0
        self._whole = hashlib.sha256()
        self._splits: dict[str, Any] = {}
        self._diagnoses: dict[str, dict[str, int]] = {}
        self._styles: dict[str, dict[str, int]] = {}

    def write(self, plan: _Plan) -> None:
        """Compose and write a split."""
        content = hashlib.sha256()
        hashes: dict[str, str] = {}
        diagnoses: Counter[str] = Counter()
        styles: Counter[str] = Counter()

        def lines() -> Iterator[bytes]:
            for row in self._rows(plan):
                hashes[row.id] = hashlib.sha256(row.line).hexdigest()
                content.update(row.line)
                diagnoses[row.diagnosis] += 1
                styles[row.style] += 1
                yield row.line

        atomic_write(self.folder / f"{plan.split}.jsonl", lines(), CorpusError)
        for digest in hashes.values():
            self._whole.update(digest.encode())
        self._splits[plan.split] = {
            "cases": len(hashes),
            "sha256": content.hexdigest(),
            "rows": hashes,
        }
        self._diagnoses[plan.split] = dict(sorted(diagnoses.items()))
        self._styles[plan.split] = dict(sorted(styles.items()))

    def _rows(self, plan: _Plan) -> Iterator[_Row]:
        tasks: list[_Task] = []
        for start in range(0, len(plan.numbers), _CHUNK):
            some = replace(plan, numbers=plan.numbers[start : start + _CHUNK])
            tasks.append(_Task(self._seed, some))
        if self._ray is None:
            composed = map_in_order(_compose, tasks, self._processes)
        else:
            composed = map_on_ray(_compose, tasks, self._ray)
        for rows in composed:
            yield from rows
            self._done += len(rows)
            if self._progress:
                self._progress(self._done, self._total)

    def finish(self, size: int) -> CorpusInfo:
        """Write the card and the manifest."""
        info = CorpusInfo(
            NAME,
            corpus_id(size, self._seed),
            self._whole.hexdigest(),
            LICENCE,
        )
        manifest = {
            "corpus": asdict(info),
            "size": size,
            "seed": self._seed,
            "version": version(),
            "counts": {split: found["cases"] for split, found in self._splits.items()},
            "diagnoses": self._diagnoses,
            "styles": self._styles,
            "provenance": Provenance(corpora=(info,), seed=self._seed).to_json(),
            "splits": self._splits,
        }
        atomic_write(self.folder / "README.md", _card(manifest), CorpusError)
        text = json.dumps(manifest, indent=1) + "\n"
        atomic_write(self.folder / "manifest.json", text, CorpusError)
        return info


def read_teaching(folder: str | Path, split: str | None = None) -> Iterator[AnnotatedCase]:
    """Yield the cases of one split, or of all, with the split's name as a tag; the file's hash is
    checked first.

    Raises:
        UnknownName: there is no such split.
        CorpusError: the folder, a file or a line cannot be read, or a file is not the one that its
        manifest names.
    """
    if split is not None and split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    manifest = read_manifest(folder)
    for name in SPLITS if split is None else (split,):
        path = Path(folder) / f"{name}.jsonl"
        with reading(path, CorpusError):
            found = sha256_of(path)
        if found != manifest["splits"][name]["sha256"]:
            raise CorpusError(
                f"{path}: not the file that manifest.json names; compose the corpus again",
            )
        for line in read_jsonl(path, CorpusError):
            yield _read_row(line, name)


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Return the manifest of a teaching corpus.

    Raises:
        CorpusError: the folder holds none, or it is damaged.
    """
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise CorpusError(f"{path}: no such file; is {folder} a teaching corpus?")
    manifest: dict[str, Any] = read_json(path, CorpusError)
    splits = check(_Manifest, manifest, f"{path}: {_OTHER}", CorpusError).splits
    if not set(SPLITS) <= splits.keys():
        raise CorpusError(f"{path}: {_OTHER}")
    return manifest


def corpus_info(folder: str | Path) -> CorpusInfo:
    """Return name, id, hash and licence of the corpus in ``folder``, as its manifest has them.

    Raises:
        CorpusError: as for :func:`read_manifest`.
    """
    path = Path(folder) / "manifest.json"
    return check(_Manifest, read_manifest(folder), str(path), CorpusError).corpus


def corpus_files(folder: str | Path) -> list[Path]:
    """Return the files that a corpus in ``folder`` has."""
    names = [*(f"{split}.jsonl" for split in SPLITS), "README.md", "manifest.json"]
    corpus_files = []
    for name in names:
        corpus_files.append(Path(folder) / name)
    return corpus_files


def is_corpus(folder: str | Path, size: int, seed: int) -> bool:
    """Return whether the corpus in ``folder`` is the one that these settings compose."""
    try:
        return corpus_info(folder).id == corpus_id(size, seed)
    except CorpusError:
        return False


def corpus_id(size: int, seed: int) -> str:
    """Return the name of the corpus that these settings compose."""
    return f"teaching-{version()}-s{seed}-n{size}"


def _read_row(line: Line, split: str) -> AnnotatedCase:
    try:
        case = AnnotatedCase.from_json(line.parse())
    except (ValueError, KeyError, TypeError, DxtraceError) as error:
        name = type(error).__name__
        raise CorpusError(f"{line.place}: not an annotated case ({name})") from None
    return replace(case, tags={**case.tags, "split": split})


def _card(manifest: dict[str, Any]) -> str:
    counts = manifest["counts"]
    styles = ", ".join(style.name for style in STYLES if not style.hard)
    hard = ", ".join(style.name for style in STYLES if style.hard and not style.is_story)
    stories = ", ".join(style.name for style in STYLES if style.hard and style.is_story)
    diagnoses = sorted({name for split in manifest["diagnoses"].values() for name in split})
    files = "\n".join(
        f"      - split: {'validation' if split == 'dev' else split}\n        path: {split}.jsonl"
        for split in SPLITS
    )
    table = "\n".join(
        f"| {split} | {counts[split]:,} | `{manifest['splits'][split]['sha256'][:16]}` |"
        for split in SPLITS
    )
    total = sum(counts.values())
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    return _CARD.format(
        category=next((name for top, name in sizes if total < top), "100K<n<1M"),
        files=files,
        table=table,
        styles=styles,
        hard=hard,
        stories=stories,
        diagnoses=len(diagnoses),
        id=manifest["corpus"]["id"],
        sha256=manifest["corpus"]["sha256"],
        seed=manifest["seed"],
        size=manifest["size"],
        version=manifest["version"],
    )


_CARD = """---
license: apache-2.0
language:
- en
pretty_name: dxtrace teaching corpus
task_categories:
- text-generation
- question-answering
tags:
- medical
- clinical-notes
- diagnosis
- reasoning
- synthetic
size_categories:
- {category}
configs:
  - config_name: default
    data_files:
{files}
---

# dxtrace teaching corpus

Patient cases, each with a final diagnosis and a chain of reasoning in which every step quotes the case word for word.
**Synthetic: every patient is invented.** The notes are composed by a program from knowledge files; none is about a
person, none was copied or derived from a medical record. It has not been validated clinically. For education and
research only; never for patient care.

| split | cases | SHA-256 of the file |
|---|---|---|
{table}

Corpus `{id}`, made by dxtrace {version} with seed {seed}; SHA-256 over all rows `{sha256}`.
The same version, size ({size}) and seed make the same bytes. The hard test and the stories come besides the size asked
for.

## How it was made

A composer draws a diagnosis ({diagnoses} occur here), a patient, findings at the frequency that the knowledge files
give them, numbers that agree with each other, illnesses besides, findings that a look-alike would have, pertinent
negatives and normal results. It writes them down as one of several kinds of notes: {styles}.
About one case in ten ends at a diagnosis whose type is left open ("Asthma"). The chain is what was put in: its
evidence is the note's own text, its rationales say a premise of the knowledge files, with its source. The name of the
illness never stands in its note.

Splits are by patient and stratified by diagnosis. The **hard** split is written in wordings, kinds of notes
({hard}) and with pairs of accompanying illnesses that no other split has. The **stories** are short
presentations without laboratory or imaging, as patients and family physicians tell them, in the same held-out wordings
({stories}); the categories take turns.

## A row

`id`, `patient`, `note`, `sections` (name, start, end), `tags` (kind of note, whether the diagnosis is complete, split),
`diagnosis`, `category`, `path`, `steps` (number, node supported, rationale, premise, evidence with `start` and `end` in
code points).

## What it is not good for

- Frequencies are those of a teaching set: diagnoses are about equally common. It says nothing on how common they are.
- Its patients have one illness that explains them, and the note says enough to find it. Real notes often do not.
- Wording varies as far as its authors' does. A model that reads it well may still read a hospital's notes badly:
  measure that.
- It covers 25 categories of illness. A model trained on it knows no other.
- It must not be used to judge or to treat anyone.
"""
