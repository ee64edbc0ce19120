"""What stands before every request: size and time of its body, who may ask, and the headers of
every reply.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from dxtrace.serve._line import STOPPING, Refused, place_of
from dxtrace.view import content_policy

LOG = logging.getLogger("dxtrace.serve")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

#: Most header fields of a request; a browser sends about twenty.
_MOST_HEADERS = 100

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?", re.ASCII)

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Rules:
    """Limits of a server.

    Attributes:
        token: what a client must send as ``Authorization: Bearer``; None for no check.
        hosts: names under which a server without a token may be asked (no web page reaches it by
            another name).
        body_bytes: longest body.
        body_s: seconds in which a body must have arrived.
        frame_ancestors: sites that may show the page in a frame, as in a content security policy.
    """

    token: str | None = None
    hosts: frozenset[str] = _LOCAL
    body_bytes: int = 5_000_000
    body_s: float = 20.0
    frame_ancestors: str = "'none'"


class Guard:
    """ASGI middleware that keeps :class:`Rules`, the outermost: no error gets past it, none is
    logged with its text.
    """

    def __init__(self, app: App, rules: Rules, end: Callable[[], None]) -> None:
        """Take the app behind it, the rules, and what ends the answers under way."""
        self.app = app
        self.rules = rules
        self.end = end

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), *self._headers(scope["path"])]
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, await self._read(scope, receive), dressed)
        except Refused as error:
            await refuse(dressed, error.status, error.kind, str(error))
        except asyncio.CancelledError:  # the server stops before the request was whole
            if not begun:
                await refuse(dressed, *STOPPING)
        except Exception as error:
            LOG.error("a request failed: %s", place_of(error))
            if not begun:
                await refuse(
                    dressed,
                    500,
                    "InternalError",
                    "the request failed; the server's log says where",
                )

    def _check(self, scope: Message) -> None:
        if len(scope["headers"]) > _MOST_HEADERS:
            raise Refused(431, "TooManyHeaders", f"a request has at most {_MOST_HEADERS} headers")
        headers = {}
        for key, value in scope["headers"]:
            headers[key.decode("latin-1")] = value.decode("latin-1")
        if self.rules.token is None:
            host = headers.get("host", "")
            if _host_name(host) not in self.rules.hosts:
                raise Refused(421, "WrongHost", "this server is not asked by that name")
            origin = headers.get("origin")
            if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
                raise Refused(403, "WrongOrigin", "another site may not use this server")
        elif scope["path"].startswith(("/v1", "/openapi")):
            given = headers.get("authorization", "").removeprefix("Bearer ").encode()
            if not hmac.compare_digest(given, self.rules.token.encode()):
                raise Refused(
                    401,
                    "Unauthorized",
                    "send the token as 'Authorization: Bearer TOKEN'",
                )
        if (
            scope["method"] == "POST"
            and headers.get("content-type", "").split(";")[0].strip() != "application/json"
        ):
            raise Refused(415, "WrongType", "send JSON with 'Content-Type: application/json'")
        if "content-length" in headers and "transfer-encoding" in headers:
            raise Refused(400, "TwoLengths", "a body has a length or comes in chunks, not both")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.rules.body_bytes:
            raise Refused(413, "TooLarge", f"a body has at most {self.rules.body_bytes:,} bytes")

    async def _read(self, scope: Message, receive: Receive) -> Receive:
        """Read the whole body within its limits, and return a ``receive`` that gives it once and
        then the rest.
        """
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return receive
        try:
            body = await asyncio.wait_for(
                _collect(receive, self.rules.body_bytes),
                self.rules.body_s,
            )
        except TimeoutError:
            raise Refused(
                408,
                "TooSlow",
                f"the body did not arrive within {self.rules.body_s:.0f} s",
            ) from None
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            if first:
                return first.pop()
            return await receive()

        return again

    def _headers(self, path: str) -> list[tuple[bytes, bytes]]:
        page = path == "/"
        if page:
            policy = content_policy("'self'", ("app",))
        else:
            policy = "default-src 'none'"
        frames = f"; frame-ancestors {self.rules.frame_ancestors}"
        headers = {
            "content-security-policy": policy + frames,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }
        if self.rules.frame_ancestors == "'none'":
            headers["x-frame-options"] = "DENY"
        return [(key.encode(), value.encode()) for key, value in headers.items()]


async def refuse(send: Send, status: int, kind: str, message: str) -> None:
    """Send an error in the form that every error has."""
    body = json.dumps({"error": {"type": kind, "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    close = [(b"connection", b"close")]
    extra = {
        401: [(b"www-authenticate", b"Bearer")],
        400: close,
        408: close,
        413: close,
        431: close,
    }
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": headers + extra.get(status, []),
        },
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _collect(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "Gone", "the client left before its request was whole")
        body += message.get("body", b"")
        if len(body) > most:
            raise Refused(413, "TooLarge", f"a body has at most {most:,} bytes")
        if not message.get("more_body"):
            return bytes(body)


def _host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets; "" if it is no name with a port."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return ""
    return found["name"].strip("[]")
