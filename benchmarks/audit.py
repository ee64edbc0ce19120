"""How long the audit of a corpus of DiReCT's size takes: 511 files of its shape, read and audited
on one core.

    python benchmarks/audit.py [--notes 511] [--keep FOLDER]

The files are made of the open teaching corpus, so that the benchmark needs no credentialed note.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from dxtrace.compose import Composer
from dxtrace.corpus.audit import audit_corpus
from dxtrace.corpus.audit_text import audit_page
from dxtrace.corpus.readers.direct import read_direct
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.sections import SECTIONS


def main() -> None:
    """Make the files, then measure reading and audit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=511)
    parser.add_argument("--keep", type=Path, help="make the files here, or use those that are here")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        if not any(folder.glob("samples/*")):
            make_release(folder, options.notes)
        start, cpu = time.perf_counter(), time.process_time()
        corpus = read_direct(folder)
        read = time.perf_counter() - start
        page = audit_page(audit_corpus(corpus))
        total = time.perf_counter() - start
    print(page)
    print(
        f"{len(corpus.cases)} notes: read in {read:.2f} s, read and audited in {total:.2f} s of wall-clock time",
    )
    print(f"({time.process_time() - cpu:.2f} s of processor time on one core)")


def make_release(folder: Path, notes: int, seed: int = 1) -> None:
    """Write ``notes`` teaching cases as DiReCT-shaped files below ``folder/samples``."""
    composer = Composer(seed)
    for number in range(notes):
        case = composer.case(number)
        assert case.gold is not None
        place = folder / "samples" / case.gold.category / case.gold.diagnosis.replace("/", "-")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"sample_{number}.json").write_text(
            json.dumps(as_direct(case), ensure_ascii=False),
            "utf-8",
        )


def as_direct(case: AnnotatedCase) -> dict[str, Any]:
    """Return a case in the shape of a DiReCT file."""
    assert case.gold is not None
    tree: dict[str, Any] = {}
    for depth, node in enumerate(case.gold.path):
        held: dict[str, Any] = {f"{node}$Intermedia_{depth + 2}": {}}
        inner = next(iter(held.values()))
        for step in case.gold.steps:
            if step.supports == node:
                text = step.evidence.text
                # As in the release, about 3 % of the observations are not the note's exact text.
                text = text.swapcase() if len(text) % 33 == 0 else text
                observation = f"{text}$Input{SECTIONS.index(step.evidence.section) + 1}"
                inner[
                    f"{step.rationale}{' #' * (f'{step.rationale}$Cause_1' in inner)}$Cause_1"
                ] = {observation: {}}
        inner.update(tree)
        tree = held
    return tree | {
        f"input{number}": _text(case, name) or "None\n" for number, name in enumerate(SECTIONS, 1)
    }


def _text(case: AnnotatedCase, name: str) -> str:
    """Return a section together with the headings inside it ("ECG:"), with which evidence may
    begin.
    """
    runs: list[list[int]] = []
    before = ""
    for section in case.case.sections:
        if section.name == name and before == name:
            runs[-1][1] = section.end
        elif section.name == name:
            runs.append([case.case.note.rfind("\n", 0, section.start) + 1, section.end])
        before = section.name
    return "\n".join(case.case.note[start:end] for start, end in runs)


if __name__ == "__main__":
    main()
