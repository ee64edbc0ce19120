"""Patterns over the words of a sentence: looked up by the words that they ask for, and met or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dxtrace.findings.context import Context
from dxtrace.findings.numbers import is_number, word_lists
from dxtrace.findings.patterns import Alternative, Choice, Limit, Pattern, Words
from dxtrace.findings.quantities import Measurement
from dxtrace.findings.scope import Property
from dxtrace.findings.tokens import Token, reference_tokens

#: Macros that a value meets which the note marks as high or low.
_FLAGS = frozenset({"up", "down"})

#: Words that a match which crosses clauses may span, and any other.
_CROSSING, _LONGEST = 14, 40


class Span(NamedTuple):
    """Tokens ``first`` to ``last`` that meet an alternative; ``flag``: because the note flags a
    value.
    """

    first: int
    last: int
    alternative: Alternative
    flag: bool = False


@dataclass(frozen=True)
class Match:
    """Where a pattern is met: tokens ``first`` to ``last``, and all the tokens that it consumed."""

    owner: int
    first: int
    last: int
    tokens: frozenset[int]
    pattern: str


@dataclass
class PatternIndex:
    """Many patterns, each owned by a finding (a number), looked up by the words that they ask for."""

    patterns: list[tuple[int, Pattern, bool]] = field(default_factory=list)
    # By choice: the patterns that ask for it, each with the bit of the group that it meets.
    _users: dict[Choice, list[tuple[int, int]]] = field(default_factory=dict)
    _all_groups: list[int] = field(default_factory=list)
    _exact: dict[str, list[tuple[Choice, Words]]] = field(
        default_factory=lambda: defaultdict(list),
    )
    _prefix: dict[str, list[tuple[Choice, Words]]] = field(
        default_factory=lambda: defaultdict(list),
    )
    _limits: dict[str, list[tuple[Choice, Limit]]] = field(
        default_factory=lambda: defaultdict(list),
    )
    _flags: dict[str, list[tuple[Choice, Words]]] = field(
        default_factory=lambda: defaultdict(list),
    )

    def add(self, owner: int, pattern: Pattern, *, past_allowed: bool = True) -> None:
        """Add a pattern of a finding; ``past_allowed``: words told of the past meet it too."""
        number = len(self.patterns)
        self.patterns.append((owner, pattern, past_allowed))
        self._all_groups.append((1 << len(pattern.groups)) - 1)
        for group, choices in enumerate(pattern.groups):
            for choice in choices:
                if choice not in self._users:
                    self._users[choice] = []
                    self._add_choice(choice)
                self._users[choice].append((number, 1 << group))

    def _add_choice(self, choice: Choice) -> None:
        flags = {}
        for alternative in choice.alternatives:
            if isinstance(alternative, Limit):
                self._limits[alternative.quantity].append((choice, alternative))
                continue
            word, prefix = alternative.words[0]
            if prefix:
                self._prefix[word].append((choice, alternative))
            else:
                self._exact[word].append((choice, alternative))
            if alternative.macro in _FLAGS:
                flags[alternative.macro] = alternative
        for macro, alternative in flags.items():
            self._flags[macro].append((choice, alternative))

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
        words = []
        for token in tokens:
            words.append(token.text)
        measured = list(measurements)
        spans = self._spans(words, measured, _silent_tokens(tokens, measured))
        met: dict[int, int] = defaultdict(int)
        for choice in spans:
            for number, group in self._users[choice]:
                met[number] |= group
        whole = []
        for number, groups_met in met.items():
            if groups_met == self._all_groups[number]:
                whole.append(number)
        result = []
        for number in sorted(whole):
            owner, pattern, past_allowed = self.patterns[number]
            groups = _spans_of_groups(pattern, spans)
            if groups is None:
                continue
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
            if match and not _contradicted(pattern, measured):
                result.append(match)
        return result

    def _spans(
        self,
        words: Sequence[str],
        measured: Sequence[Measurement],
        silent: frozenset[int],
    ) -> dict[Choice, list[Span]]:
        """Return where each choice is met, whatever is said about the words."""
        spans: dict[Choice, list[Span]] = defaultdict(list)
        for start, word in enumerate(words):
            for choice, alternative in self._candidates(word):
                end = _matched(words, start, alternative.words)
                if not end or silent.intersection(range(start, end)):
                    continue
                if alternative.macro in _FLAGS and _is_compound(words, start):
                    continue
                spans[choice].append(Span(start, end - 1, alternative))
        for measurement in measured:
            first, last = measurement.first, measurement.last
            for choice, limit in self._limits.get(measurement.quantity, ()):
                if measurement.meets(limit.op, limit.low, limit.high):
                    spans[choice].append(Span(first, last, limit))
            # A value that the note itself flags meets ``@up`` or ``@down``.
            for choice, item in self._flags.get(measurement.flag, ()):
                spans[choice].append(Span(first, last, item, flag=True))
        return spans

    def _candidates(self, word: str) -> Iterator[tuple[Choice, Words]]:
        yield from self._exact.get(word, ())
        for length in range(1, len(word) + 1):
            yield from self._prefix.get(word[:length], ())


def _silent_tokens(tokens: Sequence[Token], measured: Sequence[Measurement]) -> frozenset[int]:
    """Return the tokens that meet no word: those of a reference range say nothing, and those of an
    age are no length of time.
    """
    silent = set(reference_tokens(tokens))
    for measurement in measured:
        if measurement.quantity == "age":
            silent.update(range(measurement.first + 1, measurement.last + 1))
    return frozenset(silent)


def _order(span: Span) -> tuple[bool, int]:
    """Words before values, each in the order of the sentence."""
    return span.flag or isinstance(span.alternative, Limit), span.first


def _spans_of_groups(
    pattern: Pattern,
    spans: Mapping[Choice, Sequence[Span]],
) -> dict[int, list[Span]] | None:
    """Return the spans of each group of a pattern; None if one has none.

    A flag counts only beside the name of its own quantity: that of one value says nothing about
    another.
    """
    groups: dict[int, list[Span]] = {}
    flagged = False
    for number, choices in enumerate(pattern.groups):
        groups[number] = []
        for choice in choices:
            groups[number] += spans.get(choice, ())
        groups[number].sort(key=_order)
        flagged = flagged or any(span.flag for span in groups[number])
    if not flagged:
        return groups
    near: dict[int, list[Span]] = {}
    for number, own in groups.items():
        others = []
        for other, theirs in groups.items():
            if other != number:
                others += [span.first for span in theirs if not span.flag]
        near[number] = []
        for span in own:
            if not span.flag or any(span.first <= first <= span.last for first in others):
                near[number].append(span)
        if not near[number]:
            return None
    return near


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


# What something is, if it stands behind it.
_QUALITIES = frozenset(word_lists()["qualities"])
_OPENS_PHRASE = frozenset(word_lists()["opens_phrase"])
_CONJUNCTIONS = frozenset([",", ";", "and", "but", "while", "whereas", "though"])
_LIKEWISE = frozenset(["too", "also", "likewise", "similarly", "well", "as", "so", "both", "all"])


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
    groups: Mapping[int, list[Span]],
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
                    _crosses_predicates([*chosen, span], words),
                    _overlaps(span, chosen),
                    _distance(span, chosen),
                ),
            )
            chosen.append(span)
        consumed = _tokens_of(chosen)
        first, last = min(consumed), max(consumed)
        if last - first >= _LONGEST or (
            clauses[first] != clauses[last] and last - first >= _CROSSING
        ):
            continue
        if ";" in words[first:last]:
            continue
        # One word cannot be two: "pressure" is not both the blood pressure and the chest pressure.
        if _repeated_words(chosen) or _crosses_predicates(chosen, words):
            continue
        cues = _tokens_of([span for span in chosen if isinstance(span.alternative, Words)])
        if not all(_holds(span, context, cues, person, past_allowed) for span in chosen):
            continue
        if _forbidden(pattern, words, first, last):
            continue
        if best is None or last - first < best.last - best.first:
            best = Match(owner, first, last, consumed, pattern.text)
    return best


def _tokens_of(spans: Iterable[Span]) -> frozenset[int]:
    tokens: set[int] = set()
    for span in spans:
        tokens.update(range(span.first, span.last + 1))
    return frozenset(tokens)


def _repeated_words(chosen: Sequence[Span]) -> bool:
    spans = []
    for span in chosen:
        if isinstance(span.alternative, Words):
            spans.append((span.first, span.last))
    return len(set(spans)) < len(spans)


def _crosses_predicates(chosen: Sequence[Span], words: Sequence[str]) -> bool:
    """True if a quality is taken from one thing and given to the next: in "the echo was normal and the
    troponin was raised", no troponin is normal.
    """
    for quality in chosen:
        if not isinstance(quality.alternative, Words) or words[quality.first] not in _QUALITIES:
            continue
        for other in chosen:
            if _has_its_own(words[other.last + 1 : quality.first]):
                return True
            between = words[quality.last + 1 : other.first]
            if not _CONJUNCTIONS.intersection(between) or _LIKEWISE.intersection(between):
                continue
            likewise = _LIKEWISE.intersection(words[other.last + 1 : other.last + 3])
            if not likewise and _stands_behind(words, quality):
                return True
    return False


def _has_its_own(between: Sequence[str]) -> bool:
    """True if the words from a thing to a quality hold a value or quality of its own, and then
    another thing: "troponin raised, BNP [normal]", "HbA1c 33, urine osmolality [rising]".
    """
    own = between[1:2] if between[:1] in (["was"], ["is"], ["of"], [":"]) else between[:1]
    if not own or not (own[0] in _QUALITIES or is_number(own[0])):
        return False
    breaks = [index for index, word in enumerate(between) if word in _CONJUNCTIONS]
    return bool(breaks) and breaks[-1] + 1 < len(between)


def _stands_behind(words: Sequence[str], quality: Span) -> bool:
    """True for a quality that stands behind what it belongs to: "ECG normal", and no "normal ECG"."""
    before = words[quality.first - 1] if quality.first else ""
    return before.isalpha() and before not in _OPENS_PHRASE


def _overlaps(span: Span, chosen: Sequence[Span]) -> bool:
    return any(span.first <= other.last and other.first <= span.last for other in chosen)


def _distance(span: Span, chosen: Sequence[Span]) -> int:
    return min(max(other.first - span.last, span.first - other.last, 0) for other in chosen)


def _holds(
    span: Span,
    context: Context,
    ignore: frozenset[int],
    person: str,
    past_allowed: bool,
) -> bool:
    """True if the words of a span are said as their alternative needs: affirmed, or denied, of the
    right person.
    """
    alternative = span.alternative
    said: set[Property] = set()
    for index in range(span.first, span.last + 1):
        said |= context.properties(index, ignore)
    if "overtaken" in said:
        return False
    if isinstance(alternative, Words) and alternative.denied:
        return bool(said & {"denied", "normal"}) and "uncertain" not in said
    if said & {"denied", "normal", "uncertain"} and not isinstance(alternative, Limit):
        return False
    if isinstance(alternative, Limit) and said & {"denied", "uncertain", "family", "other"}:
        return False
    if person == "patient":
        return not said & {"family", "other"} and (past_allowed or "past" not in said)
    return True


def _contradicted(pattern: Pattern, measured: Iterable[Measurement]) -> bool:
    """True if the sentence measures what the pattern forbids."""
    for limit in pattern.forbidden:
        if not isinstance(limit, Limit):
            continue
        for measurement in measured:
            if measurement.quantity == limit.quantity and measurement.meets(
                limit.op, limit.low, limit.high
            ):
                return True
    return False


def _forbidden(pattern: Pattern, words: Sequence[str], first: int, last: int) -> bool:
    if not pattern.forbidden:
        return False
    start, end = max(0, first - 6), min(len(words), last + 7)
    near = set(words[start:end])
    for item in pattern.forbidden:
        if isinstance(item, Limit):
            continue
        word, is_prefix = item.words[0]
        if word not in near and not is_prefix:
            continue
        for index in range(start, end):
            if _matched(words, index, item.words):
                return True
    return False
