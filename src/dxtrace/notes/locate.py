"""Finding a text in a note again."""

from __future__ import annotations

import re

from dxtrace.notes.sections import INVISIBLE


def locate(note: str, text: str, section: tuple[int, int] | None = None) -> tuple[int, int] | None:
    """Find ``text`` in ``note``: exactly, then with any white space, in any case, without a clipped
    end letter.

    Args:
        note: the text to search.
        text: what to find; white space at its ends does not count.
        section: half-open range to look in first.

    Returns:
        The half-open range of the first match, or None.
    """
    text = text.strip()
    if not text:
        return None
    words = [re.escape(word) for word in re.split(r"[\s" + INVISIBLE + r"]+", text) if word]
    gap = r"[\s" + INVISIBLE + "]+"
    attempts = [
        re.compile(re.escape(text)),
        re.compile(gap.join(words)),
        re.compile(gap.join(words), re.IGNORECASE),
    ]
    if len(text) > 4:
        clipped = (
            [re.escape(word) for word in re.split(gap, text[1:]) if word],
            [re.escape(word) for word in re.split(gap, text[:-1]) if word],
        )
        attempts += [re.compile(gap.join(part), re.IGNORECASE) for part in clipped]
    ranges = ([section] if section else []) + [(0, len(note))]
    for pattern in attempts:
        for start, end in ranges:
            if match := pattern.search(note, start, end):
                return match.span()
    return None
