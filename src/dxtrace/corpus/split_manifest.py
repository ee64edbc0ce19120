"""Splits of a corpus as a manifest: ids and hashes, no text, so that it can be shared where the
notes cannot.

``write_split`` makes ``DIR/split.json``; ``DIR:train`` then names the part of the corpus that the
manifest lists.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dxtrace.corpus.base import Corpus, assemble
from dxtrace.corpus.split import SHARES, split_by_patient
from dxtrace.errors import CorpusError, UnknownName
from dxtrace.files import atomic_write, check, read_json
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import Provenance, version

#: The manifest's file name.
MANIFEST = "split.json"


class _Source(BaseModel):
    """The corpus that was split."""

    kind: str
    path: str


class _Manifest(BaseModel):
    """What is read of ``split.json``."""

    source: _Source
    splits: dict[str, dict[str, str]]


def write_split(
    corpus: Corpus,
    kind: str,
    path: str,
    out: str | Path,
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
) -> dict[str, Any]:
    """Split a corpus by patient, stratified by diagnosis, and write the manifest. Returns it.

    Args:
        corpus: the cases.
        kind: what kind of corpus it is, and ``path`` where it stands: kept, to open it again.
        path: see ``kind``.
        out: folder of the manifest.
        seed: another seed, another split.
        shares: split names and their sizes relative to each other.

    Raises:
        CorpusError: the manifest cannot be written.
    """
    triples = []
    for case in corpus.cases:
        triples.append((case.id, case.patient, diagnosis_of(case)))
    splits = split_by_patient(triples, shares, seed)
    rows: dict[str, dict[str, str]] = {}
    for name in shares:
        rows[name] = {}
    for case in corpus.cases:
        rows[splits[case.id]][case.id] = note_sha256(case)
    manifest = {
        "what": "dxtrace split: ids and SHA-256 of notes",
        "source": {
            "kind": kind,
            "path": str(Path(path).absolute()) if Path(path).exists() else path,
        },
        "corpus": asdict(corpus.info),
        "seed": seed,
        "shares": dict(shares),
        "version": version(),
        "provenance": Provenance(corpora=(corpus.info,), seed=seed).to_json(),
        "splits": rows,
    }
    file = Path(out) / MANIFEST
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    atomic_write(file, text, CorpusError)
    return manifest


def read_split(folder: str | Path) -> dict[str, Any]:
    """Return the manifest in ``folder`` (or the manifest file given).

    Raises:
        CorpusError: there is none, or it is damaged.
    """
    file = Path(folder)
    if file.is_dir():
        file /= MANIFEST
    manifest: dict[str, Any] = read_json(file, CorpusError)
    check(_Manifest, manifest, f"{file}: not the manifest of a split", CorpusError)
    return manifest


def is_split(folder: str | Path, seed: int, shares: Mapping[str, float]) -> bool:
    """Return whether a folder holds a manifest that was made with these settings."""
    try:
        manifest = read_split(folder)
    except CorpusError:
        return False
    return manifest.get("seed") == seed and manifest.get("shares") == dict(shares)


def select(corpus: Corpus, manifest: Mapping[str, Any], split: str | None, place: str) -> Corpus:
    """Return the cases of a corpus that a manifest lists (all of its splits for None), the split's
    name as a tag.

    Raises:
        UnknownName: there is no such split.
        CorpusError: a case that is listed is not in the corpus any more, or its note is another
        one.
    """
    splits: Mapping[str, Mapping[str, str]] = manifest["splits"]
    if split is not None and split not in splits:
        raise UnknownName("split", split, splits)
    by_id = {case.id: case for case in corpus.cases}
    chosen: list[AnnotatedCase] = []
    for name in splits if split is None else (split,):
        for key, digest in splits[name].items():
            case = by_id.get(key)
            if case is None or note_sha256(case) != digest:
                if case is None:
                    fate = "is gone"
                else:
                    fate = "has another note"
                raise CorpusError(
                    f"{place}: the case {key!r} {fate} since the split was made; split the corpus again",
                )
            chosen.append(
                AnnotatedCase(
                    case.case,
                    case.gold,
                    case.patient,
                    {**case.tags, "split": name},
                ),
            )
    info = corpus.info
    wanted = f"{info.id}:{split or 'all'}@seed{manifest.get('seed', 0)}"
    return assemble(
        chosen,
        corpus.problems,
        name=info.name,
        id=wanted,
        licence=info.licence,
        credentialed=info.credentialed,
    )


def diagnosis_of(case: AnnotatedCase) -> str:
    """Return the gold diagnosis of a case; without a gold chain what its tags say, or ""."""
    if case.gold is not None:
        return case.gold.diagnosis
    return case.tags.get("expected", case.tags.get("diagnosis", ""))


def note_sha256(case: AnnotatedCase) -> str:
    """Return the SHA-256 of a note's text."""
    return hashlib.sha256(case.case.note.encode()).hexdigest()
