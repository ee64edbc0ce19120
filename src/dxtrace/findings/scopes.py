"""The scopes of cues over the words of a sentence.

ConText (Harkema et al. 2009, doi 10.1016/j.jbi.2009.05.002) in kind: cues with a direction, each of which reaches over
the words on one side until something ends its scope. The cues are data: ``cues.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from dxtrace.findings.forms import form_scopes
from dxtrace.findings.persons import person_scopes
from dxtrace.findings.reach import (
    begin_of_subject,
    cue_lists,
    end_of_denial,
    end_of_phrase,
    ends_phrase,
)
from dxtrace.findings.scope import Scope
from dxtrace.findings.tokens import tokenise


def _cues(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the phrases of a list of cues, each as its words."""
    cues = []
    for phrase in cue_lists()[name]:
        cues.append(tuple(token.text for token in tokenise(phrase)))
    return tuple(cues)


# Cues that look ahead.
_DENIED_BEFORE = _cues("denied_before")
# ... and cues that look back.
_DENIED_AFTER = _cues("denied_after")
_NORMAL = _cues("normal")
_UNCERTAIN_BEFORE = _cues("uncertain_before")
_UNCERTAIN_AFTER = _cues("uncertain_after")
#: Words of uncertainty that open an expectation or a condition.
EXPECTED = frozenset(cue_lists()["expected"])
_PAST = _cues("past")
_PAST_AFTER = _cues("past_after")
_OVERTAKEN = frozenset(cue_lists()["overtaken"])
_EARLIER = _cues("earlier")
# "An HIV-negative man in whom hypertension was diagnosed five years ago": the time is that of the illness.
_BEGINS_ILLNESS = frozenset(cue_lists()["begins_illness"])
_PARTS = frozenset([",", ";", ".", ":", "|", "and", "but", "now", "today", "then"])
# A cue in these words is none.
_PSEUDO = _cues("pseudo")
# "-week history of cough": how long, not how long ago.
_TIME_UNITS = frozenset(cue_lists()["time_units"])


def find_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scope of every cue among the words of a sentence."""
    words = _without_initials(words)
    pseudo = set(_covered(words, _PSEUDO))
    # "cannot be excluded" is no denial: the longer cue of uncertainty takes its words.
    pseudo_denials = pseudo | set(_covered(words, _UNCERTAIN_AFTER))
    yield from form_scopes(words)
    for first, last in _find(words, _DENIED_BEFORE, pseudo_denials):
        alone = words[last + 1 : last + 2] in ([","], [";"], ["."], [")"], ["|"], ["/"], ["-"], [])
        if words[first] == "non":
            yield Scope("denied", first, last, last + 1, last + 2)
        elif not alone:
            yield Scope("denied", first, last, last + 1, end_of_denial(words, first, last + 1))
    for index, word in enumerate(words):
        if (word.endswith("n't") or word == "cant") and index not in pseudo:
            yield Scope("denied", index, index, index + 1, end_of_denial(words, index, index + 1))
    for first, last in _find(words, _DENIED_AFTER, pseudo_denials):
        if ends_phrase(words, last):
            yield Scope("denied", first, last, begin_of_subject(words, first), first)
    for first, last in _find(words, _NORMAL, pseudo):
        yield from _normal_scopes(words, first, last)
    for first, last in _find(words, _UNCERTAIN_BEFORE, pseudo):
        # "VS:" and "VS -" open the vital signs.
        if words[first] == "vs" and words[last + 1 : last + 2] in ([":"], ["-"], ["–"]):
            continue
        if words[first] == "prn" and not (first and words[first - 1].isalnum()):
            continue
        # What one medicine is taken for does not reach the next.
        end = end_of_phrase(words, last + 1, list_too=words[first] != "prn")
        # "The suspected fracture was confirmed."
        if not _CONFIRMED.intersection(words[last + 1 : end]):
            yield Scope("uncertain", first, last, last + 1, end)
    yield from _question_scopes(words)
    for first, last in _find(words, _UNCERTAIN_AFTER, pseudo):
        if ends_phrase(words, last):
            yield Scope("uncertain", first, last, begin_of_subject(words, first), first)
    yield from _past_scopes(words, pseudo)
    yield from _year_scopes(words)
    yield from _overtaken_scopes(words)
    yield from person_scopes(words)


_AFFIRMING_REPLIES = frozenset(["yes", "y", "positive", "present", "+"])


def _question_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield doubts by a question mark: before a suspicion ("? pneumonia"), or behind what is asked, unless the
    answer is yes.
    """
    if "?" not in words:
        return
    begin = 0
    interview = words[0] in _ASKS or words[1:2] == [":"]
    last_reply = max((at for at, word in enumerate(words) if word in _REPLIES - {"."}), default=-1)
    for index, word in enumerate(words):
        # "WBC 11.9, stress?" asks of the stress alone.
        replied = index < last_reply
        if word in {".", ";"} or (word == "," and not interview and not replied):
            begin = index + 1
        if word != "?":
            continue
        following = words[index + 1 : index + 2]
        asks = not following or following[0] in _REPLIES
        if asks and not _AFFIRMING_REPLIES.intersection(following):
            yield Scope("uncertain", index, index, begin, index)
        elif not asks:
            yield Scope("uncertain", index, index, index + 1, end_of_phrase(words, index + 1))
        begin = index + 1


_ASKS = frozenset(["any", "do", "does", "did", "have", "has", "is", "are", "was", "were"])
_REPLIES = _AFFIRMING_REPLIES | {
    ".",
    "no",
    "none",
    "never",
    "n",
    "nope",
    "denies",
    "denied",
    "negative",
    "not",
    "-",
}


def _without_initials(words: Sequence[str]) -> list[str]:
    """Return words in which the full stop of an initial ("H. pylori") ends nothing."""
    result = list(words)
    for index in range(1, len(words) - 1):
        if words[index] == "." and len(words[index - 1]) == 1 and words[index - 1].isalpha():
            result[index] = ""
    return result


@cache
def _first_words(phrases: tuple[tuple[str, ...], ...]) -> dict[str, list[tuple[str, ...]]]:
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        by_first.setdefault(phrase[0], []).append(phrase)
    return by_first


def _find(
    words: Sequence[str],
    phrases: tuple[tuple[str, ...], ...],
    pseudo: set[int] | frozenset[int] = frozenset(),
) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of every phrase that stands among the words, longest first, none of them
    pseudo.
    """
    by_first = _first_words(phrases)
    for index, word in enumerate(words):
        for phrase in by_first.get(word, ()):
            last = index + len(phrase) - 1
            if tuple(words[index : last + 1]) == phrase:
                if not pseudo.intersection(range(index, last + 1)):
                    yield index, last
                break


def _covered(words: Sequence[str], phrases: tuple[tuple[str, ...], ...]) -> Iterator[int]:
    for first, last in _find(words, phrases):
        yield from range(first, last + 1)


_CONFIRMED = frozenset(cue_lists()["confirmed"])
_YEAR = re.compile(r"(?:19|20)\d\d")
_MONTHS = frozenset(
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
)


def _normal_scopes(words: Sequence[str], first: int, last: int) -> Iterator[Scope]:
    if first:
        before = words[first - 1]
    else:
        before = ""
    predicate = before in {
        "is",
        "was",
        "are",
        "were",
        ":",
        "appear",
        "appears",
        "appeared",
        "be",
        "been",
        "remained",
        "-",
        "–",
        "all",
        "both",
        "otherwise",
        "completely",
        "entirely",
    }
    # "ECG normal and troponin raised": it stands behind what it is said of.
    behind = ends_phrase(words, last) and first > 0 and before not in _OPENS_PHRASE
    if predicate or behind:
        yield Scope("normal", first, last, begin_of_subject(words, first), first)
    if not (predicate or behind) or before in {":", "otherwise"}:
        yield Scope("normal", first, last, last + 1, end_of_phrase(words, last + 1))
    end = _end_of_likewise(words, last + 1)
    if end:
        yield Scope("normal", first, last, last + 1, end)


_OPENS_PHRASE = frozenset([",", "and", "or", "a", "an", "the", "with", "of"])

_LIKEWISE = frozenset(["too", "also", "likewise", "similarly"])

#: So many words behind "normal" may be normal "too".
_MOST_LIKEWISE = 6


def _end_of_likewise(words: Sequence[str], begin: int) -> int | None:
    """Return where the words end of which the same is said as of those before: "normal and the
    troponin too", "normal, as was the troponin"; None if there are none.
    """
    if words[begin : begin + 1] in ([","], [";"]):
        begin += 1
    rest = list(words[begin : begin + _MOST_LIKEWISE])
    if rest[1:2] in (["was"], ["were"], ["is"], ["are"]) and rest[0] in {"as", "so"}:
        return end_of_phrase(words, begin + 2)
    if rest[:1] != ["and"]:
        return None
    if rest[1:2] == ["so"] and rest[2:3] in (["was"], ["were"], ["is"], ["are"]):
        return end_of_phrase(words, begin + 3)
    for index, word in enumerate(rest):
        if word in _LIKEWISE or (word == "as" and rest[index + 1 : index + 2] == ["well"]):
            return begin + index
        if word in {",", ";", "."}:
            return None
    return None


def _year_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scopes of years: "had pneumonia in 2009", "tuberculosis (1988)".

    A year in which the patient presents or is admitted is that of the illness that is told.
    """
    for index, word in enumerate(words):
        if not _YEAR.fullmatch(word) or index < 2:
            continue
        begin = begin_of_subject(words, index - 1)
        if words[index - 1] == "(" and words[index + 1 : index + 2] == [")"]:
            yield Scope("past", index, index, begin, index - 1)
        for place in range(index - 2, max(begin, index - 7) - 1, -1):
            if words[index - 1] == "in" and words[place] in {"had", "for"}:
                yield Scope("past", index, index, place + 1, index - 1)
                break


def _overtaken_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scopes of results of earlier tests: "a film taken on entry had been normal", "CT last
    year was normal", "cath 2016: clean".
    """
    for first, last in [*_find(words, _EARLIER), *_bare_years(words)]:
        begin, end = _part_around(words, first, last)
        if words[end : end + 1] == [":"]:
            _, end = _part_around(words, end + 1, end)
        part = words[begin:end]
        if _OVERTAKEN.intersection(part) and not _BEGINS_ILLNESS.intersection(part):
            yield Scope("overtaken", first, last, begin, end)
    for index, word in enumerate(words):
        if word != "had":
            continue
        predicate = []
        for other in words[index + 1 : index + 4]:
            if other not in {"all", "both", "repeatedly"}:
                predicate.append(other)
        if predicate[:1] == ["been"] and _OVERTAKEN.intersection(predicate[1:2]):
            yield Scope("overtaken", index, index, begin_of_subject(words, index), index)


def _bare_years(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the years that stand without a month behind a word: "cath 2016", "an echo in 2019"."""
    for index, word in enumerate(words):
        if not _YEAR.fullmatch(word) or index == 0:
            continue
        before = words[index - 1]
        if before.isalpha() and before[:3] not in _MONTHS:
            yield index, index


def _part_around(words: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """Return the part of a sentence between marks, "and" and "but" in which a phrase stands."""
    begin, end = first, last + 1
    while begin > 0 and words[begin - 1] not in _PARTS:
        begin -= 1
    while end < len(words) and words[end] not in _PARTS:
        end += 1
    return begin, end


def _past_scopes(words: Sequence[str], pseudo: set[int]) -> Iterator[Scope]:
    for first, last in _find(words, _PAST, pseudo):
        before = []
        for word in words[max(0, first - 2) : first]:
            if word not in {"-", "–"}:
                before.append(word)
        lasting = words[first] in {"history", "hx"} and before and before[-1] in _TIME_UNITS
        if not lasting and not (before and before[-1] == "family"):
            yield Scope(
                "past",
                first,
                last,
                last + 1,
                end_of_phrase(words, last + 1, list_too=True),
            )
    for first, last in _find(words, _PAST_AFTER, pseudo):
        yield Scope("past", first, last, begin_of_subject(words, first), first)
    for index, word in enumerate(words):
        if word == "ago" and index > 1 and words[index - 1].startswith(("year", "yr", "decade")):
            yield Scope("past", index - 1, index, 0, len(words))
