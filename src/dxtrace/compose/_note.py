"""Writing a note: which blocks say what, part by part, heading by heading."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from dxtrace.compose._blocks import BLOCKS, Block
from dxtrace.compose._compile import Said
from dxtrace.compose._draw import Draft
from dxtrace.compose._exam import emergency, examination, vitals
from dxtrace.compose._results import laboratory
from dxtrace.compose._studies import BENCH, studies
from dxtrace.compose._style import Part
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, Writer, wrapped
from dxtrace.knowledge import leaked_names
from dxtrace.knowledge.taxonomy import Taxonomy

_ALL_BLOCKS: Mapping[str, Block] = {
    **BLOCKS,
    "vitals": vitals,
    "ed": emergency,
    "exam": examination,
    "labs": laboratory,
    "imaging": studies,
}

#: Blocks that may say a section's statements: the first that the note has.
_HOMES = {
    "chief_complaint": ("story",),
    "history_of_present_illness": ("story",),
    "past_medical_history": ("pmh", "story"),
    "social": ("social", "story"),
    "family": ("family", "story"),
    "allergies": ("allergies", "pmh", "story"),
    "family_history": ("family", "story"),
    "physical_exam": ("exam",),
    "pertinent_results": ("imaging", "labs"),
}

_BULLETS = {"lines": "", "dashes": "- ", "plus": "+ ", "numbers": "1"}
_SEPARATORS = {"stops": ". ", "semicolons": "; ", "commas": ", "}


def write_note(draft: Draft) -> tuple[str, dict[str, tuple[int, int]]]:
    """Return the note of a draft, and where each finding may be quoted: {finding id: (start, end)}."""
    voice, writer = Voice(draft), Writer()
    statements = [*draft.findings, *draft.negatives, *draft.neutrals]
    parts = _parts(voice, statements)
    blocks = [block for part in parts for block in part.blocks]
    homes: dict[str, list[Said]] = {block: [] for block in blocks}
    for said in statements:
        home = _home(said, blocks)
        if said.finding or not said.topic or home != "story":
            homes[home].append(said)
    if "vitals" in homes:
        homes["vitals"] = [
            said for said in homes.get("exam", ()) if said.finding and said.finding.vital
        ]
    rendered = [_items(voice, part, homes) for part in parts]
    caps = voice.rng.random() < 0.12 and draft.style.heading in ("line", "inline")
    bullet = voice.choose(("- ", "* ", "• ", "– ", "-", "o "))
    style = voice.rng.random()
    for part, items in zip(parts, rendered, strict=True):
        if items:
            _write_part(voice, writer, part, items, _heading(voice, part, caps, style), bullet)
    note = writer.note
    if voice.rng.random() < draft.style.wraps:
        note = wrapped(note, voice.rng.randint(64, 92))
    return note, writer.marks


def _parts(voice: Voice, statements: list[Said]) -> list[Part]:
    """The parts that this note has: those drawn, and those that a finding needs."""
    rolled = [(part, voice.rng.random() < part.share) for part in voice.style.parts]
    every = [block for part in voice.style.parts for block in part.blocks]
    needed = {_home(said, every) for said in statements if said.finding}
    return [part for part, kept in rolled if kept or needed & set(part.blocks)]


def _home(said: Said, blocks: list[str]) -> str:
    """Return the block that says a statement."""
    if said.section == "pertinent_results" and _is_laboratory(said) and "labs" in blocks:
        return "labs"
    return next((block for block in _HOMES[said.topic or said.section] if block in blocks), "story")


def _is_laboratory(said: Said) -> bool:
    if said.finding:
        return said.finding.lab is not None or said.finding.kind == "lab" or said.modality in BENCH
    return said.modality in ("other", *BENCH)


def _items(voice: Voice, part: Part, homes: Mapping[str, list[Said]]) -> list[Item]:
    return [item for block in part.blocks for item in _ALL_BLOCKS[block](voice, part, homes[block])]


@cache
def _headings(category: str, headings: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings that do not name the illness: "PE" is no heading in a note on pulmonary
    embolism.
    """
    entry = Taxonomy.default().category(category)
    return (
        tuple(heading for heading in headings if not leaked_names(heading, entry)) or headings[-1:]
    )


def _heading(voice: Voice, part: Part, caps: bool, roll: float) -> str:
    """Return the heading with its mark, as this note prints headings; empty for a part without one."""
    if not part.headings:
        return ""
    name = voice.rng.choice(_headings(voice.draft.compiled.category.name, part.headings))
    kind = voice.style.heading
    if kind == "markdown":
        return f"{'##' if roll < 0.6 else '###'} {name}\n"
    if kind == "stars":
        return (
            f"**{name}:** "
            if roll < 0.4 and part.layout in _SEPARATORS
            else f"**{name}**\n"
            if roll < 0.8
            else f"{name}:\n"
        )
    if caps or kind.startswith("caps"):
        name = name.upper()
    if kind in ("inline", "caps-inline") and part.layout not in ("dashes", "bullets", "plus"):
        return f"{name}: " if part.layout != "lines" or roll < 0.3 else f"{name}:\n"
    return (
        f"{name}: "
        if roll < 0.25 and part.layout not in _BULLETS and part.layout != "bullets"
        else f"{name}:\n"
    )


def _write_part(
    voice: Voice,
    writer: Writer,
    part: Part,
    items: list[Item],
    heading: str,
    bullet: str,
) -> None:
    if writer.note:
        writer.add(voice.style.gap)
    writer.add(heading)
    if part.layout == "prose":
        writer.prose(items)
    elif part.layout in _SEPARATORS:
        writer.chain(items, _SEPARATORS[part.layout])
    else:
        writer.lines(items, bullet if part.layout == "bullets" else _BULLETS[part.layout])
