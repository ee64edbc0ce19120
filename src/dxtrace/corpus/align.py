"""From what an annotator wrote (a diagnosis, evidence, reasons) to a gold chain with offsets into
the note.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dxtrace.chain import Chain, Span, Step, flatten
from dxtrace.corpus.base import Problem, replace_surrogates
from dxtrace.errors import suggest
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.case import Case
from dxtrace.notes.locate import locate


@dataclass(frozen=True)
class RawStep:
    """One step as written down.

    ``span`` and ``section`` are where its evidence is said to stand, if that is said.
    """

    evidence: str
    rationale: str
    supports: str | None = None
    section: str | None = None
    span: tuple[int, int] | None = None


def find_node(name: str, taxonomy: Taxonomy) -> Node | None:
    """Return the node called ``name``, also without a trailing remark in parentheses; None if there
    is none.
    """
    return taxonomy.get(name) or taxonomy.get(name.split("(")[0])


def find_diagnosis(text: str, taxonomy: Taxonomy) -> tuple[Node | None, str | None]:
    """Return the final diagnosis that free text names (None if there is none) and its category
    (None for no category).

    Tried in turn: the whole text, without what stands in parentheses, what stands there, the text
    before a comma.
    """
    inner = re.findall(r"\(([^()]*)\)", text)
    outer = re.sub(r"\([^()]*\)", " ", text)
    category: str | None = None
    for attempt in (
        text,
        outer,
        *inner,
        outer.split(",")[0],
        outer.split(" with ")[0],
        outer.split(" due to ")[0],
    ):
        node = find_node(attempt, taxonomy)
        if node is not None and node.final:
            return node, node.category
        if category is None and (found := taxonomy.get_category(attempt)):
            category = found.name
    return None, category


def unknown_name(kind: str, name: str, note: str, taxonomy: Taxonomy) -> str:
    """Return what to say about a name that the taxonomy lacks; the name itself only if it is not
    the note's text.
    """
    shown = ""
    of_note = flatten(name).lower() in flatten(note).lower()
    if 0 < len(name) <= 60 and not of_note:
        shown = f" {replace_surrogates(name)!r}"
    hint = ""
    close = taxonomy.names_within(name) or suggest(name, [node.name for node in taxonomy.nodes])
    if close:
        choices = " or ".join(map(repr, close))
        hint = f" (did you mean {choices}?)"
    return f"the {kind}{shown} is not in the taxonomy{hint}"


def find_evidence(case: Case, step: RawStep) -> Span | None:
    """Return where the evidence of a step stands: at its own offsets if they are right, else
    searched for; or None.
    """
    if step.span is not None:
        start, end = step.span
        if 0 <= start < end and flatten(case.note[start:end]) == flatten(step.evidence):
            return _span(case, start, end)
    section = None
    for s in reversed(case.sections):
        if s.name == step.section:
            section = (s.start, s.end)
    near = None
    if step.span is not None:
        near = step.span[0]
    found = locate(case.note, step.evidence, section, near)
    if found is None:
        return None
    return _span(case, *found)


def build_gold(
    case: Case,
    path: tuple[str, ...],
    category: str,
    steps: Sequence[RawStep],
    place: str,
) -> tuple[Chain, list[Problem]]:
    """Make the gold chain of a case; a step whose evidence cannot be found in the note is left out
    and reported.

    Steps come in the order of the path, suspicion first. A step that names no node supports the
    diagnosis.
    """
    built: list[Step] = []
    problems: list[Problem] = []
    for number, raw in enumerate(steps, 1):
        where = f"{place}, observation {number}"
        span = find_evidence(case, raw)
        if span is None:
            problems.append(
                Problem(
                    "unaligned",
                    where,
                    "this evidence is not in the note; the step is left out",
                ),
            )
            continue
        if moved := _moved(raw, span):
            problems.append(Problem("moved", where, moved))
        if raw.section and span.section != raw.section:
            problems.append(
                Problem(
                    "section",
                    where,
                    f"said to stand in {raw.section}, found in {span.section}",
                ),
            )
        if raw.supports in path:
            supports = raw.supports
        else:
            supports = path[-1]
        if raw.supports is not None and supports != raw.supports:
            problems.append(
                Problem(
                    "off-path",
                    where,
                    "supports a node beside the path; now supports the diagnosis",
                ),
            )
        built.append(Step(supports, flatten(replace_surrogates(raw.rationale)), span))
    built.sort(key=lambda step: path.index(step.supports))
    return Chain(case.id, case.note, path[-1], category, path, tuple(built)), problems


def _moved(raw: RawStep, span: Span) -> str | None:
    """Say how the place of an evidence differs from what was said of it, or None."""
    if raw.span is not None and raw.span != (span.start, span.end):
        if flatten(span.text) == flatten(raw.evidence):
            return (
                f"its offsets are wrong; found {span.start - raw.span[0]:+,} characters from there"
            )
        return "its offsets are wrong; found elsewhere, in another spelling"
    if flatten(span.text).lower() != flatten(raw.evidence).lower():
        return "not word for word in the note; moved to the words that are"
    return None


def _span(case: Case, start: int, end: int) -> Span:
    return Span(case.note[start:end], start, end, case.section_at(start))
