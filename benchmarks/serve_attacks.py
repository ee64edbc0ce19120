"""A server under clients that mean no good: slow ones, floods, malformed requests, other sites.

    python benchmarks/serve_attacks.py [--only NAME ...]

Starts ``dxtrace serve`` on a free port, tries one attack after another, and prints what each found as
JSON; what is wrong stands under ``faults``, and the exit code is then 1. A canary stands in all that is
sent; afterwards the server's output and its folders are searched for it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from serve import CANARY, NOTES, canaries, health, resident_mb, server

#: Seconds in which a server under attack still says how it is, and gives a left job up.
PROMPT_S = 2.0

NOTE = NOTES[0].format(who=f"Patient {CANARY}", n=140)


class Target:
    """The server under attack, and what was found wrong."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.faults: list[str] = []

    def expect(self, holds: bool, fault: str) -> None:
        """Note a fault unless something holds."""
        if not holds:
            self.faults.append(fault)

    def connect(self, timeout: float = 60.0) -> socket.socket:
        """Return an open connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def send(self, data: bytes, timeout: float = 60.0) -> int:
        """Return the status of the answer to raw bytes; 0 if the connection was closed without one."""
        with self.connect(timeout) as raw:
            with contextlib.suppress(ConnectionError):
                raw.sendall(data)
            return _status(_read_head(raw))

    def expect_prompt(self, when: str) -> None:
        """Expect that the server still answers at once."""
        started = time.monotonic()
        health(self.port)
        took = time.monotonic() - started
        self.expect(took < PROMPT_S, f"{when}: /health took {took:.1f} s")

    def expect_idle(self, within: float, when: str) -> None:
        """Expect that nothing waits or runs."""
        end = time.monotonic() + within
        state = health(self.port)
        while (state["running"] or state["waiting"]) and time.monotonic() < end:
            time.sleep(0.05)
            state = health(self.port)
        self.expect(not state["running"] and not state["waiting"], f"{when}: {state}")


def request(
    body: bytes | None = None,
    path: str = "/v1/reason",
    method: str = "POST",
    **headers: str,
) -> bytes:
    """Return a request as bytes; a header set to "" is left out."""
    if body is None:
        body = json.dumps({"note": NOTE}).encode()
    fields = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    for name, value in headers.items():
        fields[name.replace("_", "-")] = value
    head = [f"{method} {path} HTTP/1.1"]
    for name, value in fields.items():
        if value:
            head.append(f"{name}: {value}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _read_head(raw: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while b"\r\n\r\n" not in data:
            piece = raw.recv(65536)
            if not piece:
                break
            data += piece
    return data


def _status(data: bytes) -> int:
    if not data.startswith(b"HTTP/1.1 "):
        return 0
    return int(data[9:12])


def _drip(target: Target, head: bytes, rest: bytes, count: int) -> dict[str, Any]:
    """Open connections that send a head and then a byte each half second; return how they ended."""
    ends: Counter[int] = Counter()
    seconds: list[float] = []

    def one() -> None:
        started = time.monotonic()
        with target.connect() as raw:
            raw.sendall(head)
            raw.settimeout(0.5)
            for byte in rest:
                try:
                    data = raw.recv(4096)
                except TimeoutError:
                    with contextlib.suppress(ConnectionError):
                        raw.sendall(bytes([byte]))
                    continue
                except ConnectionError:
                    data = b""
                ends[_status(data)] += 1
                seconds.append(time.monotonic() - started)
                return
            ends[-1] += 1

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(3)
    target.expect_prompt("under slow clients")
    for thread in threads:
        thread.join()
    return {"ends": dict(ends), "longest_s": round(max(seconds, default=0.0), 1)}


def slow_head(target: Target) -> dict[str, Any]:
    """A hundred clients that send their head byte by byte."""
    found = _drip(target, b"POST /v1/reason HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"a" * 200, 100)
    target.expect(found["ends"] == {408: 100}, f"slow heads: {found}")
    return found


def slow_body(target: Target) -> dict[str, Any]:
    """Fifty clients that send their body byte by byte."""
    head = request(b"", Content_Length="5000")
    found = _drip(target, head, b'{"note": "' + CANARY.encode() * 30, 50)
    target.expect(found["ends"] == {408: 50}, f"slow bodies: {found}")
    return found


def slow_reader(target: Target) -> dict[str, Any]:
    """A client that asks for the page a thousand times and reads nothing."""
    before = resident_mb(target.pid)
    with target.connect() as raw:
        raw.settimeout(5)
        with contextlib.suppress(OSError):
            raw.sendall(request(b"", "/", "GET", Content_Length="") * 1000)
        time.sleep(2)
        target.expect_prompt("under a client that reads nothing")
        grown = resident_mb(target.pid) - before
    target.expect(grown < 150, f"a client that reads nothing costs {grown:.0f} MB")
    return {"grown_mb": round(grown)}


def flood(target: Target) -> dict[str, Any]:
    """Two hundred cases at once."""
    ends: Counter[int] = Counter()

    def one() -> None:
        ends[target.send(request(), timeout=300)] += 1

    threads = [threading.Thread(target=one) for _ in range(200)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    target.expect_prompt("under a flood")
    for thread in threads:
        thread.join()
    target.expect(set(ends) <= {200, 429, 503} and ends[200] > 0, f"flood: {dict(ends)}")
    target.expect_idle(PROMPT_S, "after a flood")
    return {"ends": dict(ends)}


def pipelined(target: Target) -> dict[str, Any]:
    """Three requests in one write: three answers in their order."""
    notes = [NOTES[number].format(who=CANARY, n=100 + number) for number in range(3)]
    data = b"".join(request(json.dumps({"note": note}).encode()) for note in notes)
    answers = b""
    with target.connect() as raw, contextlib.suppress(TimeoutError):
        raw.sendall(data)
        while answers.count(b'"out_of_scope"') < 3:
            piece = raw.recv(65536)
            if not piece:
                break
            answers += piece
    places = [answers.find(json.dumps(note[:40])[1:-1].encode()) for note in notes]
    ordered = places == sorted(places) and places[0] >= 0
    target.expect(ordered, f"pipelined answers stand at {places}")
    return {"in_order": ordered}


def malformed(target: Target) -> dict[str, Any]:
    """Requests that break a rule: each is refused at once, none with 500."""
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    chunked = request(b"", Content_Length="", Transfer_Encoding="chunked")
    tried = {
        "a head of 1 MB": request(X_A="a" * 1_000_000),
        "a path of 1 MB": request(path="/" + "a" * 1_000_000),
        "10,000 headers": request(**{f"X_{number}": "a" for number in range(10_000)}),
        "a body of 6 MB": request(b"a" * 6_000_000),
        "a length of 10^30": request(b"", Content_Length="1" + "0" * 30),
        "a negative length": request(b"", Content_Length="-5"),
        "a length in words": request(b"", Content_Length="ten"),
        "two lengths": request().replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n", 1),
        "length and chunks": request(Transfer_Encoding="chunked"),
        "chunks of 6 MB": chunked + chunk * 100,
        "a chunk without a size": chunked + b"zz\r\n",
        "no HTTP": CANARY.encode() + b"\r\n\r\n",
        "a null in a header": request(X_A="a\x00b"),
        "a note of another type": request(json.dumps({"note": [CANARY]}).encode()),
        "JSON cut off": request(json.dumps({"note": NOTE}).encode()[:-3]),
        "nested JSON": request(b"[" * 100_000),
        "an unknown path": request(path=f"/{CANARY}", method="GET"),
        "an unknown method": request(method="BREW"),
        "a surrogate": request(b'{"note": "\\ud800 ' + CANARY.encode() + b'"}'),
        "a number of 5,000 digits": request(b'{"note": ' + b"9" * 5000 + b"}"),
    }
    found = {}
    for name, data in tried.items():
        found[name] = target.send(data, timeout=30)
        target.expect(400 <= found[name] < 500 or found[name] == 0, f"{name}: {found[name]}")
    target.expect_idle(PROMPT_S, "after malformed requests")
    return found


def elsewhere(target: Target) -> dict[str, Any]:
    """Names and sites by which a server without a token is not asked."""
    port = target.port
    hosts = (
        "evil.example", "localhost.evil.example", "evil.example:80", f"127.0.0.1:{port}@evil.example",
        "127.0.0.1.evil.example", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "localhost, evil.example",
    )  # fmt: skip
    origins = (
        "null", "http://evil.example", f"http://localhost:{port + 1}", "http://localhost.evil.example",
        f"http://evil.example/://localhost:{port}", "file://", "chrome-extension://abc",
    )  # fmt: skip
    found: dict[str, int] = {}
    for host in hosts:
        found[f"Host {host}"] = target.send(request(Host=host))
    for origin in origins:
        found[f"Origin {origin}"] = target.send(request(Host=f"localhost:{port}", Origin=origin))
    two = request().replace(b"\r\n\r\n", b"\r\nHost: evil.example\r\n\r\n", 1)
    found["two hosts"] = target.send(two)
    found["no host"] = target.send(request(Host=""))
    found["another's form"] = target.send(request(Content_Type="text/plain"))
    found["an address as path"] = target.send(
        request(path="http://evil.example/v1/reason", Host="evil.example")
    )
    for name, status in found.items():
        target.expect(400 <= status < 500, f"{name}: {status}")
    own = target.send(request(Host=f"localhost:{port}", Origin=f"http://localhost:{port}"))
    target.expect(own == 200, f"the page's own origin: {own}")
    return found


def left(target: Target) -> dict[str, Any]:
    """Ten clients that leave once their answer runs or waits: the work is given up within a second."""
    open_ones = [target.connect() for _ in range(10)]
    for number, raw in enumerate(open_ones):
        body = {"note": NOTE * 20, "stream": number % 2 == 0}
        raw.sendall(request(json.dumps(body).encode()))
    time.sleep(0.3)
    started = time.monotonic()
    for raw in open_ones:
        raw.close()
    # A reply as a whole looks once a second whether its client is there.
    target.expect_idle(PROMPT_S, "after all clients left")
    return {"idle_after_s": round(time.monotonic() - started, 2)}


ATTACKS: tuple[Callable[[Target], dict[str, Any]], ...] = (
    malformed, elsewhere, pipelined, left, slow_reader, flood, slow_head, slow_body,
)  # fmt: skip


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[Target]:
    options = argparse.Namespace(port=None, engines=1)
    with server(folder, options) as (port, pid):
        yield Target(port, pid)


def main() -> None:
    """Try the attacks and print the report."""
    names = [attack.__name__ for attack in ATTACKS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary, _started(Path(temporary)) as target:
        for attack in ATTACKS:
            if attack.__name__ in options.only:
                started = time.monotonic()
                report[attack.__name__] = attack(target)
                report[attack.__name__]["seconds"] = round(time.monotonic() - started, 1)
        target.expect(target.send(request()) == 200, "no answer after all of it")
        report["memory_mb"] = round(resident_mb(target.pid))
        report["files_with_the_canary"] = canaries(Path(temporary))
        target.expect(not report["files_with_the_canary"], "the canary was kept")
        report["output"] = (Path(temporary) / "output.log").read_text("utf-8", "replace")[-2000:]
        report["faults"] = target.faults
    print(json.dumps(report, indent=1))
    sys.exit(bool(target.faults))


if __name__ == "__main__":
    main()
