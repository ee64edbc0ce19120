"""Prediction rows of other programs, completed to whole results.

Besides ``id`` such a row needs a ``diagnosis`` (null: none is named), or ``text`` in the published
form. ``quotes`` (texts) or ``steps`` (``evidence`` or ``quote``, and ``rationale`` and ``supports``
where they are known) may stand beside the diagnosis. What is quoted is looked for in the note.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from dxtrace.chain import HEADLINES, Answer, AnswerStep, Chain, Span, Status, Step, parse
from dxtrace.errors import DxtraceError, InputError
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.case import Case
from dxtrace.notes.locate import locate

#: What a whole result has, and a row of another program need not have.
_WHOLE = {"note", "category"}

#: Stands for a rationale where none is given: the published form has no step without one.
_NO_RATIONALE = "no rationale given"


def complete_row(row: Mapping[str, Any], case: Case) -> Mapping[str, Any]:
    """Return a row as a whole result on a case; a whole one as it is.

    Raises:
        InputError: it is none; one line that names the field and holds no text of the note.
    """
    if row.keys() >= _WHOLE:
        _check_numbers(row)
        return row
    whole = _chain(_answer(row), case).to_json()
    for name in ("differential", "timing"):
        if name in row:
            whole[name] = row[name]
    if isinstance(row.get("model"), str):
        whole["model"]["name"] = row["model"]
    _check_numbers(whole)
    return whole


def _answer(row: Mapping[str, Any]) -> Answer:
    name = row.get("diagnosis", "")
    if name is None:
        return Answer(HEADLINES["not_supported"], ())
    if not isinstance(name, str):
        raise InputError("'diagnosis' is not text")
    if name.strip():
        return Answer(name.strip(), tuple(_steps(row)))
    if isinstance(row.get("text"), str):
        return parse(row["text"])
    raise InputError("the row has neither 'diagnosis' nor 'text' in the published form")


def _steps(row: Mapping[str, Any]) -> Iterator[AnswerStep]:
    found = row.get("steps", row.get("quotes", []))
    if not isinstance(found, list):
        raise InputError("'steps' or 'quotes' is not a list")
    for number, step in enumerate(found, 1):
        yield _step(number, {"quote": step} if isinstance(step, str) else step)


def _step(number: int, step: Any) -> AnswerStep:
    if not isinstance(step, dict):
        raise InputError(f"step {number} is neither text nor an object")
    quote = step.get("evidence", step.get("quote", step.get("observation")))
    if isinstance(quote, dict):
        quote = quote.get("text")
    rationale = step.get("rationale") or _NO_RATIONALE
    supports = step.get("supports")
    if not isinstance(quote, str) or not isinstance(rationale, str):
        raise InputError(f"step {number}: its quote or rationale is not text")
    if not isinstance(supports, str | None):
        raise InputError(f"step {number}: the node that it supports is not text")
    return AnswerStep(rationale, quote, supports)


def _chain(answer: Answer, case: Case) -> Chain:
    """Return an answer as a chain on a case: a quote that is not in the note has no place in it."""
    status, category, path = _place(answer.diagnosis)
    steps = []
    for said in answer.steps if path else ():
        start, end = locate(case.note, said.quote) or (0, 0)
        text = case.note[start:end] or said.quote
        evidence = Span(text, start, end, case.section_at(start))
        steps.append(Step(said.supports or path[-1], said.rationale, evidence))
    name = path[-1] if path and status == "answered" else ""
    return Chain(case.id, case.note, name, category, path, tuple(steps), status=status)


def _place(headline: str) -> tuple[Status, str, tuple[str, ...]]:
    """Return status, category and path of a headline; one that no tree has is its own path."""
    if headline == HEADLINES["not_supported"]:
        return "not_supported", "", ()
    if headline == HEADLINES["out_of_scope"]:
        return "out_of_scope", "", ()
    taxonomy = Taxonomy.default()
    category = headline.removesuffix(f", {HEADLINES['type_open']}")
    try:
        if category != headline:
            return "type_open", category, (taxonomy.category_of(category).nodes[0].name,)
        node = taxonomy.find(headline)
    except DxtraceError:
        return "answered", "", (headline,)
    return "answered", node.category, node.path


def _check_numbers(row: Mapping[str, Any]) -> None:
    """Check probabilities and seconds, where they are given.

    Raises:
        InputError: one is no number, or out of its range.
    """
    entries = row.get("differential", [])
    timing = row.get("timing", {})
    if not isinstance(entries, list) or not isinstance(timing, dict):
        raise InputError("'differential' is no list, or 'timing' no object")
    for number, entry in enumerate(entries, 1):
        share = entry.get("probability") if isinstance(entry, dict) else None
        if not _in_range(share, 1):
            raise InputError(f"entry {number} of 'differential' has no probability from 0 to 1")
    if not _in_range(timing.get("total_s", 0), sys.float_info.max):
        raise InputError("'timing' has no seconds in 'total_s'")


def _in_range(value: object, most: float) -> bool:
    """Return whether a value is a number from 0 to ``most``."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
