"""The files of a Space build from what is here, and say what a host and a reader need."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from dxtrace.chain import DISCLAIMER

SPACES = Path(__file__).parents[1] / "spaces"


@pytest.fixture(scope="module")
def build() -> Any:
    return runpy.run_path(str(SPACES / "build.py"))["main"]


def head(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8").split("---")[1])
    return found


def test_the_static_space_is_a_library_with_its_front_matter(build: Any, tmp_path: Path) -> None:
    build(["static", "--out", str(tmp_path), "--cases", "4"])
    front = head(tmp_path / "README.md")
    assert (front["sdk"], front["app_file"]) == ("static", "index.html")
    text = (tmp_path / "index.html").read_text("utf-8")
    assert text.count('id="dxtrace-case-') == 4 and DISCLAIMER in text


def test_the_docker_space_serves_on_its_port_with_a_token(build: Any, tmp_path: Path) -> None:
    build(["docker", "--out", str(tmp_path)])
    port = str(head(tmp_path / "README.md")["app_port"])
    text = (tmp_path / "Dockerfile").read_text("utf-8")
    assert f'"{port}"' in text and "DXTRACE_TOKEN" in text and "USER user" in text
