"""The default engine: a Llama model in numpy and 32-bit floats; needs no torch and no compiler.

The keys and values of the last prompt are kept. What follows it, the branches of a choice or a text
being written, is computed behind the prompt and then forgotten. Prompts are read in pieces that
begin at fixed places, so that a prompt gives the same numbers to the last bit whatever was read
before it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dxtrace.engines.base import (
    Branch,
    PromptPart,
    Work,
    common_prefix,
    token_tree,
)
from dxtrace.engines.guard import check_grammar
from dxtrace.engines.numpy_llama import (
    Array,
    Batch,
    Cache,
    LlamaConfig,
    causal_mask,
    forward,
    logits,
    unpack,
)
from dxtrace.errors import EngineError, ModelError
from dxtrace.files import read_json
from dxtrace.notes.prompt import with_start_token

#: Tokens read in one pass: few enough that attention's scores stay in the processor's cache.
CHUNK = 192

#: Longest prompt plus answer, if the model itself reads more.
DEFAULT_CONTEXT = 8192


class NumpyEngine:
    """One Llama model in this process."""

    packs = True

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """Load a model that :func:`dxtrace.models.float32.prepared` wrote.

        Args:
            folder: holds ``model.json``, ``tokenizer.json`` and ``weights.npy``, mapped
                into memory.
            threads: of the matrix library (BLAS); None for one a core, at most 8.

        Raises:
            ModelError: the folder cannot be read; names it.
        """
        from threadpoolctl import threadpool_limits
        from tokenizers import Tokenizer

        try:
            about = read_json(folder / "model.json")
            self.config = LlamaConfig(**about["config"])
            flat = np.load(folder / "weights.npy", mmap_mode="r")
            self.weights = unpack(self.config, flat.view(np.ndarray))
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain exceptions
            raise ModelError(f"{folder}: cannot be loaded ({type(error).__name__})") from None
        self.context = min(self.config.context, DEFAULT_CONTEXT)
        self.chat_template = with_start_token(about["chat_template"], about["start_token"])
        self.end_tokens = tuple(about["end_tokens"])
        self.work = Work()
        self.tokenizer.encode_special_tokens = True
        added = self.tokenizer.get_added_tokens_decoder()
        self._control = {token.content: index for index, token in added.items() if token.special}
        self._ids: list[int] = []
        self._last = np.empty(0, np.float32)
        self._cache = Cache(self.config)
        self._limits = threadpool_limits(threads or min(os.cpu_count() or 1, 8), "blas")
        self._grammar_tokenizer: Any = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return [self.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """See :class:`dxtrace.engines.base.Engine`."""
        ids: list[int] = []
        for text, special in parts:
            if not special:
                ids += self.encode([text])[0]
                continue
            for piece in self._split(text):
                if piece in self._control:
                    ids.append(self._control[piece])
                else:
                    ids += self.encode([piece])[0]
        return ids

    def _split(self, text: str) -> list[str]:
        """Cut a text before and after each control token."""
        # Longest first: one control token may begin with another.
        names = sorted(self._control, key=len, reverse=True)
        pattern = "|".join(map(re.escape, names))
        return re.split(f"({pattern})", text)

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        # A branch with one candidate is certain: the model need not read it.
        prefixes: set[tuple[int, ...]] = set()
        for branch in branches:
            if len(branch.candidates) > 1:
                prefixes.add(branch.prefix)
        hidden = self._read_branches(list(prompt), prefixes)
        result: list[Mapping[int, float]] = []
        for branch in branches:
            if len(branch.candidates) == 1:
                result.append({branch.candidates[0]: 1.0})
            else:
                result.append(self._share(hidden[branch.prefix], branch.candidates))
        return result

    def _share(self, hidden: Array, candidates: tuple[int, ...]) -> Mapping[int, float]:
        scores = logits(self.weights, hidden, candidates).astype(np.float64)
        # Softmax over the candidates alone; the maximum is taken off against overflow.
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        return dict(zip(candidates, shares.tolist(), strict=True))

    def _read_prompt(self, ids: list[int]) -> Array:
        """Return the hidden state (d,) after a prompt; pieces in the cache are not read again."""
        if not ids:
            raise EngineError("the prompt is empty")
        self._expect_room(len(ids))
        if ids == self._ids:
            return self._last
        # Whole pieces that the cache holds are kept, but the last piece is always read: it gives
        # the hidden state.
        shared = common_prefix(ids, self._ids)
        start = min(shared, len(ids) - 1) // CHUNK * CHUNK
        self._ids = []
        self._cache.reserve(len(ids))
        for begin in range(start, len(ids), CHUNK):
            piece = ids[begin : begin + CHUNK]
            is_last = begin + CHUNK >= len(ids)
            if is_last:
                rows = [len(piece) - 1]
            else:
                rows = []
            hidden = self._run(begin, piece, causal_mask(len(piece)), rows)
        self._ids = ids
        self._last = hidden[0]
        return self._last

    def _read_branches(
        self,
        prompt: list[int],
        prefixes: set[tuple[int, ...]],
    ) -> dict[tuple[int, ...], Array]:
        """Return the hidden state after each prefix behind the prompt, in one pass over their tree.

        A token of the tree stands behind its parent and sees the prompt and its own ancestors.
        """
        paths = token_tree(prefixes)
        self._expect_room(len(prompt) + max(map(len, paths), default=0))
        hidden: dict[tuple[int, ...], Array] = {(): self._read_prompt(prompt)}
        rows = {}
        for row, path in enumerate(paths):
            rows[path] = row
        mask = np.full((len(paths), len(paths)), -np.inf, np.float32)
        for path, row in rows.items():
            ancestors = []
            for length in range(1, len(path) + 1):
                ancestors.append(rows[path[:length]])
            mask[row, ancestors] = 0
        for begin in range(0, len(paths), CHUNK):
            piece = paths[begin : begin + CHUNK]
            end = begin + len(piece)
            wanted = []
            for path in piece:
                if path in prefixes:
                    wanted.append(path)
            states = self._run(
                len(prompt) + begin,
                tokens=[path[-1] for path in piece],
                mask=mask[begin:end, :end],
                rows=[rows[path] - begin for path in wanted],
                positions=[len(prompt) + len(path) - 1 for path in piece],
            )
            hidden |= dict(zip(wanted, states, strict=True))
        return hidden

    def _run(
        self,
        start: int,
        tokens: Sequence[int],
        mask: Array,
        rows: Sequence[int],
        positions: Sequence[int] | None = None,
    ) -> Array:
        began = time.perf_counter()
        positions = positions or range(start, start + len(tokens))
        batch = Batch(tokens, positions, start, mask, rows)
        hidden = forward(self.config, self.weights, self._cache, batch)
        self.work.add(len(tokens), time.perf_counter() - began)
        return hidden

    def _expect_room(self, tokens: int) -> None:
        if tokens > self.context:
            raise EngineError(f"the prompt has {tokens} tokens; the model reads {self.context}")

    def stream(self, prompt: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """See :class:`dxtrace.engines.base.Engine`."""
        from llguidance import LLMatcher

        check_grammar(grammar)
        matcher = LLMatcher(self._matcher_tokenizer(), grammar, log_level=0)
        last = self._read_prompt(list(prompt))
        written = ""
        done: list[int] = []
        while len(done) < max_tokens and not matcher.is_stopped():
            # Tokens that the grammar leaves no choice about ("fast-forward") are not asked for.
            tokens = matcher.compute_ff_tokens() or [self._greedy(last, matcher)]
            tokens = [token for token in tokens if token not in self.end_tokens]
            if not tokens or not matcher.consume_tokens(tokens):
                break
            self._expect_room(len(prompt) + len(done) + len(tokens))
            (last,) = self._run(
                len(prompt) + len(done),
                tokens,
                causal_mask(len(tokens)),
                [len(tokens) - 1],
            )
            done += tokens
            text = self.tokenizer.decode(done)
            # U+FFFD at the end: a character of which not all bytes are there yet.
            if not text.endswith("\ufffd"):
                yield text[len(written) :]
                written = text
        if matcher.is_error() or not (matcher.is_accepting() or matcher.is_stopped()):
            raise EngineError("the text broke off before the grammar accepted it")

    def _greedy(self, hidden: Array, matcher: Any) -> int:
        bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.flatnonzero(np.unpackbits(bits, bitorder="little")[: self.config.vocabulary])
        if not len(allowed):
            raise EngineError("the grammar allows no token")
        # Rows picked from the head are copied: worth it for few of them only.
        if len(allowed) < self.config.vocabulary // 4:
            scores = logits(self.weights, hidden, allowed)
        else:
            scores = logits(self.weights, hidden)[allowed]
        return int(allowed[scores.argmax()])

    def _matcher_tokenizer(self) -> Any:
        if self._grammar_tokenizer is None:
            from llguidance import LLTokenizer

            self._grammar_tokenizer = LLTokenizer(
                self.tokenizer.to_str(),
                n_vocab=self.config.vocabulary,
                eos_token=list(self.end_tokens),
            )
        return self._grammar_tokenizer

    def forget(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`."""
        self._ids = []
        self._cache = Cache(self.config)

    def close(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`."""
        self.forget()
        del self.weights
        self._limits.restore_original_limits()
