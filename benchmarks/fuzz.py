"""Malformed files through every reader: each ends in an answer, or in one line that says what is wrong.

    python benchmarks/fuzz.py [--count 100000] [--seed 0] [--only READER]

A good file of every format is damaged at random: bytes cut, turned or put twice; values of JSON
swapped for odd ones. What is found is printed with the seed that makes it again. The suite runs a few
hundred of these (``tests/test_fuzz.py``).
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_readers import Files, readers

from dxtrace.errors import DxtraceError

#: Seconds that no file may take.
MOST_SECONDS = 5.0

#: Address space that this process may take: a file that asks for more ends in a MemoryError, which
#: is a fault.
MOST_BYTES = 6 * 2**30

#: Values that are put in place of good ones.
ODD = (
    None, True, False, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 10**30, 2**63, -0.0,
    "", " ", "text", "\ud800", "\u2028", "\x00", "0.5",
    [], {}, [[]], [None], {"": {}}, {"a": None}, "x" * 2000, "~nobody/x", [1, "a"],
)  # fmt: skip

#: Bytes that are put between others.
BYTES = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\r", b"\n", b"\t", b"{", b"}", b"[",
    b'"', b"\\ud800", b"[" * 3000, b"9" * 5000, b": ", b"- ", b"&a ", b"*a", b"{{", b"{%", b"NaN", b",", b"\\", b"<",
)  # fmt: skip


def damage(data: bytes, name: str, rng: random.Random) -> bytes:
    """Return a file with one to four faults."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = _damage_once(data, name, rng)
    return data


def _damage_once(data: bytes, name: str, rng: random.Random) -> bytes:
    if rng.random() < 0.6:
        try:
            if name.endswith(".jsonl"):
                lines = data.split(b"\n")
                at = rng.randrange(len(lines))
                lines[at] = _damage_json(lines[at], rng)
                return b"\n".join(lines)
            if name.endswith(".json"):
                return _damage_json(data, rng)
            if name.endswith(".safetensors"):
                (size,) = struct.unpack("<Q", data[:8])
                header = _damage_json(data[8 : 8 + size], rng)
                return struct.pack("<Q", len(header)) + header + data[8 + size :]
        except (ValueError, struct.error, RecursionError):
            pass
    return _damage_bytes(data, rng)


def _damage_bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    if rng.random() < 0.4:
        at = min(at, 400)
    end = min(len(data), at + rng.choice((1, 1, 4, 40, 1000)))
    way = rng.randrange(6)
    if way == 0:
        return data[:at]
    if way == 1:
        return data[:at] + data[end:]
    if way == 2:
        return data[:end] + data[at:]
    if way == 3:
        return data[:at] + rng.choice(BYTES) + data[at:]
    if way == 4:
        return data[:at] + rng.randbytes(end - at) + data[end:]
    return data[:at] + rng.choice(BYTES) + data[end:]


def _damage_json(data: bytes, rng: random.Random) -> bytes:
    """Swap, drop, rename or repeat one value of a JSON text."""
    value = json.loads(data)
    places: list[tuple[Any, Any]] = []
    level = [value]
    while level:
        node = level.pop()
        keys: Any = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in keys:
            places.append((node, key))
            level.append(node[key])
    if not places or rng.random() < 0.03:
        return json.dumps(rng.choice(ODD)).encode()
    node, key = rng.choice(places)
    way = rng.randrange(5)
    if way == 0 and isinstance(node, dict):
        del node[key]
    elif way == 1 and isinstance(node, dict):
        node[rng.choice(("", "id", "x" * 300, "\ud800", "note", "steps"))] = node.pop(key)
    elif way == 2:
        node[key] = [copy.deepcopy(node[key])]
    elif way == 3:
        _, other = rng.choice(places)
        source, other = rng.choice(places)
        node[key] = copy.deepcopy(source[other])
    else:
        node[key] = rng.choice(ODD)
    return json.dumps(value).encode()


@dataclass(frozen=True)
class Outcome:
    """How one damaged file ended: the fault (empty for none) and the seconds that it took."""

    fault: str
    seconds: float


class Fuzzer:
    """Damages the files of every reader; the same name and seed do the same."""

    def __init__(self, folder: Path) -> None:
        self.readers = readers()
        self._folder = folder
        self._files: dict[str, Files] = {}

    def check_good(self, name: str) -> None:
        """Read a reader's own files, which are good."""
        self._write(self._good(name))
        self.readers[name].read(self._folder)

    def run(self, name: str, seed: int) -> Outcome:
        """Damage one file of a reader and read."""
        rng = random.Random(f"{name} {seed}")
        files = dict(self._good(name))
        chosen = rng.choice(sorted(files))
        files[chosen] = damage(files[chosen], chosen, rng)
        self._write(files)
        start = time.perf_counter()
        fault = ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.readers[name].read(self._folder)
            except DxtraceError as error:
                if "\n" in str(error):
                    fault = f"a message of several lines: {str(error)[:200]!r}"
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                own = [
                    frame
                    for frame in frames
                    if "dxtrace" in frame.filename and "fuzz" not in frame.filename
                ]
                last = (own or list(frames))[-1]
                fault = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno} ({str(error)[:80]!r})"
        seconds = time.perf_counter() - start
        if seconds > MOST_SECONDS:
            fault = fault or f"{seconds:.1f} s"
        return Outcome(fault, seconds)

    def _good(self, name: str) -> Files:
        if name not in self._files:
            self._files[name] = self.readers[name].files()
        return self._files[name]

    def _write(self, files: Mapping[str, bytes]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        for name, data in files.items():
            file = self._folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def main() -> None:
    """Run many and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one reader")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    found: Counter[str] = Counter()
    first: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        fuzzer = Fuzzer(Path(temporary) / "files")
        names = [options.only] if options.only else list(fuzzer.readers)
        for name in names:
            try:
                fuzzer.check_good(name)
            except Exception as error:
                print(f"{name}: its good files are not read: {type(error).__name__}: {error}")
        slowest = 0.0
        start = time.perf_counter()
        for number in range(options.count):
            name = names[number % len(names)]
            seed = options.seed + number // len(names)
            outcome = fuzzer.run(name, seed)
            slowest = max(slowest, outcome.seconds)
            if outcome.fault:
                key = f"{name}: {outcome.fault}"
                if key not in found:
                    print(f"{name} {seed}: {outcome.fault}", flush=True)
                found[key] += 1
                first.setdefault(key, f"{name} {seed}")
            if number % 1000 == 999:
                print(f"{number + 1} files, slowest {slowest:.2f} s", file=sys.stderr, flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for key, count in found.most_common():
        print(f"{count:6} {key} (first: {first[key]})")
    seconds = time.perf_counter() - start
    faults = sum(found.values())
    print(
        f"{options.count} files, {faults} faults, slowest {slowest:.2f} s, {memory:.0f} MiB, {seconds:.0f} s"
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
