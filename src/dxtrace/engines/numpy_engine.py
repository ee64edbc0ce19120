"""The default engine: a Llama model in numpy and 32-bit floats; needs no torch and no compiler.

A prompt is read in pieces that begin at fixed places, which depend on the prompt alone. The keys
and values of whole pieces are kept: they are the same to the last bit whatever was read before. The
last piece is read together with what follows the prompt, the branches of a choice, in one pass.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dxtrace.engines.base import (
    Branch,
    PromptPart,
    Work,
    ancestors,
    common_prefix,
    token_tree,
)
from dxtrace.engines.guard import check_grammar
from dxtrace.engines.local_tokenizer import FastTokenizer
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
from dxtrace.engines.threads import ThreadPool, default_threads
from dxtrace.errors import EngineError, ModelError
from dxtrace.files import read_json
from dxtrace.notes.prompt import with_start_token

#: Tokens of a piece. More make matrix products little faster, and share less between two prompts.
CHUNK = 384

#: The first piece ends behind the last control token among so many tokens: with what the chat
#: template says before the note, the same for all notes.
_LEAD = 64

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
            threads: that share the tokens of a pass; None for one a core, at most 8.

        Raises:
            ModelError: the folder cannot be read; names it.
        """
        from threadpoolctl import threadpool_limits

        try:
            about = read_json(folder / "model.json")
            self.config = LlamaConfig(**about["config"])
            flat = np.load(folder / "weights.npy", mmap_mode="r")
            self.weights = unpack(self.config, flat.view(np.ndarray))
            self.tokenizer = FastTokenizer(folder / "tokenizer.json")
        except Exception as error:  # tokenizers raises plain exceptions
            raise ModelError(f"{folder}: cannot be loaded ({type(error).__name__})") from None
        self.context = min(self.config.context, DEFAULT_CONTEXT)
        self.chat_template = with_start_token(about["chat_template"], about["start_token"])
        self.end_tokens = tuple(about["end_tokens"])
        self.work = Work()
        self._pieces: list[list[int]] = []
        self._tail: list[int] = []
        self._last = np.empty(0, np.float32)
        self._cache = Cache(self.config)
        self._threads = ThreadPool(threads or default_threads())
        # The matrix library's own threads would wait for each other after every product.
        self._limits = threadpool_limits(1, "blas")
        self._grammar_tokenizer: Any = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return self.tokenizer.encode(texts)

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return self.tokenizer.encode_prompt(parts)

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
        hidden = self._read(list(prompt), prefixes)
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

    def _read(
        self,
        prompt: list[int],
        prefixes: Iterable[tuple[int, ...]] = (),
    ) -> dict[tuple[int, ...], Array]:
        """Return the hidden state (d,) after the prompt, and after each prefix behind it."""
        if not prompt:
            raise EngineError("the prompt is empty")
        paths = token_tree(prefixes)
        self._expect_room(len(prompt) + max(map(len, paths), default=0))
        self._cache.reserve(len(prompt) + len(paths))
        *pieces, tail = self._split(prompt)
        if tail == self._tail and pieces == self._pieces:
            hidden = self._read_behind(len(prompt), [], paths)
            return {(): self._last, **hidden}
        self._read_pieces(pieces)
        hidden = self._read_behind(len(prompt), tail, paths)
        self._tail = tail
        self._last = hidden[()]
        return hidden

    def _split(self, prompt: list[int]) -> list[list[int]]:
        """Cut a prompt into its pieces."""
        lead = 0
        for place, token in enumerate(prompt[:_LEAD], start=1):
            if token in self.tokenizer.control.values() and place < len(prompt):
                lead = place
        pieces = []
        if lead:
            pieces.append(prompt[:lead])
        for begin in range(lead, len(prompt), CHUNK):
            pieces.append(prompt[begin : begin + CHUNK])
        return pieces

    def _read_pieces(self, pieces: list[list[int]]) -> None:
        """Read the pieces that the cache lacks; it then holds these and no others."""
        self._tail = []
        self._pieces = self._pieces[: common_prefix(pieces, self._pieces)]
        for piece in pieces[len(self._pieces) :]:
            start = sum(map(len, self._pieces))
            self._run(start, piece, causal_mask(len(piece)), rows=[])
            self._pieces.append(piece)

    def _read_behind(
        self,
        length: int,
        tail: list[int],
        paths: list[tuple[int, ...]],
    ) -> dict[tuple[int, ...], Array]:
        """Return the hidden state after a prompt of some ``length``, of which the ``tail`` is not
        read yet, and at each node of the tree of what may follow.

        A token of the tree stands behind its parent and sees the prompt and its own ancestors.
        """
        start = length - len(tail)
        tokens = tail + [path[-1] for path in paths]
        positions = list(range(start, length))
        positions += [length + len(path) - 1 for path in paths]
        mask = causal_mask(len(tokens))
        mask[len(tail) :, len(tail) :] = -np.inf
        for row, known in enumerate(ancestors(paths), start=len(tail)):
            mask[row, len(tail) + np.array(known)] = 0
        nodes = paths
        if tail:
            nodes = [(), *paths]
        first = len(tokens) - len(nodes)
        states: list[Array] = []
        # So large that the tail and a small tree go together.
        step = 2 * CHUNK
        for begin in range(0, len(tokens), step):
            end = min(begin + step, len(tokens))
            rows = range(max(first - begin, 0), end - begin)
            piece = tokens[begin:end]
            seen = mask[begin:end, :end]
            states.extend(self._run(start + begin, piece, seen, rows, positions[begin:end]))
        return dict(zip(nodes, states, strict=True))

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
        hidden = forward(self.config, self.weights, self._cache, batch, self._threads)
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
        last = self._read(list(prompt))[()]
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
            text = self.tokenizer.inner.decode(done)
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
                self.tokenizer.inner.to_str(),
                n_vocab=self.config.vocabulary,
                eos_token=list(self.end_tokens),
            )
        return self._grammar_tokenizer

    def forget(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`. Whole pieces are kept: they are exact."""
        self._tail = []

    def close(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`."""
        del self._cache, self.weights
        self._threads.close()
        self._limits.restore_original_limits()
