"""What a clause must say to state a finding: a small language, and its matcher over the words of a
sentence.

``cough* & week*|chronic`` asks for one word of each group; ``[hr > 100]`` for a measurement;
``~ulcer`` for a word that is denied or called normal; ``-lead`` forbids one; ``@up`` stands for a
list of words. Every other word has to be affirmed, in this patient: what
:mod:`dxtrace.findings.context` says about the words decides.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources

from dxtrace.errors import KnowledgeError
from dxtrace.files import parse_yaml
from dxtrace.findings.context import Context
from dxtrace.findings.quantities import DAYS, Measurement, quantities
from dxtrace.findings.scope import Property
from dxtrace.findings.tokens import Token, reference_tokens, tokenise

_MEASURE = re.compile(
    r"\[\s*(?P<name>\w+)\s*(?:(?P<op><=|>=|<|>)\s*(?P<value>\d+(?:\.\d+)?)|(?P<low>\d+(?:\.\d+)?)\s*\.\.\s*(?P<high>\d+(?:\.\d+)?))"
    r"\s*(?P<unit>[^\]\d][^\]]*)?\]\Z",
)

#: Words that a match which crosses clauses may span, and any other.
_CROSSING, _LONGEST = 14, 40


@dataclass(frozen=True)
class Words:
    """An alternative of words in a row; each with whether it is only the beginning of a word."""

    words: tuple[tuple[str, bool], ...]
    denied: bool = False
    forbidden: bool = False
    macro: str = ""


@dataclass(frozen=True)
class Limit:
    """An alternative that a measurement has to meet."""

    quantity: str
    op: str
    low: float
    high: float


Alternative = Words | Limit


@dataclass(frozen=True)
class Pattern:
    """Groups of alternatives, one of each to be met, none of the forbidden."""

    text: str
    groups: tuple[tuple[Alternative, ...], ...]
    forbidden: tuple[Words, ...] = ()


@dataclass(frozen=True)
class Match:
    """Where a pattern is met: tokens ``first`` to ``last``, and all the tokens that it consumed."""

    owner: int
    first: int
    last: int
    tokens: frozenset[int]
    pattern: str


@cache
def macros() -> dict[str, list[str]]:
    """Return the lists of words that patterns share, by name (``macros.yaml``)."""
    text = resources.files("dxtrace.findings").joinpath("macros.yaml").read_text("utf-8")
    lists: dict[str, list[str]] = parse_yaml(text)
    return lists


def parse_pattern(text: str, synonyms: Mapping[str, Sequence[str]] | None = None) -> Pattern:
    """Read one pattern.

    Args:
        text: in the language of this module.
        synonyms: further ways to say an alternative, by its text.

    Raises:
        KnowledgeError: the pattern cannot be read; it is quoted.
    """
    groups: list[tuple[Alternative, ...]] = []
    forbidden: list[Words] = []
    for part in _split_groups(text):
        alternatives = []
        for choice in part.split("|"):
            for item in _alternatives(choice.strip(), text, synonyms or {}):
                alternatives.append(item)
        if not alternatives:
            raise KnowledgeError(f"pattern {text!r}: an empty group")
        barred = []
        for item in alternatives:
            if isinstance(item, Words) and item.forbidden:
                barred.append(item)
        forbidden += barred
        others = tuple(item for item in alternatives if item not in barred)
        if others:
            groups.append(others)
    if not groups:
        raise KnowledgeError(f"pattern {text!r}: nothing that has to be said")
    return Pattern(text, tuple(groups), tuple(forbidden))


def _split_groups(text: str) -> list[str]:
    groups = []
    for part in re.split(r"&", text):
        groups.append(part.strip())
    return groups


def _alternatives(
    choice: str,
    text: str,
    synonyms: Mapping[str, Sequence[str]],
) -> Iterator[Alternative]:
    if not choice:
        raise KnowledgeError(f"pattern {text!r}: an empty alternative")
    if choice.startswith("["):
        yield _limit(choice, text)
        return
    denied, forbidden = choice.startswith("~"), choice.startswith("-") and len(choice) > 1
    if denied or forbidden:
        plain = choice[1:].strip()
    else:
        plain = choice
    if plain.startswith("@"):
        name = plain[1:]
        if name not in macros():
            raise KnowledgeError(f"pattern {text!r}: unknown macro @{name}")
        for word in macros()[name]:
            yield Words(
                _words(word),
                denied,
                forbidden,
                name,
            )
        return
    yield Words(_words(plain), denied, forbidden)
    # A word that is forbidden is forbidden as it stands, without what else may mean it.
    for other in () if forbidden else synonyms.get(plain, ()):
        yield Words(_words(other), denied, forbidden)


# The words of macros and of synonyms are asked for thousands of times.
@lru_cache(maxsize=20_000)
def _words(phrase: str) -> tuple[tuple[str, bool], ...]:
    """Return the words of a phrase, each with whether a ``*`` follows it.

    Raises:
        KnowledgeError: there is no word, or a star stands behind none.
    """
    words: list[tuple[str, bool]] = []
    for part in phrase.split():
        tokens = tokenise(part.removesuffix("*"))
        if not tokens:
            raise KnowledgeError(f"pattern part {phrase!r}: a star stands behind no word")
        words += [(token.text, False) for token in tokens]
        words[-1] = words[-1][0], part.endswith("*")
    if not words:
        raise KnowledgeError(f"pattern part {phrase!r} has no word")
    return tuple(words)


def _limit(choice: str, text: str) -> Limit:
    match = _MEASURE.match(choice)
    if match is None:
        raise KnowledgeError(f"pattern {text!r}: {choice!r} is no limit like [hr > 100]")
    name = match["name"]
    if name not in quantities():
        raise KnowledgeError(f"pattern {text!r}: unknown quantity {name!r}")
    unit = (match["unit"] or "").strip().lower()
    factor = 1.0
    if name == "duration":
        factor = DAYS.get(unit.rstrip("s"), DAYS["day"] if not unit else 0.0)
        if not factor:
            raise KnowledgeError(f"pattern {text!r}: unknown unit of time {unit!r}")
    if match["op"]:
        value = float(match["value"]) * factor
        return Limit(name, match["op"], value, value)
    return Limit(name, "..", float(match["low"]) * factor, float(match["high"]) * factor)


@dataclass
class PatternIndex:
    """Many patterns, each owned by a finding (a number), looked up by the words that they ask for."""

    patterns: list[tuple[int, Pattern, bool]] = field(default_factory=list)
    _exact: dict[str, list[tuple[int, int, Words]]] = field(
        default_factory=lambda: defaultdict(list),
    )
    _prefix: dict[str, list[tuple[int, int, Words]]] = field(
        default_factory=lambda: defaultdict(list),
    )
    _limits: dict[str, list[tuple[int, int, Limit]]] = field(
        default_factory=lambda: defaultdict(list),
    )

    def add(self, owner: int, pattern: Pattern, *, past_allowed: bool = True) -> None:
        """Add a pattern of a finding; ``past_allowed``: words told of the past meet it too."""
        number = len(self.patterns)
        self.patterns.append((owner, pattern, past_allowed))
        for group, alternatives in enumerate(pattern.groups):
            for alternative in alternatives:
                if isinstance(alternative, Limit):
                    self._limits[alternative.quantity].append((number, group, alternative))
                else:
                    word, prefix = alternative.words[0]
                    if prefix:
                        table = self._prefix
                    else:
                        table = self._exact
                    table[word].append((number, group, alternative))

    def matches(
        self,
        tokens: Sequence[Token],
        context: Context,
        measurements: Iterable[Measurement],
        persons: Mapping[int, str],
        clauses: Sequence[int],
    ) -> list[Match]:
        """Return where patterns are met in a sentence, at most one match a pattern.

        Args:
            tokens: of the sentence.
            context: what is said about them.
            measurements: what it measures.
            persons: by owner, whose finding it is: "family", "other" or (absent) the patient's.
            clauses: the number of the clause that each token stands in.
        """
        words = [token.text for token in tokens]
        measured = list(measurements)
        found: dict[int, dict[int, list[tuple[int, int, Alternative]]]] = defaultdict(
            lambda: defaultdict(list),
        )
        # Words of a reference range say nothing; those of an age are no length of time.
        silent = set(reference_tokens(tokens))
        for measurement in measured:
            if measurement.quantity == "age":
                silent.update(range(measurement.first + 1, measurement.last + 1))
        for start, word in enumerate(words):
            for number, group, alternative in self._candidates(word):
                end = _matched(words, start, alternative.words)
                if end and not silent.intersection(range(start, end)):
                    if alternative.macro in {"up", "down"} and _is_compound(words, start):
                        continue
                    found[number][group].append((start, end - 1, alternative))
        for measurement in measured:
            for number, group, limit in self._limits.get(measurement.quantity, ()):
                if measurement.meets(limit.op, limit.low, limit.high):
                    found[number][group].append((measurement.first, measurement.last, limit))
        self._add_flags(measured, found)
        result = []
        for number, groups in found.items():
            owner, pattern, past_allowed = self.patterns[number]
            if len(groups) == len(pattern.groups):
                person = persons.get(owner, "patient")
                match = _assign(
                    owner,
                    pattern,
                    groups,
                    words,
                    context,
                    person,
                    past_allowed,
                    clauses,
                )
                if match:
                    result.append(match)
        return result

    def _candidates(self, word: str) -> Iterator[tuple[int, int, Words]]:
        yield from self._exact.get(word, ())
        for length in range(1, len(word) + 1):
            yield from self._prefix.get(word[:length], ())

    def _add_flags(
        self,
        measured: Sequence[Measurement],
        found: dict[int, dict[int, list[tuple[int, int, Alternative]]]],
    ) -> None:
        """Let a value that the note itself flags meet ``@up`` or ``@down`` of a pattern that names
        its quantity.
        """
        flagged = []
        for measurement in measured:
            if measurement.flag:
                flagged.append(measurement)
        if not flagged:
            return
        for number in list(found):
            _, pattern, _ = self.patterns[number]
            for group, alternatives in enumerate(pattern.groups):
                flags = {}
                for item in alternatives:
                    if isinstance(item, Words) and item.macro in {"up", "down"}:
                        flags[item.macro] = item
                for measurement in flagged:
                    if measurement.flag in flags:
                        # Beside its own name only: the flag of one value says nothing about
                        # another.
                        near = []
                        for other, spans in found[number].items():
                            if other != group:
                                for span in spans:
                                    if measurement.first <= span[0] <= measurement.last:
                                        near.append(span)
                        if near:
                            found[number][group].append(
                                (measurement.first, measurement.last, flags[measurement.flag]),
                            )


# "high-sensitivity troponin" is not a high one.
_COMPOUNDS = frozenset(
    [
        "sensitivity",
        "sensitive",
        "resolution",
        "density",
        "dose",
        "power",
        "school",
        "flow",
        "calorie",
        "fat",
        "altitude",
        "speed",
        "risk",
        "back",
        "grade",
        "molecular",
        "pitched",
        "output",
        "salt",
        "protein",
        "frequency",
        "quality",
    ],
)


def _is_compound(words: Sequence[str], start: int) -> bool:
    return (
        words[start] in {"high", "low"}
        and words[start + 1 : start + 2] != []
        and words[start + 1] in _COMPOUNDS
    )


def _matched(words: Sequence[str], start: int, phrase: Sequence[tuple[str, bool]]) -> int:
    """Return the end (exclusive) of a phrase that stands at ``start``, or 0."""
    if start + len(phrase) > len(words):
        return 0
    for offset, (word, prefix) in enumerate(phrase):
        actual = words[start + offset]
        if actual != word and not (prefix and actual.startswith(word)):
            return 0
    return start + len(phrase)


def _assign(
    owner: int,
    pattern: Pattern,
    groups: Mapping[int, list[tuple[int, int, Alternative]]],
    words: Sequence[str],
    context: Context,
    person: str,
    past_allowed: bool,
    clauses: Sequence[int],
) -> Match | None:
    """Return the narrowest choice of one span a group in which every word is said as it has to be."""
    order = sorted(groups, key=lambda group: len(groups[group]))
    best: Match | None = None
    for anchor in groups[order[0]][:12]:
        chosen = [anchor]
        for group in order[1:]:
            span = min(
                groups[group],
                key=lambda span: (
                    not _holds(span, context, frozenset(), person, past_allowed),
                    _overlaps(span, chosen),
                    _distance(span, chosen),
                ),
            )
            chosen.append(span)
        consumed = frozenset(index for start, end, _ in chosen for index in range(start, end + 1))
        first, last = min(consumed), max(consumed)
        if last - first >= _LONGEST or (
            clauses[first] != clauses[last] and last - first >= _CROSSING
        ):
            continue
        if ";" in words[first:last]:
            continue
        # One word cannot be two: "pressure" is not both the blood pressure and the chest pressure.
        if _repeated_words(chosen):
            continue
        cues = frozenset(
            index
            for start, end, item in chosen
            if isinstance(item, Words)
            for index in range(start, end + 1)
        )
        if not all(_holds(span, context, cues, person, past_allowed) for span in chosen):
            continue
        if _forbidden(pattern, words, first, last):
            continue
        if best is None or last - first < best.last - best.first:
            best = Match(owner, first, last, consumed, pattern.text)
    return best


def _repeated_words(chosen: Sequence[tuple[int, int, Alternative]]) -> bool:
    spans = []
    for span in chosen:
        if isinstance(span[2], Words):
            spans.append(span[:2])
    return len(set(spans)) < len(spans)


def _overlaps(
    span: tuple[int, int, Alternative],
    chosen: Sequence[tuple[int, int, Alternative]],
) -> bool:
    return any(span[0] <= other[1] and other[0] <= span[1] for other in chosen)


def _distance(
    span: tuple[int, int, Alternative],
    chosen: Sequence[tuple[int, int, Alternative]],
) -> int:
    return min(max(other[0] - span[1], span[0] - other[1], 0) for other in chosen)


def _holds(
    span: tuple[int, int, Alternative],
    context: Context,
    ignore: frozenset[int],
    person: str,
    past_allowed: bool,
) -> bool:
    """True if the words of a span are said as their alternative needs: affirmed, or denied, of the
    right person.
    """
    start, end, alternative = span
    said: set[Property] = set()
    for index in range(start, end + 1):
        said |= context.properties(index, ignore)
    if isinstance(alternative, Words) and alternative.denied:
        return bool(said & {"denied", "normal"}) and "uncertain" not in said
    if said & {"denied", "normal", "uncertain"} and not isinstance(alternative, Limit):
        return False
    if isinstance(alternative, Limit) and said & {"denied", "uncertain", "family", "other"}:
        return False
    if person == "patient":
        return not said & {"family", "other"} and (past_allowed or "past" not in said)
    return True


def _forbidden(pattern: Pattern, words: Sequence[str], first: int, last: int) -> bool:
    start, end = max(0, first - 6), min(len(words), last + 7)
    return any(
        _matched(words, index, item.words)
        for item in pattern.forbidden
        for index in range(start, end)
    )
