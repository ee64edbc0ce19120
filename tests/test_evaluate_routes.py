"""Predictions from anywhere: rows of other programs, stores of earlier runs, wordings that flatter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.commands import run
from support.engines import Unread

from dxtrace.answering.reasoner import Reasoner
from dxtrace.chain import ModelInfo
from dxtrace.compose import Composer
from dxtrace.corpus import write_jsonl
from dxtrace.corpus.systems import Identity, System
from dxtrace.errors import CorpusError
from dxtrace.evaluate import read_predictions, run_system
from dxtrace.files import read_jsonl
from dxtrace.notes.annotated import AnnotatedCase


@pytest.fixture(scope="module")
def cases() -> list[AnnotatedCase]:
    composer = Composer(5)
    return [composer.case(number) for number in range(4)]


@pytest.fixture
def corpus(cases: list[AnnotatedCase], tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "cases.jsonl", cases)
    return tmp_path / "cases.jsonl"


def write(file: Path, rows: list[Any]) -> Path:
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("\n".join(texts) + "\n", "utf-8")
    return file


def by_id(cases: list[AnnotatedCase]) -> dict[str, AnnotatedCase]:
    return {case.id: case for case in cases}


def evaluate(capsys: pytest.CaptureFixture[str], out: Path, *arguments: str | Path) -> Any:
    common = ("--resamples", "0", "--no-cases", "--out", out)
    code, _, err = run(capsys, "evaluate", *arguments, *common)
    assert code == 0, err
    return json.loads((out / "report.json").read_text("utf-8"))["systems"], err


def means(system: dict[str, Any]) -> dict[str, float | None]:
    return {key: one["mean"] for key, one in system["summary"]["metrics"].items()}


def test_rows_of_other_programs_are_measured(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    golds = [case.gold for case in cases if case.gold]
    quotes = [step.evidence.text for step in golds[0].steps]
    rows = [
        {"id": golds[0].id, "diagnosis": golds[0].diagnosis, "quotes": quotes},
        {"id": golds[1].id, "text": golds[1].text(), "model": "theirs"},
        {
            "id": golds[2].id,
            "diagnosis": golds[2].diagnosis.lower(),
            "steps": [
                {"quote": golds[2].steps[0].evidence.text, "rationale": "It fits."},
                {"evidence": {"text": "nothing of this note"}, "supports": golds[2].path[0]},
            ],
        },
        {"id": golds[3].id, "diagnosis": "Rabies"},
    ]
    answers = read_predictions(write(tmp_path / "p.jsonl", rows), by_id(cases))
    accounts = list(answers.accounts.values())
    assert [account.path for account in accounts[:3]] == [gold.path for gold in golds[:3]]
    assert [o.text for o in accounts[0].observations] == quotes
    assert all(o.grounded and o.span for o in accounts[0].observations)
    assert [o.grounded for o in accounts[2].observations] == [True, False]
    assert accounts[3].path == ("Rabies",) and accounts[3].category == ""
    assert answers.count_problems() == {"form": 1}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"diagnosis": 5}, "'diagnosis' is not text"),
        ({}, "neither 'diagnosis' nor 'text'"),
        ({"text": "Probably a cold."}, "FINAL DIAGNOSIS"),
        ({"diagnosis": "Asthma", "quotes": "cough"}, "not a list"),
        ({"diagnosis": "Asthma", "steps": [{"rationale": "x"}]}, "step 1"),
        ({"probability": float("nan")}, "differential[0].probability"),
        ({"probability": "0.5"}, "differential[0].probability"),
        ({"probability": None}, "differential[0].probability"),
        ({"probability": 97.0}, "differential[0].probability"),
        ({"timing": {"total_s": "fast"}}, "timing.total_s"),
    ],
)
def test_a_row_that_cannot_be_read_is_one_line(
    capsys: pytest.CaptureFixture[str],
    cases: list[AnnotatedCase],
    corpus: Path,
    tmp_path: Path,
    row: dict[str, Any],
    says: str,
) -> None:
    gold = cases[0].gold
    assert gold is not None
    bad = {"id": gold.id, **row}
    if "probability" in row:
        entry = {"diagnosis": gold.diagnosis, "category": gold.category, **row}
        bad = gold.to_json() | {"differential": [entry]}
    elif "timing" in row:
        bad = gold.to_json() | row
    file = write(tmp_path / "p.jsonl", [bad, {"id": cases[1].id, "diagnosis": "Asthma"}])
    systems, err = evaluate(capsys, tmp_path / "ev", "--corpus", corpus, "--predictions", file)
    assert systems[0]["summary"]["status"] == {"broken": 1, "answered": 1, "missing": 2}
    (line,) = [line for line in err.splitlines() if "line 1" in line]
    assert says in line and "internal error" not in err


def test_problems_that_are_alike_are_told_once(
    capsys: pytest.CaptureFixture[str],
    cases: list[AnnotatedCase],
    corpus: Path,
    tmp_path: Path,
) -> None:
    said = ["Asthma", "Asthma", "anterior STEMI", "Asthma"]
    rows = [{"id": case.id, "diagnosis": name} for case, name in zip(cases, said, strict=True)]
    file = write(tmp_path / "p.jsonl", rows)
    _, err = evaluate(capsys, tmp_path / "ev", "--corpus", corpus, "--predictions", file)
    alike, other = err.splitlines()
    assert alike.endswith("there is no step [form], and 2 more like it")
    assert "did you mean 'STEMI-ACS'?" in other


def test_answers_that_knew_all_wordings_are_labelled_on_a_hard_split(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    hard = [Composer(1).case(number, hard=True) for number in range(2)]
    write_jsonl(tmp_path / "hard.jsonl", hard)
    rows = [case.gold.to_json() for case in hard if case.gold]
    both = []
    for wordings in ("all", "training"):
        file = write(tmp_path / f"{wordings}.jsonl", [row | {"wordings": wordings} for row in rows])
        both += ["--predictions", str(file)]
    out = tmp_path / "ev"
    systems, err = evaluate(capsys, out, "--corpus", tmp_path / "hard.jsonl", *both)
    assert [system["wordings"] for system in systems] == ["all (flatters)", "training"]
    assert err.count("2 answers on a hard split were made with all wordings") == 1
    assert "| Wordings known | all (flatters) | training |" in (out / "report.md").read_text(
        "utf-8"
    )


def test_another_system_in_the_same_folder_answers_again(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    def system(base: str) -> System:
        def answer(case: AnnotatedCase) -> Any:
            asked.append(f"{base} {case.id}")
            return case.gold

        return System(Identity("m", base), answer)

    file = tmp_path / "predictions.jsonl"
    run_system(system("a"), cases, file)
    run_system(system("a"), cases, file)
    assert len(asked) == len(cases)
    run_system(system("b"), cases, file)
    assert len(asked) == 2 * len(cases)
    changed = replace(cases[0], case=replace(cases[0].case, note=cases[0].case.note + " "))
    run_system(system("b"), [changed, *cases[1:]], file)
    assert asked[2 * len(cases) :] == [f"b {cases[0].id}"]
    assert len(list(read_jsonl(file))) == len(cases)


def test_baselines_that_learnt_from_other_cases_answer_again(
    capsys: pytest.CaptureFixture[str],
    cases: list[AnnotatedCase],
    corpus: Path,
    tmp_path: Path,
) -> None:
    found = []
    for number in (0, 1):
        write_jsonl(tmp_path / "train.jsonl", [cases[number]])
        train = ("--baseline", "majority", "--train", tmp_path / "train.jsonl")
        systems, _ = evaluate(capsys, tmp_path / "ev", "--corpus", corpus, *train)
        found.append(systems[0]["summary"]["confusions"]["diagnosis"])
    assert found[0] != found[1]


@pytest.mark.slow
def test_two_models_of_one_file_name_have_folders_of_their_own(
    capsys: pytest.CaptureFixture[str],
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(model: str, **_: Any) -> Reasoner:
        return Reasoner(Unread(), ModelInfo("model", base_sha256=model))

    monkeypatch.setattr("dxtrace.models.loading.load", load)
    models = ("--model", "a/model.gguf", "--model", "b/model.gguf", "--limit", "1")
    systems, err = evaluate(capsys, tmp_path / "ev", "--corpus", corpus, *models)
    assert [system["name"] for system in systems] == ["a/model.gguf", "b/model.gguf"]
    assert [system["model"]["base_sha256"] for system in systems] == [
        "a/model.gguf",
        "b/model.gguf",
    ]
    evaluate(capsys, tmp_path / "ev", "--corpus", corpus, *models[:4])
    _, err = evaluate(capsys, tmp_path / "ev", "--corpus", corpus, *models)
    assert "unknown-id" not in err


def test_what_was_scored_last_is_what_is_compared(
    capsys: pytest.CaptureFixture[str],
    cases: list[AnnotatedCase],
    corpus: Path,
    tmp_path: Path,
) -> None:
    right = [case.gold.to_json() for case in cases if case.gold]
    wrong = [{"id": case.id, "diagnosis": "Rabies"} for case in cases]
    out, file = tmp_path / "ev", tmp_path / "p.jsonl"
    for rows in (right, wrong, right):
        evaluate(capsys, out, "--corpus", corpus, "--predictions", write(file, rows))
    (out / "report.json").rename(tmp_path / "first.json")
    compared, _ = evaluate(capsys, tmp_path / "c", "--compare", out / "p", out / "p")
    assert means(compared[0])["acc_diag"] == 1


def test_nothing_of_a_user_is_overwritten_unasked(
    capsys: pytest.CaptureFixture[str],
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = "my own words"
    for name in ("README.md", "page.html", "report.md", "out.gguf"):
        (tmp_path / name).write_text(mine)
    commands = [
        (("corpus", "make", "--size", "1", "--out", "."), "README.md"),
        (("view", corpus, "--out", "page.html"), "page.html"),
        (("export", "run", "--out", "out.gguf"), "out.gguf"),
        (("evaluate", "--corpus", corpus, "--baseline", "gold", "--out", "."), "report.md"),
    ]
    for command, name in commands:
        code, out, err = run(capsys, *command)
        assert (code, out) == (2, "") and err.startswith(f"dxtrace: {name}: is")
        assert (tmp_path / name).read_text() == mine
    assert run(capsys, "view", corpus, "--out", "page.html", "--force")[0] == 0
    assert run(capsys, "view", corpus, "--out", "page.html")[0] == 0


@pytest.mark.slow
def test_another_corpus_or_split_is_not_replaced_unasked(
    capsys: pytest.CaptureFixture[str],
    corpus: Path,
    tmp_path: Path,
) -> None:
    make = ("corpus", "make", "--size", "1", "--out", tmp_path / "made", "--seed")
    assert run(capsys, *make, "1")[0] == 0
    assert run(capsys, *make, "1")[0] == 0
    assert run(capsys, *make, "2")[0] == 2
    assert run(capsys, *make, "2", "--force")[0] == 0
    split = ("corpus", "split", corpus, "--out", tmp_path / "split", "--seed")
    assert [run(capsys, *split, seed)[0] for seed in "112"] == [0, 0, 2]


def test_a_line_separator_in_a_note_is_no_end_of_a_row(
    capsys: pytest.CaptureFixture[str],
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    rows = [case.to_json() | {"id": f"{case.id}\u2028{n}"} for n, case in enumerate(cases)]
    file = tmp_path / "c.jsonl"
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text(text, "utf-8")
    for _ in range(2):
        _, err = evaluate(capsys, tmp_path / "ev", "--corpus", file, "--baseline", "gold")
        assert "duplicate-id" not in err
    assert len(list(read_jsonl(tmp_path / "ev" / "gold" / "predictions.jsonl"))) == len(cases)
    pairs = tmp_path / "pairs.jsonl"
    pair = {"one": "a\u2028b", "other": "a b", "same": True}
    pairs.write_text(json.dumps(pair, ensure_ascii=False) + "\n", "utf-8")
    assert run(capsys, "judge-agreement", pairs)[0] == 0


def test_a_piped_result_is_the_one_that_is_shown(
    capsys: pytest.CaptureFixture[str],
    cases: list[AnnotatedCase],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_model(*_: Any, **__: Any) -> Reasoner:
        raise CorpusError("the result is there already")

    monkeypatch.setattr("dxtrace.models.loading.load", no_model)
    gold = cases[0].gold
    assert gold is not None
    piped = json.dumps(gold.to_json(), indent=2).encode()
    page = tmp_path / "p.html"
    assert run(capsys, "view", "-", "--out", page, stdin=b"\n " + piped)[0] == 0
    assert gold.diagnosis in page.read_text("utf-8")
    (tmp_path / "saved.txt").write_bytes(piped)
    assert run(capsys, "view", tmp_path / "saved.txt", "--out", page)[0] == 0


@pytest.mark.parametrize(
    "rows",
    [
        [{"foo": 1}],
        [{"text": "no published form"}],
        [{"diagnosis": 7}],
        [{"error": {"type": "EngineError", "message": "x"}}],
    ],
)
def test_a_file_without_one_answer_gives_no_table_of_zeros(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    rows: list[dict[str, object]],
) -> None:
    corpus = tmp_path / "corpus.jsonl"
    note = "Two weeks of fever. CXR: right upper lobe cavity."
    step = {"rationale": "It is typical.", "evidence": "right upper lobe cavity"}
    case = {"id": "1", "note": note, "diagnosis": "Tuberculosis", "steps": [step]}
    corpus.write_text(json.dumps(case) + "\n")
    file = tmp_path / "theirs.jsonl"
    file.write_text("".join(json.dumps({"id": "1"} | row) + "\n" for row in rows))
    arguments = ("--predictions", file, "--corpus", corpus, "--out", tmp_path / "out")
    code, out, err = run(capsys, "evaluate", *arguments)
    assert code == 2
    assert not out
    assert str(file) in err
    assert len(err.splitlines()) == 1
