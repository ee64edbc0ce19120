"""Guards of the wording judges: a negation, a number or a side that differs makes two statements different.

Similarity of words or of embeddings does not see these: a negated pair scores 0.8 to 0.95 under a sentence embedding,
left against right 0.99. The guards err on the side of "different". Their words are data (``lexicon.yaml``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dxtrace.findings.lexicon import Lexicon, Term

_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}
_GRADED = re.compile(
    r"\b(class|stage|grade|type|nyha|gold|killip|phase)\s+(iv|iii|ii|i|vi|v)\b",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"\b(type|class|stage|group|stanford)\s+([abcd])\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![\w.])[<>~]?(\d+(?:,\d{3})+|\d+(?:\.\d+)?)(?=[a-z%°/\-+×\s.,;:)\]]|$)",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b([a-z]{1,4})-?(\d{1,2})(?![\d.])\b", re.IGNORECASE)
_TRAILING_ZEROS = re.compile(r"(\.\d*?)0+$")

_BREAK = {".", ";", ":", "but", "however", "although", "though", "whereas", "despite", "while"}
_REACH = 7


@dataclass(frozen=True)
class Reading:
    """A statement as the guards and the wording judges read it."""

    numbers: frozenset[str]
    codes: frozenset[tuple[str, str]]
    sides: frozenset[tuple[str, str]]
    terms: tuple[Term, ...]
    denies: bool

    @property
    def denied(self) -> frozenset[str]:
        """The names of what a negation stands on."""
        denied = []
        for term in self.terms:
            if term.denied and term.name:
                denied.append(term.name)
        return frozenset(denied)

    @property
    def said(self) -> frozenset[str]:
        """The names of what no negation stands on."""
        said = []
        for term in self.terms:
            if not term.denied and term.name:
                said.append(term.name)
        return frozenset(said)


def read(text: str, lexicon: Lexicon) -> Reading:
    """Read a statement: its numbers, codes (S3, T4), poles (left, raised), terms, and what it denies."""
    plain = lexicon.plain(
        text.replace("’", "'").replace("≥", ">").replace("≤", "<").replace("–", "-"),
    )
    plain = _GRADED.sub(lambda match: f"{match[1]} {_ROMAN[match[2].lower()]}", plain)
    terms = lexicon.terms(plain)
    cues = []
    for place, term in enumerate(terms):
        if lexicon.is_cue(term.word):
            cues.append(place)
    terms = _mark_denied(terms, cues, lexicon)
    denies = bool(cues) or any(term.denied for term in terms)
    return Reading(_numbers(plain, lexicon), _codes(plain), lexicon.poles(plain), terms, denies)


def differ(one: Reading, other: Reading) -> str | None:
    """Return what makes two statements different (``number``, ``side``, ``negation``), or None if no guard speaks."""
    if (
        one.numbers
        and other.numbers
        and not (one.numbers <= other.numbers or other.numbers <= one.numbers)
    ):
        return "number"
    if _apart(one.codes, other.codes):
        return "number"
    if _apart(one.sides, other.sides):
        return "side"
    if one.denies != other.denies:
        return "negation"
    denied_here, denied_there = one.denied & other.said, other.denied & one.said
    if one.denies and (denied_here - other.denied or denied_there - one.denied):
        return "negation"
    return None


def _apart(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    """Return True if both name the same axis (or letter) and share no value on it."""
    for axis in {axis for axis, _ in one} & {axis for axis, _ in other}:
        if {value for a, value in one if a == axis}.isdisjoint(
            {value for a, value in other if a == axis},
        ):
            return True
    return False


def _numbers(text: str, lexicon: Lexicon) -> frozenset[str]:
    found = set()
    for match in _NUMBER.finditer(text):
        found.add(_TRAILING_ZEROS.sub(r"\1", match[1].replace(",", "")).rstrip("."))
    return frozenset(found | lexicon.number_words(text))


def _codes(text: str) -> frozenset[tuple[str, str]]:
    codes = set()
    for match in _CODE.finditer(text):
        codes.add((match[1].lower(), match[2]))
    return frozenset(
        codes | {(match[1].lower(), match[2].lower()) for match in _LETTERED.finditer(text)},
    )


def _mark_denied(terms: tuple[Term, ...], cues: list[int], lexicon: Lexicon) -> tuple[Term, ...]:
    """Mark what stands within reach of a negation cue, in its own clause."""
    marked: set[int] = set()
    for place in cues:
        ahead = _scope(terms, range(place + 1, min(place + 1 + _REACH, len(terms))))
        behind = _scope(terms, range(place - 1, max(place - 1 - _REACH, -1), -1))
        marked |= set(behind if lexicon.denies_behind(terms[place].word) and not ahead else ahead)
    result = []
    for place, term in enumerate(terms):
        result.append(term.as_denied() if place in marked else term)
    return tuple(result)


def _scope(terms: tuple[Term, ...], places: range) -> list[int]:
    found = []
    for place in places:
        word = terms[place].word
        if word in _BREAK or (word == "," and not _list_goes_on(terms, place)):
            break
        if terms[place].name:
            found.append(place)
    return found


def _list_goes_on(terms: tuple[Term, ...], comma: int) -> bool:
    """A list of denied things goes on over a comma if an "or" or "nor" follows: "no fever, cough or rash"."""
    return any(term.word in ("or", "nor") for term in terms[comma : comma + 6])
