"""How far a cue reaches: scopes over the words of a sentence.

ConText (Harkema et al. 2009, doi 10.1016/j.jbi.2009.05.002) in kind: cues with a direction, each of which reaches over
the words on one side until something ends its scope. The cues are data: ``cues.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from dxtrace.files import packaged_yaml
from dxtrace.findings.forms import form_scopes
from dxtrace.findings.scope import Property, Scope
from dxtrace.findings.tokens import tokenise


@cache
def _lists() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = packaged_yaml("dxtrace.findings", "cues.yaml")
    return lists


def _cues(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the phrases of a list of cues, each as its words."""
    cues = []
    for phrase in _lists()[name]:
        cues.append(tuple(token.text for token in tokenise(phrase)))
    return tuple(cues)


# Cues that look ahead.
_DENIED_BEFORE = _cues("denied_before")
# ... and cues that look back.
_DENIED_AFTER = _cues("denied_after")
_NORMAL = _cues("normal")
_UNCERTAIN_BEFORE = _cues("uncertain_before")
_UNCERTAIN_AFTER = _cues("uncertain_after")
_PAST = _cues("past")
_PAST_AFTER = _cues("past_after")
_OVERTAKEN = frozenset(_lists()["overtaken"])
_EARLIER = _cues("earlier")
_NUMBERED = frozenset(_lists()["numbered"])
# "An HIV-negative man in whom hypertension was diagnosed five years ago": the time is that of the illness.
_BEGINS_ILLNESS = frozenset(_lists()["begins_illness"])
_PARTS = frozenset([",", ";", ".", ":", "|", "and", "but", "now", "today", "then"])
# A cue in these words is none.
_PSEUDO = _cues("pseudo")
# "-week history of cough": how long, not how long ago.
_TIME_UNITS = frozenset(_lists()["time_units"])

_RELATIVES = frozenset(_lists()["relatives"])
_OTHERS = frozenset(_lists()["others"])
# A person who tells of the patient, or does something with them, is not the one who has it.
_TELLS = frozenset(_lists()["tells"])
_BEFORE_TELLER = frozenset(
    ["by", "with", "from", "per", "to", "of", "his", "her", "their", "for", "and"]
)

# What ends the scope of a cue that looks ahead.
_END = frozenset(_lists()["ends"])
# ... or of a denial alone: "no cough before the fever began", "no source found to explain the anaemia".
_ENDS_DENIAL = frozenset(["before", "since", "explain", "|"])
_SHORT_CUES = frozenset(["no", "not", "without", "negative", "neg", "denied"])
_TELLS_MORE = frozenset(_lists()["tells_more"])
_AUXILIARIES = frozenset(_lists()["auxiliaries"])
_SUBJECTS = frozenset(["he", "she", "they", "it", "patient", "there", "his", "her"])
_VERBS = frozenset(_lists()["verbs"])
_AFFIRMS = frozenset(
    ["positive", "+", "with", "reports", "complains", "admits", "endorses", "has", "had"]
)


def find_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scope of every cue among the words of a sentence."""
    pseudo = set(_covered(words, _PSEUDO))
    # "cannot be excluded" is no denial: the longer cue of uncertainty takes its words.
    pseudo_denials = pseudo | set(_covered(words, _UNCERTAIN_AFTER))
    yield from form_scopes(words)
    for first, last in _find(words, _DENIED_BEFORE, pseudo_denials):
        alone = words[last + 1 : last + 2] in ([","], [";"], ["."], [")"], ["|"], ["/"], ["-"], [])
        if words[first] == "non":
            yield Scope("denied", first, last, last + 1, last + 2)
        elif not alone:
            yield Scope("denied", first, last, last + 1, _end_of_denial(words, first, last + 1))
    for index, word in enumerate(words):
        if (word.endswith("n't") or word == "cant") and index not in pseudo:
            yield Scope("denied", index, index, index + 1, _end_of_denial(words, index, index + 1))
    for first, last in _find(words, _DENIED_AFTER, pseudo_denials):
        if _ends_phrase(words, last):
            yield Scope("denied", first, last, _begin_of_subject(words, first), first)
    for first, last in _find(words, _NORMAL, pseudo):
        yield from _normal_scopes(words, first, last)
    for first, last in _find(words, _UNCERTAIN_BEFORE, pseudo):
        # "VS:" and "VS -" open the vital signs.
        if words[first] == "vs" and words[last + 1 : last + 2] in ([":"], ["-"], ["–"]):
            continue
        end = _end_of_phrase(words, last + 1, list_too=True)
        # "The suspected fracture was confirmed."
        if not _CONFIRMED.intersection(words[last + 1 : end]):
            yield Scope("uncertain", first, last, last + 1, end)
    for index, word in enumerate(words):
        if word == "?":
            yield Scope("uncertain", index, index, index + 1, _end_of_phrase(words, index + 1))
    for first, last in _find(words, _UNCERTAIN_AFTER, pseudo):
        if _ends_phrase(words, last):
            yield Scope("uncertain", first, last, _begin_of_subject(words, first), first)
    yield from _past_scopes(words, pseudo)
    yield from _year_scopes(words)
    yield from _overtaken_scopes(words)
    yield from _person_scopes(words)


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


def _end_of_denial(words: Sequence[str], cue: int, start: int) -> int:
    """Return where a denial ends: it runs over a list, and not over a new statement."""
    short_cue = words[cue] in _SHORT_CUES
    for index in range(start, len(words)):
        word = words[index]
        if word in _END or (word in _ENDS_DENIAL and index > start):
            return index
        if word in {",", "and", ":", "-", "–", "("} and _affirms(words, index + 1):
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


def _list_goes_on(words: Sequence[str], start: int) -> bool:
    """True if a list ends behind ``start``: "denies fever, cough with sputum, or haemoptysis"."""
    for index in range(start, len(words) - 1):
        if words[index] in _END:
            return False
        if words[index] == "," and words[index + 1] in {"or", "nor"}:
            return True
    return False


_CONFIRMED = frozenset(_lists()["confirmed"])
_YEAR = re.compile(r"(?:19|20)\d\d")
_FINITE = frozenset(_lists()["finite_verbs"])


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


def _affirms(words: Sequence[str], index: int) -> bool:
    """True if a new statement begins: a subject and its verb, a verb, a number, a plus."""
    following = list(words[index : index + 3])
    if not following:
        return False
    if following[0] in _AFFIRMS or following[0] in _VERBS:
        return True
    if following[0] in _SUBJECTS and any(word in _VERBS for word in following[1:]):
        return True
    if (
        following[0] == "and"
        and len(following) > 1
        and following[1] in _VERBS | _AFFIRMS | _SUBJECTS
    ):
        return True
    rest = words[index : index + 5]
    if "," in rest:
        stop = rest.index(",")
    else:
        stop = len(rest)
    if any(word in _VERBS for word in rest[:stop]):
        return True
    return any(_is_value(words, place) for place in range(index, index + stop))


def _is_value(words: Sequence[str], place: int) -> bool:
    """True for a number, but that of a name: "SARS-CoV-2"."""
    named = place > 0 and words[place - 1] in _NUMBERED
    return words[place][:1].isdigit() and not named


def _end_of_phrase(words: Sequence[str], start: int, *, list_too: bool = False) -> int:
    for index in range(start, len(words)):
        if words[index] in _END or (
            words[index] == "," and (not list_too or _affirms(words, index + 1))
        ):
            return index
        if words[index] in {"with", "and"} and index > start and _affirms(words, index + 1):
            return index
    return len(words)


_AFTER_PREDICATE = frozenset(_lists()["after_predicates"])


def _ends_phrase(words: Sequence[str], last: int) -> bool:
    """True if a cue that looks back ends its phrase: nothing of its own follows that it could
    qualify.
    """
    if last + 1 >= len(words):
        return True
    following = words[last + 1]
    return following in _AFTER_PREDICATE or (following.startswith("x") and following[1:].isdigit())


def _begin_of_subject(words: Sequence[str], first: int) -> int:
    """Return where the subject of a predicate begins: a list if the verb is plural, else its own part.

    A part that is nothing but auxiliaries has its subject before it: "..., but has been ruled out".
    """
    plural = first > 0 and words[first - 1] in {"are", "were", "all", "both"}
    for index in range(first - 1, -1, -1):
        word = words[index]
        if word in {"(", "|", "pos", "positive", "+"}:
            return index + 1
        elided = all(other in _AUXILIARIES for other in words[index + 1 : first])
        if word in _END and not (elided and index > 0):
            return index + 1
        if word == "," and not plural and not elided:
            return index + 1
    return 0


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
    if predicate or (
        _ends_phrase(words, last) and first > 0 and before not in {",", "and", "a", "the"}
    ):
        yield Scope("normal", first, last, _begin_of_subject(words, first), first)
    if not predicate or before in {":", "otherwise"}:
        yield Scope("normal", first, last, last + 1, _end_of_phrase(words, last + 1))


def _year_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scopes of years: "had pneumonia in 2009", "tuberculosis (1988)".

    A year in which the patient presents or is admitted is that of the illness that is told.
    """
    for index, word in enumerate(words):
        if not _YEAR.fullmatch(word) or index < 2:
            continue
        begin = _begin_of_subject(words, index - 1)
        if words[index - 1] == "(" and words[index + 1 : index + 2] == [")"]:
            yield Scope("past", index, index, begin, index - 1)
        for place in range(index - 2, max(begin, index - 7) - 1, -1):
            if words[index - 1] == "in" and words[place] in {"had", "for"}:
                yield Scope("past", index, index, place + 1, index - 1)
                break


def _overtaken_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scopes of results of earlier tests: "a film taken on entry had been normal", "CT last
    year was normal".
    """
    for first, last in _find(words, _EARLIER):
        begin, end = _part_around(words, first, last)
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
            yield Scope("overtaken", index, index, _begin_of_subject(words, index), index)


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
                _end_of_phrase(words, last + 1, list_too=True),
            )
    for first, last in _find(words, _PAST_AFTER, pseudo):
        yield Scope("past", first, last, _begin_of_subject(words, first), first)
    for index, word in enumerate(words):
        if word == "ago" and index > 1 and words[index - 1].startswith(("year", "yr", "decade")):
            yield Scope("past", index - 1, index, 0, len(words))


def _person_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield the scopes of relatives and others who have something; not of those who only tell."""
    for index, word in enumerate(words):
        plain = word.removesuffix("'s")
        kind: Property | None = None
        if plain in _RELATIVES:
            kind = "family"
        elif plain in _OTHERS:
            kind = "other"
        # "The child has pain": the patient.
        the_patient = plain in {"child", "children"} and words[index - 1 : index] not in (
            ["his"],
            ["her"],
            ["their"],
        )
        if kind is None or the_patient or _only_tells(words, index):
            continue
        yield Scope(
            kind,
            index,
            index,
            _begin_of_person(words, index),
            _end_of_person(words, index + 1, kind),
        )


# How many words may stand between "his" and "brother" ("her 11-year-old son"), and which of them are no adjectives.
_MOST_ADJECTIVES = 5
_OWNERS = frozenset(["his", "her", "my", "their"])
_NO_ADJECTIVES = _END | _VERBS | frozenset([",", "and", "or", "of", "by", "with", "to", "from"])

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
    # "father of two", "mother of three", "family physician": the patient, or a doctor.
    return words[index + 1 : index + 2] in (
        ["of"],
        ["physician"],
        ["doctor"],
        ["medicine"],
        ["practitioner"],
        ["planning"],
    )


def _begin_of_person(words: Sequence[str], index: int) -> int:
    """Return where what is said of a person begins: "her 11-year-old son" is a child all through."""
    if _of_person(words, index):
        return _begin_of_subject(words, index)
    for place in range(index - 1, max(-1, index - _MOST_ADJECTIVES - 1), -1):
        if words[place] in _OWNERS:
            return place + 1
        if words[place] in _NO_ADJECTIVES:
            break
    return index


def _of_person(words: Sequence[str], index: int) -> bool:
    """True for "leukaemia in his mother": what the person has stands before."""
    return any(word in {"in", "of"} for word in words[max(0, index - 3) : index])


def _end_of_person(words: Sequence[str], start: int, kind: Property) -> int:
    # "His roommate was admitted with dyspnea, orthopnea ...": a subject has all of the list.
    alone = kind == "other" and not (start < len(words) and words[start] in _VERBS)
    for index in range(start, len(words)):
        if words[index] == "," and words[index + 1 : index + 2] == ["who"]:
            continue
        if words[index] == "," and (alone or _affirms(words, index + 1)):
            return index
        if words[index] in {";", "."} or (
            words[index] in _END and words[index] not in {"who", "which"}
        ):
            return index
        if words[index] in {"he", "she", "patient"}:
            following = words[index + 1 : index + 3]
            # "... when she suddenly felt pain"
            if following and following[0].endswith("ly"):
                following = following[1:]
            if following and following[0] in _VERBS:
                return index
    return len(words)
