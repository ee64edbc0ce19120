"""From files to a report: broken rows, published folders, resuming, comparing, what the page shows
and hides.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dxtrace.cli import evaluate as command
from dxtrace.cli import judges
from dxtrace.compose import Composer
from dxtrace.corpus import Corpus, open_corpus
from dxtrace.corpus.systems import Identity, System
from dxtrace.errors import CaseError, InputError
from dxtrace.evaluate import (
    Judges,
    Scored,
    Settings,
    html_report,
    load_results,
    make_baseline,
    markdown_table,
    open_judge,
    prediction_file,
    read_predictions,
    report_data,
    run_system,
    score_cases,
    score_evaluations,
    write_published,
)
from dxtrace.evaluate.answers import gold_account
from dxtrace.evaluate.judges import LexicalJudge
from dxtrace.evaluate.judges.base import Verdict
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CREDENTIALED_RULE, CorpusInfo

JUDGES = Judges(open_judge("spans"), open_judge("lexical"))


@pytest.fixture(scope="module")
def cases() -> list[AnnotatedCase]:
    composer = Composer(11)
    return [composer.case(number) for number in range(24)]


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows),
        encoding="utf-8",
    )
    return path


def gold_rows(cases: list[AnnotatedCase]) -> list[dict[str, Any]]:
    return [case.gold.to_json() for case in cases if case.gold]


def by_id(cases: list[AnnotatedCase]) -> dict[str, AnnotatedCase]:
    return {case.id: case for case in cases}


def test_every_bad_row_is_named_by_its_line_and_the_rest_is_measured(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    rows = gold_rows(cases)[:10]
    broken = {key: value for key, value in rows[1].items() if key != "path"}
    bad = [
        "{not json",
        "[1]",
        json.dumps({"note": "no id"}),
        {"id": "of-nobody", "error": {"type": "X", "message": "y"}},
        rows[0],
        broken,
        {"id": rows[2]["id"], "error": {"type": "EngineError", "message": "CANARY"}},
        {**rows[3], "steps": "x"},
        rows[0],
        {**rows[4], "note": None},
    ]
    answers = read_predictions(write_rows(tmp_path / "p.jsonl", bad), by_id(cases[:10]))
    kinds = {
        (int(m[1]), p.kind) for p in answers.problems if (m := re.search(r"line (\d+)", p.place))
    }
    expected = {
        (1, "bad-json"),
        (2, "bad-shape"),
        (3, "no-id"),
        (4, "unknown-id"),
        (6, "bad-shape"),
        (7, "error-row"),
        (8, "bad-shape"),
    }
    assert kinds >= {*expected, (9, "duplicate-id")}
    assert [p.id for p in answers.problems if p.kind == "missing"] == [
        case.id for case in cases[5:10]
    ]
    assert not any("CANARY" in str(problem) for problem in answers.problems)
    results = score_cases(answers, cases[:10], JUDGES)
    assert [result.status for result in results][:3] == ["answered", "broken", "broken"]
    assert sum(result.scores["acc_diag"] or 0 for result in results) == 1


def test_an_answer_after_an_error_row_counts(cases: list[AnnotatedCase], tmp_path: Path) -> None:
    row = gold_rows(cases)[0]
    path = write_rows(
        tmp_path / "p.jsonl",
        [{"id": row["id"], "error": {"type": "X", "message": "y"}}, row],
    )
    assert list(read_predictions(path, by_id(cases)).accounts) == [row["id"]]


def test_nothing_usable_is_an_error(cases: list[AnnotatedCase], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_predictions(tmp_path / "none.jsonl", by_id(cases))
    with pytest.raises(InputError, match="no prediction"):
        read_predictions(write_rows(tmp_path / "p.jsonl", [{"id": "x"}]), by_id(cases))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="no prediction"):
        read_predictions(tmp_path / "folder", by_id(cases))


@pytest.mark.slow
def test_published_folders_go_out_and_come_back_with_the_same_numbers(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    system = make_baseline("findings")
    file = run_system(system, cases, tmp_path / "rows.jsonl")
    answers = read_predictions(file, by_id(cases))
    scored = Scored("findings", score_cases(answers, cases, JUDGES), answers)
    assert write_published(tmp_path / "out", scored, by_id(cases)) == len(cases)
    again = score_evaluations(tmp_path / "out" / "predictions_eval", by_id(cases))
    ours = {result.id: result.scores for result in scored.results}
    for result in again.results:
        for key in ("acc_cat", "acc_diag", "obs_pre", "obs_rec", "obs_comp", "exp_com", "exp_all"):
            assert result.scores[key] == ours[result.id][key]
    read = read_predictions(tmp_path / "out" / "predictions", by_id(cases))
    assert read.count_problems() == {}
    for result in score_cases(read, cases, JUDGES):
        assert result.scores["acc_diag"] == ours[result.id]["acc_diag"]
        assert result.scores["obs_comp"] == pytest.approx(ours[result.id]["obs_comp"], abs=0.35)


def test_other_peoples_folders_are_read_as_far_as_they_can_be(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    named = [
        replace(case, case=replace(case.case, id=f"Heart Failure/x/{case.id}"))
        for case in cases[:3]
    ]
    account = prediction_file(gold_account(cases[0]))
    folder = tmp_path / "predict_model" / "samples" / "Heart Failure" / "x"
    folder.mkdir(parents=True)
    (folder / f"{cases[0].id}.json").write_text(json.dumps(account))
    (folder / f"{cases[1].id}.json").write_text("{")
    (folder / "readme.json").write_text("{}")
    (folder / "stranger.json").write_text(json.dumps(account))
    (folder / f"{cases[2].id}.json").write_text(json.dumps({"chain": "x"}))
    answers = read_predictions(tmp_path / "predict_model", by_id(named))
    assert list(answers.accounts) == [named[0].id]
    assert answers.count_problems() == {
        "bad-json": 1,
        "bad-shape": 1,
        "other-file": 1,
        "unknown-id": 1,
        "missing": 1,
    }


def test_an_interrupted_scoring_judges_nothing_twice(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    class Counting(LexicalJudge):
        asked = 0

        def judge(self, pairs: Any) -> list[Verdict]:
            Counting.asked += len(pairs)
            return super().judge(pairs)

    answers = read_predictions(write_rows(tmp_path / "p.jsonl", gold_rows(cases)), by_id(cases))
    judges = Judges(open_judge("spans"), Counting())
    store = tmp_path / "results.jsonl"

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_cases(answers, cases, judges, store, stop)
    first = Counting.asked
    store.write_text(store.read_text() + '{"key": "broke')
    results = score_cases(answers, cases, judges, store)
    assert 0 < first < Counting.asked
    asked = Counting.asked
    assert (
        score_cases(answers, cases, judges, store) == results == score_cases(answers, cases, judges)
    )
    assert Counting.asked == 2 * asked
    assert sorted(r.id for r in load_results(store)) == sorted(case.id for case in cases)
    assert not any(case.case.note[:60] in store.read_text() for case in cases)


def test_an_interrupted_run_answers_nothing_twice(
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    def system(case: AnnotatedCase) -> Any:
        asked.append(case.id)
        if len(asked) == 4:
            raise KeyboardInterrupt
        if case.id == cases[1].id:
            raise CaseError("this one fails")
        return case.gold

    stopping = System(Identity("stopping"), system)
    with pytest.raises(KeyboardInterrupt):
        run_system(stopping, cases[:8], tmp_path / "p.jsonl")
    run_system(stopping, cases[:8], tmp_path / "p.jsonl")
    twice = [cases[1].id, cases[3].id]  # an error is tried again, and so is what was interrupted
    assert sorted(asked) == sorted([*(case.id for case in cases[:8]), *twice])
    answers = read_predictions(tmp_path / "p.jsonl", by_id(cases[:8]))
    assert len(answers.accounts) == 7 and list(answers.broken) == [cases[1].id]


def scored(name: str, cases: list[AnnotatedCase], tmp_path: Path) -> Scored:
    file = run_system(make_baseline(name, cases), cases, tmp_path / f"{name}.jsonl")
    answers = read_predictions(file, by_id(cases))
    return Scored(name, score_cases(answers, cases, JUDGES), answers)


@pytest.fixture(scope="module")
def systems(cases: list[AnnotatedCase], tmp_path_factory: pytest.TempPathFactory) -> list[Scored]:
    return [
        scored(name, cases, tmp_path_factory.mktemp("systems"))
        for name in ("findings", "gold", "majority")
    ]


INFO = CorpusInfo("a <b>corpus</b>", "x-1", "00ff", "Apache-2.0")


def test_the_page_is_self_contained_and_escapes_what_it_shows(
    cases: list[AnnotatedCase],
    systems: list[Scored],
) -> None:
    evil = [replace(systems[0], name="<script>alert(1)</script>"), *systems[1:]]
    data = report_data(evil, Settings(JUDGES.to_json(), resamples=200), INFO)
    page = html_report(data, evil, by_id(cases))
    assert "<script" not in page and "<b>corpus</b>" not in page
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|https?://""", page)
    assert (
        page.count("<svg")
        == page.count('role="img" aria-label="')
        == page.count("<title>") - 1
        >= 4
    )
    assert "default-src 'none'" in page
    assert all(
        text in page
        for text in ("not comparable", "Best and worst", "Holm", "Where evidence was found", "n=24")
    )
    json.dumps(data, allow_nan=False)


def test_the_ceiling_is_told_from_the_floor(systems: list[Scored]) -> None:
    data = report_data(systems, Settings(JUDGES.to_json(), resamples=200), INFO)
    gold = data["systems"][1]["summary"]
    assert (
        gold["metrics"]["acc_diag"]["mean"]
        == gold["macro_f1"]["diagnosis"]
        == gold["pooled"]["exp_all"]
        == 1
    )
    floor = {one["key"]: one for one in data["comparisons"][1]["metrics"]}
    assert floor["acc_diag"]["difference"] < 0 and floor["acc_diag"]["mcnemar"] < 0.01
    assert sum(group["n"] for group in gold["groups"]["category"].values()) == 24
    table = markdown_table(data)
    assert "| p (Holm) |" in table and " against " in table
    assert "| Acc_diag |" in table and "n=24" in table and "lexical" in table


def test_shuffled_gold_falls_to_chance(cases: list[AnnotatedCase], tmp_path: Path) -> None:
    rows = gold_rows(cases)
    turned = [
        {**rows[(i + 7) % len(rows)], "id": row["id"], "note": row["note"]}
        for i, row in enumerate(rows)
    ]
    answers = read_predictions(write_rows(tmp_path / "p.jsonl", turned), by_id(cases))
    results = score_cases(answers, cases, JUDGES)
    for key, most in (
        ("acc_diag", 0.2),
        ("obs_comp", 0.15),
        ("exp_all", 0.05),
        ("evidence_f1", 0.2),
        ("grounded", 0.1),
    ):
        values = [result.scores[key] or 0 for result in results]
        assert sum(values) / len(values) <= most, key


# --- the command


def invoke(*arguments: object) -> Any:
    app = typer.Typer()
    app.command("evaluate")(command.evaluate)
    app.command("judge-agreement")(judges.judge_agreement)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def corpus(cases: list[AnnotatedCase], tmp_path: Path) -> Path:
    return write_rows(tmp_path / "cases.jsonl", [case.to_json() for case in cases[:12]])


def test_the_command_writes_everything_and_says_the_table(
    corpus: Path,
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    rows = write_rows(tmp_path / "mine.jsonl", [*gold_rows(cases)[:11], "{"])
    out = tmp_path / "out"
    arguments = (
        "evaluate",
        "--predictions",
        f"mine={rows}",
        "--baseline",
        "findings",
        "--corpus",
        corpus,
        "--out",
        out,
    )
    done = invoke(*arguments, "--resamples", 200, "--published", tmp_path / "pub")
    assert done.exit_code == 0, done.output
    assert "| Acc_diag | 91.7 %" in done.stdout and "1 missing" not in done.stdout
    data = json.loads((out / "report.json").read_text())
    assert data["systems"][0]["problem_counts"] == {"bad-json": 1, "missing": 1}
    assert data["judges"]["observations"].startswith("spans")
    assert "counted as 0" in (out / "report.html").read_text()
    assert (out / "report.md").read_text() in done.stdout
    assert len(list((tmp_path / "pub" / "mine" / "predictions_eval").rglob("*.json"))) == 11
    compared = invoke(
        "evaluate",
        "--compare",
        out / "mine",
        out / "findings",
        "--out",
        tmp_path / "both",
        "--resamples",
        200,
    )
    assert compared.exit_code == 0, compared.output
    assert [
        one["key"]
        for one in json.loads((tmp_path / "both" / "report.json").read_text())["comparisons"][0][
            "metrics"
        ]
    ]
    evaluations = tmp_path / "pub" / "mine" / "predictions_eval"
    assert (
        invoke(
            "evaluate",
            "--predictions",
            evaluations,
            "--out",
            tmp_path / "third",
            "--resamples",
            0,
        ).exit_code
        == 0
    )


def test_credentialed_cases_are_not_shown_unless_asked(
    corpus: Path,
    cases: list[AnnotatedCase],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sealed(spec: str) -> Corpus:
        read = open_corpus(spec)
        return replace(read, info=replace(read.info, credentialed=True))

    monkeypatch.setattr(command, "open_corpus", sealed)
    rows = write_rows(tmp_path / "mine.jsonl", gold_rows(cases)[:12])
    arguments = (
        "evaluate",
        "--predictions",
        rows,
        "--corpus",
        corpus,
        "--resamples",
        0,
        "--out",
        tmp_path / "out",
    )
    assert invoke(*arguments).exit_code == 0
    written = "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert CREDENTIALED_RULE[:60] in written
    quotes = [
        step.evidence.text
        for case in cases[:12]
        if case.gold
        for step in case.gold.steps
        if len(step.evidence.text) > 30
    ]
    assert quotes and not any(json.dumps(quote)[1:-1] in written for quote in quotes)
    assert invoke(*arguments, "--show-cases").exit_code == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "dxt-note" in page.split("<main>")[1]
    away = invoke(
        *arguments,
        "--judge-rationales",
        "llm",
        "--judge-url",
        "https://example.org/v1",
        "--judge-model",
        "m",
    )
    assert isinstance(away.exception, InputError) and "--send-credentialed-data" in str(
        away.exception,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "--out OUT",
        "--predictions ROWS",
        "--predictions NOWHERE --corpus CORPUS",
        "--baseline keyword --corpus CORPUS",
        "--baseline tfidf --corpus CORPUS",
        "--baseline gold",
        "--predictions ROWS --corpus CORPUS --perturb 2",
        "--predictions ROWS --corpus CORPUS --judge-rationales spam",
    ],
)
def test_a_wrong_command_is_an_input_error(
    arguments: str,
    corpus: Path,
    cases: list[AnnotatedCase],
    tmp_path: Path,
) -> None:
    rows = write_rows(tmp_path / "mine.jsonl", gold_rows(cases)[:3])
    places = {"ROWS": rows, "CORPUS": corpus, "OUT": tmp_path / "out", "NOWHERE": tmp_path / "none"}
    assert isinstance(
        invoke("evaluate", *(places.get(word, word) for word in arguments.split())).exception,
        InputError,
    )


def test_judges_are_compared_with_a_humans_labels() -> None:
    pairs = Path(__file__).parent / "data" / "judge_pairs.jsonl"
    said = invoke("judge-agreement", pairs, "--judge", "lexical")
    assert said.exit_code == 0
    assert "kappa" in said.stdout and "negation: called the same" in said.stdout
    (found,) = json.loads(invoke("judge-agreement", pairs, "--json").stdout)
    assert found["first"] == "human" and found["n"] >= 300


@pytest.mark.slow
def test_learnt_baselines_beat_the_majority(cases: list[AnnotatedCase]) -> None:
    composer = Composer(5)
    train = [composer.case(number) for number in range(100)]
    right = {}
    for name in ("majority", "tfidf", "nearest", "boosting", "gold"):
        system = make_baseline(name, train)
        chains = [system(case) for case in cases]
        for chain in chains:
            chain.verify()
        right[name] = sum(
            c.category == a.gold.category for c, a in zip(chains, cases, strict=True) if a.gold
        )
    assert right["gold"] == len(cases)
    assert min(right["tfidf"], right["nearest"], right["boosting"]) > 2 * right["majority"]
