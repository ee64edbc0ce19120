"""Writing the published layouts: predictions and evaluations, one JSON file a case, as DiReCT's
users have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dxtrace.evaluate.answers import Account, Observation, gold_account
from dxtrace.evaluate.metrics.direct import evaluation_file
from dxtrace.evaluate.scoring import Scored
from dxtrace.files import atomic_write
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.sections import SECTIONS, published_section


def prediction_file(account: Account) -> dict[str, Any]:
    """Return an account in the published prediction layout: observation -> [rationale, section,
    node], and
    ``chain``."""
    rows: dict[str, Any] = {}
    for o in account.unique:
        if o.text != "chain":
            rows[o.text] = [o.rationale, _section(o), o.node]
    return rows | {"chain": list(_published_chain(account))}


def write_published(out: Path, scored: Scored, cases: Mapping[str, AnnotatedCase]) -> int:
    """Write ``out/predictions`` and ``out/predictions_eval``, as the published scripts lay them
    out; return the number of cases.

    A case without an answer has no file, as published. The evaluation files hold the observations'
    text: of credentialed
    cases they are credentialed too.

    Raises:
        InputError: the folder cannot be written.
    """
    if scored.answers is None:
        return 0
    written = 0
    for result in scored.results:
        account = scored.answers.accounts.get(result.id)
        case = cases.get(result.id)
        if account is None or case is None or case.gold is None:
            continue
        gold = gold_account(case)
        place = _file_name(result.id)
        _write(out / "predictions" / place, prediction_file(account))
        data = evaluation_file(
            gold.path,
            _published_chain(account),
            _triples(gold.unique),
            _triples(account.unique),
            result.pairs,
        )
        _write(out / "predictions_eval" / place, data)
        written += 1
    return written


def _published_chain(account: Account) -> tuple[str, ...]:
    """Return category and nodes; empty where the answer names no illness."""
    if account.path:
        return (account.category, *account.path)
    return ()


def _section(observation: Observation) -> str:
    return f"input{SECTIONS.index(published_section(observation.section or '')) + 1}"


def _triples(observations: Iterable[Observation]) -> list[tuple[str, str, str | None]]:
    triples = []
    for o in observations:
        triples.append((o.text, o.rationale, o.node))
    return triples


def _file_name(id: str) -> str:
    """Return a case's id as a path below a folder, whatever stands in it."""
    parts = []
    for part in id.removesuffix(".json").split("/"):
        parts.append(re.sub(r"[^\w .()&-]+", "_", part))
    return "/".join(part if part.strip(".") else "_" for part in parts) + ".json"


def _write(path: Path, data: Mapping[str, Any]) -> None:
    atomic_write(path, json.dumps(data, ensure_ascii=False, indent=1))
