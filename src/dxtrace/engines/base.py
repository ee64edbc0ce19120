"""The seam between clinical logic and the programs that run a model.

An engine knows tokens and probabilities; it knows nothing of notes, diagnoses or steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dxtrace.notes.prompt import PromptPart

__all__ = [
    "Branch",
    "Engine",
    "PromptPart",
    "Unwanted",
    "Work",
    "ancestors",
    "common_prefix",
    "expect_wanted",
    "token_tree",
    "while_wanted",
]

#: Passes of more tokens count as prefill (reading a prompt), shorter ones as decoding.
_MOST_DECODED = 32


_WANTED: ContextVar[Callable[[], bool] | None] = ContextVar("wanted", default=None)


class Unwanted(Exception):
    """Nobody waits any more for what an engine computes."""


@contextmanager
def while_wanted(wanted: Callable[[], bool]) -> Iterator[None]:
    """Let an engine give up in this block, by :class:`Unwanted`, once ``wanted`` says False."""
    before = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(before)


def expect_wanted() -> None:
    """Give up what nobody waits for; an engine asks between pieces of a long pass.

    Raises:
        Unwanted: by the word of :func:`while_wanted`.
    """
    wanted = _WANTED.get()
    if wanted is not None and not wanted():
        raise Unwanted


@dataclass(frozen=True)
class Branch:
    """A place where the text may go on in several ways: ``prefix`` after the prompt, then one of
    ``candidates``.
    """

    prefix: tuple[int, ...]
    candidates: tuple[int, ...]


@dataclass
class Work:
    """Tokens and seconds that an engine has spent since it was loaded."""

    prefill_tokens: int = 0
    prefill_s: float = 0.0
    decode_tokens: int = 0
    decode_s: float = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        """Count one pass over so many tokens."""
        if tokens > _MOST_DECODED:
            self.prefill_tokens += tokens
            self.prefill_s += seconds
        else:
            self.decode_tokens += tokens
            self.decode_s += seconds


def common_prefix(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many items, such as tokens, two sequences share at their start."""
    for index, (token, opposite) in enumerate(zip(one, other, strict=False)):
        if token != opposite:
            return index
    return min(len(one), len(other))


def token_tree(prefixes: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the nodes of the trie of some prefixes, each as the path to it, parents first.

    Tokens that several branches share are so computed once.
    """
    paths: set[tuple[int, ...]] = set()
    for prefix in prefixes:
        for length in range(1, len(prefix) + 1):
            paths.add(prefix[:length])
    return sorted(paths)


def ancestors(paths: Sequence[tuple[int, ...]]) -> list[list[int]]:
    """Return, for each node of a :func:`token_tree`, where the nodes on the way to it stand, itself
    included: what it may see of the tree.
    """
    rows = {}
    for row, path in enumerate(paths):
        rows[path] = row
    seen: list[list[int]] = []
    for path in paths:
        seen.append([rows[path[:length]] for length in range(1, len(path) + 1)])
    return seen


@runtime_checkable
class Engine(Protocol):
    """What the reasoner needs of a model. One engine answers one request at a time."""

    #: Longest prompt plus answer, in tokens.
    context: int
    #: True if many branches cost about as much as one (they are evaluated in one pass).
    packs: bool
    #: The model's chat template (Jinja), or None.
    chat_template: str | None
    #: Tokens that end an answer.
    end_tokens: tuple[int, ...]

    @property
    def work(self) -> Work:
        """What has been spent; by an engine that several threads ask, what this thread has."""
        ...

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text. Control tokens spelled in a text stay plain text."""
        ...

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """Return the ids of a prompt; control tokens are recognised in the parts marked True alone."""
        ...

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        """Return, for each branch, the probability of each candidate after ``prompt + prefix``.

        Probabilities are normalised over the branch's candidates.

        Raises:
            EngineError: the model failed, or the prompt does not fit.
        """
        ...

    def stream(self, prompt: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """Yield the text that the model writes after ``prompt`` under a Lark grammar, piece by
        piece, greedily.

        Raises:
            EngineError: the grammar is invalid, the model failed, or the text breaks off before the
            grammar accepts.
        """
        ...

    def forget(self) -> None:
        """Drop what is cached of earlier prompts as far as the next answer would depend on it."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...
