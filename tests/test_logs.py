"""Nothing of a note reaches a log, an error or a traceback, whatever is turned up and whatever
fails.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from support.cases import SHORT
from support.commands import Run, run
from support.engines import UNREAD

from dxtrace.answering.grammar import answer_grammar
from dxtrace.engines.guard import Guard, check_grammar
from dxtrace.errors import EngineError, GroundingError

CANARY = "zebrafinch"
NOTE = f"HPI: cough with {CANARY} sputum for 8 weeks. Denies {CANARY} pain.\nExam: {CANARY} breath sounds, T 38.1.\n"

LOUD = {
    "PYTHONVERBOSE": "",
    "RUST_LOG": "trace",
    "LLGUIDANCE_LOG_LEVEL": "9",
    "LLAMA_LOG_VERBOSITY": "9",
    "LLAMA_ARG_VERBOSITY": "9",
    "GGML_LOG_LEVEL": "debug",
    "TRANSFORMERS_VERBOSITY": "debug",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONDEVMODE": "",
    "LOGLEVEL": "DEBUG",
}


@pytest.mark.slow
def test_a_whole_answer_says_nothing_of_the_note_on_stderr(dxtrace: Run) -> None:
    done = dxtrace("reason", "-", "--format", "json", stdin=NOTE, env=LOUD)
    assert done.returncode == 0
    assert CANARY in done.stdout
    assert CANARY not in done.stderr


class Talkative(RuntimeError):
    """A failure whose message holds the note, as those of libraries do."""

    def __init__(self, *_: object) -> None:
        super().__init__(f"could not process: {NOTE}")


@pytest.mark.parametrize("method", ["encode", "encode_prompt", "distributions", "stream", "forget"])
@pytest.mark.parametrize("command", ["reason", "batch"])
def test_an_engine_that_fails_with_the_note_in_its_message(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    method: str,
    command: str,
) -> None:
    def fail(*_: object) -> Any:
        raise Talkative

    monkeypatch.setattr("dxtrace.models.loading.load", lambda *_args, **_options: UNREAD)
    monkeypatch.setattr(UNREAD.engine, method, fail, raising=False)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "case.txt").write_text(NOTE)
    where = (
        [tmp_path / "in" / "case.txt"]
        if command == "reason"
        else [tmp_path / "in", "--out", tmp_path / "out.jsonl"]
    )
    with caplog.at_level(logging.DEBUG):
        code, _, err = run(capsys, command, *where)
    assert CANARY not in err + caplog.text
    if command == "batch":
        (row,) = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
        assert method == "stream" or CANARY not in json.dumps(row)
        assert method == "stream" or "Talkative in " in row["error"]["message"]
    elif (
        method != "stream" or code
    ):  # where every rationale is a premise's, nothing is written freely
        assert code == 1
        assert err.count("\n") == 1
        assert "Talkative in " in err


@pytest.mark.parametrize(
    "data",
    [
        f'{{"note": "{CANARY}", "id": }}',
        f'{{"note": ["{CANARY}"]}}',
        f'{{"{CANARY}": 1}}',
        f"{CANARY}\x00",
        f'{{"sections": {{"hpi": {{"{CANARY}": 1}}}}}}',
        f'{{"case": {{"{CANARY}": "x"}}}}',
    ],
)
def test_a_refused_case_is_not_repeated(capsys: pytest.CaptureFixture[str], data: str) -> None:
    code, out, err = run(capsys, "reason", "-", stdin=data.encode())
    assert code == 2
    assert CANARY not in out + err


def test_a_note_given_in_place_of_a_file_is_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "reason", NOTE)
    assert code == 2
    assert CANARY not in out + err


def test_errors_of_a_grammar_do_not_hold_the_note(capfd: pytest.CaptureFixture[str]) -> None:
    taxonomy = UNREAD.taxonomy
    grammar = answer_grammar(taxonomy.diagnoses[:1], {}, [f"{CANARY} sputum"], (3, 10))
    with pytest.raises(EngineError) as broken:
        check_grammar(grammar + f"\nbroken: {CANARY} (")
    guard = Guard(grammar)
    with pytest.raises(EngineError) as left:
        guard.feed(f" {CANARY}")
    assert CANARY not in str(broken.value) + str(left.value) + "".join(capfd.readouterr())


def test_a_broken_promise_is_reported_without_the_text(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dxtrace.chain import Chain, Span, Step

    span = Span(f"{CANARY} that is not there", 3, 20, "physical_exam")
    chain = Chain("x", SHORT, "a", "b", ("a",), (Step("a", f"because {CANARY}", span),))
    with pytest.raises(GroundingError) as caught:
        chain.verify()
    assert CANARY not in str(caught.value)
    monkeypatch.setattr("dxtrace.models.loading.load", lambda *_args, **_options: chain.verify())
    code, out, err = run(capsys, "reason", "-", stdin=SHORT.encode())
    assert code == 1
    assert CANARY not in out + err
    assert "Traceback" not in err
    assert sys.exc_info() == (None, None, None)
