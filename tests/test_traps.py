"""The suite of traps: sound as a dataset, scored for any tool, passed by dxtrace as far as its card says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from support.commands import run

from dxtrace.errors import InputError
from dxtrace.evaluate.traps import ANSWERS, answer_traps, read_answers, score_traps, traps
from dxtrace.findings.quantities import quantities


def test_the_suite_is_sound() -> None:
    suite = traps()
    assert len({trap.id for trap in suite}) == len(suite) >= 340
    assert len({(trap.text, trap.finding, trap.expected) for trap in suite}) == len(suite)
    assert len({trap.text for trap in suite if trap.kind == "table"}) >= 25
    for trap in suite:
        assert trap.expected in ANSWERS
        if trap.quantity:
            assert trap.quantity in quantities()
            assert trap.op in ("<", "<=", ">", ">=")
        else:
            assert trap.text[trap.start : trap.end] == trap.finding


def test_the_card_counts_the_pairs() -> None:
    card = Path(__file__).parents[1] / "src/dxtrace/evaluate/traps/README.md"
    text = card.read_text("utf-8")
    for kind, count in Counter(trap.kind for trap in traps()).items():
        assert f"| `{kind}` | {count} |" in text
    assert f"{len(traps())} pairs of a text and a finding" in text


def test_dxtrace_passes_what_it_was_developed_on() -> None:
    seen = [trap for trap in traps() if trap.seen]
    answers = answer_traps(seen)
    right = sum(trap.is_right(answers[trap.id]) for trap in seen)
    assert right / len(seen) >= 0.97


def test_right_answers_score_full_and_none_scores_nothing() -> None:
    full = score_traps({trap.id: trap.expected for trap in traps()})
    assert {score.share for score in full.scores} == {1.0}
    assert full.failed == ()
    nothing = score_traps({})
    assert {score.share for score in nothing.scores} == {0.0}
    assert nothing.unanswered == len(traps())


def test_what_is_affirmed_wrongly_and_what_is_missed_are_counted() -> None:
    everything = score_traps(dict.fromkeys([trap.id for trap in traps()], "present"))
    by_name = {score.name: score for score in everything.scores}
    present = sum(trap.expected == "present" for trap in traps())
    assert (by_name["all"].right, by_name["all"].missed) == (present, 0)
    assert by_name["all"].affirmed == len(traps()) - present
    nothing = score_traps(dict.fromkeys([trap.id for trap in traps()], "absent"))
    assert {score.name: score for score in nothing.scores}["all"].missed == present


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({}, "present"),
        ({"polarity": "absent"}, "absent"),
        ({"polarity": "absent", "experiencer": "family"}, "family"),
        ({"polarity": "absent", "certainty": "uncertain"}, "absent"),
        ({"certainty": "uncertain", "time": "past"}, "uncertain"),
        ({"time": "past"}, "past"),
    ],
)
def test_properties_make_one_answer(tmp_path: Path, said: dict[str, str], answer: str) -> None:
    file = tmp_path / "said.jsonl"
    file.write_text(json.dumps({"id": "negation-001", **said}), "utf-8")
    assert read_answers(file) == {"negation-001": answer}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"id": "no-such"}',
        '{"id": "negation-001", "polarity": "maybe"}',
        '{"id": "negation-001", "polarity": ["absent"]}',
        '{"id": ["negation-001"]}',
        '{"id": "negation-001"}\n{"id": "negation-001"}',
    ],
)
def test_what_cannot_be_scored_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "said.jsonl"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError):
        read_answers(file)


def test_the_command_scores_a_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite, said = tmp_path / "suite.jsonl", tmp_path / "said.jsonl"
    assert run(capsys, "evaluate", "traps", "--write", suite)[0] == 0
    rows = [json.loads(line) for line in suite.read_text("utf-8").splitlines()]
    assert len(rows) == len(traps())
    said.write_text("\n".join(json.dumps({"id": row["id"]}) for row in rows[:-1]), "utf-8")
    code, out, err = run(capsys, "evaluate", "traps", "--predictions", said, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["unanswered"] == 1
    assert report["scores"][0]["name"] == "negation"
    code, out, _ = run(capsys, "evaluate", "traps", "--predictions", said, "--failed")
    assert code == 0
    assert "1 traps without an answer" in out
    assert "absent, not present: Denies cough" in out
