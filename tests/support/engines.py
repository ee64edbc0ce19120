"""Engines without a model, and what every engine is tested with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from dxtrace.answering.reasoner import Reasoner
from dxtrace.engines.base import Branch, PromptPart, Work

#: Control tokens of several chat templates; in a note they are plain text.
CONTROL = (
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "</s>",
    "[INST]",
)

#: Two words and a full stop.
GRAMMAR = "%llguidance {}\nstart: TEXT\nTEXT: / [a-z]{2,8} [a-z]{2,8}\\./\n"

END = 1000


class KnownEngine:
    """One token a character; a token's weight is a fixed function of everything before it."""

    context = 8192
    chat_template = None
    end_tokens = (END,)

    def __init__(self, packs: bool = False, sharpness: float = 1.0) -> None:
        self.packs = packs
        self.work = Work()
        self.asked: list[Branch] = []
        self._sharpness = sharpness

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(char) for char in text] for text in texts]

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        return [ord(char) for text, _ in parts for char in text]

    def weight(self, before: Sequence[int], token: int) -> float:
        digest = hashlib.sha256(repr((tuple(before), token)).encode()).digest()
        return ((digest[0] + 1) / 256) ** self._sharpness

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        self.asked += branches
        result: list[Mapping[int, float]] = []
        for branch in branches:
            weights = {
                token: self.weight((*prompt, *branch.prefix), token) for token in branch.candidates
            }
            result.append(
                {token: weight / sum(weights.values()) for token, weight in weights.items()},
            )
        return result

    def stream(self, prompt: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        raise NotImplementedError

    def forget(self) -> None:
        pass

    def close(self) -> None:
        pass


class Unread(KnownEngine):
    """An engine without a model: it chooses by the last few tokens, and writes one sentence."""

    def weight(self, before: Sequence[int], token: int) -> float:
        return super().weight(before[-12:], token)

    def stream(self, *_: object) -> Iterator[str]:
        yield " This finding is in keeping with the diagnosis."


UNREAD = Reasoner(Unread())
