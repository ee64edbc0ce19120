"""From what a user calls a corpus to its cases: names, and the short form ``NAME:PATH[:split]``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dxtrace.corpus.base import Corpus
from dxtrace.corpus.readers.agentclinic import read_agentclinic
from dxtrace.corpus.readers.direct import find_files, read_direct
from dxtrace.corpus.readers.fhir import NDJSON, is_fhir, read_fhir, read_fhir_with_diagnoses
from dxtrace.corpus.readers.jsonl import read_jsonl
from dxtrace.corpus.readers.medcasereasoning import HUB_ID, read_medcasereasoning
from dxtrace.corpus.readers.notes import holds_notes, read_notes
from dxtrace.corpus.readers.table import TABLES, read_table
from dxtrace.corpus.split_manifest import MANIFEST, read_split, select
from dxtrace.corpus.teaching import corpus_info, read_manifest, read_teaching
from dxtrace.errors import CorpusError, InputError, UnknownName
from dxtrace.files import named_path, read_json, reading
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.formats import refuse_binary, refuse_other_text

Reader = Callable[[str, str | None, Taxonomy], Corpus]


def load_corpus(
    name: str,
    path: str | Path,
    *,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
) -> Corpus:
    """Read the corpus at ``path`` that is of the kind ``name`` (one of :data:`NAMES`).

    Args:
        name: what kind of corpus it is.
        path: its folder or file.
        split: only this part of it (``train``, ``dev``, ``test`` ...).
        taxonomy: where diagnoses are looked up; by default the one that ships with dxtrace.

    Raises:
        UnknownName: no such kind of corpus, or no such split.
        CorpusError: nothing of it can be read. What is wrong with a part of it is in ``.problems``
        instead.
    """
    if name not in _READERS:
        raise UnknownName("corpus", name, NAMES)
    place = named_path(path, CorpusError)
    with reading(place, CorpusError):
        return _READERS[name](str(place), split, taxonomy or Taxonomy.default())


def open_corpus(
    spec: str,
    *,
    taxonomy: Taxonomy | None = None,
    allow_empty: bool = False,
) -> Corpus:
    """Read what a user calls ``NAME:PATH[:split]`` or ``PATH[:split]``; without a name it is
    guessed from the content.

    Raises:
        UnknownName: no such kind of corpus, or no such split.
        CorpusError: nothing there, its kind cannot be guessed, or (unless ``allow_empty``) no case
        can be used.
    """
    named_path(spec, CorpusError)
    name, path, split = parse_spec(spec)
    corpus = load_corpus(name, path, split=split, taxonomy=taxonomy)
    if not corpus.cases and not allow_empty:
        if corpus.problems:
            first = f"; {len(corpus.problems)} problems, the first: {corpus.problems[0]}"
        else:
            first = ""
        raise CorpusError(f"{path}: no usable case{first}")
    return corpus


def parse_spec(spec: str) -> tuple[str, str, str | None]:
    """Split what a user typed into kind, path and split (None for all).

    Raises:
        UnknownName: the part before the first colon looks like a kind of corpus and is none.
        CorpusError: there is nothing at the path, or its kind cannot be guessed.
    """
    head, colon, rest = spec.partition(":")
    if not colon and spec == "medcasereasoning" and not Path(spec).exists():
        return spec, HUB_ID, None
    named = bool(colon) and head in _READERS
    path, split = _path_and_split(rest if named else spec)
    if named:
        return head, path, split
    if not named_path(path, CorpusError).exists():
        if colon and head.isidentifier() and len(head) > 1:
            raise UnknownName("corpus", head, NAMES)
        raise CorpusError(f"{path}: no such file or folder")
    return guess_kind(path), path, split


def guess_kind(path: str | Path) -> str:
    """Return the kind of corpus that stands at ``path``, judged by its files.

    Raises:
        CorpusError: it is none that is known.
    """
    path = named_path(path, CorpusError)
    if path.is_dir():
        if (path / "manifest.json").is_file() and (path / "train.jsonl").is_file():
            return "teaching"
        if (path / MANIFEST).is_file():
            return "split"
        first = [*sorted(path.glob("*.ndjson"))[:1], *sorted(path.glob("*.json"))[:1]]
        if any(is_fhir_file(file) for file in first):
            return "fhir"
        notes = holds_notes(path)
        if any(path.glob("*.jsonl")) and not notes:
            return "jsonl"
        if notes:
            return "notes"
        if any(find_files(path)):
            return "direct"
        if any(path.rglob("*.parquet")):
            return "medcasereasoning"
    elif path.name == MANIFEST:
        return "split"
    elif is_fhir_file(path):
        return "fhir"
    elif path.suffix.lower() == ".jsonl":
        if _starts_with(path, b'"OSCE_Examination"'):
            return "agentclinic"
        return "jsonl"
    elif path.suffix.lower() == ".parquet":
        return "medcasereasoning"
    elif is_table(path):
        return "table"
    elif holds_notes(path):
        return "notes"
    elif path.suffix.lower() == ".json":
        return "direct"
    else:
        _refuse_other_format(path)
    raise CorpusError(
        f"{path}: what kind of corpus is this? Say so: NAME:{path}, with NAME one of {', '.join(NAMES)}",
    )


def is_table(path: Path) -> bool:
    """Return whether a file is called as a table is."""
    return path.suffix.lower() in TABLES


def is_fhir_file(path: Path) -> bool:
    """Return whether a file holds a FHIR resource, or one a line."""
    if path.suffix.lower() in NDJSON:
        return _starts_with(path, b'"resourceType"', 200)
    if path.suffix.lower() != ".json" or not _starts_with(path, b'"resourceType"'):
        return False
    try:
        return is_fhir(read_json(path))
    except InputError:
        return False


def _refuse_other_format(path: Path) -> None:
    """Say what a file is that is no corpus, where its content tells."""
    with reading(path, CorpusError), path.open("rb") as file:
        head = file.read(65_536)
    refuse_binary(head, str(path))
    refuse_other_text(head.decode("utf-8", "replace"), str(path))


def _path_and_split(text: str) -> tuple[str, str | None]:
    """Cut the split off, unless the whole is a path that exists."""
    path, colon, split = text.rpartition(":")
    if (
        named_path(text, CorpusError).exists()
        or not colon
        or not path
        or not split
        or set(split) & set("/\\.")
    ):
        return str(named_path(text, CorpusError)), None
    return str(named_path(path, CorpusError)), split


def _starts_with(path: Path, words: bytes, length: int = 4096) -> bool:
    """True if ``words`` stand in the first ``length`` bytes of a file."""
    try:
        with path.open("rb") as file:
            return words in file.read(length)
    except OSError:
        return False


def _teaching(path: str, split: str | None, taxonomy: Taxonomy) -> Corpus:  # noqa: ARG001 - every reader takes one
    info = corpus_info(path)
    cases = list(read_teaching(path, split))
    if split is not None:
        info = replace(
            info,
            id=f"{info.id}:{split}",
            sha256=read_manifest(path)["splits"][split]["sha256"],
        )
    return Corpus(cases, info, [])


def _split(path: str, split: str | None, taxonomy: Taxonomy) -> Corpus:
    manifest = read_split(path)
    source = manifest["source"]
    if source["kind"] == "split":
        raise CorpusError(f"{path}: a split of a split cannot be opened")
    return select(
        load_corpus(source["kind"], source["path"], taxonomy=taxonomy),
        manifest,
        split,
        path,
    )


_READERS: dict[str, Reader] = {
    "teaching": _teaching,
    "direct": read_direct,
    "jsonl": read_jsonl,
    "medcasereasoning": read_medcasereasoning,
    "agentclinic": read_agentclinic,
    "notes": read_notes,
    "fhir": read_fhir,
    "fhir-all": read_fhir_with_diagnoses,
    "table": read_table,
    "split": _split,
}

#: The kinds of corpora that can be read.
NAMES: tuple[str, ...] = tuple(_READERS)
