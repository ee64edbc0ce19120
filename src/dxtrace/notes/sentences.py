"""Where the sentences of a note begin and end: lists by item, wrapped lines joined."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dxtrace.notes.cues import has_cue
from dxtrace.notes.sections import inline_headings, section_named

# No abbreviation, closing mark or last word is longer than this: enough to look at for what ends a
# line or a sentence.
TAIL = 40


_TERMINAL = re.compile(r"[.!?;:)]['\"\u201d\u2019\])*]*\Z")


_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|st|vs|e\.g|i\.e|etc|approx|no|fig|pt|pts|hosp|dept|jr|sr|prof|resp|neg|pos|max|min|hr|hrs|wk|wks"
    r"|mo|yr|yrs|temp|q\.?d|b\.?i\.?d|t\.?i\.?d|p\.?o|i\.?v|p\.?r\.?n|a\.?m|p\.?m|u\.?s|ca|cf|al|sp|spp|subsp|incl|excl|abd|ext)"
    r")\.\Z|(?:(?<=\s)|\A)(?-i:[A-Z])\.\Z",
    re.IGNORECASE,
)


# Abbreviations that often end a sentence: they do when a capitalised word follows ("after 20 min.
# He slept").
# Abbreviations of what is measured: no sentence ends between them and a value.
_BEFORE_VALUE = re.compile(
    r"\b(?:ref|norm|pred|est|approx|chol|trop|plts?|wbc|hgb|hb|cr|creat|gluc?|trig|alb|bili|lact|sats?|wt|ht|temp|avg|hct|alt"
    r"|ast|crp|esr|tsh|bnp|inr|elev|max|min)\.\Z",
    re.IGNORECASE,
)

# Items of a list within a line: "1. HTN 2. DM2"; and a number alone that opens one.
_INLINE_ITEM = re.compile(r"(?<!\S)(\d{1,2})\.[ \t]+(?=[A-Za-z])")
_ITEM_NUMBER = re.compile(r"\s*\d{1,2}\.")

# The number of an item of a list that runs on below what opened it ("He denies:\n1. fever").
_NUMBERED = re.compile(r"\n[ \t]*(?:\d{1,2}|[a-z]|[ivx]{1,4})\.\Z")

_MEASURE = re.compile(
    r"(?:\b(?:etc|min|max|hrs?|wks?|mo|yrs?|[ap]\.?m|q\.?d|[bt]\.?i\.?d|p\.?o|i\.?v|p\.?r\.?n|neg|pos)"
    # Litres and sides, which are no initials: "on 2 L. ABG", "gaze to L. BP".
    r"|\d\s*l|\b(?:to|on|the)\s+[lr])\.\Z",
    re.IGNORECASE,
)


_NAME = re.compile(r"[A-Z][A-Za-z]|\d+ (?:years?|months?|weeks?|days?|hours?)\b")


# Words that begin a sentence though they are written small: of the patient, denying, or a test
# whose name begins so ("hs-troponin", "pO2", "eGFR").
_SMALL_START = re.compile(
    r"(?:he|she|they|his|her|their|the|this|there|it|no|not|denie[sd]|patient|pt|was|is|has|had"
    r"|on|in|exam|then|now|also|but|we|i|my)\b|hs-|[a-z]{1,2}[A-Z]",
)

# The end of a word that is too long for an abbreviation, or of a number.
_FULL_WORD = re.compile(r"(?:[a-z]{3}|\d|\d\))\.\Z")


_SENTENCE_END = re.compile(r"[.!?]['\"\u201d\u2019\])*]*(?=\s)")


WORD = re.compile(r"\s*(\S)")


_REPLY = re.compile(r"(?:no|yes|denie[sd])\b", re.IGNORECASE)


LAB_PAIR = re.compile(r"(?<!\s)\s++(?=[A-Za-z][A-Za-z0-9()/% ]{0,24}?-\s?[<>]?\d)")


_LABEL = re.compile(r"\s*[A-Za-z](?:[\w /()&,-]|\.(?!\s)){0,30}:(?=\s)")


BULLET = re.compile(
    r"\s*(?:[-+*\u2022\u25cf\u25aa\u2013>#]+\s+|\(?\d{1,2}[.)]\s+|[a-z][.)]\s+|[-*\u2022\u25cf\u25aa](?=[A-Za-z]))",
)


HEADING = re.compile(r"\s*([A-Za-z][A-Za-z /&]{0,40}):\s+(?=\S)")


_HEADING_ALONE = re.compile(r"\s*([A-Za-z][A-Za-z /&]{1,40}):\s*\Z")


_COLUMNS = re.compile(r"\S(?:\s{2,}|\t|\s*\.{3,}\s*)\S")


# A line that ends with the answer to what it asks: "Fever,no", "Fever - no", "Fever -".
_REPLIED = re.compile(
    r"[\w)](?:[ \t]*(?:[,;=|]|::?|->|\u2192|[-\u2013\u2014])[ \t]*(?:no|none|negative|absent|denied)"
    r"|[ \t][-+\u2212])\s*\Z",
    re.IGNORECASE,
)


# Two lines that end so are two rows: "Fever no", "Cough yes".
_ENDS_WITH_REPLY = re.compile(r"[ \t](?:no|yes)\Z", re.IGNORECASE)


_JOINS = re.compile(r"\b(?:or|nor)\b|\A\s*and\b", re.IGNORECASE)


_CONTINUES = re.compile(
    r"(?:[,\-\u2013/(&+]|\b(?:and|or|nor|but|of|the|an?|no|not|denie[sd]|deny|denying|without|with|for|to|in|on|at|by|from|as"
    r"|is|are|was|were|has|had|have|his|her|that|which|any|including|negative|absent|mild|moderate|severe))\s*\Z",
    re.IGNORECASE,
)


def sentences(note: str) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of the sentences of a note: lists by item, wrapped lines joined."""
    small = _is_in_small_letters(note)
    for start, end in _parts(note):
        begin = start
        for match in _SENTENCE_END.finditer(note, start, end):
            stop = match.end()
            if note.endswith("....", begin, stop):
                continue  # dots that lead from one column to the next
            following = WORD.match(note, stop, end)
            if match[0][0] == "." and _abbreviated(note, begin, match.start() + 1, following):
                continue
            if match[0] == "." and _is_number_of_item(note, begin, stop):
                continue
            if _in_brackets(note, begin, stop, end):
                continue
            if following and _goes_on_after(note, match, following, small):
                continue
            yield begin, stop
            begin = stop
        if note[begin:end].strip():
            yield begin, end


def _parts(note: str) -> Iterator[tuple[int, int]]:
    """Yield ranges of paragraphs, cut before headings and items of a list that stand within a line."""
    for start, end in _paragraphs(note):
        begin = start
        cuts = [heading for heading, _ in inline_headings(note, start, end)]
        cuts += _inline_items(note, start, end)
        for cut in sorted(cuts):
            if note[begin:cut].strip():
                yield begin, cut
                begin = cut
        yield begin, end


def _is_in_small_letters(note: str) -> bool:
    """True for a note whose writer begins no sentence with a capital."""
    capitals = sum(letter.isupper() for letter in note)
    return capitals < 0.01 * len(note)


def _goes_on_after(
    note: str,
    mark: re.Match[str],
    following: re.Match[str],
    small: bool,
) -> bool:
    """True if a sentence goes on behind a mark that could end it; ``small``: all are small letters."""
    if mark[0][0] == "?" and _REPLY.match(note, following.start(1)):
        return True
    if not following[1].islower():
        return False
    # What is written in small letters throughout has sentences too.
    if mark[0] != "." or not _FULL_WORD.search(note, max(0, mark.end() - TAIL), mark.end()):
        return True
    return not small and _SMALL_START.match(note, following.start(1)) is None


def _is_number_of_item(note: str, begin: int, stop: int) -> bool:
    """True for a full stop behind the number of an item, which ends no sentence."""
    return (
        _NUMBERED.search(note, begin, stop) is not None
        or _ITEM_NUMBER.fullmatch(note, begin, stop) is not None
    )


def _inline_items(note: str, start: int, end: int) -> Iterator[int]:
    """Yield where the items of a list begin that stands in one line: numbers that count from 1."""
    places: list[int] = []
    for match in _INLINE_ITEM.finditer(note, start, end):
        if int(match[1]) == len(places) + 1:
            places.append(match.start())
    if len(places) > 1:
        yield from places


def _in_brackets(note: str, begin: int, stop: int, end: int) -> bool:
    """True if a bracket that was opened before ``stop`` is closed soon behind it: "[ref. 4.0 to 10.0]"."""
    for opening, closing in ("()", "[]"):
        opened = note.rfind(opening, max(begin, stop - TAIL), stop)
        if opened < 0 or closing in note[opened:stop]:
            continue
        closed = note.find(closing, stop, min(end, stop + TAIL))
        if closed >= 0 and "\n" not in note[stop:closed] and opening not in note[stop:closed]:
            return True
    return False


def _abbreviated(note: str, begin: int, end: int, following: re.Match[str] | None) -> bool:
    """True if the full stop before ``end`` belongs to an abbreviation and does not end the sentence
    as well.
    """
    tail = max(begin, end - TAIL)
    if following and following[1] in "0123456789<>~" and _BEFORE_VALUE.search(note, tail, end):
        return True
    if not _ABBREVIATION.search(note, tail, end):
        return False
    return not (
        following and _NAME.match(note, following.start(1)) and _MEASURE.search(note, tail, end)
    )


def _paragraphs(note: str) -> Iterator[tuple[int, int]]:
    """Yield ranges of lines that belong together: a wrapped line goes on, a denied list keeps its
    heading.
    """
    lines = []
    for match in re.finditer(r"[^\r\n\v\f\u2028\u2029\x85]+", note):
        lines.append(match.span())
    widths = sorted(end - start for start, end in lines)
    if widths:
        width = widths[int(0.9 * len(widths))]
    else:
        width = 0
    open_start: int | None = None
    denying = cued = False
    for index, (start, end) in enumerate(lines):
        if open_start is None:
            open_start, denying, cued = start, False, False
        text = note[start:end].rstrip()
        denying = denying or (_opens_list(text) and section_named(text) is None)
        cued = cued or has_cue(text)
        follows = lines[index + 1] if index + 1 < len(lines) else None
        if follows is None or not _goes_on(note, (start, end), follows, width, denying, cued):
            if note[open_start:end].strip():
                yield open_start, end
            open_start = None


def _opens_list(line: str) -> bool:
    """True for a line whose last sentence denies and ends in a colon: "He denies:"."""
    if not line.endswith(":"):
        return False
    ends = [match.end() for match in _SENTENCE_END.finditer(line)]
    return has_cue(line[max(ends, default=0) :])


def _goes_on(
    note: str,
    line: tuple[int, int],
    follows: tuple[int, int],
    width: int,
    denying: bool,
    cued: bool,
) -> bool:
    """True if the line ``follows`` goes on with what ``line`` says; ``cued``: what goes on holds a cue."""
    gap = note[line[1] : follows[0]]
    if len(gap) > 1 and gap != "\r\n":
        return False
    text, nxt = note[line[0] : line[1]].rstrip(), note[follows[0] : follows[1]]
    heading = HEADING.match(nxt) or _HEADING_ALONE.match(nxt)
    if heading and section_named(heading[1]):
        return False
    if denying:
        return True
    if (
        BULLET.match(nxt)
        or _LABEL.match(nxt)
        or not text.strip()
        or _tabular(text)
        or _tabular(nxt)
        or _REPLIED.search(text[-TAIL:])
        or (_ENDS_WITH_REPLY.search(text[-TAIL:]) and _ENDS_WITH_REPLY.search(nxt.rstrip()[-TAIL:]))
    ):
        return False
    if _CONTINUES.search(text[-TAIL:]):
        return True
    if _TERMINAL.search(text[-TAIL:]):
        return False
    full = len(text) >= max(45, 0.7 * width) and width <= 140
    starts_low = nxt.lstrip()[:1].islower()
    # "He denies fever or night\nsweats or weight\nloss": the cue stands two lines above.
    goes_on = cued and _JOINS.search(nxt) is not None
    return (full and (starts_low or len(text) >= 0.85 * width)) or (
        starts_low and (has_cue(text) or goes_on)
    )


def _tabular(line: str) -> bool:
    """True for a row of a table or a run of laboratory values: it ends where its line ends."""
    return (
        _COLUMNS.search(line) is not None
        or line.count("|") >= 2
        or len(LAB_PAIR.findall(line)) >= 2
    )
