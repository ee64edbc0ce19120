"""The documentation: blocks marked ``<!-- runs -->`` run, page by page; links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from support import ROOT

from dxtrace.cli import app
from dxtrace.corpus import open_corpus

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"^<!-- runs -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")

#: Made by mkdocs, see docs/_hooks.py: in the site's navigation alone, since a clone lacks them.
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
        assert (page.parent / link).resolve().exists(), link


GUIDES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *PAGES,
    *sorted((ROOT / "src").rglob("*.md")),
    *sorted((ROOT / "spaces").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
    *sorted((ROOT / "src").rglob("*.yaml")),
]

#: A command in a console block or between backticks, up to where the shell or the sentence goes on.
SAID = re.compile(r"(?:^\$ (?:\w+=\S+ )*|`)dxtrace ([^`|<>&#\n]+)", re.MULTILINE)


def unknown_parts(line: str) -> Iterator[str]:
    """Yield the command or the options of a line that dxtrace does not have."""
    command: Any = typer.main.get_command(app)
    for word in line.split():
        if word in ("-", "COMMAND"):
            continue
        if word.startswith("-"):
            name = word.partition("=")[0].rstrip(".,;")
            known = {"-h", "--help"}
            for parameter in command.params:
                known |= {*parameter.opts, *parameter.secondary_opts}
            if name not in known:
                yield f"{command.name} {name}"
        elif word in getattr(command, "commands", {}):
            command = command.commands[word]
        elif getattr(command, "commands", None) and command.name == "dxtrace":
            yield word
            return


@pytest.mark.parametrize("guide", GUIDES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_every_command_that_is_named_exists_with_its_options(guide: Path) -> None:
    for line in SAID.findall(guide.read_text("utf-8")):
        assert not list(unknown_parts(line)), line


def test_a_command_that_is_not_there_would_be_found() -> None:
    found = [
        SAID.findall(text) for text in ("$ A=b dxtrace raeson x\n", "`dxtrace view --ouput x`")
    ]
    assert [list(unknown_parts(line)) for (line,) in found] == [["raeson"], ["view --ouput"]]


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"(\S+\.md)$", navigation, re.MULTILINE))
    assert listed == {page.relative_to(DOCS).as_posix() for page in PAGES} | GENERATED


def test_the_rows_of_the_corpus_page_are_read_as_they_stand(tmp_path: Path) -> None:
    page = (DOCS / "corpus-format.md").read_text("utf-8")
    rows = tmp_path / "own.jsonl"
    rows.write_text("".join(re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)))
    corpus = open_corpus(str(rows))
    assert not corpus.problems
    assert [case.gold and case.gold.diagnosis for case in corpus.annotated] == [
        "Tuberculosis",
        "SLE",
    ]


def test_every_extra_has_a_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (DOCS / "index.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert listed == set(project["optional-dependencies"]) - {"dev", "docs"}


def test_every_environment_variable_has_a_line_and_every_line_a_variable() -> None:
    page = (DOCS / "reference" / "environment.md").read_text("utf-8")
    used = set()
    for file in (ROOT / "src").rglob("*.py"):
        used |= set(re.findall(r"\bDXTRACE_[A-Z_]+\b", file.read_text("utf-8")))
    assert set(re.findall(r"^\| `(DXTRACE_\w+)`", page, re.MULTILINE)) == used


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
