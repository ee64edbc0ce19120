"""Imaging, tracings, endoscopy and the like: findings among normal studies, as sentences or as
whole reports.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dxtrace.compose._compile import Said
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, Piece, bare
from dxtrace.knowledge.background import Report, background

#: How a fragment names its study: left out where a report's title names it.
_LABEL = re.compile(
    r"(?:CXR|CT(?:A|PA)?(?: head| chest| brain)?|NCHCT|TTE|TEE|(?:bedside )?echo|(?:chest )?film"
    r"|head CT|chest CT)\s*[:-]\s*",
    re.IGNORECASE,
)


#: Studies that a laboratory makes, and sums that a clinician does: no place for them under the
#: heading of imaging.
BENCH = ("blood", "urine", "microbiology", "tally")


def studies(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Findings of studies among normal studies of other kinds."""
    items = [(said.modality, voice.say(said, part)) for said in own if said.id not in voice.said]
    draft = voice.draft
    seen = {said.modality for said in (*draft.findings, *draft.negatives, *draft.neutrals)}
    seen |= set() if "labs" in part.blocks else set(BENCH)
    free = [
        study
        for study in background().studies
        if study.modality not in seen and draft.permits(study)
    ]
    count = min(len(free), voice.rng.randint(*voice.style.studies))
    chosen = {study.modality: study for study in voice.rng.sample(free, count)}
    items += [(modality, voice.background(study.id, part)) for modality, study in chosen.items()]
    voice.rng.shuffle(items)
    if part.layout != "lines" or voice.style.heading == "inline":
        return [item for _, item in items]
    return _printed(voice, part, items, set(chosen))


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
        if form and modality not in reported and voice.rng.random() < voice.style.reports:
            reported.add(modality)
            lines.append(
                _report(voice, part, form, None if modality in normal else bare(item, _LABEL)),
            )
        else:
            lines.append(_headed(voice, modality, item))
    return lines


def _headed(voice: Voice, modality: str, item: Item) -> Item:
    """Print a study under its name, where the wording does not name it already."""
    labels = background().modality_labels.get(modality, ())
    named = background().modalities.get(modality)
    if not labels or (named and re.search(named, item.text, re.IGNORECASE)):
        return item
    return Item(((f"{voice.choose(labels)}: ", None), *item.pieces), item.sentence)


def _report(voice: Voice, part: Part, form: Report, finding: Item | None) -> Item:
    """Print a whole report; the finding, if there is one, stands among normal statements or as the
    impression.
    """
    rng = voice.rng
    normal = [voice.background(item.id, part) for item in form.normal if voice.draft.permits(item)]
    concludes = finding is not None and rng.random() < 0.5
    body = list(normal)
    if finding is not None and not concludes:
        body.insert(rng.randint(0, len(body)), finding)
    pieces: list[Piece] = [(voice.choose(form.titles), None)]
    if rng.random() < 0.6:
        pieces.append((f"\n{voice.choose(form.technique)}", None))
    if rng.random() < 0.4:
        pieces.append(
            (
                rng.choice(
                    (
                        "\nCOMPARISON: None.",
                        "\nCOMPARISON: ___.",
                        "\nCOMPARISON: No prior studies available.",
                    ),
                ),
                None,
            ),
        )
    if body:
        pieces.append((rng.choice(("\nFINDINGS: ", "\nFINDINGS:\n", "\n")), None))
        for number, item in enumerate(body):
            pieces.append((" " if number else "", None))
            pieces += [*_sentence(item)]
    if concludes and finding is not None:
        pieces += [
            (rng.choice(("\nIMPRESSION: ", "\nIMPRESSION:\n", "\nIMPRESSION:\n1. ")), None),
            *_sentence(finding),
        ]
    elif finding is None or rng.random() < 0.3:
        text = (
            voice.choose(form.impression)
            if finding is None
            else rng.choice(("As above.", "See above.", "As described above."))
        )
        pieces.append((f"\nIMPRESSION: {text}", None))
    return Item(tuple(pieces), sentence=True)


def _sentence(item: Item) -> tuple[Piece, ...]:
    (text, tag), *rest = item.pieces
    first = (text[0].upper() + text[1:], tag) if text[1:2].islower() else (text, tag)
    return (first, *rest) if item.sentence else (first, *rest, (".", None))
