"""The command line: what it prints, what it refuses, exit codes; real processes wherever a model
answers.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import ROOT
from support.cases import SHORT
from support.commands import Run, run
from support.engines import UNREAD
from support.strategies import json_values, texts
from support.view import DECIDES, NOTE, STATES, state

from dxtrace.chain import DISCLAIMER, Chain, parse
from dxtrace.errors import GroundingError


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything but the model's weights be real."""
    monkeypatch.setattr("dxtrace.models.loading.load", lambda *_args, **_options: UNREAD)


def one_line(text: str) -> bool:
    return (
        text.startswith("dxtrace: ")
        and text.endswith("\n")
        and text.count("\n") == 1
        and len(text) < 500
    )


@pytest.mark.slow
def test_reason_prints_the_full_result_as_json(dxtrace: Run) -> None:
    file = ROOT / "examples" / "hyperthyroidism_soap.txt"
    done = dxtrace("reason", file, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["note"] == file.read_text("utf-8")
    assert result["model"]["name"].startswith("smollm2-135m")
    assert re.fullmatch("[0-9a-f]{64}", result["model"]["base_sha256"])
    assert result["timing"]["total_s"] > 0
    for number, step in enumerate(result["steps"], 1):
        evidence = step["evidence"]
        assert step["number"] == number
        assert result["note"][evidence["start"] : evidence["end"]] == evidence["text"]
    Chain.from_json(result).verify()


@pytest.mark.slow
def test_reason_reads_standard_input_and_shows_the_note_beside_the_steps(dxtrace: Run) -> None:
    done = dxtrace(
        "reason",
        "-",
        "--top",
        "3",
        stdin="\ufeff" + SHORT.replace("\n", "\r\n"),
        env={"COLUMNS": "140"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "FINAL DIAGNOSIS: " in done.stdout
    assert len(re.findall(r"^ +\d+\.\d%", done.stdout, re.MULTILINE)) == 3
    shown = set(re.findall(r"\[(\d+)\]", done.stdout))
    assert {"1", "2", "3"} <= shown
    assert DISCLAIMER in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.slow
def test_lines_are_not_broken_where_nobody_reads_them(
    dxtrace: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # a parallel run of tests sets it
    done = dxtrace("reason", "-", stdin=SHORT)
    assert done.returncode == 0
    chain = Chain.from_json(
        json.loads(dxtrace("reason", "-", "--format", "json", stdin=SHORT).stdout)
    )
    for step in chain.steps:
        assert " ".join(step.evidence.text.split()) in done.stdout
        assert step.rationale in done.stdout
    assert all(len(line.rstrip()) < 4000 for line in done.stdout.splitlines())


@pytest.mark.slow
def test_demo_answers_a_built_in_case(dxtrace: Run) -> None:
    done = dxtrace("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "FINAL DIAGNOSIS: " in done.stdout


def test_card_is_the_published_form(
    without_model: None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "case.txt").write_text(SHORT)
    code, card, _ = run(capsys, "reason", tmp_path / "case.txt", "--format", "card")
    _, whole, _ = run(capsys, "reason", tmp_path / "case.txt", "--format", "json")
    assert code == 0
    result = json.loads(whole)
    assert card == result["text"] + "\n"
    assert parse(card).diagnosis == result["headline"]
    assert len(parse(card).steps) == len(result["steps"])


SAYS = {
    "answered": ["FINAL DIAGNOSIS: HFrEF", "[1]Sleeps", "[2]Ankles"],
    "type_open": ["Heart Failure, type not stated", "What would decide it", DECIDES],
    "not_supported": ["not supported by this note", "Nearest candidates", "HFrEF"],
    "out_of_scope": ["none of the illnesses that dxtrace knows", "fits: 93%", "Nearest candidates"],
}


class Answering:
    """Answers every case with one chain."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def stream(self, _: object) -> Iterator[object]:
        yield self.chain.differential
        yield from self.chain.steps
        yield self.chain


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("width", ["80", "140"])
def test_every_state_is_told_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    width: str,
) -> None:
    system = Answering(state(name))
    monkeypatch.setattr("dxtrace.models.loading.load", lambda *_args, **_options: system)
    monkeypatch.setenv("COLUMNS", width)
    code, out, err = run(capsys, "reason", "-", stdin=NOTE.encode())
    assert (code, err) == (0, "")
    assert all(text in out for text in SAYS[name])
    assert re.search(r"60\.0% .*HFrEF +Heart Failure +30\.0% +100\.0%", out), "two opinions"
    assert "Evidence against" in out and "[a]No" in out
    assert "speaks against Bacterial Pneumonia" in out
    assert out.count("doubtful: states it with 55%") == len(system.chain.steps) // 2


def test_a_batch_row_says_its_state(
    without_model: None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "wrist.txt").write_text("Fractured left wrist after a fall.")
    out = tmp_path / "out.jsonl"
    assert run(capsys, "batch", tmp_path / "in", "--out", out)[0] == 0
    row = json.loads(out.read_text())
    assert (row["schema"], row["status"], row["diagnosis"]) == (
        "dxtrace.result/1",
        "not_supported",
        None,
    )
    Chain.from_json(row).verify()


def test_doctor_says_what_there_is(dxtrace: Run, home: Path) -> None:
    done = dxtrace("doctor", env={"COLUMNS": "200"})
    assert (done.returncode, done.stderr) == (0, "")
    for word in (
        "python",
        "xllamacpp",
        "default engine",
        "llamacpp",
        "quantisation",
        "cpu",
        "cache",
        str(home),
        "fetched",
    ):
        assert word in done.stdout


def test_doctor_measures_engines(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dxtrace.cli.doctor._ENGINES", {"numpy": (), "other": ("no_such_package",)})
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run(capsys, "doctor", "--engines")
    assert (code, err) == (0, "")
    assert re.search(r"numpy +\d+ +\d+\.\d+ s +100% of \d+ the same +0 nats", out)
    assert re.search(r"other +not installed", out)
    assert "chosen: numpy" in out


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["reason", "--help"], ["models"], ["batch", "--help"], ["corpus"]],
)
def test_help_is_given(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: dxtrace")


def test_help_carries_the_disclaimer(capsys: pytest.CaptureFixture[str]) -> None:
    assert DISCLAIMER in " ".join(run(capsys, "--help")[1].split())


WRONG_COMMANDS = [
    ["bogus"],
    ["reason"],
    ["reason", "a", "b"],
    ["reason", "--bogus"],
    ["reason", "x.txt", "--format", "xml"],
    ["reason", "x.txt", "--top", "0"],
    ["reason", "x.txt", "--top", "many"],
    ["reason", "x.txt", "--threads", "-1"],
    ["reason", "x.txt", "--engine", "gpu"],
    ["batch"],
    ["batch", "x"],
    ["batch", "x", "--out"],
    ["models", "fetch"],
    ["models", "pull", "nope"],
    ["models", "path", "../.."],
    ["models", "remove", "nope"],
    ["models", "pull", "a", "b"],
    ["reason", "x" * 5000],
    ["reason", "no/such/file.txt"],
    ["reason", "\x00"],
    ["reason", "HPI: cough\nand fever"],
    ["batch", "no/such", "--out", "out.jsonl"],
    ["demo", "extra"],
    ["doctor", "--all"],
]


@pytest.mark.parametrize(
    "arguments",
    WRONG_COMMANDS,
    ids=lambda arguments: " ".join(arguments)[:40] or "nothing",
)
def test_a_wrong_command_gives_one_line(
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert one_line(err)


BAD_FILES = {
    "empty.txt": b"",
    "blank.txt": b" \r\n\t\n",
    "invisible.txt": "\ufeff\u200b\u00ad".encode(),
    "nul.txt": b"chest\x00pain",
    "latin1.txt": "caf\xe9 au lait spots".encode("latin-1"),
    "utf16.txt": "chest pain".encode("utf-16"),
    "binary.txt": bytes(range(256)),
    "escape.txt": b"chest \x1b[31mpain",
    "long.txt": b"chest pain " * 100_000,
    "huge.txt": b"x" * 9_000_000,
    "surrogate.txt": b"chest \xed\xa0\x80 pain",
    "cut.txt": b"chest pain \xe2\x82",
    "open.json": b'{"note": "chest pain"',
    "list.json": b'["chest pain"]',
    "number.json": b"12",
    "null.json": b"null",
    "empty.json": b"{}",
    "nothing.json": b"",
    "wrong.json": b'{"note": 12}',
    "unknown.json": b'{"patient": "chest pain"}',
    "nested.json": b'{"case":' * 5_000 + b"1" + b"}" * 5_000,
    "deep.json": b"[" * 200_000,
    "blank.json": b'{"note": "  "}',
    "section.json": b'{"sections": {"hpi": {"a": 1}}}',
    "surrogate.json": b'{"note": "chest \\ud800 pain"}',
    "control.json": b'{"note": "chest \\u0000 pain"}',
    "text.json": b"chest pain",
    "nan.json": b'{"note": NaN}',
    "digits.json": b'{"note": ' + b"9" * 5_000 + b"}",
    "twice.json": b'{"note": "a b"}{"note": "c d"}',
    "mess.txt": b'{"note": ',
}


@pytest.mark.parametrize("how", ["file", "stdin"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_a_malformed_case_gives_one_line(
    without_model: None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    how: str,
) -> None:
    if how == "stdin" and name in {
        "text.json",
        "nothing.json",
        "list.json",
        "number.json",
        "null.json",
        "deep.json",
    }:
        pytest.skip("without a file name this is text")
    (tmp_path / name).write_bytes(BAD_FILES[name])
    place, given_in = (tmp_path / name, b"") if how == "file" else (Path("-"), BAD_FILES[name])
    code, out, err = run(capsys, "reason", place, stdin=given_in)
    assert (code, out) == (2, "")
    assert one_line(err)
    assert (name if how == "file" else "standard input") in err


def test_folders_and_special_files_are_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for place in (tmp_path, Path(os.devnull)):
        code, _, err = run(capsys, "reason", place)
        assert code == 2
        assert one_line(err)


MANY = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def answered_or_refused(capsys: pytest.CaptureFixture[str], data: bytes, place: str = "-") -> None:
    code, out, err = run(capsys, "reason", place, "--format", "json", stdin=data)
    if code == 2:
        assert out == ""
        assert one_line(err)
        return
    assert (code, err) == (0, "")
    chain = Chain.from_json(json.loads(out))
    chain.verify()
    assert len(chain.steps) <= 8
    assert bool(chain.steps) == bool(chain.path)
    assert parse(chain.text()).diagnosis == chain.headline


@pytest.mark.slow
@MANY
@given(
    st.one_of(
        texts().map(lambda text: text[:1500].encode("utf-8", "surrogatepass")),
        st.binary(max_size=300),
    ),
)
def test_any_text_is_answered_or_refused(capsys: Any, without_model: None, data: bytes) -> None:
    answered_or_refused(capsys, data)


@pytest.mark.slow
@MANY
@given(value=json_values())
def test_any_json_is_answered_or_refused(
    capsys: Any,
    without_model: None,
    tmp_path_factory: pytest.TempPathFactory,
    value: object,
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(value), encoding="utf-8")
    answered_or_refused(capsys, b"", str(file))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            GroundingError("step 1: its evidence is not in the note"),
            1,
            "its evidence is not in the note",
        ),
        (RuntimeError("chest pain and fever"), 1, "internal error: RuntimeError in "),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "internal error: MemoryError in "),
        (
            OSError(28, "No space left on device", "some/file"),
            1,
            "some/file: No space left on device",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failures_have_codes_and_no_traceback(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("dxtrace.models.loading.load", fail)
    found, out, err = run(capsys, "reason", "-", stdin=SHORT.encode())
    assert (found, out) == (code, "")
    assert said in err
    assert one_line(err)
    assert "chest pain" not in err


def test_a_reader_that_goes_away_is_no_error_of_ours(dxtrace: Run) -> None:
    command = f"'{sys.executable}' -m dxtrace --help | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
