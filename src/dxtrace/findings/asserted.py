"""What of a note is asserted of the patient: the only part that the model reads and that speaks for
a diagnosis by its words alone.

Left out are sentences that are no evidence, and what is denied, in doubt, over or another person's. What is
expected ("likely pneumonia") stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dxtrace.findings.reader import Sentence
from dxtrace.findings.scope import Property
from dxtrace.findings.scopes import EXPECTED
from dxtrace.findings.similarity import terms
from dxtrace.notes.case import Case
from dxtrace.notes.quotes import has_quote

#: A half-open range of a note.
Range = tuple[int, int]

_NOT_SPACE = re.compile(r"\S")

#: What is said of words that assert nothing of the patient.
_UNASSERTED: frozenset[Property] = frozenset(["denied", "uncertain", "family", "other"])


def unasserted(sentences: Iterable[Sentence]) -> list[Range]:
    """Return the ranges of a note that assert nothing of the patient, in the order of the note."""
    ranges: list[Range] = []
    for sentence in sentences:
        ranges += _unasserted_in(sentence)
    return ranges


def _unasserted_in(sentence: Sentence) -> Iterator[Range]:
    whole = sentence.begin, sentence.end
    if sentence.over or not sentence.quotable:
        yield whole
        return
    covered = [False] * len(sentence.tokens)
    for scope in sentence.context.scopes:
        expected = scope.property == "uncertain" and sentence.tokens[scope.first].text in EXPECTED
        if scope.property in _UNASSERTED and scope.start < scope.end and not expected:
            first = min(scope.start, max(scope.first, 0))
            for index in range(first, max(scope.end, scope.last + 1)):
                covered[index] = True
    rest = []
    for token, is_covered in zip(sentence.tokens, covered, strict=True):
        if not is_covered:
            rest.append(token.text)
    if any(covered) and not terms(" ".join(rest)):
        yield whole
    else:
        yield from _runs(sentence, covered)


def _runs(sentence: Sentence, covered: Sequence[bool]) -> Iterator[Range]:
    """Yield the ranges of tokens in a row that are covered."""
    start = None
    for token, is_covered in zip(sentence.tokens, covered, strict=True):
        if is_covered and start is None:
            start = token.start
        elif not is_covered and start is not None:
            yield start, token.start
            start = None
    if start is not None:
        yield start, sentence.end


def without(note: str, ranges: Iterable[Range]) -> str:
    """Return a note with blanks in place of ranges that are in order; offsets stay."""
    parts = []
    begin = 0
    for start, end in ranges:
        parts.append(note[begin:start])
        parts.append(_NOT_SPACE.sub(" ", note[max(begin, start) : end]))
        begin = max(begin, end)
    parts.append(note[begin:])
    return "".join(parts)


def asserted_part(case: Case, asserted: str, keep: tuple[Range, ...] | None = None) -> Case:
    """Return a case with blanks in place of what is not asserted. A case of which nothing is left
    stays whole.

    Args:
        case: the case.
        asserted: its note with those blanks, as a reading of it holds it.
        keep: half-open ranges of the note that were read (default: all of it).
    """
    if not has_quote(asserted, keep):
        return case
    return replace(case, note=asserted)
