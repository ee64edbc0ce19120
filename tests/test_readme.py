"""Every command and program of the README that is marked ``<!-- runs -->`` does what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT
from support.commands import Run

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^<!-- runs -->\n```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line[2:]
    for kind, body in BLOCKS
    if kind == "console"
    for line in body.splitlines()
    if line.startswith("$ ")
]
PRINTED = re.findall(
    r"^<!-- prints: (dxtrace [^>]+) -->\n```text\n(.*?)^```$",
    README,
    re.MULTILINE | re.DOTALL,
)
PROGRAMS = [body for kind, body in BLOCKS if kind == "python"]


def test_there_is_something_to_run() -> None:
    assert COMMANDS
    assert PROGRAMS
    assert PRINTED


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    assert set(re.findall(r"^\$ make (\w+)", README, re.MULTILINE)) <= set(targets)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """A folder with the examples, so that what the README writes does not land in the project."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_commands(place: Path, threads: int, command: str) -> None:
    assert command.startswith("dxtrace "), "a command that is marked to run is one of dxtrace"
    line = f"{shlex.quote(sys.executable)} -m {command}"
    environment = os.environ | {"DXTRACE_THREADS": str(threads)}
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=500,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(place: Path, threads: int, program: str) -> None:
    environment = os.environ | {"DXTRACE_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=500,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("command", "shown"), PRINTED)
def test_what_is_shown_is_printed(dxtrace: Run, command: str, shown: str) -> None:
    done = dxtrace(*command.split()[1:], env={"COLUMNS": "80"})
    printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert done.returncode == 0
    for part in shown.split("...\n"):
        assert part in printed + "\n"


def test_links_lead_somewhere_from_a_package_index_too() -> None:
    """A package index shows the README without the files beside it."""
    assert re.findall(r"\]\((?!https://)[^)]+", README) == []
    ours = r"\]\(https://(?:github|raw\.githubusercontent)\.com/dxtrace/dxtrace/(?:(?:blob|tree)/)?main/([^)#]+)"
    found = re.findall(ours, README)
    assert len(found) >= 10
    for link in found:
        assert (ROOT / link).exists(), link
