"""A patient case: the text of its note and its sections.

Offsets are code points into :attr:`Case.note`, which is the text exactly as read (without a byte
order mark).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dxtrace.errors import CaseError
from dxtrace.notes.sections import (
    ALL_SECTIONS,
    TITLES,
    Section,
    find_sections,
    is_visible,
)

#: Longest note that is read, in code points.
MAX_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Case:
    """One patient presentation. ``sections`` are in the order of the text and do not overlap."""

    note: str
    sections: tuple[Section, ...]
    id: str = "case"

    def __post_init__(self) -> None:
        _check_text(self.note)

    def __repr__(self) -> str:
        """Say what it is in a line, without the note."""
        return f"Case({self.id!r}: {len(self.note)} characters, {len(self.sections)} sections)"

    @classmethod
    def from_text(cls, text: str, id: str = "case") -> Case:
        """Make a case from a note, with or without headings.

        Raises:
            CaseError: the text is empty, longer than :data:`MAX_CHARACTERS`, or not plain text.
        """
        _check_text(text)
        return cls(text, tuple(find_sections(text)), id)

    @classmethod
    def from_sections(cls, sections: Mapping[str, str], id: str = "case") -> Case:
        """Make a case from section texts; the note is their canonical rendering, empty sections
        left out.

        Raises:
            CaseError: as for :meth:`from_text`.
        """
        parts: list[str] = []
        spans: list[Section] = []
        length = 0
        for name in ALL_SECTIONS:
            text = sections.get(name, "").strip("\r\n")
            if not is_visible(text) or text.strip().lower() == "none":
                continue
            heading = f"{TITLES[name]}:\n"
            start = length + len(heading)
            parts.append(f"{heading}{text}\n\n")
            spans.append(Section(name, start, start + len(text)))
            length += len(parts[-1])
        note = "".join(parts).removesuffix("\n")
        _check_text(note)
        return cls(note, tuple(spans), id)

    def section_at(self, offset: int) -> str:
        """Return the name of the section that holds ``offset``; a heading's own text belongs to the section
        that it opens.
        """
        index = bisect.bisect_right(self.sections, offset, key=lambda section: section.end)
        if not self.sections:
            return "history_of_present_illness"
        return self.sections[min(index, len(self.sections) - 1)].name

    def text_of(self, name: str) -> str:
        """Return the text of all parts of section ``name``, joined by a newline."""
        return "\n".join(self.note[s.start : s.end] for s in self.sections if s.name == name)


def _check_text(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise CaseError(
            f"the note has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read",
        )
    if not is_visible(text):
        raise CaseError("the note is empty")
    if re.search(r"[\x00-\x08\x0e-\x1f\ud800-\udfff]", text):
        raise CaseError("the note holds control characters: it is not plain text")
