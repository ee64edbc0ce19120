"""How far a cue reaches: where a denial, a phrase, a subject and a series begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from dxtrace.files import packaged_yaml


@cache
def cue_lists() -> dict[str, list[str]]:
    """Return the lists of cues by name (``cues.yaml``)."""
    lists: dict[str, list[str]] = packaged_yaml("dxtrace.findings", "cues.yaml")
    return lists


_NUMBERED = frozenset(cue_lists()["numbered"])
# What ends the scope of a cue that looks ahead.
END = frozenset(cue_lists()["ends"])
# ... or of a denial alone: "no cough before the fever began", "no source found to explain the anaemia".
_ENDS_DENIAL = frozenset(["before", "since", "explain", "|"])
_HAVING = frozenset(["had", "have", "noticed", "experienced", "reported", "developed"])
_LISTS_WITH_SEMICOLONS = frozenset(
    ["denies", "denied", "denying", "negative", "negatives", "absent"]
)
_SHORT_CUES = frozenset(["no", "not", "without", "negative", "neg", "denied"])
_TELLS_MORE = frozenset(cue_lists()["tells_more"])
AUXILIARIES = frozenset(cue_lists()["auxiliaries"])
_SUBJECTS = frozenset(["he", "she", "they", "it", "patient", "there", "his", "her"])
VERBS = frozenset(cue_lists()["verbs"])
_AFFIRMS = frozenset(
    ["positive", "+", "with", "reports", "complains", "admits", "endorses", "has", "had"]
)
_FINITE = frozenset(cue_lists()["finite_verbs"])


def end_of_denial(words: Sequence[str], cue: int, start: int) -> int:
    """Return where a denial ends: it runs over a list, and not over a new statement."""
    # "He has not had fever, pain in the chest": a verb's list is one list.
    short_cue = words[cue] in _SHORT_CUES and not _HAVING.intersection(words[start : start + 1])
    told_whole = (words[cue] == "without" and cue == 0) or words[start : start + 1] == ["one"]
    if told_whole or words[max(0, cue - 2) : cue] in (["there", "were"], ["there", "was"]):
        short_cue = False
    for index in range(start, len(words)):
        word = words[index]
        if word == ";" and words[cue] in _LISTS_WITH_SEMICOLONS and _is_list(words, start):
            continue
        if word in END or (word in _ENDS_DENIAL and index > start):
            return index
        if word in {",", "and", ":", "-", "–", "("} and affirms(words, index + 1):
            return index
        if word == "," and short_cue and _stands_alone(words, index + 1):
            return index
        begins_another = word == "with" and index > start and not words[index - 1].endswith("ed")
        if begins_another and not _list_goes_on(words, index + 1):
            return index
        # "a student without symptoms has ...": a preposition does not reach over a verb.
        if words[cue] == "without" and index > start and word in _FINITE:
            return index
    return len(words)


def _is_list(words: Sequence[str], start: int) -> bool:
    """True if three short items or more stand between semicolons: "denies fever; night sweats; weight loss"."""
    items: list[list[str]] = [[]]
    for word in words[start:]:
        if word == ".":
            break
        if word == ";":
            items.append([])
        else:
            items[-1].append(word)
    told = VERBS | _AFFIRMS | _SUBJECTS | _TELLS_MORE
    for item in items:
        numbered = any(word[:1].isdigit() for word in item)
        if not item or len(item) > _ITEM_WORDS + 1 or numbered or told.intersection(item):
            return False
    return len(items) > 2


def _list_goes_on(words: Sequence[str], start: int) -> bool:
    """True if a list ends behind ``start``: "denies fever, cough with sputum, or haemoptysis"."""
    for index in range(start, len(words) - 1):
        if words[index] in END:
            return False
        if words[index] == "," and words[index + 1] in {"or", "nor"}:
            return True
    return False


def _stands_alone(words: Sequence[str], start: int) -> bool:
    """True if what follows a comma is a finding told on its own, and not one more of a denied list.

    "No pneumothorax, consolidation in the right lower lobe": it has a place, a time or a course, and no "or" joins it.
    """
    rest = list(words[start:])
    for mark in (";", "."):
        if mark in rest:
            rest = rest[: rest.index(mark)]
    if "or" in rest or "nor" in rest:
        return False
    if "," in rest:
        part = rest[: rest.index(",")]
    else:
        part = rest
    return bool(_TELLS_MORE.intersection(part))


def affirms(words: Sequence[str], index: int) -> bool:
    """True if a new statement begins: a subject and its verb, a verb, a number, a plus."""
    following = list(words[index : index + 3])
    if not following:
        return False
    if following[0] in _AFFIRMS or following[0] in VERBS:
        return True
    if following[0] in _SUBJECTS and any(word in VERBS for word in following[1:]):
        return True
    if (
        following[0] == "and"
        and len(following) > 1
        and following[1] in VERBS | _AFFIRMS | _SUBJECTS
    ):
        return True
    rest = list(words[index : index + 5])
    if ")" in rest:
        rest = rest[: rest.index(")")]
    if "," in rest:
        stop = rest.index(",")
    else:
        stop = len(rest)
    if any(word in VERBS for word in rest[:stop]):
        return True
    return any(_is_value(words, place) for place in range(index, index + stop))


def _is_value(words: Sequence[str], place: int) -> bool:
    """True for a number, but that of a name: "SARS-CoV-2"."""
    named = place > 0 and words[place - 1] in _NUMBERED
    return words[place][:1].isdigit() and not named


def end_of_phrase(words: Sequence[str], start: int, *, list_too: bool = False) -> int:
    """Return where the phrase behind a cue ends; ``list_too``: with the list that follows it."""
    for index in range(start, len(words)):
        if words[index] in END or (
            words[index] == "," and (not list_too or affirms(words, index + 1))
        ):
            return index
        if words[index] in {"with", "and"} and index > start and affirms(words, index + 1):
            return index
    return len(words)


_AFTER_PREDICATE = frozenset(cue_lists()["after_predicates"])


def ends_phrase(words: Sequence[str], last: int) -> bool:
    """True if a cue that looks back ends its phrase: nothing of its own follows that it could
    qualify.
    """
    if last + 1 >= len(words):
        return True
    following = words[last + 1]
    return following in _AFTER_PREDICATE or (following.startswith("x") and following[1:].isdigit())


def begin_of_subject(words: Sequence[str], first: int) -> int:
    """Return where the subject of a predicate begins: a list if the verb is plural, else its own part.

    A part that is nothing but auxiliaries has its subject before it: "..., but has been ruled out".
    """
    plural = first > 0 and words[first - 1] in {"are", "were", "all", "both", "have"}
    plural = plural or list(words[max(0, first - 2) : first]) == ["have", "been"]
    plural = plural or _ends_series(words, first)
    for index in range(first - 1, -1, -1):
        word = words[index]
        if word in {"(", "|", "pos", "positive", "+"}:
            return index + 1
        elided = all(other in AUXILIARIES for other in words[index + 1 : first])
        if word in END and not (elided and index > 0):
            return index + 1
        if word == "," and not plural and not elided:
            return index + 1
    return 0


#: Words of an item of a series, at most: "left arm weakness".
_ITEM_WORDS = 4


def _ends_series(words: Sequence[str], end: int) -> bool:
    """True if a series of short items ends before ``end``: "fever, chills, and sweats" (denied), with no verb for
    the last of them alone.
    """
    while end > 0 and words[end - 1] in {":", "-", "–", "—", "("}:
        end -= 1
    begin = end
    while begin > 0 and words[begin - 1] not in {",", ";", ".", "|"}:
        begin -= 1
    last = words[begin:end]
    if begin < 2 or words[begin - 1] != "," or not last or last[0] not in {"and", "or", "nor"}:
        return False
    if len(last) > _ITEM_WORDS + 1 or AUXILIARIES.intersection(last):
        return False
    item = 0
    for index in range(begin - 2, -1, -1):
        if words[index] in {",", ";", "."}:
            break
        item += 1
        if words[index] in VERBS:
            return False
    return item <= _ITEM_WORDS
