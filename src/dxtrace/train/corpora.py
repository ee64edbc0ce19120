"""The cases of a run: training and development, and what they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dxtrace.corpus import (
    make_corpus,
    open_corpus,
    parse_spec,
    split_by_patient,
)
from dxtrace.corpus.base import CREDENTIALED
from dxtrace.errors import InputError
from dxtrace.models import store
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CorpusInfo
from dxtrace.train.recipe import Data

#: Stands in a recipe for the open teaching corpus, composed on the first run.
TEACHING = "teaching"


@dataclass(frozen=True)
class Cases:
    """The cases of a run.

    ``held_out``: where dev cases come from; ``problems``: how many were met reading.
    """

    train: list[AnnotatedCase]
    dev: list[AnnotatedCase]
    corpora: tuple[CorpusInfo, ...]
    held_out: str
    problems: int = 0
    credentialed: bool = False

    def manifest(self) -> dict[str, Any]:
        """Return ids and hashes of the notes, without text: what was in which split."""
        return {"train": _hashes(self.train), "dev": _hashes(self.dev)}


def _hashes(cases: list[AnnotatedCase]) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for case in cases:
        digest = hashlib.sha256(case.case.note.encode()).hexdigest()
        hashes[case.id] = digest[:16]
    return hashes


def read_cases(data: Data, seed: int) -> Cases:
    """Read the corpora that a recipe names. Of a corpus with splits, its train and dev splits are
    taken.

    Raises:
        InputError: no corpus is named, or it holds no case with a gold chain. CorpusError: it
        cannot be read.
    """
    spec = data.train
    if not spec:
        raise InputError("the recipe names no corpus: --data PATH, or data.train in the recipe")
    if spec == TEACHING:
        spec = str(_teaching(data))
    corpus = open_corpus(spec)
    corpora: tuple[CorpusInfo, ...] = (corpus.info,)
    problems = len(corpus.problems)
    train = corpus.annotated
    dev: list[AnnotatedCase] = []
    held_out = ""
    if parse_spec(spec)[2] is None and any("split" in case.tags for case in train):
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
    )


def _teaching(data: Data) -> Path:
    folder = store.home() / "corpora" / f"teaching-s{data.teaching_seed}-n{data.teaching_size}"
    if not (folder / "manifest.json").is_file():
        make_corpus(data.teaching_size, data.teaching_seed, folder)
    return folder


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
