"""Prediction rows of other programs, completed to whole results.

Besides ``id`` such a row needs a ``diagnosis`` (null: none is named), or ``text`` in the published
form. ``quotes`` (texts) or ``steps`` (``evidence`` or ``quote``, and ``rationale`` and ``supports``
where they are known) may stand beside the diagnosis. What is quoted is looked for in the note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dxtrace.chain import HEADLINES, Answer, AnswerStep, Chain, Span, Status, Step, parse, status_of
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
        return row
    whole = chain_of_answer(_answer(row), case).to_json()
    for name in ("differential", "timing"):
        if name in row:
            whole[name] = row[name]
    if isinstance(row.get("model"), str):
        whole["model"]["name"] = row["model"]
    return whole


def _answer(row: Mapping[str, Any]) -> Answer:
    name = row.get("diagnosis", "")
    if name is None:
        return Answer(HEADLINES["not_supported"], ())
    if not isinstance(name, str):
        raise InputError("'diagnosis' is not text")
    if name.strip():
        return Answer(name.strip(), tuple(steps_of(row)))
    if isinstance(row.get("text"), str):
        return parse(row["text"])
    raise InputError("the row has neither 'diagnosis' nor 'text' in the published form")


def steps_of(row: Mapping[str, Any]) -> Iterator[AnswerStep]:
    """Yield the steps of a row of another program; a quote alone is one.

    Raises:
        InputError: a step, or a field of one, is of the wrong kind.
    """
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


def chain_of_answer(answer: Answer, case: Case) -> Chain:
    """Return an answer as a chain on a case: a quote that is not in the note has no place in it.

    A step that names no node supports the diagnosis.
    """
    status = status_of(answer.diagnosis)
    if status in ("not_supported", "out_of_scope"):
        return Chain(case.id, case.note, "", "", (), (), status=status)
    category, path = _place(answer.diagnosis, status)
    steps = []
    for said in answer.steps:
        start, end = locate(case.note, said.quote) or (0, 0)
        text = case.note[start:end] or said.quote
        evidence = Span(text, start, end, case.section_at(start))
        steps.append(Step(said.supports or path[-1], said.rationale, evidence))
    if status == "answered":
        name = path[-1]
    else:
        name = ""
    return Chain(case.id, case.note, name, category, path, tuple(steps), status=status)


def _place(headline: str, status: Status) -> tuple[str, tuple[str, ...]]:
    """Return category and path of a headline: of an open type, its category and first suspicion.

    A name that no tree has is its own path.
    """
    taxonomy = Taxonomy.default()
    try:
        if status == "type_open":
            category = headline.removesuffix(f", {HEADLINES[status]}")
            return category, (taxonomy.category_of(category).nodes[0].name,)
        node = taxonomy.find(headline)
    except DxtraceError:
        return "", (headline,)
    return node.category, node.path
