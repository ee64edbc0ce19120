"""The files of a Space are what a host needs, and the commands that build one do so."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.commands import run

from dxtrace.chain import DISCLAIMER

SPACES = Path(__file__).parents[1] / "spaces"


def head(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8").split("---")[1])
    return found


def test_the_static_space_is_a_library_with_its_front_matter(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(SPACES, tmp_path / "spaces")
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^dxtrace (.+)$", (SPACES / "README.md").read_text("utf-8"), re.M)
    assert len(commands) == 2
    for command in commands:
        arguments = shlex.split(command.replace("--size 200", "--size 12"))
        code, _, err = run(capsys, *arguments)
        assert code == 0, err
    front = head(tmp_path / "spaces/static/README.md")
    assert (front["sdk"], front["app_file"]) == ("static", "index.html")
    text = (tmp_path / "spaces/static/index.html").read_text("utf-8")
    assert text.count('id="dxtrace-case-') >= 6
    assert DISCLAIMER in text


def test_the_docker_space_serves_on_its_port_with_a_token() -> None:
    port = str(head(SPACES / "docker/README.md")["app_port"])
    text = (SPACES / "docker/Dockerfile").read_text("utf-8")
    assert f'"{port}"' in text and "DXTRACE_TOKEN" in text and "USER user" in text
