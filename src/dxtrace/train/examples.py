"""From an annotated case to token ids and loss weights: exactly what the reasoner will read and
write.

The prompt is encoded as an engine encodes it (control tokens only where the template means them);
each segment of the answer on its own, as the reasoner writes it; the end-of-turn token last. An
answer is never cut.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from dxtrace.chain import Answer
from dxtrace.errors import InputError
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.prompt import (
    answer_segments,
    prompt_parts,
    readable,
    step_head,
    with_start_token,
)
from dxtrace.notes.truncation import fit
from dxtrace.train.recipe import Data

#: Label of a token that is no target, as PyTorch's losses have it.
IGNORED = -100


@dataclass(frozen=True)
class Example:
    """One training row. ``weights[i]`` is the weight in the loss of predicting ``ids[i]``; 0 for no
    target.

    ``prompt`` is the number of prompt tokens, ``label`` that of the diagnosis after them.
    """

    id: str
    ids: tuple[int, ...]
    weights: tuple[float, ...]
    prompt: int
    label: int

    @property
    def labels(self) -> list[int]:
        """The targets: ids where there is a weight, else :data:`IGNORED`."""
        labels: list[int] = []
        for token, weight in zip(self.ids, self.weights, strict=True):
            labels.append(token if weight else IGNORED)
        return labels


@dataclass
class Report:
    """What became of the cases: ``shortened``, ``dropped`` and ``unanswered`` hold ids; lengths are
    in tokens.
    """

    cases: int = 0
    shortened: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    prompt_tokens: list[int] = field(default_factory=list)
    answer_tokens: list[int] = field(default_factory=list)


class Encoder:
    """Turns cases into rows for one tokenizer."""

    def __init__(self, tokenizer: Any, data: Data) -> None:
        """
        Args:
            tokenizer: of transformers; its ``eos_token`` ends an answer.
            data: the recipe's part on data.
        """
        self.tokenizer = tokenizer
        self.data = data
        self._template = with_start_token(tokenizer.chat_template, tokenizer.bos_token)
        self._frame = len(self.prompt_ids(""))
        self._after_label = self.encode([step_head(1, "x")])[0][0]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; control tokens spelled in it stay plain text."""
        return [self._encode(text, special=False) for text in texts]

    def _encode(self, text: str, special: bool) -> list[int]:
        """Return the ids of a text; ``special``: control tokens in it are meant."""
        if not text:
            return []
        ids: list[int] = self.tokenizer.encode(
            text,
            add_special_tokens=False,
            split_special_tokens=not special,
        )
        return ids

    def prompt_ids(self, note: str) -> list[int]:
        """Return the prompt of a note as the model reads it: what an engine gives for the same
        parts.
        """
        ids: list[int] = []
        for text, special in prompt_parts(self._template, note):
            ids += self._encode(text, special)
        return ids

    def answer_ids(self, answer: Answer) -> tuple[list[int], int]:
        """Return the ids of an answer with its end token, and the number of those of the diagnosis."""
        if not self.data.node_tags:
            steps = []
            for step in answer.steps:
                steps.append(replace(step, supports=None))
            answer = replace(answer, steps=tuple(steps))
        label, *rest = self.encode(answer_segments(answer))
        ids = [*label, *chain.from_iterable(rest), self.tokenizer.eos_token_id]
        return ids, len(label)

    def example(
        self,
        case: AnnotatedCase,
        report: Report | None = None,
        *,
        chain: bool = True,
    ) -> Example | None:
        """Return the row of a case; None if it has no gold chain, or the policy or a far too long
        answer leaves it out.

        Args:
            case: an annotated case.
            report: told what became of it.
            chain: False for a row that ends after the diagnosis, with the token that closes it: its
                note has more room.

        Raises:
            InputError: it is too long and the policy is ``error``.
        """
        if report is None:
            report = Report()
        report.cases += 1
        if case.gold is None or not case.gold.steps:
            report.unanswered.append(case.id)
            return None
        answer, label = self.answer_ids(case.gold.answer)
        if not chain:
            answer = [*answer[:label], self._after_label]
        prompt = self.prompt_ids(readable(case.case.note))
        if len(prompt) + len(answer) > self.data.max_tokens:
            shorter = self._too_long(case, len(prompt), len(answer), report)
            if shorter is None:
                return None
            prompt = shorter
        report.prompt_tokens.append(len(prompt))
        report.answer_tokens.append(len(answer))
        weights = [self.data.prompt_weight] * len(prompt)
        weights += [self.data.label_weight] * label
        weights += [1.0] * (len(answer) - label)
        weights[0] = 0.0  # nothing predicts the first token
        if chain:
            id = case.id
        else:
            id = f"{case.id}/label"
        return Example(id, (*prompt, *answer), tuple(weights), len(prompt), label)

    def _too_long(
        self,
        case: AnnotatedCase,
        prompt: int,
        answer: int,
        report: Report,
    ) -> list[int] | None:
        limit = self.data.max_tokens
        if self.data.too_long == "drop":
            report.dropped.append(case.id)
            return None
        place = f"case {case.id!r} has {prompt} + {answer} tokens (prompt + answer), more than data.max_tokens={limit}"
        if self.data.too_long == "error":
            raise InputError(f"{place}; raise it, or set data.too_long to shorten or drop")
        room = limit - answer - self._frame - 8
        if room < 32:  # an answer is never cut
            report.dropped.append(case.id)
            return None
        fitted = fit(
            case.case,
            lambda texts: [len(ids) for ids in self.encode(texts)],
            room,
        )
        report.shortened.append(case.id)
        return self.prompt_ids(fitted.text)


def make_examples(
    encoder: Encoder,
    cases: Iterable[AnnotatedCase],
    seed: int = 0,
) -> tuple[list[Example], Report]:
    """Return the training rows of ``cases``, label-only rows included, and the report on what was
    cut or left out.

    Raises:
        InputError: no case is left to train on; and as :meth:`Encoder.example`.
    """
    report = Report()
    cases = list(cases)
    count = round((1 - encoder.data.chains) * len(cases))
    without_chain = set(random.Random(f"{seed}/chains").sample(range(len(cases)), count))
    rows: list[Example] = []
    kept: list[AnnotatedCase] = []
    for index, case in enumerate(cases):
        row = encoder.example(case, report, chain=index not in without_chain)
        if row is not None:
            rows.append(row)
            kept.append(case)
    if not rows:
        raise InputError(
            "the corpus holds no case to train on: each needs a gold chain, and must fit data.max_tokens",
        )
    whole, part = divmod(round(encoder.data.label_only * len(rows)), len(rows))
    again = kept * whole + random.Random(seed).sample(kept, part)
    for case in again:
        row = encoder.example(case, chain=False)
        if row is not None:
            rows.append(row)
    return rows, report
