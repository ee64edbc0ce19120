"""Many users at once on one server: is every answer right and whole, none mixed up, the wait fair,
the memory stable?

    python benchmarks/serve.py --users 16 --minutes 5

Starts ``dxtrace serve`` on a free port, lets each user send one case after another as a stream, now
and then leave half-way, and prints a JSON report. A canary stands in every case; afterwards the
server's output and its folders are searched for it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dxtrace.chain import Chain
from dxtrace.errors import DxtraceError

CANARY = "canary-5f0c9a"

NOTES = (
    "CC: palpitations\n\nHPI: {who} with palpitations since this morning. Denies chest pain. No fever.\n\n"
    "Exam: irregularly irregular pulse.\n\nResults: ECG shows no P waves, ventricular rate {n}.",
    "HPI: {who} with a productive cough for {n} days, night sweats and weight loss.\n\nExam: T 38.1.\n\n"
    "Results: sputum smear shows acid-fast bacilli.",
    "HPI: {who} with burning epigastric pain for {n} days, worse at night, better after meals. Takes ibuprofen.\n\n"
    "Results: endoscopy shows a clean-based ulcer of the duodenal bulb.",
)


@dataclass
class Tally:
    """What the users saw. Times in seconds."""

    whole: int = 0
    wrong: list[str] = field(default_factory=list)
    left: int = 0
    first: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    per_user: dict[int, int] = field(default_factory=dict)


def main() -> None:
    """Run the benchmark and print its report."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument(
        "--leave",
        type=float,
        default=0.05,
        help="share of requests that are broken off",
    )
    parser.add_argument("--engines", type=int, default=1)
    parser.add_argument(
        "--port",
        type=int,
        help="measure a server that runs already; its memory is then not known",
    )
    options = parser.parse_args()
    signal.signal(
        signal.SIGTERM,
        lambda *_: sys.exit(1),
    )  # so that the server does not outlive this process
    tally, memory = Tally(), []
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), options) as (port, pid):
        end = time.monotonic() + 60 * options.minutes
        threads = [
            threading.Thread(target=user, args=(n, port, end, options.leave, tally))
            for n in range(options.users)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            memory.append(resident_mb(pid))
            time.sleep(5)
        time.sleep(2)
        idle = health(port)
        found = canaries(Path(folder))
    print(json.dumps(report(tally, memory, idle, found), indent=1))
    sys.exit(bool(tally.wrong or found or idle != {"status": "ok", "waiting": 0, "running": 0}))


@contextlib.contextmanager
def server(folder: Path, options: argparse.Namespace) -> Any:
    """Start the server with its output and its temporary files in ``folder``; give its port and
    process id.
    """
    if options.port:
        yield options.port, 0
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "dxtrace",
        "serve",
        "--port",
        str(port),
        "--engines",
        str(options.engines),
    ]
    with (folder / "output.log").open("wb") as log:
        environment = os.environ | {"TMPDIR": str(folder)}
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    health(port)
                    break
                time.sleep(0.5)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(30)


def user(number: int, port: int, end: float, leave: float, tally: Tally) -> None:
    """Send one case after another until the time is over."""
    rng = random.Random(number)
    count = 0
    while time.monotonic() < end:
        count += 1
        note = rng.choice(NOTES).format(
            who=f"Patient {CANARY} of bed {number}-{count}",
            n=rng.randint(3, 150),
        )
        try:
            ask(number, port, note, rng.random() < leave, tally)
        except (OSError, ValueError, KeyError, http.client.HTTPException, DxtraceError) as error:
            tally.wrong.append(f"user {number}: {type(error).__name__} {error}")


def ask(number: int, port: int, note: str, leaves: bool, tally: Tally) -> None:
    """Send one case, read its stream, and check that the answer is whole and this user's."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    body = json.dumps({"note": note, "stream": True})
    connection.request("POST", "/v1/reason", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    if reply.status != 200:
        raise ValueError(f"status {reply.status}")
    name, steps, first = "", [], None
    for line in reply:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text[7:]
        elif text.startswith("data: "):
            data = json.loads(text[6:])
            if name == "differential":
                first = time.monotonic() - started
                if leaves:
                    tally.left += 1
                    connection.close()
                    return
            if name == "step":
                steps.append(data)
            if name == "error":
                raise ValueError(data["type"])
    check(note, name, data, steps)
    tally.whole += 1
    tally.first.append(first or 0.0)
    tally.total.append(time.monotonic() - started)
    tally.per_user[number] = tally.per_user.get(number, 0) + 1


def check(note: str, name: str, data: Any, steps: list[Any]) -> None:
    """Check a whole answer.

    Raises:
        ValueError, DxtraceError: it is not whole, or another's, or not grounded.
    """
    if name != "chain":
        raise ValueError("the answer broke off")
    if data["note"] != note or data["steps"] != steps:
        raise ValueError("the answer is not this case's")
    Chain.from_json(data).verify()


def resident_mb(pid: int) -> float:
    """Return a process's resident memory in MB (Linux)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def health(port: int) -> Any:
    """Return the state of the server's line."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health")
    data = json.loads(connection.getresponse().read())
    connection.close()
    return data


def canaries(folder: Path) -> list[str]:
    """Return the files below ``folder`` and in the model store that hold the canary."""
    home = os.environ.get("DXTRACE_HOME")
    roots = [folder, *([Path(home)] if home else [])]
    files = [
        f
        for root in roots
        for f in root.rglob("*")
        if f.is_file() and f.stat().st_size < 10_000_000
    ]
    return [str(f) for f in files if CANARY.encode() in f.read_bytes()]


def report(tally: Tally, memory: list[float], idle: Any, found: list[str]) -> dict[str, Any]:
    """Return the figures."""

    def spread(values: list[float]) -> dict[str, float]:
        ordered = sorted(values) or [0.0]
        return {
            "p50": round(statistics.median(ordered), 2),
            "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
            "most": round(ordered[-1], 2),
        }

    counts = list(tally.per_user.values()) or [0]
    settled = memory[len(memory) // 4 :] or [0.0]
    return {
        "answers": tally.whole,
        "wrong": tally.wrong[:10],
        "left_half_way": tally.left,
        "answers_per_user": [min(counts), max(counts)],
        "first_token_s": spread(tally.first),
        "whole_answer_s": spread(tally.total),
        "memory_mb": {
            "after_a_quarter": round(settled[0]),
            "end": round(settled[-1]),
            "most": round(max(memory, default=0)),
        },
        "line_afterwards": idle,
        "files_with_the_canary": found,
    }


if __name__ == "__main__":
    main()
