"""Writing the steps of an answer, node by node: rationale and quote, each the model's choice from a closed list.

The model chooses among premises that a piece of the note bears out, and among those pieces
(:meth:`dxtrace.findings.recogniser.Support.evidence`). Where none is left it chooses among those that come nearest; where the words
do not plainly say what the premise needs, the draft says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dxtrace.answering.choice import Options, best
from dxtrace.answering.grammar import MAX_STEPS, MIN_STEPS, rationale_grammar
from dxtrace.engines.base import Engine
from dxtrace.findings.recogniser import Support
from dxtrace.knowledge import Premise
from dxtrace.knowledge.rationales import fitting
from dxtrace.knowledge.taxonomy import Node
from dxtrace.notes.prompt import MARK, readable, step_head
from dxtrace.notes.quotes import Quote

#: No free rationale has more tokens: its grammar ends it after fewer characters.
_RATIONALE_TOKENS = 256
#: A quote of more tokens than this (long, or in a script that the tokenizer does not know) is not offered.
_QUOTE_TOKENS = 160
#: Room that one more step may need, in tokens.
_STEP_TOKENS = 320


@dataclass(frozen=True)
class Draft:
    """One step as written: the node it supports, why, the premise that says so (or None), the quote.

    ``borne_out``: the quote's words plainly say what the premise needs.
    """

    supports: str
    rationale: str
    premise: Premise | None
    quote: Quote
    borne_out: bool


class Writer:
    """Writes the steps of one answer. Everything that may be said is tokenised once, before the first choice."""

    def __init__(
        self,
        engine: Engine,
        prompt: Sequence[int],
        node: Node,
        known: Support,
        quotes: Sequence[Quote],
    ) -> None:
        """
        Args:
            engine: the model.
            prompt: token ids up to the cue of the diagnosis.
            node: the diagnosis, already chosen.
            known: recognises what may be said of it; a node of which nothing is known takes free sentences.
            quotes: what may be quoted.
        """
        self._engine = engine
        self._node = node
        self._tokens = self._tokenise([_quoted(quote) for quote in quotes])
        by_length = sorted(quotes, key=self._length)
        self._quotes = [
            quote for quote in quotes if self._length(quote) <= _QUOTE_TOKENS
        ] or by_length[:1]
        self._free = set(self._quotes)
        self._evidence = known.evidence(node, self._quotes, MAX_STEPS)
        self._premises = list(self._evidence.premises)
        heads = [
            step_head(number, name) for number in range(1, MAX_STEPS + 1) for name in node.path
        ]
        said = [f" {text}" for premise in self._premises for text in premise.rationales]
        self._tokens |= self._tokenise([f" {node.name}", MARK, *heads, *said])
        self._ids = [*prompt, *self._tokens[f" {node.name}"]]
        self._after_quote = (self._tokens[step_head(1, node.path[0])][0], *engine.end_tokens[:1])

    def _tokenise(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        return {
            text: tuple(ids) for text, ids in zip(texts, self._engine.encode(texts), strict=True)
        }

    def _length(self, quote: Quote) -> int:
        return len(self._tokens[_quoted(quote)])

    def steps(self) -> Iterator[Draft]:
        """Yield steps along the path: first at its first node, last at the diagnosis, no piece of the note twice.

        Raises:
            EngineError: the model failed.
        """
        at = 0
        for number in range(1, MAX_STEPS + 1):
            if not self._quotes:
                return
            place = self._choose_place(number, at)
            if place is None:
                return
            at = place
            name = self._node.path[at]
            premise, rationale = self._choose_rationale(name)
            offered = self._offered(premise) if premise else []
            apt = [
                quote
                for quote in offered
                if premise and rationale in self._rationales(premise, quote)
            ]
            quote = self._choose_quote(apt or offered or self._quotes)
            plain = premise is not None and (premise.id, quote) in self._evidence.plain
            yield Draft(name, rationale, premise, quote, plain)

    def _choose_place(self, number: int, at: int) -> int | None:
        """Choose the place in the path that a step supports and write its head; None to end.

        Node by node, as long as a premise is left that the note bears out: a small model ends too early.
        """
        path = self._node.path
        last = len(path) - 1
        if len(self._ids) + _STEP_TOKENS > self._engine.context:
            return None
        crowded = number > 1 and len(self._ids) + 2 * _STEP_TOKENS > self._engine.context
        place = 0
        if number > 1:
            borne_out = [place for place in range(at, last + 1) if self._borne_out(path[place])]
            if not borne_out and number > MIN_STEPS and at == last:
                return None
            place = next(iter(borne_out[MAX_STEPS - number < len(borne_out) :]), last)
        if number == MAX_STEPS or len(self._quotes) == 1 or crowded:
            place = last
        self._ids += self._tokens[step_head(number, path[place])]
        return place

    def _choose_rationale(self, name: str) -> tuple[Premise | None, str]:
        """Choose why a node is supported and write it: a premise that the note bears out, said once.

        In words that go with one of the quotes that may be given for it.
        """
        known = [premise for premise in self._premises if premise.node == name]
        candidates = self._borne_out(name) or [p for p in known if self._nearly(p)] or known
        ways = [(premise, text) for premise in candidates for text in self._said(premise)]
        if not ways:
            text = "".join(
                self._engine.stream(self._ids, rationale_grammar(), _RATIONALE_TOKENS),
            ).strip()
            self._ids += self._engine.encode([f" {text}"])[0]
            return None, text
        options = Options(
            tuple(self._tokens[f" {text}"] for _, text in ways),
            self._tokens[MARK][:1],
        )
        premise, text = ways[best(self._engine, self._ids, options)]
        self._ids += self._tokens[f" {text}"]
        self._premises.remove(premise)
        return premise, text

    def _borne_out(self, name: str) -> list[Premise]:
        """Return the premises of a node that a chosen piece of the note, still to be quoted, bears out."""
        return [
            premise for premise in self._premises if premise.node == name and self._chosen(premise)
        ]

    def _said(self, premise: Premise) -> list[str]:
        """Return the rationales of a premise that go with any quote that may be given for it, or all."""
        quotes = self._offered(premise)
        fit = {text for quote in quotes for text in self._rationales(premise, quote)}
        return [text for text in premise.rationales if text in fit or not quotes]

    def _rationales(self, premise: Premise, quote: Quote) -> tuple[str, ...]:
        return fitting(premise.rationales, quote.text, premise.says, premise.id.partition("/")[2])

    def _offered(self, premise: Premise) -> list[Quote]:
        return self._chosen(premise) or self._nearly(premise)

    def _chosen(self, premise: Premise) -> list[Quote]:
        return [quote for quote in self._evidence.chosen[premise.id] if quote in self._free]

    def _nearly(self, premise: Premise) -> list[Quote]:
        return [quote for quote in self._evidence.nearly[premise.id] if quote in self._free]

    def _choose_quote(self, offered: Sequence[Quote]) -> Quote:
        """Choose the evidence and write it; what overlaps it is not offered again."""
        self._ids += self._tokens[MARK]
        options = Options(
            tuple(self._tokens[_quoted(quote)] for quote in offered),
            self._after_quote,
        )
        quote = offered[best(self._engine, self._ids, options)]
        self._ids += self._tokens[_quoted(quote)]
        self._quotes = [
            other for other in self._quotes if other.end <= quote.start or other.start >= quote.end
        ]
        self._free = set(self._quotes)
        return quote


def _quoted(quote: Quote) -> str:
    """Return a quote as it is written after the mark."""
    return f" {readable(quote.text)}"
