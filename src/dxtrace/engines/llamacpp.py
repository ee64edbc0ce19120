"""The engine llamacpp: llama.cpp through xllamacpp's prebuilt wheel. Runs GGUF files; needs no
torch.

What it is asked is in :mod:`dxtrace.engines.llamacpp_api`. The prompt's cache is kept between
requests. llama.cpp fails open on a bad grammar, so grammars are checked before and texts after.
"""

from __future__ import annotations

import os
import queue
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dxtrace.engines.base import Branch, PromptPart, Work, expect_wanted
from dxtrace.engines.endpoint import Endpoint
from dxtrace.engines.guard import Guard
from dxtrace.engines.llamacpp_api import ServedTokenizer, choice_body, read_choice, text_body
from dxtrace.engines.threads import default_threads
from dxtrace.errors import EngineError, ModelError
from dxtrace.notes.prompt import with_start_token

#: Context in tokens unless asked otherwise: what a note of 5,000 words needs.
DEFAULT_CONTEXT = 8192

#: How long an interrupt waits until it is looked for, in seconds.
_PATIENCE_S = 0.1

Made = TypeVar("Made")


@dataclass(frozen=True)
class LlamaCppOptions:
    """How to run.

    ``context`` in tokens (None: 8192, or the model's own if that is less); ``threads`` None: one a
    core, at most 8;
    ``exact``: keys and values in 32 bits in place of 16, slower, to compare a file with its source.
    """

    context: int | None = None
    threads: int | None = None
    adapter: Path | None = None
    gpu_layers: int = 0
    exact: bool = False


class LlamaCppEngine:
    """One GGUF model, with at most one LoRA adapter, in this process."""

    packs = False

    def __init__(self, model: Path, options: LlamaCppOptions | None = None) -> None:
        """Load a model.

        Raises:
            ModelError: the file is missing or llama.cpp refuses it; names the file.
        """
        self._options = options or LlamaCppOptions()
        self.context = self._options.context or DEFAULT_CONTEXT
        if not model.is_file():
            raise ModelError(f"{model}: no such model file")
        self.work = Work()
        self._lock = threading.Lock()
        self._fresh = True
        self._key = secrets.token_urlsafe(32)
        self._server = self._start(model)
        self._address = str(self._server.listening_address)
        endpoint = Endpoint(self._address, self._key, timeout_s=120, attempts=1)
        self._tokenizer = ServedTokenizer(endpoint.post)
        about = endpoint.get("/props")
        self.chat_template = with_start_token(about.get("chat_template"), about.get("bos_token"))
        (loaded, *_) = endpoint.get("/v1/models")["data"]
        self.context = min(self.context, int(loaded["meta"]["n_ctx_train"]))
        self.end_tokens: tuple[int, ...] = ()
        if about.get("eos_token"):
            self.end_tokens = tuple(self.encode_prompt([(about["eos_token"], True)]))

    def _start(self, model: Path) -> Any:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx = self.context
        params.n_parallel = 1
        params.n_gpu_layers = self._options.gpu_layers
        threads = self._options.threads or default_threads()
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.verbosity = -1
        params.warmup = False
        params.cache_ram_mib = 0
        params.n_ctx_checkpoints = 0
        params.ctx_shift = False
        if self._options.exact:
            params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
            params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.api_keys = [self._key]
        params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
        if self._options.adapter is not None:
            lora = xllamacpp.CommonAdapterLoraInfo(str(self._options.adapter), 1.0)
            params.lora_adapters = [lora]
        try:
            with _silenced():
                return interruptible(lambda: xllamacpp.Server(params))
        except Exception as error:
            raise ModelError(
                f"{model}: llama.cpp cannot load this model ({type(error).__name__})",
            ) from None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return self._tokenizer.encode(texts)

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """See :class:`dxtrace.engines.base.Engine`."""
        return self._tokenizer.encode_prompt(parts)

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        """See :class:`dxtrace.engines.base.Engine`."""
        shares: list[Mapping[int, float]] = []
        for branch in branches:
            expect_wanted()
            ids = [*prompt, *branch.prefix]
            shares.append(self._distribution(ids, branch.candidates))
        return shares

    def _distribution(self, ids: list[int], candidates: tuple[int, ...]) -> Mapping[int, float]:
        if len(candidates) == 1:
            return {candidates[0]: 1.0}
        answer = self._complete(choice_body(ids, candidates))
        return read_choice(answer, candidates)

    def stream(self, prompt: Sequence[int], grammar: str, max_tokens: int) -> Iterator[str]:
        """See :class:`dxtrace.engines.base.Engine`."""
        guard = Guard(grammar)
        pieces: queue.Queue[str | None] = queue.Queue()
        stopped = threading.Event()
        failures: list[str] = []

        def receive(chunk: Any) -> bool:
            if isinstance(chunk, list):
                entries = chunk
            else:
                entries = [chunk]
            for entry in entries:
                if "error" in entry:
                    failures.append(str(entry["error"].get("type", "error")))
                for choice in entry.get("choices", ()):
                    pieces.put(choice.get("text") or "")
            return stopped.is_set()

        def run() -> None:
            try:
                self._complete(text_body(prompt, grammar, max_tokens), receive)
            except EngineError as error:
                failures.append(str(error))
            finally:
                pieces.put(None)

        worker = threading.Thread(target=run, daemon=True)
        worker.start()
        try:
            while (piece := pieces.get()) is not None:
                if piece:
                    guard.feed(piece)
                    yield piece
        finally:
            stopped.set()
            worker.join()
        if failures:
            raise EngineError(f"the model stopped while writing ({failures[0]})")
        guard.finish()

    def _complete(self, body: dict[str, Any], receive: Any = None) -> dict[str, Any]:
        with self._lock:
            body = {"cache_prompt": not self._fresh, **body}
            self._fresh = False
            started = time.perf_counter()
            try:
                if receive:
                    answer = self._server.handle_completions(body, receive)
                else:
                    answer = self._server.handle_completions(body)
            except Exception as error:
                raise EngineError(f"llama.cpp failed ({type(error).__name__})") from None
            spent = time.perf_counter() - started
        if answer is None:
            self.work.decode_s += spent
            return {}
        if "error" in answer:
            kind = answer["error"].get("type", "error")
            raise EngineError(f"llama.cpp refused the request ({kind})")
        timings = answer.get("timings", {})
        self.work.add(int(timings.get("prompt_n", 0)), spent)
        result: dict[str, Any] = answer
        return result

    def forget(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`.

        Cached and fresh prompts differ in the last digits.
        """
        self._fresh = True

    def close(self) -> None:
        """See :class:`dxtrace.engines.base.Engine`."""
        self._server = None


def interruptible(make: Callable[[], Made]) -> Made:
    """Call ``make`` so that Ctrl-C ends the wait for it.

    llama.cpp takes the process' interrupts for its own while it loads, and then waits for ever. So
    they are held back here and looked for between two waits. Outside the main thread, where Python
    handles no signal, ``make`` is called as it is.

    Raises:
        KeyboardInterrupt: an interrupt came; ``make`` goes on in a thread that ends with the process.
    """
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        return make()
    made: Future[Made] = Future()

    def run() -> None:
        try:
            made.set_result(make())
        except Exception as error:
            made.set_exception(error)

    handler = signal.getsignal(signal.SIGINT) or signal.default_int_handler
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # A thread begins with the signals of its maker held back.
        threading.Thread(target=run, daemon=True).start()
        while not made.done() and signal.SIGINT not in signal.sigpending():
            wait([made], timeout=_PATIENCE_S)
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return made.result()


class _silenced:  # noqa: N801 - used as a keyword
    """Send the file descriptor of stderr to nowhere while llama.cpp loads: it writes there whatever
    one asks.
    """

    def __enter__(self) -> None:
        self._saved = os.dup(2)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)

    def __exit__(self, *exc: object) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
