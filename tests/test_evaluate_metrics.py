"""The published metrics, matching, and what is measured beside them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dxtrace.chain import Chain, Differential, Ranked, Span, Step
from dxtrace.errors import InputError
from dxtrace.evaluate.answers import (
    Account,
    Observation,
    chain_account,
    gold_account,
    published_account,
)
from dxtrace.evaluate.judges.base import Verdict
from dxtrace.evaluate.judges.lexical import LexicalJudge
from dxtrace.evaluate.judges.spans import SpansJudge, dice
from dxtrace.evaluate.metrics.direct import Counts, evaluation_file, score_evaluation
from dxtrace.evaluate.metrics.pairing import match_greedy, match_optimal
from dxtrace.evaluate.metrics.per_case import (
    BY_KEY,
    METRICS,
    evidence_scores,
    redundancy,
    tree_distance,
)
from dxtrace.evaluate.scoring import CaseResult, Judges, score_case
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case

NOTE = (
    "Chief Complaint:\nShortness of breath\n\nHistory of Present Illness:\nHe sleeps on three pillows. "
    "Both legs are swollen. "
    "He denies chest pain.\n\nPertinent Results:\nBNP 1,240 pg/mL. The ejection fraction is 30%.\n"
)
LEXICAL = LexicalJudge()
JUDGES = Judges(SpansJudge(LEXICAL), LEXICAL)


def step(node: str, quote: str, rationale: str) -> Step:
    case = Case.from_text(NOTE)
    start = NOTE.index(quote)
    return Step(node, rationale, Span(quote, start, start + len(quote), case.section_at(start)))


def gold_case(id: str = "a") -> AnnotatedCase:
    node = Taxonomy.default().find("HFrEF")
    steps = (
        step(
            "Suspected Heart Failure",
            "He sleeps on three pillows",
            "Breathlessness on lying flat suggests raised filling pressures.",
        ),
        step(
            "Suspected Heart Failure",
            "Both legs are swollen",
            "Leg swelling reflects venous congestion.",
        ),
        step(
            "Strongly Suspected Heart Failure",
            "BNP 1,240 pg/mL",
            "A high natriuretic peptide points to heart failure.",
        ),
        step(
            "HFrEF",
            "The ejection fraction is 30%",
            "An ejection fraction below 40% defines the type.",
        ),
    )
    chain = Chain(id, NOTE, node.name, node.category, node.path, steps)
    case = Case.from_text(NOTE, id)
    return AnnotatedCase(case, chain, f"patient-{id}", {})


def account_of(chain: Chain) -> Account:
    return chain_account(chain, gold_case().case)


# The formulas once more, written down directly from facts: what the package must agree with.
def reference(data: dict[str, Any]) -> tuple[float, ...]:
    def cap(name: str) -> str:
        return " ".join(w[:1].upper() + w[1:] for w in name.split())

    paired, g, p = data["ob_record_paired"], data["len_ob_gt"], data["len_ob_pred"]
    big, union = len(paired), g + p - len(paired)
    small = 0
    for d_gt, d_pred, _, _, answer in paired.values():
        if d_gt is not None and d_pred is not None and answer == "Yes" and cap(d_gt) == cap(d_pred):
            small += 1
    cat = float(cap(data["chain_gt"][0]) == cap(data["chain_pred"][1]))
    diag = float(cap(data["chain_gt"][-1]) == cap(data["chain_pred"][-1]))
    return (
        cat,
        diag,
        big / (p + 1),
        big / (g + 1),
        big / union,
        small / big if big else 0.0,
        small / union,
    )


def random_evaluation(rng: random.Random) -> dict[str, Any]:
    names = [
        "Suspected ACS",
        "suspected ACS",
        "NSTEMI",
        "nstemi",
        "Heart  Failure",
        "heart failure",
        "STEMI-ACS",
    ]
    g, p = rng.randint(1, 20), rng.randint(0, 20)
    rows, columns = rng.sample(range(g), k=g), rng.sample(range(p), k=p)
    pairs = list(zip(rows, columns, strict=False))[: rng.randint(0, min(g, p))]
    answers = ["Yes", "No", "Yes.", "yes", ""]
    return {
        "chain_gt": rng.choices(names, k=rng.randint(1, 4)),
        "chain_pred": ["Some category", *rng.choices(names, k=rng.randint(1, 4))],
        "len_ob_gt": g,
        "len_ob_pred": p,
        "ob_record_paired": {
            f"[{i}, {j}]": [
                rng.choice([*names, None]),
                rng.choice([*names, None]),
                "r",
                "r",
                rng.choice(answers),
            ]
            for i, j in pairs
        },
    }


def test_published_scores_equal_the_formulas_on_random_evaluation_files() -> None:
    rng = random.Random(7)
    keys = ("acc_cat", "acc_diag", "obs_pre", "obs_rec", "obs_comp", "exp_com", "exp_all")
    for _ in range(600):
        data = json.loads(json.dumps(random_evaluation(rng)))
        scores = score_evaluation(data)
        for key, expected in zip(keys, reference(data), strict=True):
            assert scores[key] == pytest.approx(expected, abs=1e-12)


def test_an_evaluation_file_that_we_write_scores_as_its_case_does() -> None:
    case = gold_case()
    account = gold_account(case)
    answer = replace(account, observations=account.observations[:2])
    result = score_case(case, answer, JUDGES)
    triples = [(o.text, o.rationale, o.node) for o in account.observations]
    data = evaluation_file(
        account.path,
        (account.category, *account.path),
        triples,
        triples[:2],
        result.pairs,
    )
    again = score_evaluation(json.loads(json.dumps(data)))
    for key in ("acc_cat", "acc_diag", "obs_pre", "obs_rec", "obs_comp", "exp_com", "exp_all"):
        assert again[key] == result.scores[key]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"chain_gt": "x"},
        {"chain_gt": ["a"], "chain_pred": ["b", "a"], "ob_record_paired": {}},
        {
            "chain_gt": ["a"],
            "chain_pred": ["b", "a"],
            "len_ob_gt": -1,
            "len_ob_pred": 2,
            "ob_record_paired": {},
        },
        {
            "chain_gt": ["a"],
            "chain_pred": ["b", "a"],
            "len_ob_gt": 1,
            "len_ob_pred": 2,
            "ob_record_paired": {"[0, 0]": "Yes"},
        },
    ],
)
def test_a_broken_evaluation_file_is_named(data: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        score_evaluation(data)


@given(st.integers(0, 30), st.integers(0, 30), st.data())
def test_every_share_lies_between_0_and_1_and_more_matches_never_score_less(
    gold: int,
    predicted: int,
    data: st.DataObject,
) -> None:
    matched = data.draw(st.integers(0, min(gold, predicted)))
    explained = data.draw(st.integers(0, matched))
    scores = Counts(gold, predicted, matched, explained).scores()
    assert all(value is None or 0 <= value <= 1 for value in scores.values())
    if matched:
        fewer = Counts(gold, predicted, matched - 1, min(explained, matched - 1)).scores()
        for key in ("obs_pre", "obs_rec", "obs_comp", "obs_precision", "obs_recall", "obs_f1"):
            assert (fewer[key] or 0) < (scores[key] or 0)
        assert (fewer["exp_all"] or 0) <= (scores["exp_all"] or 0)


TABLES = st.integers(0, 6).flatmap(
    lambda width: st.lists(
        st.lists(
            st.builds(Verdict, st.booleans(), st.floats(0, 1, allow_nan=False)),
            min_size=width,
            max_size=width,
        ),
        max_size=6,
    ),
)


def largest(table: list[list[Verdict]], row: int = 0, used: frozenset[int] = frozenset()) -> int:
    if row == len(table):
        return 0
    taken = [
        1 + largest(table, row + 1, used | {j})
        for j, v in enumerate(table[row])
        if v.same and j not in used
    ]
    return max([largest(table, row + 1, used), *taken])


@given(TABLES)
@settings(max_examples=150)
def test_matchings_are_one_to_one_and_the_optimal_one_is_the_largest(
    table: list[list[Verdict]],
) -> None:
    greedy, optimal = match_greedy(table), match_optimal(table)
    for pairs in (greedy, optimal):
        assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
        assert all(table[i][j].same for i, j in pairs)
    assert len(optimal) == largest(table) >= len(greedy)


def test_greedy_takes_the_first_free_one_in_the_order_of_the_gold_side() -> None:
    yes, no = Verdict(True, 1.0), Verdict(False, 0.0)
    assert match_greedy([[yes, yes], [yes, no]]) == [(0, 0)]
    assert match_optimal([[yes, yes], [yes, no]]) == [(0, 1), (1, 0)]


def test_gold_as_prediction_is_perfect_wherever_the_formula_allows() -> None:
    case = gold_case()
    scores = score_case(case, gold_account(case), JUDGES).scores
    n = len(case.gold.steps) if case.gold else 0
    assert scores["obs_pre"] == scores["obs_rec"] == n / (n + 1)
    for metric in METRICS:
        value = scores[metric.key]
        if metric.better == "higher" and metric.key not in (
            "obs_pre",
            "obs_rec",
            "optimal_obs_pre",
            "optimal_obs_rec",
            "top_3",
            "top_5",
        ):
            assert value == 1.0, metric.key
    assert scores["tree_distance"] == scores["redundancy"] == 0


def test_a_missing_answer_scores_0_and_is_as_far_as_can_be() -> None:
    case = gold_case()
    result = score_case(case, None, JUDGES)
    assert result.status == "missing"
    assert score_case(case, None, JUDGES, broken=True).status == "broken"
    assert all(
        result.scores[m.key] == 0
        for m in METRICS
        if m.better == "higher" and m.key not in ("rationale_words", "selective_acc_diag")
    )
    assert result.scores["tree_distance"] == 8
    assert set(result.scores) == set(BY_KEY)


def abstaining(status: str, path: tuple[str, ...] = (), **changes: Any) -> Chain:
    steps = (step(path[0], "sleeps on three pillows", "Pillows."),) if path else ()
    category = "Heart Failure" if path else ""
    return Chain("a", NOTE, "", category, path, steps, status=status, **changes)  # type: ignore[arg-type]


def test_an_open_type_scores_its_category_and_no_diagnosis() -> None:
    chain = abstaining("type_open", ("Suspected Heart Failure",))
    account = chain_account(chain, Case.from_text(NOTE), chain.text())
    result = score_case(gold_case(), account, JUDGES)
    assert account.faults == () and result.outcome == "type_open"
    assert (result.predicted_diagnosis, result.predicted_category) == ("", "Heart Failure")
    wanted = {"acc_cat": 1, "acc_diag": 0, "named": 0, "answered": 1, "selective_acc_diag": None}
    assert {key: result.scores[key] for key in wanted} == wanted
    assert result.scores["tree_distance"] == 3 and result.scores["evidence_precision"] == 1


@pytest.mark.parametrize("status", ["not_supported", "out_of_scope"])
def test_no_diagnosis_is_no_answer_but_a_valid_one(status: str) -> None:
    ranked = (Ranked("HFrEF", "Heart Failure", 0.7), Ranked("HFpEF", "Heart Failure", 0.3))
    chain = abstaining(status, differential=Differential(ranked))
    account = chain_account(chain, Case.from_text(NOTE), chain.text())
    result = score_case(gold_case(), account, JUDGES)
    wanted = {"acc_cat": 0, "acc_diag": 0, "valid": 1, "named": 0, "top_3": 1}
    assert {key: result.scores[key] for key in wanted} == wanted
    assert result.outcome == status and result.predicted_category == ""
    assert result.stated is not None and (result.stated.confidence, result.stated.right) == (
        0.7,
        True,
    )


def test_a_chain_that_only_ends_too_early_is_not_valid() -> None:
    chain = abstaining("answered", ("Suspected Heart Failure",))
    account = chain_account(chain, Case.from_text(NOTE), None)
    assert "the path does not end at the diagnosis" in account.faults


def test_a_wrong_answer_is_measured_in_every_way() -> None:
    case = gold_case()
    other = Taxonomy.default().find("HFpEF")
    steps = (
        step(
            other.path[0],
            "sleeps on three pillows",
            "Breathlessness on lying flat suggests raised filling pressures.",
        ),
        step(other.path[0], "He denies chest pain", "Chest pain suggests ischaemia."),
    )
    chain = Chain(
        "a",
        NOTE,
        other.name,
        other.category,
        other.path,
        steps,
        Differential(
            (
                Ranked("HFpEF", "Heart Failure", 0.6),
                Ranked("NSTEMI", "Acute Coronary Syndrome", 0.3),
                Ranked("HFrEF", "Heart Failure", 0.1),
            )
        ),
    )
    result = score_case(case, account_of(chain), JUDGES)
    scores = result.scores
    assert (scores["acc_cat"], scores["acc_diag"], scores["top_3"], scores["tree_distance"]) == (
        1,
        0,
        1,
        2,
    )
    assert (scores["obs_pre"], scores["obs_rec"], scores["obs_comp"], scores["exp_all"]) == (
        1 / 3,
        1 / 5,
        1 / 5,
        1 / 5,
    )
    assert result.stated is not None and result.stated.confidence == 0.6 and not result.stated.right
    assert result.stated.brier == pytest.approx(0.36 + 0.09 + 0.81)
    assert result.sections["history_of_present_illness"] == (1, 1, 1)
    assert CaseResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_evidence_is_counted_by_characters_and_invented_text_counts_as_wrong() -> None:
    note = "ab cd ef"
    gold = [Observation("ab cd", "", None, (0, 5), None)]
    scores = evidence_scores(note, gold, [Observation("cd ef", "", None, (3, 8), None)])
    assert (scores["evidence_precision"], scores["evidence_recall"], scores["evidence_f1"]) == (
        0.5,
        0.5,
        0.5,
    )
    twice = [
        Observation("ab", "", None, (0, 2), None),
        Observation("ab", "", None, (0, 2), None),
        Observation("xy", "", None, None, None, False),
    ]
    scores = evidence_scores(note, gold, twice)
    assert (scores["evidence_precision"], scores["evidence_recall"]) == (0.5, 0.5)
    assert scores["grounded"] == pytest.approx(2 / 3)
    assert evidence_scores(note, gold, [])["evidence_precision"] == 0


def test_redundancy_counts_repeated_evidence_and_rationales() -> None:
    first = Observation("ab", "why", None, (0, 2), None)
    assert redundancy([first]) == 0
    assert redundancy([first, first]) == 0.5
    assert redundancy([first, Observation("cd", "Why", None, (3, 5), None)]) == 0.5
    assert redundancy([]) is None


@given(
    st.sampled_from([n.name for n in Taxonomy.default().diagnoses]),
    st.sampled_from([n.name for n in Taxonomy.default().diagnoses]),
)
def test_distance_in_the_tree_is_a_metric(one: str, other: str) -> None:
    assert tree_distance(one, other) == tree_distance(other, one)
    assert (tree_distance(one, other) == 0) == (one == other)
    assert tree_distance("nothing", other) >= tree_distance(one, other)


@given(
    st.tuples(st.integers(0, 50), st.integers(1, 30)),
    st.tuples(st.integers(0, 50), st.integers(1, 30)),
)
def test_overlap_is_symmetric_and_1_only_for_equal_ranges(
    one: tuple[int, int],
    other: tuple[int, int],
) -> None:
    a, b = (one[0], sum(one)), (other[0], sum(other))
    assert dice(a, b) == dice(b, a)
    assert 0 <= dice(a, b) <= 1
    assert (dice(a, b) == 1) == (a == b)


def test_spans_far_from_each_other_are_not_the_same_however_they_read() -> None:
    case = gold_case()
    gold = gold_account(case)
    moved = replace(
        gold,
        observations=tuple(replace(o, span=(0, 5)) for o in gold.observations[:1]),
    )
    assert score_case(case, moved, JUDGES).pairs == ()


def test_a_published_prediction_is_placed_in_the_note() -> None:
    case = gold_case()
    data = {
        "both legs are swollen": [
            "Leg swelling reflects venous congestion.",
            "input2",
            "suspected Heart Failure",
        ],
        "made up": ["Nothing.", "Input9", None],
        "broken": "x",
        "chain": [
            "Heart Failure",
            "Suspected Heart Failure",
            "Strongly Suspected Heart Failure",
            "Heart Failure",
            "HFrEF",
        ],
    }
    account = published_account("a", data, case.case)
    assert [o.span is not None for o in account.observations] == [True, False]
    assert account.faults == ("an observation has no [rationale, section, node]",)
    scores = score_case(case, account, JUDGES).scores
    assert scores["acc_diag"] == 1
    assert scores["obs_pre"] == 1 / 3
    assert scores["exp_com"] == 1
    with pytest.raises(InputError, match="chain"):
        published_account("a", {"x": ["", "", ""]}, case.case)


def test_faults_of_form_are_named() -> None:
    chain = gold_case().gold
    assert chain is not None
    assert account_of(chain).faults == ()
    assert account_of(replace(chain, path=("Suspected Heart Failure", "HFrEF"))).faults
    assert account_of(replace(chain, steps=())).faults == ("there is no step",)
    assert chain_account(chain, gold_case().case, "FINAL DIAGNOSIS: Asthma").faults == (
        "the text is not the published form of the steps",
    )
