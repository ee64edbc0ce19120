"""Many cases on several processes and on a Ray cluster: the same rows in the same order."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support import ROOT
from support.cases import SHORT
from support.commands import Run

from dxtrace.answering.reasoner import Reasoner
from dxtrace.corpus.ray_processes import map_on_ray
from dxtrace.errors import MissingExtra
from dxtrace.files import read_jsonl
from dxtrace.notes.case import Case

NOTES = [f"{SHORT}\nBed {number}." for number in range(4)]

#: Runs in a program of its own: Ray leaves threads and warnings behind.
ON_RAY = """
import sys
from pathlib import Path
from support.jobs import Unlucky
from dxtrace.corpus import teaching
from dxtrace.corpus.ray_processes import map_on_ray

folder = Path(sys.argv[1])
found = map_on_ray(Unlucky(folder), range(12), "local", workers=2, lost=lambda number: -number)
print("numbers", list(found))
teaching.hard_size = teaching.story_size = lambda size: 10
for folder, ray in (("there", "local"), ("here", None)):
    print("corpus", teaching.make_corpus(30, 0, Path(sys.argv[1], folder), ray=ray).sha256)
"""

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is not installed",
)


def write_notes(folder: Path) -> Path:
    file = folder / "notes.jsonl"
    rows = [json.dumps({"id": f"bed-{n}", "note": note}) for n, note in enumerate(NOTES)]
    file.write_text("\n".join(rows), "utf-8")
    return file


def answers(file: Path) -> list[dict[str, Any]]:
    rows = [line.parse() for line in read_jsonl(file)]
    for row in rows:
        row.pop("timing", None)
    return rows


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"dxtrace\[cluster\]"):
        next(map_on_ray(abs, range(2), "auto"))


@pytest.mark.slow
def test_an_interrupted_batch_of_processes_ends_at_once_and_goes_on(
    dxtrace: Run,
    home: Path,
    reasoner: Reasoner,
    tmp_path: Path,
) -> None:
    notes, out = write_notes(tmp_path), tmp_path / "out.jsonl"
    command = ["batch", str(notes), "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dxtrace", *command],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"DXTRACE_THREADS": "1"},
    )
    try:
        while not out.exists() or not out.read_bytes():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - started < 2
    finally:
        process.kill()
    assert (process.returncode, err.strip()) == (
        130,
        "dxtrace: interrupted; what is done is kept, and the same command goes on",
    )
    assert dxtrace(*command).returncode == 0
    rows = answers(out)
    assert [row["id"] for row in rows] == [f"bed-{number}" for number in range(len(NOTES))]
    here = reasoner.reason(Case.from_text(NOTES[3], "bed-3")).to_json()
    assert rows[3]["differential"] == here["differential"]
    assert rows[3]["steps"] == here["steps"]


@needs_ray
@pytest.mark.slow
def test_work_that_a_lost_worker_of_a_cluster_had_is_done_again(tmp_path: Path) -> None:
    paths = [str(ROOT / "src"), str(ROOT / "tests")]
    done = subprocess.run(
        [sys.executable, "-c", ON_RAY, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    # Ray itself tells of lost workers between.
    said = [line.split(" ", 1) for line in done.stdout.splitlines()]
    (numbers,) = [words[1] for words in said if words[0] == "numbers"]
    squares = [number**2 for number in range(12)]
    assert numbers == str([*squares[:7], -7, *squares[8:]]), done.stderr
    there, here = [words[1] for words in said if words[0] == "corpus"]
    assert there == here


@needs_ray
@pytest.mark.slow
def test_a_cluster_answers_as_one_process_does(
    dxtrace: Run,
    home: Path,
    reasoner: Reasoner,
    tmp_path: Path,
) -> None:
    notes, out = write_notes(tmp_path), tmp_path / "out.jsonl"
    there = dxtrace("batch", notes, "--out", out, "--limit", "1", "--ray", "local")
    assert there.returncode == 0, there.stderr
    (row,) = answers(out)
    here = reasoner.reason(Case.from_text(NOTES[0], "bed-0")).to_json()
    assert (row["id"], row["differential"], row["steps"]) == (
        "bed-0",
        here["differential"],
        here["steps"],
    )
