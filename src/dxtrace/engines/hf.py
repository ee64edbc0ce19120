"""The transformers engine: any causal language model of the hub, with an optional PEFT adapter, on
CPU or CUDA.

The key-value cache of the last prompt is kept. Many branches are evaluated in one pass: their
tokens are packed behind the cached prompt as a tree, with a mask that lets each token see its own
ancestors alone.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dxtrace.engines.base import (
    Branch,
    PromptPart,
    Work,
    ancestors,
    common_prefix,
    token_tree,
)
from dxtrace.engines.guard import check_grammar
from dxtrace.engines.hub import hub_or_cache, why_not_loaded
from dxtrace.errors import EngineError, ModelError
from dxtrace.files import open_gguf
from dxtrace.notes.prompt import with_start_token


class HuggingFaceEngine:
    """One transformers model, with at most one adapter, in this process."""

    packs = True

    def __init__(
        self,
        model: str,
        adapter: Path | None = None,
        threads: int | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: a GGUF file, a folder, or a hub id.
            adapter: folder of a PEFT adapter.
            threads: CPU threads for torch; None leaves torch's own choice.

        Raises:
            ModelError: it cannot be loaded.
        """
        import torch

        if threads:
            torch.set_num_threads(threads)
        self._torch = torch
        self.tokenizer, self.model = load_pretrained(model)
        if adapter is not None:
            self.model = _with_adapter(self.model, adapter)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = self.model.to(self._device).eval()
        self.context = min(
            8192,
            int(getattr(self.model.config, "max_position_embeddings", 8192)),
        )
        self.chat_template = with_start_token(
            self.tokenizer.chat_template,
            self.tokenizer.bos_token,
        )
        self.end_tokens = _end_tokens(self.tokenizer, self.model)
        self.work = Work()
        # transformers calls it one way before 5.24, the other after.
        self._cache_name = "past_key_values"
        if "cache" in inspect.signature(self.model.forward).parameters:
            self._cache_name = "cache"
        self._ids: list[int] = []
        self._cache: Any = None
        self._last: Any = None
        self._grammar_tokenizer: Any = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return [self._encode(text, special=False) for text in texts]

    def _encode(self, text: str, special: bool) -> list[int]:
        """Return the tokens of a text; ``special``: control tokens in it are meant."""
        if not text:
            return []
        ids: list[int] = self.tokenizer.encode(
            text,
            add_special_tokens=False,
            split_special_tokens=not special,
        )
        return ids

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """See :class:`dxtrace.engines.base.Engine`."""
        ids: list[int] = []
        for text, special in parts:
            ids += self._encode(text, special)
        return ids

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        if len(branches) == 1:
            logits = [self._logits([*prompt, *branches[0].prefix])]
        else:
            self._logits(list(prompt))
            logits = self._packed_logits([branch.prefix for branch in branches])
        shares: list[Mapping[int, float]] = []
        for row, branch in zip(logits, branches, strict=True):
            shares.append(self._share(row, branch.candidates))
        return shares

    def _share(self, logits: Any, candidates: tuple[int, ...]) -> Mapping[int, float]:
        scores = logits[list(candidates)].float()
        return dict(zip(candidates, scores.softmax(-1).tolist(), strict=True))

    def _logits(self, ids: list[int]) -> Any:
        """Return the logits (vocabulary,) after ``ids``; what the cache already holds is not
        computed again.
        """
        if len(ids) > self.context:
            raise EngineError(f"the prompt has {len(ids)} tokens; the model reads {self.context}")
        if ids == self._ids:
            return self._last
        # At least one token is read: its pass gives the logits.
        shared = min(common_prefix(ids, self._ids), len(ids) - 1)
        self._crop(shared)
        self._last = self._forward(ids[shared:])[0, -1]
        self._ids = list(ids)
        return self._last

    def _crop(self, length: int) -> None:
        from transformers import DynamicCache

        if self._cache is None or length == 0:
            self._cache = DynamicCache(config=self.model.config)
        elif length < len(self._ids):
            self._cache.crop(length - len(self._ids))
        self._ids = self._ids[:length]

    def _forward(self, ids: list[int], **kwargs: Any) -> Any:
        torch = self._torch
        started = time.perf_counter()
        every = "position_ids" in kwargs
        with torch.inference_mode():
            inputs = torch.tensor([ids], device=self._device)
            kwargs[self._cache_name] = self._cache
            if not every:
                kwargs["logits_to_keep"] = 1
            out = self.model(input_ids=inputs, use_cache=True, **kwargs)
        self.work.add(len(ids), time.perf_counter() - started)
        return out.logits

    def _packed_logits(self, prefixes: Sequence[tuple[int, ...]]) -> list[Any]:
        """Return the logits after each prefix on the cached prompt, in one pass over the tree of their tokens."""
        paths = token_tree(prefixes)
        after: dict[tuple[int, ...], Any] = {(): self._last}
        if paths:
            past = len(self._ids)
            positions = []
            for path in paths:
                positions.append(past + len(path) - 1)
            logits = self._forward(
                [path[-1] for path in paths],
                attention_mask=self._tree_mask(paths, past)[None, None],
                position_ids=self._torch.tensor([positions], device=self._device),
            )
            self._cache.crop(-len(paths))
            for row, path in enumerate(paths):
                after[path] = logits[0, row]
        rows = []
        for prefix in prefixes:
            rows.append(after[tuple(prefix)])
        return rows

    def _tree_mask(self, paths: Sequence[tuple[int, ...]], past: int) -> Any:
        """Return what is added to attention's scores: each token sees the prompt and its ancestors."""
        torch = self._torch
        dtype = self.model.dtype
        mask = torch.full(
            (len(paths), past + len(paths)),
            torch.finfo(dtype).min,
            dtype=dtype,
            device=self._device,
        )
        mask[:, :past] = 0
        for row, seen in enumerate(ancestors(paths)):
            mask[row, [past + place for place in seen]] = 0
        return mask

    def stream(self, prompt: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """See :class:`dxtrace.engines.base.Engine`."""
        from llguidance import LLMatcher

        check_grammar(grammar)
        matcher = LLMatcher(self._matcher_tokenizer(), grammar, log_level=0)
        ids = list(prompt)
        written = ""
        done: list[int] = []
        while len(done) < max_tokens and not matcher.is_stopped():
            forced = matcher.compute_ff_tokens()
            tokens = forced or [self._greedy(ids, matcher)]
            tokens = [token for token in tokens if token not in self.end_tokens]
            if not tokens or not matcher.consume_tokens(tokens):
                break
            ids += tokens
            done += tokens
            text = self.tokenizer.decode(done)
            if not text.endswith("\ufffd"):
                yield text[len(written) :]
                written = text
        if matcher.is_error() or not (matcher.is_accepting() or matcher.is_stopped()):
            raise EngineError("the text broke off before the grammar accepted it")

    def _greedy(self, ids: list[int], matcher: Any) -> int:
        import numpy as np

        logits = self._logits(ids).float().cpu().numpy()
        bits = np.unpackbits(
            np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8),
            bitorder="little",
        )
        allowed = np.flatnonzero(bits[: len(logits)])
        if not len(allowed):
            raise EngineError("the grammar allows no token")
        return int(allowed[logits[allowed].argmax()])

    def _matcher_tokenizer(self) -> Any:
        if self._grammar_tokenizer is None:
            from llguidance.hf import from_tokenizer

            self._grammar_tokenizer = from_tokenizer(
                self.tokenizer,
                n_vocab=self.model.config.vocab_size,
            )
        return self._grammar_tokenizer

    def forget(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`."""
        self._ids = []
        self._cache = None
        self._last = None

    def close(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`."""
        self.forget()
        self.model = None


def load_pretrained(model: str) -> tuple[Any, Any]:
    """Return (tokenizer, model) in 32-bit floats from a GGUF file, a folder or a hub id.

    Raises:
        ModelError: it cannot be loaded; says what was tried.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if torch.cuda.is_available():
        dtype = torch.bfloat16
    else:
        dtype = torch.float32
    path = Path(model)
    with hub_or_cache(model):
        try:
            if path.suffix == ".gguf":
                return _from_gguf(path, dtype)
            tokenizer = AutoTokenizer.from_pretrained(model)
            return tokenizer, AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = why_not_loaded(model, error)
            raise ModelError(f"{model}: transformers cannot load this model ({reason})") from None


def _from_gguf(path: Path, dtype: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {
        "pretrained_model_name_or_path": str(path.parent),
        "gguf_file": path.name,
    }
    # transformers shows a progress bar here that its own switch does not turn off.
    with _quiet():
        tokenizer = AutoTokenizer.from_pretrained(**where)
        config = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(
            **where,
            quantization_config=config,
            dtype=dtype,
        )
    _mend_words(tokenizer, path)
    return tokenizer, model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _mend_words(tokenizer: Any, path: Path) -> None:
    """Split words as the GGUF file says: transformers forgets that SmolLM reads each digit by
    itself.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    field = open_gguf(path).fields.get("tokenizer.ggml.pre")
    if field is not None and field.contents() == "smollm":
        parts = [
            Digits(individual_digits=True),
            ByteLevel(add_prefix_space=False, use_regex=True),
        ]
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(parts)


def _with_adapter(model: Any, adapter: Path) -> Any:
    try:
        # The libraries warn of each other.
        with _quiet():
            from peft import PeftModel

            return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"{adapter}: the adapter does not fit the model ({type(error).__name__})",
        ) from None


def _end_tokens(tokenizer: Any, model: Any) -> tuple[int, ...]:
    ids = [tokenizer.eos_token_id]
    if model.generation_config:
        # One token, a list of them, or none.
        more = model.generation_config.eos_token_id
        ids += more if isinstance(more, list) else [more]
    known = []
    for id in ids:
        if id is not None:
            known.append(id)
    return tuple(dict.fromkeys(known))
