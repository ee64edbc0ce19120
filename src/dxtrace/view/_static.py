"""A result as plain HTML without a script: for reports, mail, and browsers that run none."""

from __future__ import annotations

import html
from importlib import resources
from itertools import pairwise

from dxtrace.chain import Chain, Step

#: Rules for :func:`static_case_html`; a page that holds such HTML adds them to its style sheet.
STATIC_STYLE = (
    resources.files("dxtrace.view").joinpath("assets", "static.css").read_text("utf-8").strip()
)


def static_case_html(chain: Chain) -> str:
    """Return a result as an HTML fragment without script: diagnosis, numbered steps, the note with its evidence marked.

    Each step links to nothing and needs nothing; numbers tie steps and marks together. Style: :data:`STATIC_STYLE`.
    """
    steps = "".join(f"<li>{_step_html(step)}</li>" for step in chain.steps)
    warnings = "".join(f"<p>Warning: {html.escape(text)}</p>" for text in chain.warnings)
    return (
        f'<article class="dxt-case"><h2>{html.escape(chain.diagnosis)}</h2>'
        f"<p>{html.escape(' → '.join(chain.path))}</p>{warnings}<ol>{steps}</ol>"
        f'<div class="dxt-note" dir="auto">{_note_html(chain)}</div></article>'
    )


def _step_html(step: Step) -> str:
    source = f" <small>{html.escape(step.premise.source)}</small>" if step.premise else ""
    return (
        f'{html.escape(step.rationale)} <q class="dxt-quote" dir="auto">{html.escape(step.evidence.text)}</q> '
        f"<small>({html.escape(step.evidence.section.replace('_', ' '))})</small>{source}"
    )


def _note_html(chain: Chain) -> str:
    """Return the note with marks; pieces where marks overlap carry every number."""
    note = chain.note
    spans = [
        (step.evidence.start, step.evidence.end, number)
        for number, step in enumerate(chain.steps, 1)
        if note[step.evidence.start : step.evidence.end] == step.evidence.text
    ]
    cuts = sorted({0, len(note), *(cut for start, end, _ in spans for cut in (start, end))})
    parts = []
    for start, end in pairwise(cuts):
        text = html.escape(note[start:end])
        over = [span for span in spans if span[0] <= start and span[1] >= end]
        begun = ", ".join(str(number) for first, _, number in over if first == start)
        label = f"<sup>{begun}</sup>" if begun else ""
        parts.append(f"<mark>{label}{text}</mark>" if over else text)
    return "".join(parts)
