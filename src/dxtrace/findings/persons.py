"""Whose a finding is: relatives and others in a sentence, and how far what is said of them reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dxtrace.findings.numbers import is_number
from dxtrace.findings.reach import END, VERBS, affirms, begin_of_subject, cue_lists
from dxtrace.findings.scope import Property, Scope

_RELATIVES = frozenset(cue_lists()["relatives"])
_OTHERS = frozenset(cue_lists()["others"])
# A person who tells of the patient, or does something with them, is not the one who has it.
_TELLS = frozenset(cue_lists()["tells"])
_TIME_UNITS = frozenset(cue_lists()["time_units"])
# "Mo: asthma"
_SHORT_RELATIVES = frozenset(["mo", "fa", "bro", "sis", "gm", "gf", "sib"])
_HEADINGS = frozenset(["fh", "fhx", "famhx", "heredity", "hereditary", "relatives"])


def person_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scopes of relatives and others who have something; not of those who only tell."""
    yield from _child_scopes(words)
    for index, word in enumerate(words):
        plain = word.removesuffix("'s")
        if plain in {"worker", "workers"} and words[index - 1 : index] == ["co"]:
            plain = "coworker"
        kind: Property | None = None
        labels = words[index + 1 : index + 2] == [":"]
        if plain in _RELATIVES or (labels and plain in _SHORT_RELATIVES):
            kind = "family"
        elif plain in _OTHERS:
            kind = "other"
        # "The child has pain": the patient.
        the_patient = plain in {"child", "children"} and words[index - 1 : index] not in (
            ["his"],
            ["her"],
            ["their"],
        )
        the_patient = the_patient and not labels
        if kind is None or the_patient or _only_tells(words, index):
            continue
        yield Scope(
            kind,
            index,
            index,
            _begin_of_person(words, index),
            _end_of_person(words, _end_of_owner(words, index), kind, _is_heading(words, index)),
        )


def _is_heading(words: Sequence[str], index: int) -> bool:
    """True for a word that heads what the whole family has: "FHx: stroke; epilepsy"."""
    if words[index] in _HEADINGS:
        return True
    following = words[index + 1 : index + 2]
    return words[index] == "family" and following in (["history"], ["hx"], [":"])


def _child_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scopes of children who are named by their age: "her 4-year-old has a fever"."""
    for index in range(len(words) - 4):
        named = words[index + 2].startswith("year") and words[index + 3] == "old"
        if words[index] in _OWNERS and named and words[index + 4] in VERBS:
            end = _end_of_person(words, index + 4, "other", False)
            yield Scope("other", index + 1, index + 3, index + 1, end)


# How many words may stand between "his" and "brother" ("her 11-year-old son"), and which of them are no adjectives.
_MOST_ADJECTIVES = 5
_OWNERS = frozenset(["his", "her", "my", "their"])
_OWNERS_BEHIND = frozenset(["his", "hers", "theirs", "mine", "patient", "patient's"])
_NO_ADJECTIVES = END | VERBS | frozenset([",", "and", "or", "of", "by", "with", "to", "from"])

_WORRIES = frozenset(["concerned", "worried", "afraid", "certain", "sure"])


def _only_tells(words: Sequence[str], index: int) -> bool:
    following = []
    for word in words[index + 1 : index + 3]:
        if word not in {"also", "who", "has", "had"}:
            following.append(word)
    if following and following[0] in _TELLS - {"is", "and"}:
        return True
    # "Her mother is also concerned that she ..."
    if (
        _WORRIES.intersection(words[index + 1 : index + 5])
        and "that" in words[index + 1 : index + 6]
    ):
        return True
    before = []
    for word in words[max(0, index - 3) : index]:
        if word not in {"his", "her", "their", "the", "a"}:
            before.append(word)
    if before and before[-1] in {"by", "with", "to", "from", "per", "lives"}:
        had = any(
            word in {"had", "has", "died", "diagnosed"} for word in words[index + 1 : index + 4]
        )
        return not (had or (before[-1] == "with" and "contact" in words))
    if _end_of_owner(words, index) > index + 1:
        return False
    # "father of two", "mother of three", "family physician": the patient, or a doctor.
    return words[index + 1 : index + 2] in (
        ["of"],
        ["physician"],
        ["doctor"],
        ["medicine"],
        ["practitioner"],
        ["planning"],
    )


def _end_of_owner(words: Sequence[str], index: int) -> int:
    """Return where the words behind a person begin, and behind whose person it is: "a neighbour of
    his", "a friend of the patient".
    """
    if words[index + 1 : index + 2] == ["of"]:
        for place in range(index + 2, min(index + 4, len(words))):
            if words[place] in _OWNERS_BEHIND:
                return place + 1
    return index + 1


def _begin_of_person(words: Sequence[str], index: int) -> int:
    """Return where what is said of a person begins: "her 11-year-old son" is a child all through."""
    if _of_person(words, index):
        return begin_of_subject(words, index)
    for place in range(index - 1, max(-1, index - _MOST_ADJECTIVES - 1), -1):
        if words[place] in _OWNERS:
            return place + 1
        if words[place] in _NO_ADJECTIVES:
            break
    return index


def _of_person(words: Sequence[str], index: int) -> bool:
    """True for "leukaemia in his mother": what the person has stands before."""
    return any(word in {"in", "of"} for word in words[max(0, index - 3) : index])


def _tells_of_patient(words: Sequence[str], start: int) -> bool:
    """True if a new statement begins behind a comma; "memory loss for 3 years" is one more that a relative had."""
    if not affirms(words, start):
        return False
    part = list(words[start:])
    if "," in part:
        part = part[: part.index(",")]
    lasts = any(is_number(one) and two in _TIME_UNITS for one, two in pairwise(part))
    return not lasts or bool(VERBS.intersection(part))


def _end_of_person(words: Sequence[str], start: int, kind: Property, heads: bool) -> int:
    # "His roommate was admitted with dyspnea, orthopnea ...": a subject has all of the list.
    alone = kind == "other" and not (start < len(words) and words[start] in VERBS)
    for index in range(start, len(words)):
        if words[index] == "," and words[index + 1 : index + 2] == ["who"]:
            continue
        if words[index] == "," and (alone or _tells_of_patient(words, index + 1)):
            return index
        if words[index] == ";" and heads and not affirms(words, index + 1):
            continue
        # "His brother was treated for it; he had fever": still the brother.
        if words[index] == ";" and words[index + 1 : index + 3] in (["he", "had"], ["she", "had"]):
            continue
        if words[index] in {";", "."} or (
            words[index] in END and words[index] not in {"who", "which"}
        ):
            return index
        if words[index] in {"he", "she", "patient"} and words[index - 1] != ";":
            following = words[index + 1 : index + 3]
            # "... when she suddenly felt pain"
            if following and following[0].endswith("ly"):
                following = following[1:]
            if following and following[0] in VERBS:
                return index
    return len(words)
