"""The cases of a run: training and development, and what they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dxtrace.annotated import AnnotatedCase
from dxtrace.corpus import corpus_info, make_corpus, read_teaching, split_by_patient
from dxtrace.errors import InputError
from dxtrace.models import store
from dxtrace.provenance import CorpusInfo
from dxtrace.train.recipe import Data

#: Stands in a recipe for the open teaching corpus, composed on the first run.
TEACHING = "teaching"


@dataclass(frozen=True)
class Cases:
    """The cases of a run; ``held_out`` says where the development cases come from."""

    train: list[AnnotatedCase]
    dev: list[AnnotatedCase]
    corpora: tuple[CorpusInfo, ...]
    held_out: str

    def manifest(self) -> dict[str, Any]:
        """Return ids and hashes of the notes, without text: what was in which split."""
        return {
            split: {case.id: hashlib.sha256(case.case.note.encode()).hexdigest()[:16] for case in cases}
            for split, cases in (("train", self.train), ("dev", self.dev))
        }


def read_cases(data: Data, seed: int) -> Cases:
    """Read the corpora that a recipe names.

    Raises:
        InputError: no corpus is named, or it holds no case with a gold chain. CorpusError: it cannot be read.
    """
    spec = data.train
    if not spec:
        raise InputError("the recipe names no corpus: --data PATH, or data.train in the recipe")
    if spec == TEACHING:
        spec = str(_teaching(data))
    if (Path(spec) / "manifest.json").is_file():
        train, dev = list(read_teaching(spec, "train")), list(read_teaching(spec, "dev"))
        corpora: tuple[CorpusInfo, ...] = (corpus_info(spec),)
        held_out = "the corpus' own development split"
    else:
        train, info = _open(spec)
        dev, corpora, held_out = [], (info,), ""
    if data.dev:
        dev, info = _open(data.dev)
        corpora, held_out = tuple(dict.fromkeys((*corpora, info))), data.dev
    train = [case for case in train if case.gold is not None]
    if not held_out:
        train, dev, held_out = _hold_out(train, seed)
    dev = [case for case in dev if case.gold is not None]
    train = train[: data.limit] if data.limit else train
    if not train:
        raise InputError(f"{spec}: holds no case with a gold chain to train on")
    return Cases(train, dev, corpora, held_out)


def _teaching(data: Data) -> Path:
    folder = store.home() / "corpora" / f"teaching-s{data.teaching_seed}-n{data.teaching_size}"
    if not (folder / "manifest.json").is_file():
        make_corpus(data.teaching_size, data.teaching_seed, folder)
    return folder


def _open(spec: str) -> tuple[list[AnnotatedCase], CorpusInfo]:
    from dxtrace.corpus import open_corpus

    corpus = open_corpus(spec)
    return list(corpus.cases), corpus.info


def _hold_out(cases: list[AnnotatedCase], seed: int) -> tuple[list[AnnotatedCase], list[AnnotatedCase], str]:
    """Keep a tenth of the patients for development, so that every run can tell when to stop."""
    keys = ((case.id, case.patient, case.gold.diagnosis if case.gold else "") for case in cases)
    splits = split_by_patient(keys, {"train": 9, "dev": 1}, seed)
    by = {name: [case for case in cases if splits[case.id] == name] for name in ("train", "dev")}
    return by["train"], by["dev"], "a tenth of the patients, held out"
