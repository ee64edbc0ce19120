"""How each kind of server of models is asked for the probabilities of given tokens.

Prompts go out as token ids, so that a control token spelled in a note stays text. All of them keep
the keys and values of a prompt and compute a shared beginning once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from dxtrace.engines.base import PromptPart
from dxtrace.engines.endpoint import Endpoint, RequestRefused
from dxtrace.engines.llamacpp_api import ServedTokenizer, choice_body, read_choice, text_body
from dxtrace.engines.local_tokenizer import LocalTokenizer
from dxtrace.errors import EngineError, ModelError, ServerUnfit
from dxtrace.notes.prompt import with_start_token

#: A text on which two tokenizers that are not the same differ.
_PROBE = "Troponin 0.04 ng/mL; EF 35%, no oedema. naïve"


class Tokens(Protocol):
    """Turns text into token ids."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text."""
        ...

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """Return the ids of a prompt."""
        ...


class ServerApi(Protocol):
    """One kind of server.

    ``packs``: many requests at once cost about as much as one; ``context`` in tokens.
    """

    packs: bool
    context: int
    chat_template: str | None
    end_tokens: tuple[int, ...]
    tokens: Tokens

    def weigh(
        self,
        ids: Sequence[int],
        candidates: Sequence[int],
        fresh: bool,
    ) -> tuple[Mapping[int, float], int]:
        """Return the share of each candidate after a prompt, and the tokens that were computed.

        Args:
            ids: the prompt.
            candidates: two or more tokens.
            fresh: ask, where the server can, that nothing cached is used.

        Raises:
            EngineError: the server failed.
        """
        ...

    def write(self, ids: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """Yield a text under a grammar, piece by piece, greedily.

        Raises:
            EngineError: the server failed.
        """
        ...


class LlamaCppApi:
    """llama.cpp's ``llama-server``: a bias on the candidates, and ``n_probs`` after sampling."""

    packs = False

    def __init__(self, endpoint: Endpoint, _model: str, about: Mapping[str, Any]) -> None:
        """Read what the server says of its model.

        Args:
            endpoint: the server, which runs one model.
            about: its entry at ``/v1/models``.
        """
        self._endpoint = endpoint
        self.tokens: Tokens = ServedTokenizer(endpoint.post)
        properties = endpoint.get("/props")
        self.chat_template = with_start_token(
            properties.get("chat_template"),
            properties.get("bos_token"),
        )
        settings = properties.get("default_generation_settings", {})
        self.context = int(settings.get("n_ctx") or about["meta"]["n_ctx_train"])
        self.end_tokens: tuple[int, ...] = ()
        if properties.get("eos_token"):
            self.end_tokens = tuple(self.tokens.encode_prompt([(properties["eos_token"], True)]))

    def weigh(
        self,
        ids: Sequence[int],
        candidates: Sequence[int],
        fresh: bool,
    ) -> tuple[Mapping[int, float], int]:
        """See :class:`ServerApi`."""
        body = {"cache_prompt": not fresh, **choice_body(ids, candidates)}
        answer = self._endpoint.post("/v1/completions", body)
        computed = int(answer.get("timings", {}).get("prompt_n", len(ids)))
        try:
            return read_choice(answer, candidates), computed
        except (KeyError, TypeError, ValueError):
            raise _no_log_probabilities("update llama-server") from None

    def write(self, ids: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """See :class:`ServerApi`."""
        for event in self._endpoint.events("/v1/completions", text_body(ids, grammar, max_tokens)):
            if "error" in event:
                raise EngineError("llama-server stopped while writing")
            for choice in event.get("choices", ()):
                yield choice.get("text") or ""


class VllmApi:
    """vLLM: ``logprob_token_ids`` of ``/v1/completions``, or in older versions ``allowed_token_ids``.

    The older way needs ``--logprobs-mode processed_logprobs``: as it starts by default, vLLM gives
    the log-probabilities of the likeliest tokens, whatever is allowed.
    """

    packs = True

    def __init__(self, endpoint: Endpoint, model: str, about: Mapping[str, Any]) -> None:
        """Find the tokenizer of the model.

        Raises:
            ModelError: it is neither here nor at the hub, or is another one.
        """
        self._endpoint = endpoint
        self._name = about["id"]
        self.context = int(about["max_model_len"])
        local = LocalTokenizer(model or about.get("root") or self._name)
        self.tokens: Tokens = local
        self.chat_template = local.chat_template
        self.end_tokens = local.end_tokens
        body = {"model": self._name, "prompt": _PROBE, "add_special_tokens": False}
        served = endpoint.post("/tokenize", body)["tokens"]
        if served != local.encode([_PROBE])[0]:
            raise ModelError(
                f"{endpoint.place}: {self._name!r} has another tokenizer than was read"
            )

    def weigh(
        self,
        ids: Sequence[int],
        candidates: Sequence[int],
        fresh: bool,  # noqa: ARG002 - vLLM computes a cached prompt and a fresh one alike
    ) -> tuple[Mapping[int, float], int]:
        """See :class:`ServerApi`."""
        body = {
            "model": self._name,
            "prompt": list(ids),
            "max_tokens": 1,
            "temperature": 1.0,
            "seed": 0,
            "allowed_token_ids": list(candidates),
            "logprobs": len(candidates),
            "logprob_token_ids": list(candidates),
            "return_tokens_as_token_ids": True,
        }
        try:
            answer = self._endpoint.post("/v1/completions", body)
        except RequestRefused as refusal:
            if "logprobs" in refusal.detail:
                raise _no_log_probabilities("start vLLM with --max-logprobs 128") from None
            raise
        (choice, *_) = answer["choices"]
        (found, *_) = (choice.get("logprobs") or {}).get("top_logprobs") or [{}]
        logs: dict[int, float] = {}
        for name, value in found.items():
            kind, _, number = name.partition(":")
            if kind == "token_id":
                logs[int(number)] = value
        hint = "update vLLM, or start it with --logprobs-mode processed_logprobs"
        usage = answer.get("usage", {})
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return _shares(logs, candidates, hint), len(ids) - cached

    def write(self, ids: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """See :class:`ServerApi`."""
        body = {
            "model": self._name,
            "prompt": list(ids),
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "structured_outputs": {"grammar": grammar},
            "stream": True,
        }
        for event in self._endpoint.events("/v1/completions", body):
            if "error" in event:
                raise EngineError("vLLM stopped while writing")
            for choice in event.get("choices", ()):
                yield choice.get("text") or ""


class SglangApi:
    """SGLang: ``token_ids_logprob`` of its own ``/generate``."""

    packs = True

    def __init__(self, endpoint: Endpoint, model: str, about: Mapping[str, Any]) -> None:
        """Find the tokenizer of the model.

        Raises:
            ModelError: it is neither here nor at the hub.
        """
        self._endpoint = endpoint
        served = endpoint.get("/get_model_info")
        local = LocalTokenizer(model or served.get("tokenizer_path") or served["model_path"])
        self.tokens: Tokens = local
        self.chat_template = local.chat_template
        self.end_tokens = local.end_tokens
        self.context = int(about.get("max_model_len") or 4096)

    def weigh(
        self,
        ids: Sequence[int],
        candidates: Sequence[int],
        fresh: bool,  # noqa: ARG002 - the cache is a radix tree that all requests share
    ) -> tuple[Mapping[int, float], int]:
        """See :class:`ServerApi`."""
        body = {
            "input_ids": list(ids),
            "sampling_params": {"max_new_tokens": 1, "temperature": 0.0},
            "return_logprob": True,
            # -1: of what is generated alone; the prompt's would switch its cache off.
            "logprob_start_len": -1,
            "token_ids_logprob": list(candidates),
        }
        about = self._endpoint.post("/generate", body)["meta_info"]
        (first, *_) = about.get("output_token_ids_logprobs") or [[]]
        logs = {token: value for value, token, *_ in first or ()}
        computed = len(ids) - int(about.get("cached_tokens") or 0)
        return _shares(logs, candidates, "update SGLang"), computed

    def write(self, ids: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """See :class:`ServerApi`."""
        body = {
            "input_ids": list(ids),
            "sampling_params": {
                "max_new_tokens": max_tokens,
                "temperature": 0.0,
                "ebnf": grammar,
            },
            "stream": True,
        }
        written = ""
        for event in self._endpoint.events("/generate", body):
            if "error" in event:
                raise EngineError("SGLang stopped while writing")
            # Each event holds the whole text so far.
            yield event["text"][len(written) :]
            written = event["text"]


def _shares(
    logs: Mapping[int, float],
    candidates: Sequence[int],
    hint: str,
) -> Mapping[int, float]:
    """Return probabilities over the candidates from their log-probabilities over all tokens.

    Raises:
        ServerUnfit: one has none.
    """
    if any(logs.get(token) is None for token in candidates):
        raise _no_log_probabilities(hint)
    highest = max(logs[token] for token in candidates)
    weights = {}
    for token in candidates:
        weights[token] = math.exp(logs[token] - highest)
    total = sum(weights.values())
    shares = {}
    for token, weight in weights.items():
        shares[token] = weight / total
    return shares


def _no_log_probabilities(hint: str) -> ServerUnfit:
    return ServerUnfit(f"the server gives no log-probabilities of chosen tokens: {hint}")
