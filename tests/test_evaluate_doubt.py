"""What is measured of a system's doubt: other illnesses, withheld answers, changed cases."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dxtrace.chain import Differential, Ranked
from dxtrace.cli import app
from dxtrace.compose import Composer
from dxtrace.evaluate.answers import Account, gold_account
from dxtrace.evaluate.metrics.faithful import ShownSteps, faithful_curve, faithful_share
from dxtrace.evaluate.metrics.robustness import Trial, robustness
from dxtrace.evaluate.metrics.scope import Doubt, auroc, false_answers, measure_scope
from dxtrace.evaluate.perturb import choose, paraphrase, remove, reorder, suggestion, variants
from dxtrace.evaluate.scope import doubt_of
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case

INSIDE = [0.1, 0.2, 0.2, 0.4]
OUTSIDE = [0.2, 0.5, 0.9]


def test_auroc_and_false_answers_are_those_of_a_hand_count() -> None:
    # of 12 pairs: 0.2 is above one and equal to two of four, 0.5 and 0.9 are above all four
    assert auroc(OUTSIDE, INSIDE) == pytest.approx((1 + 2 / 2 + 4 + 4) / 12, abs=1e-12)
    # all four inside are kept from 0.4 on: of those outside one is answered
    assert false_answers(INSIDE, OUTSIDE, 0.95) == pytest.approx(1 / 3, abs=1e-12)
    # three quarters are kept from 0.2 on: the one with 0.2 is answered too
    assert false_answers(INSIDE, OUTSIDE, 0.75) == pytest.approx(1 / 3, abs=1e-12)
    assert false_answers(INSIDE, OUTSIDE, 0.25) == 0


def doubts() -> list[Doubt]:
    cases = [Doubt(True, value, True, f"in {n}") for n, value in enumerate(INSIDE)]
    cases += [Doubt(False, value, value < 0.3, f"out {n}") for n, value in enumerate(OUTSIDE)]
    return cases


def test_a_system_that_knows_what_it_does_not_know() -> None:
    found = measure_scope(doubts(), resamples=200)
    assert found is not None
    assert (found.inside, found.outside) == (4, 3)
    assert found.answered_inside == 1
    assert found.answered_outside == pytest.approx(1 / 3)
    assert [one.kept for one in found.false_answers] == [0.95, 0.9]
    assert found.curve[0] == (0, 0)
    assert found.curve[-1] == (1, 1)
    low, high = found.auroc_interval.low, found.auroc_interval.high
    assert low is not None and high is not None and low <= found.auroc <= high
    assert measure_scope([case for case in doubts() if case.inside]) is None
    json.dumps(found.to_json(), allow_nan=False)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_auroc_is_scikit_learns(inside: list[float], outside: list[float]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth = [0] * len(inside) + [1] * len(outside)
    theirs = metrics.roc_auc_score(truth, [*inside, *outside])
    assert auroc(outside, inside) == pytest.approx(theirs, abs=1e-12)


def test_doubt_is_what_is_stated_or_what_the_likeliest_category_leaves() -> None:
    entries = (
        Ranked("HFrEF", "Heart Failure", 0.5),
        Ranked("HFpEF", "Heart Failure", 0.2),
        Ranked("Asthma", "Asthma", 0.3),
    )
    account = Account("a", "Heart Failure", ("HFrEF",), (), Differential(entries))
    assert doubt_of(account) == pytest.approx(0.3)
    assert doubt_of(replace(account, out_of_scope=0.9)) == 0.9
    assert doubt_of(replace(account, differential=Differential(()))) is None


def test_withholding_doubtful_answers_is_a_hand_count() -> None:
    answers = [
        ShownSteps(0.9, 4, 4, "a"),
        ShownSteps(0.8, 2, 1, "b"),
        ShownSteps(0.3, 4, 0, "c"),
        ShownSteps(0.1, 0, 0, "d"),
    ]
    assert faithful_share(answers) == pytest.approx(5 / 10, abs=1e-12)
    assert faithful_share(answers, 0.25) == pytest.approx(5 / 10, abs=1e-12)
    assert faithful_share(answers, 0.5) == pytest.approx(5 / 6, abs=1e-12)
    assert faithful_share(answers[3:]) is None
    curve = faithful_curve(answers, resamples=50)
    assert [point.answers for point in curve][:3] == [4, 4, 4]
    assert curve[5].faithful == pytest.approx(5 / 6)
    assert curve[0].interval.low is not None


def account(diagnosis: str, status: str = "answered", first: str = "") -> Account:
    node = Taxonomy.default().find(first or diagnosis)
    ranked = Differential((Ranked(node.name, node.category, 1.0),))
    return Account("x", node.category, node.path, (), ranked, status=status, named=bool(diagnosis))  # type: ignore[arg-type]


def test_what_came_of_changed_cases_is_a_hand_count() -> None:
    heart, lung = account("HFrEF"), account("Asthma")
    unnamed = account("", "type_open", first="HFrEF")
    trials = [
        Trial(
            "a",
            heart,
            {
                "without_key_evidence": unnamed,
                "without_quotes": unnamed,
                "without_random_lines": heart,
                "suggested": lung,
                "reordered": heart,
            },
            "Asthma",
        ),
        Trial(
            "b",
            heart,
            {
                "without_key_evidence": heart,
                "without_quotes": heart,
                "without_random_lines": heart,
                "suggested": heart,
                "reordered": unnamed,
                "paraphrased": heart,
            },
            "Asthma",
        ),
        # where no diagnosis was named none can stay, but the decision can
        Trial("c", unnamed, {"without_quotes": heart, "reordered": unnamed}, "Asthma"),
    ]
    found = robustness(trials, resamples=50)
    means = {key: (one.mean, one.n) for key, one in found.items()}
    assert means == {
        "stays_without_key_evidence": (0.5, 2),
        "stays_without_quotes": (0.5, 2),
        "stays_without_random_lines": (1.0, 2),
        "rests_on_quotes": (0.5, 2),
        "anchored": (0.5, 2),
        "anchored_before": (0.0, 3),
        "same_when_reordered": (pytest.approx(2 / 3), 3),
        "same_when_paraphrased": (1.0, 1),
    }
    assert found["anchored"].wilson is not None
    assert found["rests_on_quotes"].wilson is None


@pytest.fixture(scope="module")
def cases() -> list[AnnotatedCase]:
    composer = Composer(11)
    return [composer.case(number) for number in range(6)]


def test_variants_change_what_they_say_and_nothing_else(cases: list[AnnotatedCase]) -> None:
    for case in cases:
        found = variants(case, gold_account(case))
        note = case.case.note
        assert found["suggested"].case.note.startswith(note.rstrip())
        assert suggestion(case) in found["suggested"].case.note
        assert case.gold is not None
        assert Taxonomy.default().find(suggestion(case)).category != case.gold.category
        without = found["without_key_evidence"].case.note
        assert not any(step.evidence.text in without for step in case.gold.steps)
        reordered = found.get("reordered", case).case.note
        assert Counter(reordered.split()) == Counter(note.split())
        assert (reordered == note) == (len(case.case.sections) < 2)
        # the answer quotes the gold evidence, so its quotes are what else is removed
        assert found["without_quotes"].case.note == without
        random_lines = found.get("without_random_lines")
        if random_lines is not None:
            assert all(step.evidence.text in random_lines.case.note for step in case.gold.steps)
        assert found == variants(case, gold_account(case))
        assert all(one.tags == case.tags for one in found.values())


def test_small_changes_of_text() -> None:
    assert remove("abcdef", [(0, 2), (4, 5)]) == "cdf"
    assert paraphrase("He presents with dyspnea on exertion.") == (
        "He comes with breathlessness on exertion."
    )
    case = Case.from_text("Chief Complaint:\nCough\n\nPhysical Exam:\nWheezes.\n")
    assert reorder(case) == "Physical Exam:\nWheezes.\n\nChief Complaint:\nCough\n"
    assert reorder(Case.from_text("A cough.")) == "A cough."
    many = [replace(CASE, case=replace(CASE.case, id=str(number))) for number in range(9)]
    assert choose(many, 3) == choose(many, 3)
    assert len(choose(many, 99)) == 9


CASE = AnnotatedCase(Case.from_text("A cough."), None, "p", {})


@pytest.mark.slow
def test_the_command_measures_all_of_it(cases: list[AnnotatedCase], tmp_path: Path) -> None:
    corpus, other, out = tmp_path / "cases.jsonl", tmp_path / "other.jsonl", tmp_path / "out"
    corpus.write_text("".join(json.dumps(case.to_json()) + "\n" for case in cases))
    strange = []
    for number in range(3):
        note = "Chief Complaint:\nAn itching scalp\n\nPhysical Exam:\nNits on the hair.\n"
        text = f"{note}Seen on day {number}.\n"
        strange.append(AnnotatedCase(Case.from_text(text, f"o{number}"), None, f"o{number}", {}))
    other.write_text("".join(json.dumps(case.to_json()) + "\n" for case in strange))
    arguments = [
        "evaluate",
        "--baseline",
        "findings",
        "--baseline",
        "gold",
        "--corpus",
        str(corpus),
    ]
    arguments += ["--outside", str(other), "--perturb", "3", "--bridge", "--resamples", "50"]
    arguments += ["--out", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads((out / "report.json").read_text())
    system = report["systems"][0]
    assert system["scope"]["outside"] == 3
    assert system["robustness"]["stays_without_quotes"]["n"] <= 3
    assert set(system["bridge"]) == {"categories", "diagnoses"}
    page = (out / "report.html").read_text()
    for title in (
        "The score of BRIDGE",
        "Rare labels",
        "what it does not know",
        "What moves an answer",
        "What withholding buys",
        "Other people",
    ):
        assert title in page
    table = (out / "report.md").read_text()
    assert "AUROC" in table and "BRIDGE, categories" in table and "anchored" in table
    # the same command goes on where it was: nothing is answered twice
    answered = (out / "findings" / "perturbed.jsonl").stat().st_mtime_ns
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (out / "findings" / "perturbed.jsonl").stat().st_mtime_ns == answered


def test_a_corpus_of_known_illnesses_is_not_outside(
    cases: list[AnnotatedCase], tmp_path: Path
) -> None:
    corpus = tmp_path / "cases.jsonl"
    corpus.write_text("".join(json.dumps(case.to_json()) + "\n" for case in cases))
    arguments = [
        "evaluate",
        "--baseline",
        "gold",
        "--corpus",
        str(corpus),
        "--outside",
        str(corpus),
    ]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert "known illness" in str(done.exception)
