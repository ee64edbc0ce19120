"""A result as plain HTML without a script: for reports, mail, and browsers that run none."""

from __future__ import annotations

import html
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise

from dxtrace.chain import Chain, Contradiction, Span, Step
from dxtrace.knowledge.taxonomy import Taxonomy

#: Rules for :func:`static_case_html`; a page that holds such HTML adds them to its style sheet.
STATIC_STYLE = (
    resources.files("dxtrace.view").joinpath("assets", "static.css").read_text("utf-8").strip()
)


#: Candidates that are named where no diagnosis is.
_NEAREST = 3


def static_case_html(chain: Chain) -> str:
    """Return a result as an HTML fragment without script: diagnosis, numbered steps, the note with
    its evidence marked.

    Each step links to nothing and needs nothing; numbers tie steps and marks together. Style:
    :data:`STATIC_STYLE`.
    """
    steps = "".join(f"<li>{_step_html(step)}</li>" for step in chain.steps)
    remarks = "".join(f"<p>{html.escape(text)}</p>" for text in _remarks(chain))
    against = "".join(f"<li>{_against_html(item)}</li>" for item in chain.contradictions)
    if against:
        against = f'<h3>Evidence against</h3><ol class="dxt-against">{against}</ol>'
    return (
        f'<article class="dxt-case"><h2>{html.escape(_headline(chain))}</h2>'
        f"<p>{html.escape(' → '.join(chain.path))}</p>{remarks}<ol>{steps}</ol>{against}"
        f'<div class="dxt-note" dir="auto">{_note_html(chain)}</div></article>'
    )


def _headline(chain: Chain) -> str:
    """Return the headline with the diagnosis in full, its abbreviation and its code."""
    node = Taxonomy.default().get(chain.diagnosis)
    if node is None or chain.status != "answered":
        return chain.headline or "no diagnosis"
    names = [node.full_name]
    if node.full:
        names.append(node.name)
    if node.icd10cm:
        names.append(f"ICD-10-CM {node.icd10cm}")
    return ", ".join(names)


def _remarks(chain: Chain) -> Iterator[str]:
    """Yield what a headline leaves out: why no diagnosis is named, what is nearest, what would
    decide, warnings.
    """
    if chain.status == "type_open" and chain.diagnosis:
        yield "Type not stated."
    for premise in chain.undecided:
        yield f"Would decide the type: {premise}"
    if chain.status == "out_of_scope" and chain.out_of_scope is not None:
        yield f"Probability that none of them fits: {chain.out_of_scope:.0%}."
    nearest = chain.differential.entries[:_NEAREST]
    if nearest and not chain.path:
        names = ", ".join(f"{entry.diagnosis} {entry.probability:.0%}" for entry in nearest)
        yield f"Nearest candidates, none of them an answer: {names}."
    for text in chain.warnings:
        yield f"Warning: {text}"


def _step_html(step: Step) -> str:
    if step.premise:
        source = f" <small>{html.escape(step.premise.source)}</small>"
    else:
        source = ""
    if step.doubtful:
        doubt = f" <em>doubtful: states it with {step.probability:.0%}</em>"
    else:
        doubt = ""
    return f"{_quote_html(step.evidence)} {html.escape(step.rationale)}{doubt}{source}"


def _against_html(item: Contradiction) -> str:
    if item.strength == "veto":
        verb = "Rules out"
    else:
        verb = "Speaks against"
    said = html.escape(f"{verb} {', '.join(item.against)}: {item.rationale}")
    return f"{said} {_quote_html(item.evidence)} <small>{html.escape(item.premise.source)}</small>"


def _quote_html(evidence: Span) -> str:
    section = html.escape(evidence.section.replace("_", " "))
    quote = f'<q class="dxt-quote" dir="auto">{html.escape(evidence.text)}</q>'
    return f"{quote} <small>({section})</small>"


def _note_html(chain: Chain) -> str:
    """Return the note with marks; pieces where marks overlap carry every number."""
    note = chain.note
    labelled = []
    for number, step in enumerate(chain.steps, 1):
        labelled.append((str(number), step.evidence))
    letters = []
    for number in range(len(chain.contradictions)):
        letters.append(chr(ord("a") + min(number, 25)))
    labelled += [
        (letter, item.evidence) for letter, item in zip(letters, chain.contradictions, strict=True)
    ]
    spans = [
        (evidence.start, evidence.end, label)
        for label, evidence in labelled
        if note[evidence.start : evidence.end] == evidence.text
    ]
    cuts = sorted({0, len(note), *(cut for start, end, _ in spans for cut in (start, end))})
    parts = []
    for start, end in pairwise(cuts):
        text = html.escape(note[start:end])
        over = []
        for span in spans:
            if span[0] <= start and span[1] >= end:
                over.append(span)
        begun = ", ".join(label for first, _, label in over if first == start)
        if begun:
            label = f"<sup>{begun}</sup>"
        else:
            label = ""
        parts.append(f"<mark>{label}{text}</mark>" if over else text)
    return "".join(parts)
