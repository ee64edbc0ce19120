"""What a sentence says *about* its words: denied, normal, uncertain, of a relative, of the past.

ConText (Harkema et al. 2009, doi 10.1016/j.jbi.2009.05.002) in kind: cues with a direction, each of
which reaches over the words on one side until something ends its scope. Polarity, certainty,
experiencer and time are four properties of their own; a normal result is a kind of denial that a
pattern may also ask for by its word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from dxtrace.files import parse_yaml
from dxtrace.findings.tokens import Token, tokenise

Property = Literal["denied", "normal", "uncertain", "family", "other", "past"]


@dataclass(frozen=True)
class Scope:
    """One cue (tokens ``first`` to ``last``) and the tokens that it reaches, ``start`` to ``end``
    (half open).
    """

    property: Property
    first: int
    last: int
    start: int
    end: int

    def covers(self, index: int) -> bool:
        """True if the token is in the reach of the cue, the cue's own words excepted."""
        return self.start <= index < self.end and not self.first <= index <= self.last


@cache
def _lists() -> dict[str, list[str]]:
    text = resources.files("dxtrace.findings").joinpath("cues.yaml").read_text("utf-8")
    lists: dict[str, list[str]] = parse_yaml(text)
    return lists


def _cues(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the phrases of a list of cues, each as its words."""
    return tuple(tuple(token.text for token in tokenise(phrase)) for phrase in _lists()[name])


# Cues that look ahead.
_DENIED_BEFORE = _cues("denied_before")
# ... and cues that look back.
_DENIED_AFTER = _cues("denied_after")
_NORMAL = _cues("normal")
_UNCERTAIN_BEFORE = _cues("uncertain_before")
_UNCERTAIN_AFTER = _cues("uncertain_after")
_PAST = _cues("past")
# A cue in these words is none.
_PSEUDO = _cues("pseudo")
# "-week history of cough": how long, not how long ago.
_TIME_UNITS = frozenset(
    [
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "year",
        "hr",
        "wk",
        "yr",
        "mo",
        "long",
        "short",
        "several-day",
        "seconds",
        "minutes",
        "hours",
        "days",
        "weeks",
        "months",
        "years",
    ],
)

_RELATIVES = frozenset(_lists()["relatives"])
_OTHERS = frozenset(_lists()["others"])
# A person who tells of the patient, or does something with them, is not the one who has it.
_TELLS = frozenset(_lists()["tells"])
_BEFORE_TELLER = frozenset(
    ["by", "with", "from", "per", "to", "of", "his", "her", "their", "for", "and"]
)

# What ends the scope of a cue that looks ahead.
_END = frozenset(
    [
        "but",
        "however",
        "except",
        "although",
        "though",
        "yet",
        ";",
        ".",
        "which",
        "who",
        "because",
        "whereas",
        "despite",
        "until",
        "then",
    ],
)
_SUBJECTS = frozenset(["he", "she", "they", "it", "patient", "there", "his", "her"])
_VERBS = frozenset(_lists()["verbs"])
_AFFIRMS = frozenset(
    ["positive", "+", "with", "reports", "complains", "admits", "endorses", "has", "had"]
)

_NO_RESULT = re.compile(
    r"\b(?:pending|awaited|awaiting|inconclusive|non-?diagnostic"
    r"|not (?:available|done|performed|obtained|recorded|tested|yet)"
    r"|unavailable|to be (?:done|performed|obtained)|(?:is|are|was|were|be|been|being) (?:also )?"
    r"(?:performed|ordered|scheduled|obtained|sent|planned|advised|recommended|taken|drawn|requested|arranged|shown|indicated|offered|repeated)"
    r"|will be|n/a|not known|refused|declined)\b|:\s*(?:none|n/?a|unknown|pending|_+|-+)?\s*\.?\s*$|_{2,}",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"\b(?:show(?:s|ed|ing)|reveal(?:s|ed|ing)?|demonstrat\w+|confirm(?:s|ed|ing)|found|consistent with"
    r"|positive|negative|detected|identified|indicat(?:es|ed|ing)|suggest\w*|grew|yield\w*|with)\b",
    re.IGNORECASE,
)
_TEACHING = re.compile(
    r"\b(?:return (?:to the|if|for)|call (?:your|the|if|911|us)|if you"
    r"|you (?:should|may|have|are|can|were|had)|your (?:doctor|symptoms|blood|heart|medic\w+)"
    r"|seek (?:care|medical|help)|warning signs?|symptoms (?:of|include|may)|signs of .{0,40} include"
    r"|risk factors (?:for|include)|patients (?:with|who)|can cause|is caused by|education|leaflet|handout"
    r"|educated (?:on|about)|counsel\w+ (?:on|about|regarding)|in general|typically|instructions?)\b",
    re.IGNORECASE,
)
#: Text that talks to a language model or shows its marks: never evidence.
TALKS_TO_A_MODEL = re.compile(
    r"<\|[^|>]{1,40}\|>|\[/?INST\]|</?s>|<<SYS>>|###\s*(?:system|instruction|assistant|user|human)\b"
    r"|\b(?:ignore|disregard|forget)\b.{0,40}\b(?:above|previous|prior|instructions?|all|note|everything)\b"
    r"|\bfinal diagnosis\s*[:=]|\bsupporting evidence\s*:|\bstep \d+\s*[:\[]|\b(?:system|assistant)\s*:"
    r"|\b(?:the|your) (?:correct |final |true )?(?:answer|output|diagnosis) (?:is|must be|should be)\b"
    r"|\byou are an? (?:ai|assistant|language model)\b|\"diagnosis\"\s*:|<!--|prompt\b.{0,20}\binject"
    r"|\b(?:answer|output|respond|reply|print|write) (?:only|with|exactly)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Context:
    """The scopes of one sentence, and what holds for all of it."""

    scopes: tuple[Scope, ...]
    no_result: bool
    hypothetical: bool

    def properties(self, index: int, ignore: frozenset[int] = frozenset()) -> set[Property]:
        """Return what is said about a token; cues of which a token is in ``ignore`` say nothing."""
        return {
            scope.property
            for scope in self.scopes
            if scope.covers(index)
            and not any(place in ignore for place in range(scope.first, scope.last + 1))
        }


def read_context(text: str, tokens: Sequence[Token], *, family_section: bool = False) -> Context:
    """Return the context of one sentence.

    Args:
        text: the sentence.
        tokens: its tokens.
        family_section: it stands under a heading of the family's history.
    """
    words = [token.text for token in tokens]
    scopes = list(_scopes(words))
    if family_section:
        scopes.append(Scope("family", -1, -1, 0, len(words)))
    no_result = _NO_RESULT.search(text) is not None
    if no_result and _RESULT.search(text):
        no_result = (
            re.search(r"\b(?:pending|awaited|inconclusive)\b", text, re.IGNORECASE) is not None
        )
    hypothetical = _TEACHING.search(text) is not None or TALKS_TO_A_MODEL.search(text) is not None
    return Context(tuple(scopes), no_result, hypothetical)


def _scopes(words: Sequence[str]) -> Iterator[Scope]:
    pseudo = set(_covered(words, _PSEUDO))
    yield from _boxes(words)
    for first, last in _find(words, _DENIED_BEFORE, pseudo):
        if words[last + 1 : last + 2] not in ([","], [";"], ["."], [")"], []):
            yield Scope("denied", first, last, last + 1, _end_of_denial(words, last + 1))
    for index, word in enumerate(words):
        if (word.endswith("n't") or word == "cant") and index not in pseudo:
            yield Scope("denied", index, index, index + 1, _end_of_denial(words, index + 1))
    for first, last in _find(words, _DENIED_AFTER, pseudo):
        if _ends_phrase(words, last):
            yield Scope("denied", first, last, _begin_of_subject(words, first), first)
    for first, last in _find(words, _NORMAL, pseudo):
        yield from _normal_scopes(words, first, last)
    for first, last in _find(words, _UNCERTAIN_BEFORE, pseudo):
        yield Scope(
            "uncertain",
            first,
            last,
            last + 1,
            _end_of_phrase(words, last + 1, list_too=True),
        )
    for index, word in enumerate(words):
        if word == "?":
            yield Scope("uncertain", index, index, index + 1, _end_of_phrase(words, index + 1))
    for first, last in _find(words, _UNCERTAIN_AFTER, pseudo):
        if _ends_phrase(words, last):
            yield Scope("uncertain", first, last, _begin_of_subject(words, first), first)
    yield from _past_scopes(words, pseudo)
    yield from _person_scopes(words)


_NO_REPLIES = frozenset(
    [
        "n",
        "no",
        "neg",
        "negative",
        "none",
        "0",
        "false",
        "absent",
        "-",
        "–",
        "denied",
        "denies",
        "nil",
        "normal",
    ],
)
_BOXES = {
    "☐": False,
    "✗": False,
    "✘": False,
    "□": False,
    "☒": True,
    "☑": True,
    "✓": True,
    "✔": True,
    "■": True,
}


def _boxes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials of forms: "[ ] fever", "☐ fever", "fever: N", "fever | no"."""
    opened = [
        (index, width, ticked)
        for index in range(len(words))
        for width, ticked in _box_at(words, index)
    ]
    for place, (index, width, ticked) in enumerate(opened):
        end = opened[place + 1][0] if place + 1 < len(opened) else len(words)
        if not ticked:
            yield Scope("denied", index, index + width - 1, index + width, end)
    for index in range(1, len(words)):
        if list(words[index : index + 3]) in (["(", "-", ")"], ["(", "–", ")"], ["(", "−", ")"]):
            start = _begin_of_subject(words, index)
            yield Scope("denied", index, index + 2, start, index)
        reply = words[index] in _NO_REPLIES and words[index - 1] in {":", "|", "=", "["}
        if reply and _ends_phrase(words, index):
            yield Scope("denied", index, index, _begin_of_subject(words, index - 1), index)


def _box_at(words: Sequence[str], index: int) -> Iterator[tuple[int, bool]]:
    """Yield (width, ticked) of a box to tick that stands at ``index``."""
    if words[index] in _BOXES:
        yield 1, _BOXES[words[index]]
    elif words[index] in {"[", "("} and index + 1 < len(words):
        if words[index + 1] in {"]", ")"}:
            yield 2, False
        elif words[index + 1] in {"x", "✓", "✔"} and words[index + 2 : index + 3] in (["]"], [")"]):
            yield 3, True


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


def _end_of_denial(words: Sequence[str], start: int) -> int:
    """Return where a denial ends: it runs over a list, and not over a new statement."""
    for index in range(start, len(words)):
        word = words[index]
        if word in _END:
            return index
        if word in {",", "and", ":", "-", "–", "("} and _affirms(words, index + 1):
            return index
        if word == "with" and index > start:
            return index
    return len(words)


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
    stop = rest.index(",") if "," in rest else len(rest)
    return any(word in _VERBS for word in rest[:stop]) or any(
        word[:1].isdigit() for word in rest[:stop]
    )


def _end_of_phrase(words: Sequence[str], start: int, *, list_too: bool = False) -> int:
    for index in range(start, len(words)):
        if words[index] in _END or (
            words[index] == "," and (not list_too or _affirms(words, index + 1))
        ):
            return index
        if words[index] in {"with", "and"} and index > start and _affirms(words, index + 1):
            return index
    return len(words)


def _ends_phrase(words: Sequence[str], last: int) -> bool:
    """True if a cue that looks back ends its phrase: nothing of its own follows that it could
    qualify.
    """
    if last + 1 >= len(words):
        return True
    return words[last + 1] in {
        ",",
        ";",
        ".",
        ")",
        "and",
        "or",
        "but",
        "on",
        "at",
        "in",
        "by",
        "x",
        "|",
        "for",
        "bilaterally",
        "throughout",
        "as",
    }


def _begin_of_subject(words: Sequence[str], first: int) -> int:
    """Return where the subject of a predicate begins: a list if the verb is plural, else its own
    part.
    """
    plural = first > 0 and words[first - 1] in {"are", "were", "all", "both"}
    for index in range(first - 1, -1, -1):
        if words[index] in _END:
            return index + 1
        if words[index] == "," and not plural:
            return index + 1
    return 0


def _normal_scopes(words: Sequence[str], first: int, last: int) -> Iterator[Scope]:
    before = words[first - 1] if first else ""
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


def _past_scopes(words: Sequence[str], pseudo: set[int]) -> Iterator[Scope]:
    for first, last in _find(words, _PAST, pseudo):
        before = [word for word in words[max(0, first - 2) : first] if word not in {"-", "–"}]
        lasting = words[first] in {"history", "hx"} and before and before[-1] in _TIME_UNITS
        if not lasting and not (before and before[-1] == "family"):
            yield Scope(
                "past",
                first,
                last,
                last + 1,
                _end_of_phrase(words, last + 1, list_too=True),
            )
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
        if kind is None or _only_tells(words, index):
            continue
        yield Scope(
            kind,
            index,
            index,
            _begin_of_subject(words, index) if _of_person(words, index) else index,
            _end_of_person(words, index + 1),
        )


def _only_tells(words: Sequence[str], index: int) -> bool:
    following = [
        word for word in words[index + 1 : index + 3] if word not in {"also", "who", "has", "had"}
    ]
    if following and following[0] in _TELLS - {"is", "and"}:
        return True
    before = [
        word
        for word in words[max(0, index - 3) : index]
        if word not in {"his", "her", "their", "the", "a"}
    ]
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


def _of_person(words: Sequence[str], index: int) -> bool:
    """True for "leukaemia in his mother": what the person has stands before."""
    return any(word in {"in", "of"} for word in words[max(0, index - 3) : index])


def _end_of_person(words: Sequence[str], start: int) -> int:
    for index in range(start, len(words)):
        if words[index] in {";", "."} or (
            words[index] in _END and words[index] not in {"who", "which"}
        ):
            return index
        if (
            words[index] in {"he", "she", "patient"}
            and index + 1 < len(words)
            and words[index + 1] in _VERBS
        ):
            return index
    return len(words)
