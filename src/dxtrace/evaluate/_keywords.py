"""The baseline that knows the knowledge files alone: it looks for what they say that notes say."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from dxtrace import knowledge
from dxtrace.annotated import AnnotatedCase
from dxtrace.chain import Chain, PremiseRef, Step
from dxtrace.evaluate.baselines import STEPS, _single, answer_chain
from dxtrace.evaluate.judges.lexicon import stem
from dxtrace.grounding import Quote, find_quotes, has_cue, span_of
from dxtrace.knowledge import Finding
from dxtrace.taxonomy import Taxonomy

#: Share of a wording's weight that a clause must hold.
_HELD = 0.7

#: How sharply evidence turns into probability; chosen by eye, since nothing is learnt here.
_SHARPNESS = 1.0

_STOP = frozenset(
    ("the", "and", "for", "with", "has", "was", "were", "his", "her", "that", "this", "from", "been", "are", "had")
)


@dataclass(frozen=True)
class _Way:
    finding: int
    words: frozenset[str]
    denies: bool


class Keywords:
    """Finds findings in notes by the words of their ways of saying, and adds up what they say for each diagnosis."""

    def __init__(self) -> None:
        self._findings: list[tuple[str, Finding]] = [
            (category, finding) for category in knowledge.written() for finding in knowledge.load(category).findings
        ]
        self._ways = [
            _Way(number, words, has_cue(text))
            for number, (_, finding) in enumerate(self._findings)
            for text in (*finding.says.all, *finding.chief)
            if len(words := _words(re.sub(r"\{\w+\}", " ", text))) >= 2
        ]
        counts = Counter(word for way in self._ways for word in way.words)
        self._weights = {word: math.log(len(self._ways) / count) for word, count in counts.items()}
        self._index: dict[str, list[_Way]] = defaultdict(list)
        for way in self._ways:
            self._index[max(way.words, key=lambda word: self._weights[word])].append(way)
        self._shares = [_shares(category, finding) for category, finding in self._findings]

    def answer(self, case: AnnotatedCase) -> Chain:
        """Return the chain for a case."""
        found = self._find(_single(find_quotes(case.case.note)))
        scores = {node.name: 0.0 for node in Taxonomy.default().diagnoses}
        for finding in found:
            for name, gain in self._shares[finding].items():
                scores[name] += gain
        top = max(scores.values())
        weights = {name: math.exp(_SHARPNESS * (score - top)) for name, score in scores.items()}
        total = sum(weights.values())
        shares = {name: weight / total for name, weight in weights.items()}
        chain = answer_chain(case, shares, (), "keywords")
        return answer_chain(case, shares, self._steps(case, chain, found), "keywords")

    def _steps(self, case: AnnotatedCase, chain: Chain, found: dict[int, Quote]) -> list[Step]:
        steps: list[Step] = []
        quoted: set[tuple[int, int]] = set()
        ranked = sorted(found, key=lambda finding: -self._shares[finding].get(chain.diagnosis, -1.0))
        for number in ranked:
            category, finding = self._findings[number]
            quote = found[number]
            if category != chain.category or finding.node not in chain.path or (quote.start, quote.end) in quoted:
                continue
            quoted.add((quote.start, quote.end))
            premise = PremiseRef(f"{knowledge.slug(category)}/{finding.id}", finding.source)
            steps.append(Step(finding.node, finding.rationales[0], span_of(case.case, quote), premise))
        return steps[:STEPS]

    def _find(self, quotes: list[Quote]) -> dict[int, Quote]:
        """Return findings with the clause that says them best."""
        best: dict[int, tuple[float, Quote]] = {}
        for quote in quotes:
            words, denies = _words(quote.text), has_cue(quote.text)
            for way in (way for word in words for way in self._index.get(word, ())):
                if way.denies != denies:
                    continue
                held = sum(self._weights[word] for word in way.words & words) / sum(self._weights[w] for w in way.words)
                if held >= _HELD and held > best.get(way.finding, (0.0,))[0]:
                    best[way.finding] = (held, quote)
        return {finding: quote for finding, (_, quote) in best.items()}


def _words(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in re.findall(r"[a-z]{2,}", text.lower()) if word not in _STOP)


def _shares(category: str, finding: Finding) -> dict[str, float]:
    """Return how much a finding says for each diagnosis of its category that it can occur in: log of odds against
    chance."""
    gains = {}
    for node in Taxonomy.default().category(category).diagnoses:
        if finding.node not in node.path and node.name not in finding.only:
            continue
        share = finding.frequency
        value = share.get(node.name, share.get("default", 0.3)) if isinstance(share, dict) else share
        gains[node.name] = math.log1p(value / 0.05) * (1.5 if finding.decisive else 1.0)
    return gains
