"""A server on a port of its own, and a client for it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.view import Quick

serve = pytest.importorskip("dxtrace.serve")

JSON = {"Content-Type": "application/json"}


class Running:
    """A server on a port of its own, in a thread."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], str]:
        """Return status, headers and text of a reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, {**JSON, **(headers or {})})
        reply = connection.getresponse()
        found = reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read().decode()
        connection.close()
        return found

    def reason(self, note: str, **more: Any) -> dict[str, Any]:
        """Return the result of a case."""
        status, _, text = self.ask("POST", "/v1/reason", {"note": note, **more})
        assert status == 200, text
        found: dict[str, Any] = json.loads(text)
        return found

    def events(self, note: str) -> list[tuple[str, Any]]:
        """Return the events of a streamed answer."""
        _, headers, text = self.ask("POST", "/v1/reason", {"note": note, "stream": True})
        assert headers["content-type"].startswith("text/event-stream")
        blocks = [block.split("\n") for block in text.strip().split("\n\n")]
        return [
            (b[0].removeprefix("event: "), json.loads(b[1].removeprefix("data: ")))
            for b in blocks
            if len(b) == 2
        ]

    def health(self) -> dict[str, Any]:
        """Return the state of the line."""
        found: dict[str, Any] = json.loads(self.ask("GET", "/health")[2])
        return found


@contextmanager
def serving(*engines: Quick, **changes: Any) -> Iterator[Running]:
    """Run a server with these engines (each a thread), rules and settings.

    ``loaded`` gives several models to an engine, by name.
    """
    rules = serve.Rules(**changes.pop("rules", {}))
    loaded = changes.pop("loaded", None) or [{one.name: one} for one in engines or (Quick(),)]
    settings = serve.Settings(loaded, rules, **changes)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve.make_server(serve.create_app(settings), "127.0.0.1", port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait(lambda: server.started)
    yield Running(port)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def wait(ready: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
