"""The sentences of a note, in which no cue reaches over the end of an item of a list.

Where lines are joined to a sentence, some are wrapped prose and some are items without a full stop. A
new item begins with a capital or a mark, or stands behind a short line.
"""

from __future__ import annotations

import re
from dataclasses import replace

from dxtrace.findings.context import Context
from dxtrace.findings.reader import Sentence, read_sentences
from dxtrace.findings.scope import Scope
from dxtrace.notes.case import Case

#: A line of fewer characters is no wrapped prose.
_SHORT = 40

_GOES_ON = re.compile(
    r"(?:[,/&(+:-]|\b(?:and|or|nor|any|of|the|a|an|no|not|denies|with|without|for|to))\s*\Z",
    re.IGNORECASE,
)


def sentences_of(case: Case) -> list[Sentence]:
    """Return the sentences of a case, read."""
    sentences = []
    for sentence in read_sentences(case):
        sentences.append(_within_lines(case.note, sentence))
    return sentences


def _within_lines(note: str, sentence: Sentence) -> Sentence:
    ends = _ends(note, sentence)
    if not ends:
        return sentence
    context = sentence.context
    scopes = tuple(_cut(scope, ends) for scope in context.scopes)
    return replace(sentence, context=Context(scopes, context.no_result, context.hypothetical))


def _ends(note: str, sentence: Sentence) -> list[int]:
    """Return the tokens with which a new item begins."""
    found: list[int] = []
    tokens = sentence.tokens
    for index in range(1, len(tokens)):
        before, after = tokens[index - 1], tokens[index]
        if "\n" not in note[before.end : after.start]:
            continue
        begin = note.rfind("\n", 0, before.end) + 1
        line = note[begin : before.end]
        opens = not note[after.start].islower()
        if (opens or len(line) < _SHORT) and not _GOES_ON.search(line):
            found.append(index)
    return found


def _cut(scope: Scope, ends: list[int]) -> Scope:
    """Return a scope that stays within the item of its cue."""
    if scope.first < 0:
        return scope
    start = max((end for end in ends if end <= scope.first), default=scope.start)
    stop = min((end for end in ends if end > scope.last), default=scope.end)
    return replace(scope, start=max(scope.start, start), end=min(scope.end, stop))
