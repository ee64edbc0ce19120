"""Small servers that keep to what vLLM and SGLang document of their APIs, with a model that hashes.

vLLM: ``CompletionRequest`` of its OpenAI-compatible server; SGLang: ``GenerateReqInput`` of its own.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from support.engines import KnownEngine

TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['content'] }}<|end|>\n{% endfor %}<|start|>"
)

#: vLLM's limit on ``logprob_token_ids``, and its default of ``--max-logprobs``.
MOST_TOKEN_IDS, MOST_LOGPROBS = 128, 20


def write_tokenizer(folder: Path) -> Path:
    """Write the files of a byte-level tokenizer with two control tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({char: index for index, char in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|start|>"), AddedToken("<|end|>")])
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": TEMPLATE, "eos_token": {"content": "<|end|>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


class ModelServer:
    """What a test sets and sees.

    ``chosen``: chosen tokens' log-probabilities can be had; ``mode``: vLLM's ``--logprobs-mode``;
    ``fail``: status codes to answer the next requests with; ``delay_s`` before each answer.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.vocabulary = self.tokenizer.get_vocab_size()
        self.model = KnownEngine(sharpness=4.0)
        self.context = 8192
        self.name = "org/teaching"
        self.chosen = True
        self.mode = "raw_logprobs"
        self.fail: list[int] = []
        self.delay_s = 0.0
        self.requests: list[dict[str, Any]] = []
        self.under_way = self.most_under_way = 0
        self.url = ""

    def logs(self, ids: Sequence[int]) -> dict[int, float]:
        """Return the log-probability of every token after a prompt."""
        before = ids[-12:]
        weights = {token: self.model.weight(before, token) for token in range(self.vocabulary)}
        total = sum(weights.values())
        return {token: math.log(weight / total) for token, weight in weights.items()}

    def get(self, path: str) -> tuple[int, Any]:
        """Answer a GET request."""
        if path == "/v1/models":
            card = {"id": self.name, "object": "model", "owned_by": self.kind}
            if self.kind in ("vllm", "sglang"):
                card |= {"root": str(self.folder), "max_model_len": self.context}
            return 200, {"object": "list", "data": [card]}
        if path == "/get_model_info" and self.kind == "sglang":
            return 200, {"model_path": str(self.folder), "tokenizer_path": str(self.folder)}
        return 404, {}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer a POST request."""
        self.requests.append(body)
        if path == "/tokenize" and self.kind == "vllm":
            ids = self.tokenizer.encode(body["prompt"], add_special_tokens=False).ids
            return 200, {"tokens": ids, "count": len(ids), "max_model_len": self.context}
        if path == "/v1/completions" and self.kind == "vllm":
            return self._complete(body)
        if path == "/generate" and self.kind == "sglang":
            return self._generate(body)
        return 404, {}

    def _complete(self, body: dict[str, Any]) -> tuple[int, Any]:
        ids, allowed, count = body["prompt"], body["allowed_token_ids"], body["logprobs"]
        if body["model"] != self.name:
            return 404, _error(f"The model `{body['model']}` does not exist.")
        if len(ids) + body["max_tokens"] > self.context:
            return 400, _error(
                f"This model's maximum context length is {self.context} tokens. {ids}"
            )
        logs = self.logs(ids)
        sampled = max(allowed, key=logs.__getitem__)
        if self.mode == "processed_logprobs":
            total = math.log(sum(math.exp(logs[token]) for token in allowed))
            logs = {token: logs[token] - total for token in allowed}
        if self.chosen:
            chosen = body["logprob_token_ids"]
            if len(chosen) > MOST_TOKEN_IDS or count != len(chosen):
                return 400, _error("logprobs must equal len(logprob_token_ids)")
        elif count > MOST_LOGPROBS:
            return 400, _error(f"Requested sample logprobs of {count}, which is greater than max")
        else:
            chosen = sorted(logs, key=logs.__getitem__, reverse=True)[:count]
        shown = {f"token_id:{token}": logs[token] for token in (sampled, *chosen)}
        choice = {
            "index": 0,
            "text": "x",
            "finish_reason": "length",
            "logprobs": {
                "tokens": [f"token_id:{sampled}"],
                "token_logprobs": [logs[sampled]],
                "top_logprobs": [shown],
                "text_offset": [0],
            },
        }
        usage = {"prompt_tokens": len(ids), "completion_tokens": 1, "total_tokens": len(ids) + 1}
        return 200, {"object": "text_completion", "choices": [choice], "usage": usage}

    def _generate(self, body: dict[str, Any]) -> tuple[int, Any]:
        logs = self.logs(body["input_ids"])
        about: dict[str, Any] = {"prompt_tokens": len(body["input_ids"]), "cached_tokens": 0}
        if body["return_logprob"] and self.chosen:
            wanted = body["token_ids_logprob"]
            about["output_token_ids_logprobs"] = [[[logs[t], t, None] for t in wanted]]
        return 200, {"text": "x", "meta_info": about}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "BadRequestError", "code": 400}}


class PatientServer(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 512


@contextmanager
def model_server(kind: str, folder: Path) -> Iterator[ModelServer]:
    """Run a server on a port of its own."""
    served = ModelServer(kind, write_tokenizer(folder))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(*served.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.under_way += 1
            served.most_under_way = max(served.most_under_way, served.under_way)
            time.sleep(served.delay_s)
            if served.fail:
                answer = served.fail.pop(0), {}
            else:
                answer = served.post(self.path, body)
            served.under_way -= 1
            self._reply(*answer)

        def _reply(self, status: int, data: Any) -> None:
            content = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status in (429, 503):
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = PatientServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
