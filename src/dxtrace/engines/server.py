"""The engine server: a model that vLLM, SGLang or llama.cpp's server runs, here or elsewhere.

Several cases may be answered at once, each in a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dxtrace.engines.base import Branch, PromptPart, Work, expect_wanted
from dxtrace.engines.endpoint import Endpoint, RequestRefused, expect_may_send
from dxtrace.engines.guard import Guard
from dxtrace.engines.server_apis import LlamaCppApi, ServerApi, SglangApi, VllmApi
from dxtrace.engines.threads import map_in_threads
from dxtrace.errors import EngineError, ServerGone, ServerUnfit, UnknownName

#: Branches of one case that are asked for at once, where the server packs them.
_BRANCHES_AT_ONCE = 32

#: Cases under way at once, unless asked otherwise: enough for a server to batch.
CASES_AT_ONCE = 8

#: A server that reads fewer tokens has no room for a short case, its frame and an answer.
_LEAST_CONTEXT = 1024

#: Kinds of servers by the owner that they give their models at ``/v1/models``.
_APIS: dict[str, type[LlamaCppApi] | type[VllmApi] | type[SglangApi]] = {
    "llamacpp": LlamaCppApi,
    "vllm": VllmApi,
    "sglang": SglangApi,
}


class ServerEngine:
    """One model of a server."""

    def __init__(
        self,
        url: str,
        model: str = "default",
        *,
        key: str | None = None,
        may_send: bool = False,
        timeout_s: float = 300.0,
        attempts: int = 5,
    ) -> None:
        """Ask a server what it is, and for the probabilities of two tokens.

        Args:
            url: with or without ``/v1`` at its end.
            model: a name that the server knows, or the folder that the served model was made
                from, whose tokenizer is then read there; ``default``: the first model served.
            key: what the server asks its clients for.
            may_send: whether credentialed notes may leave this machine.
            timeout_s: seconds without a byte of an answer.
            attempts: how often a request is made before the server counts as gone.

        Raises:
            InputError: the URL cannot be used. UnknownName: the server has no such model.
            ModelError: the model's tokenizer cannot be read.
            ServerGone: the server does not answer.
            ServerUnfit: it lacks what an answer needs.
        """
        self.url = url
        self._may_send = may_send
        endpoint = Endpoint(url.rstrip("/").removesuffix("/v1"), key, timeout_s, attempts)
        name, self._api = _open_api(endpoint, model)
        # llama-server names its model by the file, wherever that lies.
        self.model = Path(name).name if Path(name).is_absolute() else name
        self.packs = self._api.packs
        self.context = self._api.context
        self.chat_template = self._api.chat_template
        self.end_tokens = self._api.end_tokens
        self._local = threading.local()
        if self.context < _LEAST_CONTEXT:
            raise ServerUnfit(
                f"{endpoint.place} reads {self.context} tokens, "
                f"and a case needs {_LEAST_CONTEXT}: start it with a longer context",
            )
        first, second = (ids[-1] for ids in self.encode([" Heart", " Stroke"]))
        self._api.weigh([second, first], (first, second), fresh=True)

    @property
    def work(self) -> Work:
        """What this thread has spent."""
        if not hasattr(self._local, "work"):
            self._local.work = Work()
        work: Work = self._local.work
        return work

    def expect_may_read(self, credentialed: bool) -> None:
        """Check that a note may go to this server.

        Raises:
            InputError: it is credentialed and would leave this machine without permission.
        """
        expect_may_send(self.url, credentialed, self._may_send)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return self._api.tokens.encode(texts)

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return self._api.tokens.encode_prompt(parts)

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        longest = max((len(branch.prefix) for branch in branches), default=0)
        # One more: the server counts the token that it generates.
        if len(prompt) + longest + 1 > self.context:
            raise EngineError(
                f"the prompt has {len(prompt) + longest} tokens; the server reads {self.context}",
            )
        fresh = getattr(self._local, "fresh", True)
        self._local.fresh = False

        def weigh(branch: Branch) -> tuple[Mapping[int, float], int]:
            if len(branch.candidates) == 1:
                return {branch.candidates[0]: 1.0}, 0
            return self._weigh([*prompt, *branch.prefix], branch.candidates, fresh)

        started = time.perf_counter()
        # The first alone: once it is answered, the others find the prompt in the server's cache.
        found = [*map_in_threads(weigh, branches[:1], 1, expect_wanted)]
        if self.packs:
            at_once = _BRANCHES_AT_ONCE
        else:
            at_once = 1
        found += map_in_threads(weigh, branches[1:], at_once, expect_wanted)
        computed = sum(tokens for _, tokens in found)
        self.work.add(computed, time.perf_counter() - started)
        distributions = []
        for shares, _ in found:
            distributions.append(shares)
        return distributions

    def _weigh(
        self,
        ids: list[int],
        candidates: tuple[int, ...],
        fresh: bool,
    ) -> tuple[Mapping[int, float], int]:
        try:
            return self._api.weigh(ids, candidates, fresh)
        except RequestRefused as refusal:
            raise _named(refusal, len(ids)) from None

    def stream(self, prompt: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """See :class:`dxtrace.engines.base.Engine`."""
        guard = Guard(grammar)
        try:
            for piece in self._api.write(prompt, grammar, max_tokens):
                if piece:
                    guard.feed(piece)
                    yield piece
        except RequestRefused as refusal:
            raise _named(refusal, len(prompt)) from None
        guard.finish()

    def forget(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`."""
        self._local.fresh = True

    def close(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`; the server goes on."""


def _open_api(endpoint: Endpoint, model: str) -> tuple[str, ServerApi]:
    """Return the name of a served model and the way to ask for it.

    Raises:
        UnknownName: the server has no such model. ServerUnfit: no known kind of server.
    """
    try:
        listed = endpoint.get("/v1/models")["data"]
        served = {}
        for entry in listed:
            served[str(entry["id"])] = entry
    except (RequestRefused, KeyError, TypeError):
        raise ServerUnfit(
            f"{endpoint.place} lists no models at /v1/models: no server of models?"
        ) from None
    if not served:
        raise ServerUnfit(f"{endpoint.place} serves no model at the moment")
    folder = Path(model).expanduser().is_dir()
    if model in served:
        name = model
    elif model == "default" or folder:
        name = next(iter(served))
    else:
        raise UnknownName("served model", model, served)
    about: dict[str, Any] = served[name]
    base = served.get(str(about.get("parent")))
    if base is not None:
        # vLLM lists an adapter without what it has from its base model.
        about = {**about, "root": base["root"], "max_model_len": base["max_model_len"]}
    kind = str(about.get("owned_by"))
    if kind not in _APIS:
        raise ServerUnfit(
            f"{endpoint.place} is no vLLM, SGLang or llama-server; others (Ollama) weigh no "
            "chosen tokens and take no token ids: serve the same GGUF file with llama-server",
        )
    return name, _APIS[kind](endpoint, model if folder and model != name else "", about)


def _named(refusal: RequestRefused, tokens: int) -> EngineError:
    """Return the error that says why a request was refused; the server's words may hold a note."""
    words = refusal.detail.casefold()
    if "context" in words or "too long" in words or "maximum" in words:
        return EngineError(f"the prompt has {tokens} tokens, more than the server's context")
    if refusal.status == 404:
        return ServerGone("the server no longer has this model")
    return refusal
