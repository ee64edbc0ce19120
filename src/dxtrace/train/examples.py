"""From an annotated case to token ids and loss weights: exactly what the reasoner will read and
write.

The prompt is encoded as an engine encodes it (control tokens only where the template means them);
each segment of the answer on its own, as the reasoner writes it; the end-of-turn token last. An
answer is never cut.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from dxtrace.chain import Answer
from dxtrace.compose.processes import map_in_order, usable_cores
from dxtrace.corpus.teaching import CaseNumber
from dxtrace.engines.hub import hub_or_cache, why_not_loaded
from dxtrace.errors import InputError, ModelError
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

#: Cases that one task encodes, and so many that starting a process pays.
CHUNK = 50
_WORTH_A_PROCESS = 1000


@dataclass(frozen=True)
class Example:
    """One training row: the ``prompt`` first tokens are the prompt, the ``label`` next ones the
    diagnosis.

    A token of the answer beyond the diagnosis weighs 1 in the loss.
    """

    id: str
    ids: tuple[int, ...]
    prompt: int
    label: int
    prompt_weight: float
    label_weight: float

    @property
    def weights(self) -> list[float]:
        """The weight in the loss of predicting each of ``ids``; 0 for no target."""
        weights = [self.prompt_weight] * self.prompt
        weights += [self.label_weight] * self.label
        weights += [1.0] * (len(self.ids) - self.prompt - self.label)
        weights[0] = 0.0  # nothing predicts the first token
        return weights

    @property
    def labels(self) -> list[int]:
        """The targets: ids where there is a weight, else :data:`IGNORED`."""
        labels: list[int] = []
        for token, weight in zip(self.ids, self.weights, strict=True):
            labels.append(token if weight else IGNORED)
        return labels


@dataclass
class Report:
    """What became of the cases: how many there were, and the ids of those that were cut or left
    out.
    """

    cases: int = 0
    shortened: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    @property
    def encoded(self) -> int:
        """How many cases became rows."""
        return self.cases - len(self.dropped) - len(self.unanswered)

    def add(self, other: Report) -> None:
        """Take in what became of further cases."""
        self.cases += other.cases
        self.shortened += other.shortened
        self.dropped += other.dropped
        self.unanswered += other.unanswered


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
        return Example(
            case.id if chain else f"{case.id}/label",
            (*prompt, *answer),
            len(prompt),
            label,
            self.data.prompt_weight,
            self.data.label_weight,
        )

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


class CaseStream(Protocol):
    """Cases that can be gone through as often as one likes; their number is known."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[AnnotatedCase]: ...


@dataclass(frozen=True)
class Wanted:
    """A case to encode: whether its chain is learnt, and how many rows it has besides that end
    after the diagnosis.
    """

    case: AnnotatedCase | CaseNumber
    chain: bool
    label_rows: int


class Deal:
    """Which cases' chains are learnt, and which cases have more rows: drawn before any is read."""

    def __init__(self, data: Data, count: int, seed: int) -> None:
        """Draw for ``count`` cases."""
        numbers = range(count)
        without = round((1 - data.chains) * count)
        self._without_chain = set(random.Random(f"{seed}/chains").sample(numbers, without))
        whole, part = divmod(round(data.label_only * count), max(1, count))
        self._label_rows = whole
        self._once_more = set(random.Random(seed).sample(numbers, part))

    def wanted(
        self,
        cases: Iterable[AnnotatedCase | CaseNumber],
        first: int = 0,
    ) -> Iterator[Wanted]:
        """Yield what is to be made of cases; ``first`` is the number of the first one."""
        for number, case in enumerate(cases, first):
            yield Wanted(case, number not in self._without_chain, self.label_rows(number))

    def label_rows(self, number: int) -> int:
        """Return how many rows of a case end after the diagnosis, besides its own."""
        return self._label_rows + (number in self._once_more)


@dataclass(frozen=True)
class _Task:
    """Cases for one process, and where their tokenizer is."""

    tokenizer: str
    data: Data
    wanted: tuple[Wanted, ...]


def encode_cases(
    tokenizer: str,
    data: Data,
    cases: CaseStream,
    seed: int,
    report: Report,
) -> Iterator[Example]:
    """Yield the training rows of ``cases``, label-only rows included, encoded on all cores.

    Args:
        tokenizer: folder or hub id of the tokenizer.
        data: the recipe's part on data.
        cases: read once, in order.
        seed: chooses the cases whose chain is learnt, and those with more rows.
        report: told what became of the cases.

    Raises:
        InputError: as :meth:`Encoder.example`; the processes could not be started.
    """
    wanted = Deal(data, len(cases), seed).wanted(cases)
    processes = max(1, min(usable_cores(), len(cases) // _WORTH_A_PROCESS))
    for rows, counts in encode_wanted(tokenizer, data, wanted, processes):
        report.add(counts)
        yield from rows


def encode_wanted(
    tokenizer: str,
    data: Data,
    wanted: Iterable[Wanted],
    processes: int,
) -> Iterator[tuple[list[Example], Report]]:
    """Yield rows, and what became of their cases, :data:`CHUNK` cases at a time.

    A case that is only a number is composed in the process that encodes it.

    Raises:
        InputError: as :func:`encode_cases`.
    """
    yield from map_in_order(_encode, _tasks(tokenizer, data, wanted), processes)


def _tasks(tokenizer: str, data: Data, wanted: Iterable[Wanted]) -> Iterator[_Task]:
    some: list[Wanted] = []
    for one in wanted:
        some.append(one)
        if len(some) == CHUNK:
            yield _Task(tokenizer, data, tuple(some))
            some = []
    if some:
        yield _Task(tokenizer, data, tuple(some))


def _encode(task: _Task) -> tuple[list[Example], Report]:
    """Return the rows of a task; runs in a process of its own."""
    encoder = Encoder(load_tokenizer(task.tokenizer), task.data)
    report = Report()
    rows: list[Example] = []
    for wanted in task.wanted:
        case = wanted.case
        if isinstance(case, CaseNumber):
            case = case.compose()
        found = [encoder.example(case, report, chain=wanted.chain)]
        if found[0] is not None:
            for _ in range(wanted.label_rows):
                found.append(encoder.example(case, chain=False))
        rows += [row for row in found if row is not None]
    return rows, report


@lru_cache(maxsize=2)
def load_tokenizer(where: str) -> Any:
    """Return the tokenizer in a folder or of a hub id.

    Raises:
        ModelError: there is none, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    with hub_or_cache(where):
        try:
            return AutoTokenizer.from_pretrained(where)
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = why_not_loaded(where, error)
            raise ModelError(f"{where}: its tokenizer cannot be loaded ({reason})") from None
