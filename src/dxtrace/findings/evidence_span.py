"""The quote for a finding: the words that state it, with all that qualifies them, cut where clauses
end.
"""

from __future__ import annotations

import re

from dxtrace.findings.numbers import is_number
from dxtrace.findings.pattern_index import Match
from dxtrace.findings.quantities import Measurement
from dxtrace.findings.reader import Sentence
from dxtrace.notes.quotes import MAX_QUOTE, Quote

#: A clause of more tokens than this is cut nearer to the words that state the finding.
_LONG_CLAUSE = 14

_BOUNDARIES = frozenset({",", ";", "|"})
_CONNECTORS = frozenset(
    [
        "because",
        "due",
        "complaining",
        "presenting",
        "and",
        "but",
        "with",
        "which",
        "who",
        "while",
        "when",
        "after",
        "although",
        "however",
    ]
)
_LEADING = frozenset(
    [
        "and",
        "but",
        "with",
        "which",
        "who",
        "while",
        "also",
        "then",
        ",",
        ";",
        ":",
        "|",
        ")",
        "-",
        "–",
        "•",
        "*",
        "so",
        "or",
        "of",
        "that",
        "by",
        ".",
        "]",
        "than",
    ],
)
_TRAILING = frozenset(
    [
        "and",
        "but",
        "with",
        "which",
        "who",
        "while",
        ",",
        ";",
        ":",
        "|",
        "/",
        "w",
        "(",
        "-",
        "–",
        ".",
        "•",
        "*",
        "or",
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "at",
        "to",
        "is",
        "was",
        "were",
        "are",
        "for",
        "past",
        "his",
        "her",
        "this",
        "during",
        "by",
        "that",
        "from",
        "has",
        "had",
        "as",
        "last",
        "no",
        "not",
        "than",
        "after",
        "before",
        "since",
        "when",
    ],
)
_DETERMINERS = frozenset(
    ["no", "not", "without", "denies", "a", "an", "the", "his", "her", "mild", "moderate", "severe"]
)


_TWO_LETTERS = re.compile(r"[^\W\d_].*?[^\W\d_]")


def quote_of(note: str, sentence: Sentence, match: Match) -> Quote | None:
    """Return the piece of a note that states a finding, or None if it cannot be cut without
    clipping a qualifier.

    Args:
        note: the text that offsets refer to.
        sentence: where the words stand.
        match: the tokens that state the finding.
    """
    if _qualified_from_outside(sentence, match):
        return None
    first, last = _whole_clauses(sentence, match)
    first = max(first, _begin_of_complaint(sentence, match, first))
    first = min(first, _name_of_value(sentence, match))
    first, last = _with_qualifiers(sentence, match, first, last)
    tokens = sentence.tokens
    while first < match.first and tokens[first].text in _LEADING:
        first += 1
    while last > match.last and tokens[last].text in _TRAILING:
        last -= 1
    # The number of an item of a list is none of its words.
    if first + 1 < match.first and tokens[first].text.isdigit() and tokens[first + 1].text == ".":
        first += 2
    first, last = _balanced(sentence, match, first, last)
    start, end = tokens[first].start, tokens[last].end
    text = " ".join(note[start:end].split())
    if not _has_words(text):
        # A bare pressure is read in its row: "98.6 165/90 88 16 99%RA".
        start, end = tokens[0].start, tokens[-1].end
        text = " ".join(note[start:end].split())
    if len(text) > MAX_QUOTE or not _has_words(text):
        return None
    return Quote(text, start, end)


def _has_words(text: str) -> bool:
    return _TWO_LETTERS.search(text) is not None


def _qualified_from_outside(sentence: Sentence, match: Match) -> bool:
    """True if another line says what these words need: a list that is denied, a family section that
    names no relative.
    """
    outside = []
    for scope in sentence.context.scopes:
        if scope.first < 0:
            outside.append(scope)
    covered = []
    for scope in outside:
        if any(scope.covers(index) for index in match.tokens):
            covered.append(scope)
    inside = set()
    for scope in sentence.context.scopes:
        if scope.first >= 0 and match.first <= scope.first <= match.last:
            inside.add(scope.property)
    return any(scope.property not in inside for scope in covered)


def _balanced(sentence: Sentence, match: Match, first: int, last: int) -> tuple[int, int]:
    """Return the range with no half of a pair of brackets in it, wider or narrower."""
    words = []
    for token in sentence.tokens:
        words.append(token.text)
    inside = words[first : last + 1]
    if inside.count("(") > inside.count(")"):
        closing = []
        for index in range(last + 1, min(last + 9, len(words))):
            if words[index] == ")":
                closing.append(index)
        opening = max(index for index in range(first, last + 1) if words[index] == "(")
        if closing:
            last = closing[0]
        elif opening > match.last:
            last = opening - 1
        elif opening < match.first:
            first = opening + 1
    elif inside.count(")") > inside.count("("):
        closing_index = min(index for index in range(first, last + 1) if words[index] == ")")
        before = []
        for index in range(max(0, first - 9), first):
            if words[index] == "(":
                before.append(index)
        if closing_index > match.last:
            last = closing_index - 1
        elif before:
            first = before[-1]
    return first, last


def _whole_clauses(sentence: Sentence, match: Match) -> tuple[int, int]:
    """Return the tokens of the clauses that the match stands in."""
    tokens = sentence.tokens
    first, last = match.first, match.last
    inside = _others(sentence, match)
    while first > 0 and not _breaks(sentence, first - 1):
        first -= 1
    while last + 1 < len(tokens) and not _breaks(sentence, last + 1):
        last += 1
    if last - first >= _LONG_CLAUSE or any(first <= m.first and m.last <= last for m in inside):
        first, last = _tightened(sentence, match, first, last)
    # A row of adjectives belongs to its noun: "a diffuse, dull, throbbing headache".
    while first > 1 and tokens[first - 1].text == "," and _adjective_run(sentence, first - 2):
        first = _adjective_run(sentence, first - 2) or first
    return first, last


# What a complaint begins behind: "63F w/ HTN, 35 pk-yr p/w substernal pressure".
_COMPLAINT = frozenset(
    [
        ("p", "w"),
        ("c", "o"),
        ("presents", "with"),
        ("presented", "with"),
        ("presenting", "with"),
        ("admitted", "with"),
        ("complains", "of"),
        ("complained", "of"),
        ("complaining", "of"),
    ]
)


def _begin_of_complaint(sentence: Sentence, match: Match, first: int) -> int:
    """Return where the complaint begins that the match belongs to, or ``first``."""
    tokens = sentence.tokens
    begin = first
    for index in range(first, match.first - 1):
        if (tokens[index].text, tokens[index + 1].text) in _COMPLAINT:
            begin = index + 2
    return begin


def _name_of_value(sentence: Sentence, match: Match) -> int:
    """Return where the value begins that names the quantity of a later one: "troponin 38 ng/L on
    arrival and 1420 ng/L three hours later" is told whole.
    """
    tokens = sentence.tokens
    first = match.first
    for later in sentence.measurements:
        if later.first != match.first or not is_number(tokens[later.first].text):
            continue
        for named in sentence.measurements:
            if named.quantity == later.quantity and named.last < later.first:
                first = min(first, named.first)
    return first


def _others(sentence: Sentence, match: Match) -> list[Measurement]:
    """Return the measurements outside a match; ages and lengths of time belong to what they stand
    beside.
    """
    others = []
    for measurement in sentence.measurements:
        if measurement.quantity not in {"age", "duration"} and (
            measurement.last < match.first or measurement.first > match.last
        ):
            others.append(measurement)
    return others


def _breaks(sentence: Sentence, index: int) -> bool:
    word = sentence.tokens[index].text
    if word in _BOUNDARIES:
        return True
    if word == ".":
        return index + 1 == len(sentence.tokens)
    return False


def _tightened(sentence: Sentence, match: Match, first: int, last: int) -> tuple[int, int]:
    """Return a shorter range: from connector to connector around the match, measurements of others
    left out.
    """
    others = _others(sentence, match)
    new_first, new_last = match.first, match.last
    while new_first > first:
        previous = new_first - 1
        if _connects(sentence, previous) or any(m.last == previous for m in others):
            break
        new_first -= 1
    while new_last < last:
        following = new_last + 1
        if _connects(sentence, following) or any(m.first == following for m in others):
            break
        new_last += 1
    return new_first, new_last


# "consistent with hemorrhage" is one thing said: no cut before its "with".
_GOES_ON = frozenset(
    ["consistent", "compatible", "associated", "diagnosed", "treated", "along", "filled"]
)


def _connects(sentence: Sentence, index: int) -> bool:
    """True for a word at which a clause may be cut."""
    word = sentence.tokens[index].text
    if word == "with" and index and sentence.tokens[index - 1].text in _GOES_ON:
        return False
    return word in _CONNECTORS


def _adjective_run(sentence: Sentence, index: int) -> int | None:
    """Return where one or two words between commas begin, or None where more than that stands
    there.
    """
    tokens = sentence.tokens
    start = index
    while start > 0 and tokens[start - 1].text not in _BOUNDARIES and index - start < 3:
        start -= 1
    words = []
    for token in tokens[start : index + 1]:
        words.append(token.text)
    short = len(words) <= 2 and all(word.isalpha() for word in words)
    adjectives = (
        "al",
        "ic",
        "ive",
        "ing",
        "ed",
        "ous",
        "ar",
        "ful",
        "less",
        "se",
        "ull",
        "arp",
        "ong",
        "ory",
        "ent",
        "ant",
        "ine",
        "ry",
    )
    if short and words and words[-1].endswith(adjectives) and len(words[-1]) > 3:
        return start
    return None


def _with_qualifiers(
    sentence: Sentence,
    match: Match,
    first: int,
    last: int,
) -> tuple[int, int]:
    """Widen a range so that no cue which reaches into it is left outside."""
    for _ in range(8):
        changed = False
        for scope in sentence.context.scopes:
            if scope.first < 0 or scope.property in {"past", "overtaken"}:
                continue
            covered = any(scope.covers(index) for index in range(first, last + 1))
            if not covered:
                continue
            consumed = any(scope.covers(index) for index in match.tokens)
            if scope.first < first:
                if consumed:
                    first, changed = scope.first, True
                else:
                    # What the cue reaches is not what states the finding: leave it out of the
                    # quote.
                    inside = []
                    for index in range(first, match.first):
                        if scope.covers(index):
                            inside.append(index)
                    if inside:
                        first, changed = max(inside) + 1, True
                    elif scope.end - 1 < match.last or not _trim_right(scope.start, match, last):
                        first, changed = scope.first, True
                    else:
                        last, changed = scope.start - 1, True
            elif scope.last > last:
                if consumed or scope.start <= match.last:
                    last, changed = scope.last, True
                else:
                    last, changed = max(match.last, scope.start - 1), scope.start - 1 < last
        if not changed:
            break
    return first, last


def _trim_right(start: int, match: Match, last: int) -> bool:
    return match.last < start <= last
