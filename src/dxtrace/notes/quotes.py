"""Which pieces of a note may be quoted.

A *quote* is a run of whole clauses within one sentence. A clause never clips a word or a value, and
a clause that holds a cue of negation, uncertainty, family or past history is one unbreakable piece:
no quote can drop its "denies".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dxtrace.chain import Span
from dxtrace.notes.case import Case
from dxtrace.notes.clauses import SIGNED, split_clauses
from dxtrace.notes.sections import INVISIBLE
from dxtrace.notes.sentences import BULLET, sentences

#: Longest quote, in code points, once white space is flattened.
MAX_QUOTE = 300


# What keeps a runaway list from giving thousands of quotes: a sentence of up to 31 clauses gives
# every run of them, in a longer one a run has at most 1,000 / clauses.
_MAX_RUNS = 1000


_LEAD = re.compile(r"(?:and|but|which|who)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Quote:
    """One quotable piece of a note: ``text`` is ``note[start:end]`` with white space flattened."""

    text: str
    start: int
    end: int


def find_quotes(note: str, keep: tuple[tuple[int, int], ...] | None = None) -> list[Quote]:
    """Return every piece that may be quoted, in the order of the note, each text once (its first
    place).

    Args:
        note: the text that offsets refer to.
        keep: half-open ranges of the note to take quotes from (default: all of it).
    """
    found: dict[str, Quote] = {}
    for quote in _quotes(note, keep):
        found.setdefault(quote.text, quote)
    return list(found.values())


def has_quote(note: str, keep: tuple[tuple[int, int], ...] | None = None) -> bool:
    """Return whether :func:`find_quotes` finds any."""
    return next(_quotes(note, keep), None) is not None


def _quotes(note: str, keep: tuple[tuple[int, int], ...] | None) -> Iterator[Quote]:
    for sentence in sentences(note):
        if keep is not None and not _touches(sentence, keep):
            continue
        clauses = list(split_clauses(note, *sentence))
        longest = max(1, _MAX_RUNS // max(1, len(clauses)))
        for first in range(len(clauses)):
            for last in range(first, min(first + longest, len(clauses))):
                start, _ = clauses[first]
                last_start, end = clauses[last]
                if end - start > 4 * MAX_QUOTE:
                    break
                quote = _trim(note, start, end)
                if quote is None:
                    continue
                if keep is not None and not _within(quote, keep):
                    continue
                if len(quote.text) > MAX_QUOTE:
                    break
                # "Exam:" promises what follows it.
                if note[last_start:end].rstrip().endswith(":"):
                    continue
                yield quote


def _touches(sentence: tuple[int, int], keep: Iterable[tuple[int, int]]) -> bool:
    start, end = sentence
    return any(first < end and start < last for first, last in keep)


def _within(quote: Quote, keep: Iterable[tuple[int, int]]) -> bool:
    return any(first <= quote.start and quote.end <= last for first, last in keep)


def single_clauses(quotes: Iterable[Quote]) -> list[Quote]:
    """Return the quotes that hold no other quote, in the order of the note: single clauses."""
    inner: list[Quote] = []
    latest = -1
    for quote in sorted(quotes, key=lambda quote: (quote.end, -quote.start)):
        if latest < quote.start:
            inner.append(quote)
        latest = max(latest, quote.start)
    return inner


_LETTER = re.compile(r"[^\W\d_]")
_TWO_CHARACTERS = re.compile(r"[^\W_][\W_]*[^\W_]")


def _trim(note: str, start: int, end: int) -> Quote | None:
    """Cut bullets, white space and closing punctuation off the ends; None if nothing worth quoting
    is left.
    """
    bullet = BULLET.match(note, start, end)
    if bullet and bullet.end() < end:
        # In a list of signs ("-fever +cough") the dash says no: it stays.
        minus = note[bullet.end() - 1] == "-" and SIGNED.search(note, bullet.end(), end)
        if not minus:
            start = bullet.end()
    while start < end and _is_junk(note[start], ",;:|"):
        start += 1
    while end > start and _is_junk(note[end - 1], ",;:.|"):
        end -= 1
    if lead := _LEAD.match(note, start, end):
        start = lead.end()
    text = note[start:end]
    if not _LETTER.search(text) or not _TWO_CHARACTERS.search(text):
        return None
    return Quote(" ".join(text.split()), start, end)


def _is_junk(char: str, punctuation: str) -> bool:
    return char.isspace() or char in punctuation or char in INVISIBLE


def span_of(case: Case, quote: Quote) -> Span:
    """Return the quote as evidence on its case."""
    return Span(
        case.note[quote.start : quote.end],
        quote.start,
        quote.end,
        case.section_at(quote.start),
    )
