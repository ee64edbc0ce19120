"""The clauses of a sentence; one with a cue of negation or the like is not divided further."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dxtrace.notes.cues import NEGATION, has_cue
from dxtrace.notes.sections import section_named
from dxtrace.notes.sentences import BULLET, HEADING, LAB_PAIR, TAIL, WORD

_CONTRAST = re.compile(
    r"(?:,\s*|\s)(?=(?:but|however|although|though|whereas)\b)|;\s+(?=(?:but|however)\b)",
    re.IGNORECASE,
)


_SPLIT = re.compile(
    r",\s+(?=[A-Za-z+<>\u2191\u2193(])"  # a comma before a word; never inside or before a number
    r"|;\s+"
    r"|(?<!\s)\s++(?=(?:and|with|which|who|while|when|after|because|radiating|associated|followed)\s+[A-Za-z])"
    r"|(?<!\s)\s++\|\s+(?=[A-Za-z])"
    r"|(?<=:)\s+(?=[A-Za-z+])",
    re.IGNORECASE,
)


# An item of a list that opens with its own cue: what stands before it is out of the cue's reach.
_CUED_ITEM = re.compile(
    r"[,;]\s+(?=(?:no|not|denie[sd]|denying|without|never|h/o|s/p|hx\s+of|history\s+of|mother|father|brother|sister|possible|probable)\s+\w)",
    re.IGNORECASE,
)


_REACH = re.compile(r"[,;]\s+(?=\S)")


# A denial that is over: it stands behind what it denies ("ketones neg").
_CLOSED = re.compile(
    r"\S\s+(?:neg|negative|absent|denied|none|resolved|ruled\ out|excluded|unremarkable|\(\s*[-\u2212]\s*\))"
    r"(?:\s*x\s*\d+)?\W*\Z",
    re.IGNORECASE,
)


_VALUE_PAIR = re.compile(
    r"(?<![ \t\u00a0])[ \t\u00a0]++"
    r"(?!(?:from|to|with|of|was|is|were|are|had|has|for|in|on|at|by|about|over|under|than|since|until|and|or|the|an?"
    r"|x|h|hrs?|min|days?|d|wks?|levels?|score|class|grade|stage|type|readings?|sats?|values?|count|ratio)\b)"
    r"(?=[A-Za-z][A-Za-z0-9]{0,11}(?:[ -]sat)?(?::[ \t]*|[ \t]+)[<>]?\d)",
)


_DIGIT = re.compile(r"\d")
# A number that is a value, and not part of a name: "T4", "CURB-65".
_VALUE = re.compile(r"(?<![A-Za-z\d-])\d")

# A character as HTML writes it: its semicolon ends nothing.
_ENTITY = re.compile(r"&#?\w{1,8};\Z")

#: Characters of what stands in brackets, at most, where it stays in one piece.
_BRACKETS = 200


SIGNED = re.compile(r"[\s,;][-+\u2212](?=[A-Za-z])")


def split_clauses(note: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the clauses of one sentence; one with a cue is not divided further."""
    start = _after_heading(note, start, end)
    for a, b in _divide(note, start, end, _CONTRAST):
        if not _cued(note[a:b]):
            yield from _plain_clauses(note, a, b)
            continue
        for c, d in _cued_clauses(note, a, b):
            if _cued(note[c:d]):
                yield c, d
            else:
                yield from _plain_clauses(note, c, d)


def _cued_clauses(note: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Divide where no cue reaches across: before an item with its own cue; at a semicolon, unless a
    denial runs on.
    """
    begin = start
    negation = NEGATION.search(note, begin, end)
    for match in _REACH.finditer(note, start, end):
        stop = match.start()
        if _blank(note, begin, stop) or _stays_whole(note, begin, stop, end):
            continue
        if not _CUED_ITEM.match(note, stop, end):
            denial = (
                negation is not None
                and negation.end() <= stop
                and not _CLOSED.search(note[max(begin, stop - TAIL) : stop])
            )
            if denial or match[0].startswith(","):
                continue
        yield begin, stop
        begin = match.end()
        if negation and negation.start() < begin:
            negation = NEGATION.search(note, begin, end)
    yield begin, end


def _blank(note: str, start: int, end: int) -> bool:
    """True if ``note[start:end]`` is white space; stops at the first character that is not."""
    word = WORD.match(note, start, end)
    return word is None


def _plain_clauses(note: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = note[start:end]
    if len(LAB_PAIR.findall(piece)) >= 2:
        yield from _pairs(note, start, end, LAB_PAIR)
    else:
        paired = len(_VALUE_PAIR.findall(piece)) >= 2
        for a, b in _divide(note, start, end, _SPLIT):
            yield from _pairs(note, a, b, _VALUE_PAIR) if paired else [(a, b)]


def _pairs(note: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Divide between a value and the name of the next; words before a first value belong to it
    ("blood pressure 9").
    """
    begin = start
    if pattern is LAB_PAIR:
        value = _DIGIT
    else:
        value = _VALUE
    for _, last in _divide(note, start, end, pattern):
        if last == end or value.search(note, begin, last):
            yield begin, last
            begin = last


def _cued(piece: str) -> bool:
    """True if a clause holds a cue; a hyphen that opens a list item is none, one among signed
    findings is.
    """
    bullet = BULLET.match(piece)
    if bullet is None:
        return has_cue(piece)
    body = piece[bullet.end() :]
    return has_cue(body) or (piece[bullet.end() - 1] == "-" and SIGNED.search(body) is not None)


def _after_heading(note: str, start: int, end: int) -> int:
    """Return where a sentence's own words begin: behind a section's heading, unless it alone says
    whose it is.
    """
    heading = HEADING.match(note, start, end)
    section = section_named(heading[1]) if heading else None
    if (
        heading is None
        or section is None
        or re.match(
            r"(?:cxr|ct|mri|tte|echo\w*|e[ck]g|egd|chest x-ray)$",
            heading[1],
            re.I,
        )
    ):
        return start
    body = note[heading.end() : end]
    if section == "family_history" and not has_cue(body):
        return start
    return heading.end()


def _divide(note: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    begin = start
    for match in pattern.finditer(note, start, end):
        if _stays_whole(note, begin, match.start(), end):
            continue
        if not _blank(note, begin, match.start()) and not _blank(note, match.end(), end):
            yield begin, match.start()
            begin = match.end()
    yield begin, end


def _stays_whole(note: str, begin: int, place: int, end: int) -> bool:
    """True inside brackets, and at the semicolon of "&lt;"."""
    if note[place] == ";" and _ENTITY.search(note, max(begin, place - TAIL), place + 1):
        return True
    opened = note.rfind("(", max(begin, place - _BRACKETS), place)
    if opened < 0 or ")" in note[opened:place]:
        return False
    return ")" in note[place : min(end, place + _BRACKETS)]
