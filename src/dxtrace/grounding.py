"""Which pieces of a note may be quoted, and where a piece of text stands in it.

A *quote* is a run of whole clauses within one sentence. A clause never clips a word or a value, and a clause that
holds a cue of negation, uncertainty, family or past history is one unbreakable piece: no quote can drop its "denies".
The cue words follow NegEx (Chapman 2001) and ConText (Harkema 2009) in kind; the list is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dxtrace.case import INVISIBLE, Case, section_named
from dxtrace.chain import Span

#: Longest quote, in code points, once white space is flattened.
MAX_QUOTE = 300

# What keeps a runaway list from giving thousands of quotes: a sentence of up to 31 clauses gives every run of them,
# in a longer one a run has at most 1,000 / clauses.
_MAX_RUNS = 1000
# No abbreviation, closing mark or last word is longer than this: enough to look at for what ends a line or a sentence.
_TAIL = 40

_NEGATION = re.compile(
    r"""
    \b(?:no|not|none|nor|neither|never|without|w/o|denie[sd]|deny|denying|denial|negative|neg|absent|absence|lacks?|lacking
       |lacked|cannot|unable|failed|fails|resolved|free\ of|rules?\ out|ruled\ out|unlikely|unremarkable|except|non[ei]?
       |declines?|declined|refused|stopped|ceased|nothing|nobody|neither|hardly|barely|rather\ than|instead\ of|nil|0/\d
       |un(?:changed|affected|likely)|exclud\w*|negat\w*|\w+n['\u2019]t)\b
    | \(\s*[-\u2212\u2013]\s*\) | \[\s*[-\u2212]\s*\] | (?<=[\s,;(])[-\u2212\u2013](?=[A-Za-z]{2}) | \u00f8
    """,
    re.IGNORECASE | re.VERBOSE,
)
_OTHER_CUES = re.compile(
    r"""
    # uncertainty
    \b(?:possibl[ey]|probabl[ey]|likely|may|might|could|maybe|perhaps|suspect(?:ed|s)?|suspicio\w*|question(?:able|ed)?
       |presum\w*|consider\w*|concern(?:ing|ed)?\ (?:for|about)|cannot\ exclude|versus|vs|r/o|if|whether|unclear
       |uncertain|equivocal|differential|indeterminate|appears?|apparent\w*|seems?|seemed|suggest\w*|consistent\ with
       |unsure|doubt\w*|risk\ of|should|would|return\ if|evaluat\w*\ for)\b | \?
    # family
    | \b(?:mother|father|mom|dad|brothers?|sisters?|siblings?|sons?|daughters?|uncles?|aunts?|cousins?|grand\w+|famil\w+
       |maternal|paternal|parents?|relatives?|nephews?|nieces?|wife|husband|spouse|twin|fh|fhx)\b
    # past history
    | \b(?:histor(?:y|ies|ical\w*)|h/o|hx|pmhx?|pshx?|s/p|status[\ -]post|previous\w*|prior|past|former\w*|ago|remote
       |childhood|as\ a\ child|known|baseline|used\ to|last\ (?:year|month)|since\ (?:19|20)\d\d|in\ (?:19|20)\d\d
       |old\b(?=\s+(?:MI|infarct\w*|stroke))
       |chronic\ since|when\ (?:he|she|they)\ was|years?\ earlier|months?\ earlier|quit|ex-\w+)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CONTRAST = re.compile(
    r"(?:,\s*|\s)(?=(?:but|however|although|though|whereas)\b)|;\s+(?=(?:but|however)\b)", re.IGNORECASE
)
_TERMINAL = re.compile(r"[.!?;:)]['\"\u201d\u2019\])*]*\Z")
_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|st|vs|e\.g|i\.e|etc|approx|no|fig|pt|pts|hosp|dept|jr|sr|prof|resp|neg|pos|max|min|hr|hrs|wk|wks"
    r"|mo|yr|yrs|temp|q\.?d|b\.?i\.?d|t\.?i\.?d|p\.?o|i\.?v|p\.?r\.?n|a\.?m|p\.?m|u\.?s|ca|cf|al|sp|spp|subsp|incl|excl|abd|ext)"
    r")\.\Z|(?:(?<=\s)|\A)[A-Z]\.\Z",
    re.IGNORECASE,
)
# Abbreviations that often end a sentence: they do when a capitalised word follows ("after 20 min. He slept").
_MEASURE = re.compile(
    r"\b(?:etc|min|max|hrs?|wks?|mo|yrs?|[ap]\.?m|q\.?d|[bt]\.?i\.?d|p\.?o|i\.?v|p\.?r\.?n|neg|pos)\.\Z", re.IGNORECASE
)
_NAME = re.compile(r"[A-Z][a-z]")
_SENTENCE_END = re.compile(r"[.!?]['\"\u201d\u2019\])*]*(?=\s)")
_WORD = re.compile(r"\s*(\S)")
_REPLY = re.compile(r"(?:no|yes|denie[sd])\b", re.IGNORECASE)
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
_LAB_PAIR = re.compile(r"(?<!\s)\s++(?=[A-Za-z][A-Za-z0-9()/% ]{0,24}?-\s?[<>]?\d)")
_VALUE_PAIR = re.compile(
    r"(?<![ \t\u00a0])[ \t\u00a0]++"
    r"(?!(?:from|to|with|of|was|is|were|are|had|has|for|in|on|at|by|about|over|under|than|since|until|and|or|the|an?)\b)"
    r"(?=[A-Za-z][A-Za-z0-9]{0,11}(?:[ -]sat)?(?::[ \t]*|[ \t]+)[<>]?\d)"
)
_DIGIT = re.compile(r"\d")
_LABEL = re.compile(r"\s*[A-Za-z](?:[\w /()&,-]|\.(?!\s)){0,30}:(?=\s)")
_BULLET = re.compile(
    r"\s*(?:[-+*\u2022\u25cf\u25aa\u2013>#]+\s+|\(?\d{1,2}[.)]\s+|[a-z][.)]\s+|[-*\u2022\u25cf\u25aa](?=[A-Za-z]))"
)
_SIGNED = re.compile(r"[\s,;][-+\u2212](?=[A-Za-z])")
_HEADING = re.compile(r"\s*([A-Za-z][A-Za-z /&]{0,40}):\s+(?=\S)")
_HEADING_ALONE = re.compile(r"\s*([A-Za-z][A-Za-z /&]{1,40}):\s*\Z")
_COLUMNS = re.compile(r"\S(?:\s{2,}|\t)\S")
_LEAD = re.compile(r"(?:and|but|which|who)\s+", re.IGNORECASE)
_CONTINUES = re.compile(
    r"(?:[,\-\u2013/(&+]|\b(?:and|or|nor|but|of|the|an?|no|not|denie[sd]|deny|denying|without|with|for|to|in|on|at|by|from|as"
    r"|is|are|was|were|has|had|have|his|her|that|which|any|including|negative|absent|mild|moderate|severe))\s*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quote:
    """One quotable piece of a note: ``text`` is ``note[start:end]`` with white space flattened."""

    text: str
    start: int
    end: int


def has_cue(text: str) -> bool:
    """True if ``text`` holds a cue of negation, uncertainty, family or past history."""
    return denies(text) or _OTHER_CUES.search(text) is not None


def denies(text: str) -> bool:
    """True if ``text`` holds a cue of negation."""
    return _NEGATION.search(text) is not None


def find_quotes(note: str, keep: tuple[tuple[int, int], ...] | None = None) -> list[Quote]:
    """Return every piece that may be quoted, in the order of the note, each text once (its first place).

    Args:
        note: the text that offsets refer to.
        keep: half-open ranges of the note to take quotes from (default: all of it).
    """
    found: dict[str, Quote] = {}
    for sentence in sentences(note):
        if keep is not None and not any(a < sentence[1] and sentence[0] < b for a, b in keep):
            continue
        clauses = list(_clauses(note, *sentence))
        longest = max(1, _MAX_RUNS // max(1, len(clauses)))
        for first in range(len(clauses)):
            for last in range(first, min(first + longest, len(clauses))):
                if clauses[last][1] - clauses[first][0] > 4 * MAX_QUOTE:
                    break
                quote = _trim(note, clauses[first][0], clauses[last][1])
                if quote is None or (
                    keep is not None and not any(a <= quote.start and quote.end <= b for a, b in keep)
                ):
                    continue
                if len(quote.text) > MAX_QUOTE:
                    break
                if note[clauses[last][0] : clauses[last][1]].rstrip().endswith(":"):
                    continue
                found.setdefault(quote.text, quote)
    return list(found.values())


def innermost(quotes: Iterable[Quote]) -> list[Quote]:
    """Return the quotes that hold no other quote, in the order of the note: single clauses."""
    inner: list[Quote] = []
    latest = -1
    for quote in sorted(quotes, key=lambda quote: (quote.end, -quote.start)):
        if latest < quote.start:
            inner.append(quote)
        latest = max(latest, quote.start)
    return inner


def sentences(note: str) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of the sentences of a note: lists by item, wrapped lines joined."""
    for start, end in _paragraphs(note):
        begin = start
        for match in _SENTENCE_END.finditer(note, start, end):
            stop = match.end()
            following = _WORD.match(note, stop, end)
            if match[0][0] == "." and _abbreviated(note, begin, match.start() + 1, following):
                continue
            if following and (
                following[1].islower() or (match[0][0] == "?" and _REPLY.match(note, following.start(1)))
            ):
                continue
            yield begin, stop
            begin = stop
        if note[begin:end].strip():
            yield begin, end


def _abbreviated(note: str, begin: int, end: int, following: re.Match[str] | None) -> bool:
    """True if the full stop before ``end`` belongs to an abbreviation and does not end the sentence as well."""
    tail = max(begin, end - _TAIL)
    if not _ABBREVIATION.search(note, tail, end):
        return False
    return not (following and _NAME.match(note, following.start(1)) and _MEASURE.search(note, tail, end))


def _paragraphs(note: str) -> Iterator[tuple[int, int]]:
    """Yield ranges of lines that belong together: a wrapped line goes on, a denied list keeps its heading."""
    lines = [match.span() for match in re.finditer(r"[^\r\n\v\f\u2028\u2029\x85]+", note)]
    widths = sorted(end - start for start, end in lines)
    width = widths[int(0.9 * len(widths))] if widths else 0
    open_start: int | None = None
    denying = False
    for index, (start, end) in enumerate(lines):
        if open_start is None:
            open_start, denying = start, False
        text = note[start:end].rstrip()
        denying = denying or (text.endswith(":") and has_cue(text) and section_named(text) is None)
        follows = lines[index + 1] if index + 1 < len(lines) else None
        if follows is None or not _goes_on(note, (start, end), follows, width, denying):
            if note[open_start:end].strip():
                yield open_start, end
            open_start = None


def _goes_on(note: str, line: tuple[int, int], follows: tuple[int, int], width: int, denying: bool) -> bool:
    gap = note[line[1] : follows[0]]
    if len(gap) > 1 and gap != "\r\n":
        return False
    text, nxt = note[line[0] : line[1]].rstrip(), note[follows[0] : follows[1]]
    heading = _HEADING.match(nxt) or _HEADING_ALONE.match(nxt)
    if heading and section_named(heading[1]):
        return False
    if denying:
        return True
    if _BULLET.match(nxt) or _LABEL.match(nxt) or not text.strip() or _tabular(text) or _tabular(nxt):
        return False
    if _CONTINUES.search(text[-_TAIL:]):
        return True
    if _TERMINAL.search(text[-_TAIL:]):
        return False
    full = len(text) >= max(45, 0.7 * width) and width <= 140
    starts_low = nxt.lstrip()[:1].islower()
    return (full and (starts_low or len(text) >= 0.85 * width)) or (starts_low and has_cue(text))


def _tabular(line: str) -> bool:
    """True for a row of a table or a run of laboratory values: it ends where its line ends."""
    return _COLUMNS.search(line) is not None or len(_LAB_PAIR.findall(line)) >= 2


def _clauses(note: str, start: int, end: int) -> Iterator[tuple[int, int]]:
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
    """Divide where no cue reaches across: before an item with its own cue; at a semicolon, unless a denial runs on."""
    begin = start
    negation = _NEGATION.search(note, begin, end)
    for match in _REACH.finditer(note, start, end):
        stop = match.start()
        if _blank(note, begin, stop):
            continue
        if not _CUED_ITEM.match(note, stop, end):
            denial = (
                negation is not None
                and negation.end() <= stop
                and not _CLOSED.search(note[max(begin, stop - _TAIL) : stop])
            )
            if denial or match[0].startswith(","):
                continue
        yield begin, stop
        begin = match.end()
        if negation and negation.start() < begin:
            negation = _NEGATION.search(note, begin, end)
    yield begin, end


def _blank(note: str, start: int, end: int) -> bool:
    """True if ``note[start:end]`` is white space; stops at the first character that is not."""
    word = _WORD.match(note, start, end)
    return word is None


def _plain_clauses(note: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = note[start:end]
    if len(_LAB_PAIR.findall(piece)) >= 2:
        yield from _pairs(note, start, end, _LAB_PAIR)
    else:
        paired = len(_VALUE_PAIR.findall(piece)) >= 2
        for a, b in _divide(note, start, end, _SPLIT):
            yield from _pairs(note, a, b, _VALUE_PAIR) if paired else [(a, b)]


def _pairs(note: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Divide between a value and the name of the next; words before a first value belong to it ("blood pressure 9")."""
    begin = start
    for _, last in _divide(note, start, end, pattern):
        if last == end or _DIGIT.search(note, begin, last):
            yield begin, last
            begin = last


def _cued(piece: str) -> bool:
    """True if a clause holds a cue; a hyphen that opens a list item is none, one among signed findings is."""
    bullet = _BULLET.match(piece)
    if bullet is None:
        return has_cue(piece)
    body = piece[bullet.end() :]
    return has_cue(body) or (piece[bullet.end() - 1] == "-" and _SIGNED.search(body) is not None)


def _after_heading(note: str, start: int, end: int) -> int:
    """Return where a sentence's own words begin: behind a section's heading, unless it alone says whose it is."""
    heading = _HEADING.match(note, start, end)
    section = section_named(heading[1]) if heading else None
    if (
        heading is None
        or section is None
        or re.match(r"(?:cxr|ct|mri|tte|echo\w*|e[ck]g|egd|chest x-ray)$", heading[1], re.I)
    ):
        return start
    body = note[heading.end() : end]
    if section == "family_history" and not has_cue(body):
        return start
    return heading.end()


def _divide(note: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    begin = start
    for match in pattern.finditer(note, start, end):
        if not _blank(note, begin, match.start()) and not _blank(note, match.end(), end):
            yield begin, match.start()
            begin = match.end()
    yield begin, end


def _trim(note: str, start: int, end: int) -> Quote | None:
    """Cut bullets, white space and closing punctuation off the ends; None if nothing worth quoting is left."""
    bullet = _BULLET.match(note, start, end)
    if (
        bullet
        and bullet.end() < end
        and not (note[bullet.end() - 1] == "-" and _SIGNED.search(note, bullet.end(), end))
    ):
        start = bullet.end()
    junk = " \t\r\n\v\f\u00a0\u2028\u2029\x85" + INVISIBLE
    while start < end and (note[start] in junk or note[start].isspace() or note[start] in ",;:|"):
        start += 1
    while end > start and (note[end - 1] in junk or note[end - 1].isspace() or note[end - 1] in ",;:.|"):
        end -= 1
    if lead := _LEAD.match(note, start, end):
        start = lead.end()
    text = note[start:end]
    if sum(char.isalnum() for char in text) < 2 or not any(char.isalpha() for char in text):
        return None
    return Quote(" ".join(text.split()), start, end)


def span_of(case: Case, quote: Quote) -> Span:
    """Return the quote as evidence on its case."""
    return Span(case.note[quote.start : quote.end], quote.start, quote.end, case.section_at(quote.start))


def locate(note: str, text: str, section: tuple[int, int] | None = None) -> tuple[int, int] | None:
    """Find ``text`` in ``note``: exactly, then with any white space, in any case, without a clipped end letter.

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
    attempts = [re.compile(re.escape(text)), re.compile(gap.join(words)), re.compile(gap.join(words), re.IGNORECASE)]
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
