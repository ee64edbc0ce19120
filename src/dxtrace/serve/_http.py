"""Running the app: uvicorn in one process, an end to slow requests, and logs without paths or
bodies.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dxtrace.serve._guard import Guard

#: Seconds in which the head of a request must be complete.
HEAD_S = 15.0

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP protocol with an end to its patience: a head that does not arrive in time gets
    408.

    uvicorn limits idle connections alone; a client that sends its head byte by byte would hold one
    for ever.
    """

    head_s = HEAD_S
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock with the connection."""
        super().connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the head is whole; start it at the first byte of the next one."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._timer = self.loop.call_later(self.head_s, self._give_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()


class PromptServer(uvicorn.Server):
    """uvicorn's server, which waits for answers under way; here they are ended, and told so."""

    def __init__(self, config: uvicorn.Config, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the answers, then all else."""
        self._end()
        await super().shutdown(sockets)


def make_server(app: Guard, host: str, port: int, **options: Any) -> uvicorn.Server:
    """Return a uvicorn server for the app; ``run()`` serves until it is interrupted."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PatientProtocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
        limit_concurrency=1000,
        **options,
    )
    return PromptServer(config, app.end)
