"""The open teaching corpus: composing it into a folder, and reading it back.

A folder holds ``train.jsonl``, ``dev.jsonl``, ``test.jsonl`` and ``hard.jsonl`` (one annotated case
a line),
``manifest.json`` (ids and hashes, no text) and ``README.md`` (the dataset card).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dxtrace.compose import STYLES, Composer
from dxtrace.corpus.base import row_bytes
from dxtrace.corpus.split import split_by_patient
from dxtrace.errors import CorpusError, DxtraceError, UnknownName
from dxtrace.files import Line, atomic_write, check, read_json, read_jsonl, reading, writing
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CorpusInfo, Provenance, sha256_of, version

#: The splits of the corpus. ``hard`` comes besides the size asked for.
SPLITS = ("train", "dev", "test", "hard")

LICENCE = "Apache-2.0"

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


def make_corpus(
    size: int,
    seed: int,
    out: str | Path,
    progress: Progress | None = None,
) -> CorpusInfo:
    """Compose ``size`` cases (train, dev, test: 80/10/10) and the hard test besides into the folder
    ``out``.

    The same version, size and seed give byte-identical files. ``progress`` is called with (cases
    done, cases in all). Files appear complete or not at all, the manifest last.

    Raises:
        CorpusError: the size is below 1, or the folder cannot be written.
        KnowledgeError: a knowledge file breaks its schema.
    """
    if size < 1:
        raise CorpusError(f"a corpus has at least 1 case, not {size}")
    folder = Path(out)
    composer = Composer(seed)
    total = size + hard_size(size)
    rows: dict[str, list[AnnotatedCase]] = {split: [] for split in SPLITS}
    cases: list[AnnotatedCase] = []
    for number in range(total):
        if number < size:
            case = composer.case(number)
        else:
            case = composer.case(number - size, hard=True)
        (cases if number < size else rows["hard"]).append(case)
        if progress:
            progress(number + 1, total)
    splits = split_by_patient(
        ((c.id, c.patient, c.gold.diagnosis if c.gold else "") for c in cases),
        seed=seed,
    )
    for case in cases:
        rows[splits[case.id]].append(case)
    return _write(folder, rows, size, seed)


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
        return corpus_info(folder).id == _corpus_id(size, seed)
    except CorpusError:
        return False


def _corpus_id(size: int, seed: int) -> str:
    return f"teaching-{version()}-s{seed}-n{size}"


def _read_row(line: Line, split: str) -> AnnotatedCase:
    try:
        case = AnnotatedCase.from_json(line.parse())
    except (ValueError, KeyError, TypeError, DxtraceError) as error:
        name = type(error).__name__
        raise CorpusError(f"{line.place}: not an annotated case ({name})") from None
    return replace(case, tags={**case.tags, "split": split})


def _write(folder: Path, rows: dict[str, list[AnnotatedCase]], size: int, seed: int) -> CorpusInfo:
    whole = hashlib.sha256()
    splits: dict[str, Any] = {}
    with writing(folder, CorpusError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").unlink(missing_ok=True)
        for split, cases in rows.items():
            lines = []
            for case in cases:
                lines.append(row_bytes(replace(case, tags={**case.tags, "split": split})))
            hashes = []
            for line in lines:
                hashes.append(hashlib.sha256(line).hexdigest())
            whole.update("".join(hashes).encode())
            data = b"".join(lines)
            atomic_write(folder / f"{split}.jsonl", data, CorpusError)
            splits[split] = {
                "cases": len(cases),
                "sha256": hashlib.sha256(data).hexdigest(),
                "rows": {case.id: hash for case, hash in zip(cases, hashes, strict=True)},
            }
        info = CorpusInfo(
            "dxtrace teaching corpus",
            _corpus_id(size, seed),
            whole.hexdigest(),
            LICENCE,
        )
        manifest = _manifest(info, splits, rows, size, seed)
        atomic_write(folder / "README.md", _card(manifest), CorpusError)
        text = json.dumps(manifest, indent=1) + "\n"
        atomic_write(folder / "manifest.json", text, CorpusError)
    return info


def _manifest(
    info: CorpusInfo,
    splits: dict[str, Any],
    rows: dict[str, list[AnnotatedCase]],
    size: int,
    seed: int,
) -> dict[str, Any]:
    provenance = Provenance(corpora=(info,), seed=seed)
    return {
        "corpus": asdict(info),
        "size": size,
        "seed": seed,
        "version": version(),
        "counts": {split: len(cases) for split, cases in rows.items()},
        "diagnoses": {
            split: _count(c.gold.diagnosis for c in cases if c.gold)
            for split, cases in rows.items()
        },
        "styles": {split: _count(c.tags["style"] for c in cases) for split, cases in rows.items()},
        "provenance": provenance.to_json(),
        "splits": splits,
    }


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _card(manifest: dict[str, Any]) -> str:
    counts = manifest["counts"]
    styles = ", ".join(style.name for style in STYLES if not style.hard)
    hard = ", ".join(style.name for style in STYLES if style.hard)
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
The same version, size ({size}) and seed make the same bytes. The hard test comes besides the size asked for.

## How it was made

A composer draws a diagnosis ({diagnoses} occur here), a patient, findings at the frequency that the knowledge files
give them, numbers that agree with each other, illnesses besides, findings that a look-alike would have, pertinent
negatives and normal results. It writes them down as one of several kinds of notes: {styles}.
About one case in ten ends at a diagnosis whose type is left open ("Asthma"). The chain is what was put in: its
evidence is the note's own text, its rationales say a premise of the knowledge files, with its source. The name of the
illness never stands in its note.

Splits are by patient and stratified by diagnosis. The **hard** split is written in wordings, kinds of notes
({hard}) and with pairs of accompanying illnesses that no other split has.

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
