"""What is kept beside every answer, and what happens to answers that were made otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.cases import SHORT
from support.commands import Run, run
from support.engines import UNREAD, Unread

from dxtrace.answering.calibration import Calibration
from dxtrace.answering.reasoner import Reasoner
from dxtrace.chain import ModelInfo
from dxtrace.compose import Composer
from dxtrace.corpus import write_jsonl
from dxtrace.corpus.answer_cases import Tally, answer_cases
from dxtrace.corpus.policy import FairReasoner
from dxtrace.corpus.source import read_tasks, refuse_as_output
from dxtrace.errors import EngineError, InputError
from dxtrace.files import read_jsonl
from dxtrace.notes.annotated import AnnotatedCase

BASE, ADAPTER = "a" * 64, "b" * 64


def reasoner(**parts: Any) -> Reasoner:
    model = ModelInfo("m", parts.pop("base", BASE), parts.pop("adapter", ADAPTER))
    return Reasoner(parts.pop("engine", Unread()), model, **parts)


def answer(one: Reasoner, source: Path | str, out: Path, redo: bool = False) -> Tally:
    return answer_cases(FairReasoner(one).system, read_tasks(str(source)), out, redo=redo)


def rows(file: Path) -> list[dict[str, Any]]:
    return [line.parse() for line in read_jsonl(file)]


def write(file: Path, *cases: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(case) + "\n" for case in cases), "utf-8")
    return file


@pytest.fixture(scope="module")
def hard() -> list[AnnotatedCase]:
    composer = Composer(1)
    return [composer.case(number, hard=True) for number in range(2)]


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything but the model's weights be real."""
    monkeypatch.setattr("dxtrace.models.loading.load", lambda *_args, **_options: UNREAD)


def test_a_row_says_who_answered_what_with_which_wordings(
    hard: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    write_jsonl(tmp_path / "cases.jsonl", [*hard, replace(hard[0], tags={"split": "test"})])
    answer(reasoner(), tmp_path / "cases.jsonl", tmp_path / "out.jsonl")
    first, second, third = rows(tmp_path / "out.jsonl")
    assert [row["wordings"] for row in (first, second, third)] == ["training", "training", "all"]
    assert third["id"] == f"{first['id']}~2"
    assert first["note_sha256"] == third["note_sha256"] != second["note_sha256"]
    made_by = first["made_by"]
    assert (made_by["base_sha256"], made_by["adapter_sha256"]) == (BASE, ADAPTER)
    assert made_by["engine"] == "Unread" and len(made_by["calibration_sha256"]) == 64


class Other(Unread):
    """Another engine."""


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"base": "c" * 64}, "another model"),
        ({"adapter": None}, "another adapter"),
        ({"calibration": Calibration(temperature=2.0)}, "another calibration"),
        ({"engine": Other()}, "another engine"),
    ],
)
def test_what_another_system_answered_is_refused_or_answered_again(
    tmp_path: Path,
    parts: dict[str, Any],
    says: str,
) -> None:
    source = write(tmp_path / "in.jsonl", {"id": "a", "note": SHORT}, {"id": "b", "note": SHORT})
    out = tmp_path / "out.jsonl"
    answer(reasoner(), source, out)
    before = out.read_bytes()
    with pytest.raises(InputError, match=rf"out\.jsonl: 2 of its rows .*{says}.*--force"):
        answer(reasoner(**parts), source, out)
    assert out.read_bytes() == before
    tally = answer(reasoner(**parts), source, out, redo=True)
    assert (tally.answered, tally.kept) == (2, 0)
    assert [row["id"] for row in rows(out)] == ["a", "b"]
    assert answer(reasoner(**parts), source, out).kept == 2


def test_a_note_that_changed_is_answered_again_and_no_other(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write(source, {"id": "a", "note": SHORT}, {"id": "b", "note": SHORT})
    answer(UNREAD, source, out)
    write(source, {"id": "a", "note": SHORT}, {"id": "b", "note": f"{SHORT}\nNo fever."})
    with pytest.raises(InputError, match=r"1 of its rows .*another note"):
        answer(UNREAD, source, out)
    tally = answer(UNREAD, source, out, redo=True)
    assert (tally.answered, tally.kept) == (1, 1)


def test_a_case_that_failed_is_tried_again(tmp_path: Path) -> None:
    class Failing(Unread):
        def distributions(self, *_: Any) -> Any:
            raise EngineError("no memory")

    source, out = write(tmp_path / "in.jsonl", {"id": "a", "note": SHORT}), tmp_path / "out.jsonl"
    tally = answer(Reasoner(Failing()), source, out)
    assert tally.failures == ["a: no memory"]
    assert answer(UNREAD, source, out).answered == 1
    assert ["error" in row for row in rows(out)] == [False]


def test_results_are_not_written_over_or_among_the_cases(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", {"id": "a", "note": SHORT})
    (tmp_path / "link.jsonl").symlink_to(source)
    for spec in (source, f"jsonl:{source}", tmp_path / "link.jsonl"):
        with pytest.raises(InputError, match="is what is to be answered"):
            refuse_as_output(str(spec), source)
    with pytest.raises(InputError, match="among what is to be answered"):
        refuse_as_output(str(tmp_path), tmp_path / "out.jsonl")
    refuse_as_output(str(source), tmp_path / "out.jsonl")


@pytest.mark.parametrize("kind", ["corpus", "note"])
def test_a_file_of_cases_is_no_file_of_results(
    hard: list[AnnotatedCase],
    tmp_path: Path,
    kind: str,
) -> None:
    source, out = write(tmp_path / "in.jsonl", {"id": "a", "note": SHORT}), tmp_path / "out.jsonl"
    if kind == "corpus":
        write_jsonl(out, hard)
    else:
        out.write_text("A note without a line feed at its end")
    before = out.read_bytes()
    with pytest.raises(InputError, match=r"out\.jsonl, line 1: not a result"):
        answer(UNREAD, source, out, redo=True)
    assert out.read_bytes() == before


def test_any_corpus_is_a_source(
    without_model: None,
    capsys: pytest.CaptureFixture[str],
    hard: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    note = {"PDD1$Intermedia": {}, "input2": SHORT}
    (tmp_path / "direct").mkdir()
    (tmp_path / "direct" / "x.json").write_text(json.dumps(note))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text(SHORT)
    folder = tmp_path / "splits"
    folder.mkdir()
    write_jsonl(folder / "hard.jsonl", hard)
    write_jsonl(folder / "test.jsonl", [replace(case, tags={}) for case in hard])
    specs = {
        f"direct:{tmp_path / 'direct'}": ["all"],
        f"{folder}:hard": ["training", "training"],
        f"{folder}:test": ["all", "all"],
        str(tmp_path / "notes"): ["all"],
        str(tmp_path / "notes" / "a.txt"): ["all"],
    }
    for number, (spec, wordings) in enumerate(specs.items()):
        out = tmp_path / f"{number}.jsonl"
        code, _, err = run(capsys, "batch", spec, "--out", out)
        assert code == 0, err
        assert [row["wordings"] for row in rows(out)] == wordings


def test_a_run_in_which_every_case_fails_ends_with_two(
    without_model: None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    source = write(tmp_path / "in.jsonl", {"id": "a", "note": " "}, {"id": "b", "note": "12"})
    code, out, err = run(capsys, "batch", source, "--out", tmp_path / "out.jsonl")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "no case could be answered" in err


@pytest.mark.slow
def test_both_routes_give_the_same_figures_on_a_hard_split(
    dxtrace: Run,
    home: Path,
    hard: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    write_jsonl(tmp_path / "hard.jsonl", hard)
    corpus, out = tmp_path / "hard.jsonl", tmp_path / "answers.jsonl"
    assert dxtrace("batch", corpus, "--out", out).returncode == 0
    common = ("--corpus", corpus, "--out", tmp_path / "ev", "--resamples", "0")
    done = dxtrace("evaluate", *common, "--predictions", f"batch={out}", "--model", "default")
    assert done.returncode == 0, done.stderr
    batch, model = json.loads((tmp_path / "ev" / "report.json").read_text("utf-8"))["systems"]
    assert batch["wordings"] == model["wordings"] == "training"
    assert batch["problem_counts"] == model["problem_counts"]
    for key, estimate in batch["summary"]["metrics"].items():
        assert estimate["mean"] == model["summary"]["metrics"][key]["mean"], key
