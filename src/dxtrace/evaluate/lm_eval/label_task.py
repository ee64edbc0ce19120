"""What ``dxtrace_diagnosis.yaml`` names: cases, prompt, choices. Imported by lm-evaluation-harness by its file name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dxtrace.corpus import open_corpus
from dxtrace.errors import InputError
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.prompt import CUE, SYSTEM, readable


def load(corpus: str | None = None, **_: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the annotated cases of a corpus as the split ``test``: id, note, and the place of the gold diagnosis.

    Args:
        corpus: what :func:`dxtrace.corpus.open_corpus` takes; by default the environment's ``DXTRACE_CORPUS``.

    Raises:
        InputError: no corpus is named. CorpusError: it cannot be read.
    """
    spec = corpus or os.environ.get("DXTRACE_CORPUS")
    if not spec:
        raise InputError(
            'name the cases: --metadata \'{"corpus": "PATH[:split]"}\', or set DXTRACE_CORPUS',
        )
    names = choices()
    rows = []
    for case in open_corpus(spec).cases:
        if case.gold is not None and case.gold.diagnosis in names:
            rows.append(
                {"id": case.id, "note": case.case.note, "label": names.index(case.gold.diagnosis)}
            )
    return {"test": rows}


def prompt(doc: Mapping[str, Any]) -> str:
    """Return everything before the label."""
    return f"{SYSTEM}\n\n{readable(doc['note'])}\n\n{CUE}"


def choices(_: Mapping[str, Any] | None = None) -> list[str]:
    """Return the names of all diagnoses, in the order of the taxonomy."""
    choices = []
    for node in Taxonomy.default().diagnoses:
        choices.append(node.name)
    return choices
