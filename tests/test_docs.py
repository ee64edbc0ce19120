"""The documentation: blocks marked ``<!-- runs -->`` run, page by page; links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"^<!-- runs -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")

#: Made by mkdocs, see docs/_hooks.py.
GENERATED = {"reference/cli.md", "reference/recipe-keys.md"}


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text("utf-8"))


def programs(kind: str, body: str) -> list[list[str]]:
    """Return the processes that a block stands for."""
    if kind == "python":
        return [[sys.executable, "-c", body]]
    lines = [line.removeprefix("$ ") for line in body.splitlines() if line.startswith("$ ")]
    ours = re.compile(r"(?<![\w/.-])dxtrace (?=[a-z-])")
    run = f"{shlex.quote(sys.executable)} -m dxtrace "
    return [["bash", "-c", ours.sub(lambda _: run, line)] for line in lines]


def test_pages_have_something_to_run() -> None:
    assert sum(bool(blocks(page)) for page in PAGES) >= 8


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page)],
    ids=lambda page: page.stem,
)
def test_marked_blocks_run(tmp_path: Path, home: Path, threads: int, page: Path) -> None:
    for name in ("examples", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    for kind, body in blocks(page):
        for program in programs(kind, body):
            done = subprocess.run(
                program,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=500,
                env=os.environ | {"DXTRACE_THREADS": str(threads)},
            )
            assert done.returncode == 0, f"{program[-1]}\n{done.stderr}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        target = (page.parent / link).resolve()
        made = target.is_relative_to(DOCS) and target.relative_to(DOCS).as_posix() in GENERATED
        assert made or target.exists(), link


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"(\S+\.md)$", navigation, re.MULTILINE))
    assert listed == {page.relative_to(DOCS).as_posix() for page in PAGES} | GENERATED


def test_every_judge_baseline_and_path_has_a_line() -> None:
    pytest.importorskip("fastapi", reason="needs the extra 'serve'")
    from dxtrace.evaluate import BASELINES, JUDGES

    page = (DOCS / "reference" / "judges-and-baselines.md").read_text("utf-8")
    for name in (*JUDGES, *BASELINES):
        assert f"| `{name}` |" in page
    http = (DOCS / "reference" / "http.md").read_text("utf-8")
    routes = (ROOT / "src/dxtrace/serve/_app.py").read_text("utf-8")
    for path in set(re.findall(r'"(/(?:health|v1/\w+))"', routes)):
        assert path in http
