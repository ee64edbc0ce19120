"""Imaging, tracings, endoscopy and the like: findings among normal studies, as sentences or as
whole reports.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dxtrace.compose._compile import CaseStatement
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, Piece, bare
from dxtrace.knowledge.background import Report, Study, background

#: How a fragment names its study: left out where a report's title names it.
_LABEL = re.compile(
    r"(?:CXR|CT(?:A|PA)?(?: head| chest| brain)?|NCHCT|TTE|TEE|(?:bedside )?echo|(?:chest )?film"
    r"|head CT|chest CT)\s*[:-]\s*",
    re.IGNORECASE,
)


#: Studies that a laboratory makes, and sums that a clinician does: no place for them under the
#: heading of imaging.
BENCH = ("blood", "urine", "microbiology", "tally")

#: The parts of a printed report, as radiology prints them, and the shares of reports that have
#: them; a finding is in the impression or in the body, to which an impression may refer.
_COMPARISONS = (
    "\nCOMPARISON: None.",
    "\nCOMPARISON: ___.",
    "\nCOMPARISON: No prior studies available.",
)
_FINDINGS = ("\nFINDINGS: ", "\nFINDINGS:\n", "\n")
_IMPRESSIONS = ("\nIMPRESSION: ", "\nIMPRESSION:\n", "\nIMPRESSION:\n1. ")
_AS_ABOVE = ("As above.", "See above.", "As described above.")
_WITH_TECHNIQUE = 0.6
_WITH_COMPARISON = 0.4
_IN_IMPRESSION = 0.5
_REFERS_BACK = 0.3


def studies(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """Findings of studies among normal studies of other kinds."""
    items: list[tuple[str, Item]] = []
    for statement in own:
        if statement.id not in voice.stated_ids:
            items.append((statement.modality, voice.say(statement, part)))
    normal = _normal_studies(voice, part)
    for modality, study in normal.items():
        items.append((modality, voice.background(study.id, part)))
    voice.rng.shuffle(items)
    if part.layout != "lines" or voice.style.heading == "inline":
        studies = []
        for _, item in items:
            studies.append(item)
        return studies
    return _printed(voice, part, items, set(normal))


def _normal_studies(voice: Voice, part: Part) -> dict[str, Study]:
    """Draw normal studies of kinds that no statement of the case is of."""
    draft = voice.draft
    seen = set()
    for statement in draft.statements:
        seen.add(statement.modality)
    if "labs" not in part.blocks:
        seen |= set(BENCH)
    free: list[Study] = []
    for study in background().studies:
        if study.modality not in seen and draft.allows_statement(study):
            free.append(study)
    count = min(len(free), voice.rng.randint(*voice.style.studies))
    normal_studies = {}
    for study in voice.rng.sample(free, count):
        normal_studies[study.modality] = study
    return normal_studies


def _printed(
    voice: Voice,
    part: Part,
    items: Sequence[tuple[str, Item]],
    normal: set[str],
) -> list[Item]:
    """Print each study: as a report where there is a form for it, else under its name."""
    lines: list[Item] = []
    reported: set[str] = set()
    for modality, item in items:
        form = background().reports.get(modality)
        if form is None or modality in reported or voice.rng.random() >= voice.style.reports:
            lines.append(_headed(voice, modality, item))
            continue
        reported.add(modality)
        finding = None if modality in normal else bare(item, _LABEL)
        lines.append(_report(voice, part, form, finding))
    return lines


def _headed(voice: Voice, modality: str, item: Item) -> Item:
    """Print a study under its name, where the wording does not name it already."""
    labels = background().modality_labels.get(modality, ())
    named = background().modalities.get(modality)
    if not labels:
        return item
    if named and re.search(named, item.text, re.IGNORECASE):
        return item
    label = voice.choose(labels)
    return Item(((f"{label}: ", None), *item.pieces), item.sentence)


def _report(voice: Voice, part: Part, form: Report, finding: Item | None) -> Item:
    """Print a whole report; the finding, if there is one, stands among normal statements or as the
    impression.
    """
    rng = voice.rng
    body: list[Item] = []
    for normal in form.normal:
        if voice.draft.allows_statement(normal):
            body.append(voice.background(normal.id, part))
    concludes = finding is not None and rng.random() < _IN_IMPRESSION
    if finding is not None and not concludes:
        body.insert(rng.randint(0, len(body)), finding)
    pieces: list[Piece] = [(voice.choose(form.titles), None)]
    if rng.random() < _WITH_TECHNIQUE:
        technique = voice.choose(form.technique)
        pieces.append((f"\n{technique}", None))
    if rng.random() < _WITH_COMPARISON:
        pieces.append((rng.choice(_COMPARISONS), None))
    if body:
        pieces.append((rng.choice(_FINDINGS), None))
        for number, item in enumerate(body):
            if number:
                pieces.append((" ", None))
            pieces += _sentence(item)
    if concludes and finding is not None:
        pieces.append((rng.choice(_IMPRESSIONS), None))
        pieces += _sentence(finding)
    elif finding is None:
        text = voice.choose(form.impression)
        pieces.append((f"\nIMPRESSION: {text}", None))
    elif rng.random() < _REFERS_BACK:
        text = rng.choice(_AS_ABOVE)
        pieces.append((f"\nIMPRESSION: {text}", None))
    return Item(tuple(pieces), sentence=True)


def _sentence(item: Item) -> tuple[Piece, ...]:
    """Return the pieces of an item as a whole sentence, with its capital and its stop."""
    text = item.pieces[0][0]
    if text[1:2].islower():
        item = item.beginning_with(text[0].upper() + text[1:])
    if item.sentence:
        return item.pieces
    return (*item.pieces, (".", None))
