"""What a user meets first: the version, the help, the import, and the types that a checker sees."""

from __future__ import annotations

import io
import os
import pkgutil
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from support.engines import Unread

import dxtrace
from dxtrace import Case, Chain, Reasoner, __main__, cli
from dxtrace.cli import _progress
from dxtrace.cli._help import EXAMPLES
from dxtrace.errors import CaseError, UnknownName

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")

HEADINGS = ["Answer", "See", "Corpus", "Train", "Evaluate", "Models"]


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.run(list(arguments)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "--version") == f"dxtrace {dxtrace.__version__}\n"


def test_a_slow_start_is_told_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(os, "isatty", lambda _: True)
    monkeypatch.setattr(os, "write", lambda _, data: written.append(data))
    monkeypatch.setattr(__main__, "_MOMENT_S", 0.01)
    with __main__._notice():
        time.sleep(0.2)
    first, last = written
    assert first == b"loading dxtrace ..."
    assert last.strip() == b"" and len(last) == len(first) + 2


def test_work_is_shown_before_it_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(_progress, "STDERR", Console(file=shown, force_terminal=True))
    with _progress.reporting("loading PyTorch"):
        pass
    assert "loading PyTorch" in shown.getvalue()


def test_commands_stand_under_headings(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.findall(r"^(\w+):$", output(capsys, "--help"), re.MULTILINE)
    assert found == ["Options", *HEADINGS]


@pytest.mark.parametrize("group", [[], ["corpus"], ["models"]])
def test_no_one_line_help_is_cut(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    group: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listing = output(capsys, *group, "--help").partition("-h, --help")[2]
    helps = re.findall(r"^  [a-z-]+ +(\S.*)$", listing, re.MULTILINE)
    assert len(helps) >= 4
    assert all(len(line) <= 45 and line.endswith(".") for line in helps)
    assert "..." not in listing


@pytest.mark.parametrize(
    "command",
    ["", "demo", "reason", "batch", "view", "serve", "corpus", "corpus make", "train", "evaluate"],
)
def test_h_asks_for_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    words = command.split()
    assert output(capsys, *words, "-h") == output(capsys, *words, "--help")


def test_an_option_that_repeats_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for command in EXAMPLES:
        shown = output(capsys, *command.split(), "--help")
        assert not re.search(r"^  --\S+ <list", shown, re.MULTILINE), command


def test_a_shell_completes_commands() -> None:
    asked = {
        "_DXTRACE_COMPLETE": "complete_bash",
        "COMP_WORDS": "dxtrace ev",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "dxtrace"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["evaluate"]


def test_the_import_is_quick_and_light() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import sys, dxtrace; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert not {"numpy", "torch", "yaml"} & set(done.stdout.split())
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 0.4, "of processor time, the interpreter's own start included"


@pytest.mark.slow
def test_a_users_script_passes_a_strict_type_check(tmp_path: Path) -> None:
    program = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "script.py").write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(dxtrace, name) is not None for name in dxtrace.__all__)


def test_the_page_on_python_names_what_there_is() -> None:
    """Every name of the page can be imported, and every public name stands on it."""
    page = (ROOT / "docs/reference/python.md").read_text("utf-8")
    for place in re.findall(r"^::: (\S+)$", page, re.MULTILINE):
        assert pkgutil.resolve_name(place) is not None, place
    offered = page.partition("; the rest")[0].partition("`from dxtrace import`")[2]
    assert set(re.findall(r"`(\w+)`", offered)) == set(dxtrace.__all__)


def test_what_is_printed_of_a_case_and_an_answer_is_a_line_without_the_note() -> None:
    case = Case.from_text("HPI: canary for a week.\nExam: normal.", "a1")
    chain = Chain("a1", case.note, "Asthma", "Asthma", ("Suspected Asthma", "Asthma"), ())
    assert repr(case) == "Case('a1': 37 characters, 2 sections)"
    assert repr(chain) == "Chain('a1': Asthma, 0 steps)"


@pytest.mark.parametrize(
    ("said", "says"),
    [("case.txt", "read_case"), ("notes/My-case.PDF\n", "read_case"), (5, "int"), (None, "None")],
)
def test_what_is_no_note_is_refused(said: Any, says: str) -> None:
    with pytest.raises(CaseError, match=says):
        Reasoner(Unread()).reason(said)


def test_an_answer_has_two_text_forms() -> None:
    chain = Chain("a1", "wheeze", "Asthma", "Asthma", ("Suspected Asthma", "Asthma"), ())
    assert chain.text() == chain.text("trained") == "FINAL DIAGNOSIS: Asthma"
    with pytest.raises(UnknownName, match="trained"):
        chain.text("nope")  # type: ignore[arg-type]


GUIDES = [
    file
    for folder in (".", "docs", "docs/tutorials", "docs/how-to", "spaces/docker", "notebooks")
    for file in sorted((ROOT / folder).glob("*"))
    if file.name == "Dockerfile" or file.suffix in {".md", ".ipynb"}
]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda file: file.name)
def test_install_lines_name_the_repository(guide: Path) -> None:
    """Until there is a release, a line that names the package alone fails."""
    lines = guide.read_text("utf-8").splitlines()
    installs = [line for line in lines if "pip install" in line and "dxtrace" in line]
    assert all("git+https://github.com/dxtrace/dxtrace" in line for line in installs)


def test_a_text_is_answered_as_a_case_is() -> None:
    note = "HPI: eight weeks of cough, drenching night sweats."
    reasoner = Reasoner(Unread())
    of_text, of_case = reasoner.reason(note), reasoner.reason(Case.from_text(note))
    assert of_text.note == note
    assert of_text.differential == of_case.differential == reasoner.differential(note)
    assert of_text.steps == of_case.steps


def test_every_command_has_an_example() -> None:
    commands = set()
    root = typer.main.get_command(cli.app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        commands |= {f"{name} {one}" for one in inner}
        if not inner or name == "evaluate":
            commands.add(name)
    assert commands == EXAMPLES.keys()


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_is_the_command_with_options_that_it_has(
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    text = EXAMPLES[command]
    shown = " ".join(output(capsys, *command.split(), "--help").split())
    assert shown.endswith(f"For example: {text}")
    assert text.startswith(f"dxtrace {command}")
    for option in re.findall(r"--[\w-]+", text):
        assert f"{option} " in shown.partition("For example")[0]
