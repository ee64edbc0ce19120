"""Finding a text in a note again."""

from __future__ import annotations

import re

from dxtrace.notes.sections import INVISIBLE

_GAP = r"[\s" + INVISIBLE + "]+"

#: Up to so many characters a text is found whole or not at all.
_CLIPPABLE = 4


def _spaced(text: str) -> str:
    """Return a pattern of the words of ``text`` with any white space between them."""
    words = []
    for word in re.split(_GAP, text):
        if word:
            words.append(re.escape(word))
    return _GAP.join(words)


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
    attempts = [
        re.compile(re.escape(text)),
        re.compile(_spaced(text)),
        re.compile(_spaced(text), re.IGNORECASE),
    ]
    if len(text) > _CLIPPABLE:
        for clipped in (text[1:], text[:-1]):
            attempts.append(re.compile(_spaced(clipped), re.IGNORECASE))
    ranges = [(0, len(note))]
    if section:
        ranges.insert(0, section)
    for pattern in attempts:
        for start, end in ranges:
            if match := pattern.search(note, start, end):
                return match.span()
    return None
