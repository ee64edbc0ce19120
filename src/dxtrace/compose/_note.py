"""Writing a note: which blocks say what, part by part, heading by heading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain

from dxtrace.compose._blocks import BLOCKS, Block
from dxtrace.compose._compile import CaseStatement
from dxtrace.compose._draft import Draft
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
_BULLET_SIGNS = ("- ", "* ", "• ", "– ", "-", "o ")
_SEPARATORS = {"stops": ". ", "semicolons": "; ", "commas": ", "}

#: Share of notes with all headings in capitals, among the plain styles.
_CAPITALS = 0.12

#: How headings are printed: shares of notes, on one roll a note so that its headings are alike.
_SECOND_LEVEL = 0.6
_STARRED_INLINE = 0.4
_STARRED = 0.8
_INLINE_LINES = 0.3
_INLINE_OF_OTHERS = 0.25


def write_note(draft: Draft) -> tuple[str, dict[str, tuple[int, int]]]:
    """Return the note of a draft, and where each finding may be quoted: {finding id: (start, end)}."""
    voice = Voice(draft)
    writer = Writer()
    statements = draft.statements
    parts = _parts(voice, statements)
    homes = _statements_by_block(parts, statements)
    # All words come before the first heading: the generator's order decides the bytes of a note.
    rendered = []
    for part in parts:
        rendered.append(_items(voice, part, homes))
    caps = voice.rng.random() < _CAPITALS and draft.style.heading in (
        "line",
        "inline",
    )
    bullet = voice.choose(_BULLET_SIGNS)
    heading_roll = voice.rng.random()
    for part, items in zip(parts, rendered, strict=True):
        if items:
            heading = _heading(voice, part, caps, heading_roll)
            _write_part(voice, writer, part, items, heading, bullet)
    note = writer.note
    if voice.rng.random() < draft.style.wraps:
        note = wrapped(note, voice.rng.randint(64, 92))
    return note, writer.marks


def _statements_by_block(
    parts: Sequence[Part],
    statements: Sequence[CaseStatement],
) -> dict[str, list[CaseStatement]]:
    """Return what each block of the note has to say."""
    blocks = _blocks(parts)
    homes: dict[str, list[CaseStatement]] = {}
    for block in blocks:
        homes[block] = []
    for statement in statements:
        home = _home(statement, blocks)
        # Habits and relatives that mean nothing are left out where no part is theirs.
        if statement.finding or not statement.topic or home != "story":
            homes[home].append(statement)
    if "vitals" in homes:
        homes["vitals"] = []
        for statement in homes.get("exam", ()):
            if statement.finding and statement.finding.vital:
                homes["vitals"].append(statement)
    return homes


def _blocks(parts: Iterable[Part]) -> list[str]:
    return list(chain.from_iterable(part.blocks for part in parts))


def _parts(voice: Voice, statements: list[CaseStatement]) -> list[Part]:
    """The parts that this note has: those drawn, and those that a finding needs."""
    blocks = _blocks(voice.style.parts)
    needed = set()
    for statement in statements:
        if statement.finding:
            needed.add(_home(statement, blocks))
    parts: list[Part] = []
    for part in voice.style.parts:
        drawn = voice.rng.random() < part.share
        if drawn or needed & set(part.blocks):
            parts.append(part)
    return parts


def _home(statement: CaseStatement, blocks: list[str]) -> str:
    """Return the block that says a statement."""
    if statement.section == "pertinent_results" and _is_laboratory(statement) and "labs" in blocks:
        return "labs"
    for block in _HOMES[statement.topic or statement.section]:
        if block in blocks:
            return block
    return "story"


def _is_laboratory(statement: CaseStatement) -> bool:
    if statement.finding:
        if statement.finding.lab is not None or statement.finding.kind == "lab":
            return True
        return statement.modality in BENCH
    return statement.modality in ("other", *BENCH)


def _items(voice: Voice, part: Part, homes: Mapping[str, list[CaseStatement]]) -> list[Item]:
    items: list[Item] = []
    for block in part.blocks:
        items += _ALL_BLOCKS[block](voice, part, homes[block])
    return items


@cache
def _headings(category: str, headings: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings that do not name the illness: "PE" is no heading in a note on pulmonary
    embolism.
    """
    entry = Taxonomy.default().category(category)
    silent = []
    for heading in headings:
        if not leaked_names(heading, entry):
            silent.append(heading)
    return tuple(silent) or headings[-1:]


def _heading(voice: Voice, part: Part, caps: bool, roll: float) -> str:
    """Return the heading with its mark, as this note prints headings; empty for a part without one."""
    if not part.headings:
        return ""
    name = voice.rng.choice(_headings(voice.draft.compiled.category.name, part.headings))
    kind = voice.style.heading
    if kind == "markdown":
        return _markdown_heading(name, roll)
    if kind == "stars":
        return _starred_heading(name, roll, part)
    if caps or kind.startswith("caps"):
        name = name.upper()
    if _stands_in_line(kind, roll, part):
        return f"{name}: "
    return f"{name}:\n"


def _markdown_heading(name: str, roll: float) -> str:
    if roll < _SECOND_LEVEL:
        return f"## {name}\n"
    return f"### {name}\n"


def _starred_heading(name: str, roll: float, part: Part) -> str:
    if roll < _STARRED_INLINE and part.layout in _SEPARATORS:
        return f"**{name}:** "
    if roll < _STARRED:
        return f"**{name}**\n"
    return f"{name}:\n"


def _stands_in_line(kind: str, roll: float, part: Part) -> bool:
    """True if the text follows the heading on its line."""
    if kind in ("inline", "caps-inline") and part.layout not in (
        "dashes",
        "bullets",
        "plus",
    ):
        return part.layout != "lines" or roll < _INLINE_LINES
    listing = part.layout in _BULLETS or part.layout == "bullets"
    return roll < _INLINE_OF_OTHERS and not listing


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
    elif part.layout == "bullets":
        writer.lines(items, bullet)
    else:
        writer.lines(items, _BULLETS[part.layout])
