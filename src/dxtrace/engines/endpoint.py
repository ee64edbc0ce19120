"""Talking to a server of models: where notes may go, patience, and errors without a note's text."""

from __future__ import annotations

import ipaddress
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dxtrace.errors import EngineError, InputError, ServerGone
from dxtrace.provenance import CREDENTIALED_RULE, SEND_FLAG

#: What a server answers that is busy, restarting or loading its model: asked again it may answer.
_PASSING = (429, 502, 503, 504)

#: Seconds before the second attempt; each further one waits twice as long, up to ``_LONGEST_WAIT_S``.
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 15.0


class RequestRefused(EngineError):
    """A server refused a request. ``status`` is HTTP's; ``detail``, its own words, may hold a note."""

    def __init__(self, place: str, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(f"{place} refused the request (HTTP {status})")


def is_loopback(url: str) -> bool:
    """Return True if a URL's host is this machine, by its name or number.

    Raises:
        InputError: it is no http(s) URL.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"{url[:80]!r} is not the URL of a server, such as http://127.0.0.1:8000/v1",
        )
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def expect_may_send(url: str, credentialed: bool, allowed: bool) -> None:
    """Check that notes may go to a server.

    Args:
        url: of the server.
        credentialed: whether the notes are under a credentialed-use agreement.
        allowed: whether the user passed :data:`dxtrace.provenance.SEND_FLAG`.

    Raises:
        InputError: credentialed data would leave this machine without permission.
    """
    if credentialed and not is_loopback(url) and not allowed:
        raise InputError(
            f"{url}: not on this machine. {CREDENTIALED_RULE} To send it nevertheless: {SEND_FLAG}",
        )


class Endpoint:
    """A server's URL, asked again where it is busy or away. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        timeout_s: float = 300.0,
        attempts: int = 5,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            url: what paths are added to.
            key: sent as a bearer token.
            timeout_s: seconds without a byte of the answer.
            attempts: how often a request is made before the server counts as gone.

        Raises:
            InputError: it is no http(s) URL.
        """
        self.url = url.rstrip("/")
        self.place = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        # No redirect and, for this machine, no proxy: what is meant for one address goes to no
        # other.
        handlers: list[Any] = [_NoRedirect()]
        if is_loopback(url):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str) -> Any:
        """Return the JSON at a path.

        Raises:
            As :meth:`post`.
        """
        return self._ask(path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON and return the JSON of the answer.

        Raises:
            ServerGone: the server does not answer, or not with JSON.
            RequestRefused: it refuses the request.
        """
        return self._ask(path, body)

    def events(self, path: str, body: dict[str, Any]) -> Iterator[Any]:
        """Send JSON and yield the JSON of each server-sent event; close the iterator to hang up.

        Raises:
            As :meth:`post`.
        """
        with self._talking(), self._open(path, body) as answer:
            for line in answer:
                field, _, data = line.decode("utf-8", "replace").partition(":")
                if field == "data" and data.strip() != "[DONE]":
                    yield json.loads(data)

    def _ask(self, path: str, body: dict[str, Any] | None) -> Any:
        with self._talking(), self._open(path, body) as answer:
            return json.loads(answer.read())

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Turn what can go wrong while an answer is read into one error."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise ServerGone(f"{self.place} broke off ({type(error).__name__})") from None

    def _open(self, path: str, body: dict[str, Any] | None) -> Any:
        data = None
        if body is not None:
            data = json.dumps(body).encode()
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, self._attempts + 1):
            request = urllib.request.Request(self.url + path, data, self._headers)
            try:
                return self._opener.open(request, timeout=self._timeout_s)
            except urllib.error.HTTPError as error:
                status = error.code
                asked_s = _seconds(error.headers.get("Retry-After"))
                refusal = RequestRefused(self.place, status, _read(error))
                if status not in _PASSING or attempt == self._attempts:
                    raise self._explained(refusal) from None
            except OSError as error:
                asked_s = None
                if attempt == self._attempts:
                    reason = getattr(error, "reason", error)
                    raise ServerGone(
                        f"{self.place} does not answer ({type(reason).__name__}): is it running?",
                    ) from None
            # Some chance in the wait, so that many clients do not come back at once.
            time.sleep(min(asked_s or wait_s * random.uniform(0.75, 1.25), _LONGEST_WAIT_S))
            wait_s *= 2
        raise AssertionError("the last attempt returns or raises")

    def _explained(self, refusal: RequestRefused) -> EngineError:
        if refusal.status in (401, 403):
            return ServerGone(f"{self.place} wants another key (DXTRACE_SERVER_KEY)")
        if refusal.status in _PASSING:
            return ServerGone(f"{self.place} stays busy (HTTP {refusal.status})")
        return refusal


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow no redirect."""


def _read(error: urllib.error.HTTPError) -> str:
    with error:
        try:
            return error.read(10_000).decode("utf-8", "replace")
        except OSError:
            return ""


def _seconds(value: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header; a date there says nothing."""
    if value is None or not value.strip().isdigit():
        return None
    return float(value)
