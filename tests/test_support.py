"""What the findings in a note say for each diagnosis, and how much it counts."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.answering.calibration import Calibration
from dxtrace.answering.differential import leave_open
from dxtrace.compose import Composer
from dxtrace.errors import InputError
from dxtrace.findings.recogniser import support
from dxtrace.knowledge import Wordings
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.quotes import find_quotes, single_clauses

NOTE = """Chief Complaint: Swollen ankles.
She needs three pillows to sleep and wakes breathless at night. Pitting edema to both knees. Bibasilar crackles.
The echocardiogram shows an ejection fraction of 30%. She denies chest pain. WBC 8.1."""


def best(note: str) -> str:
    scores = support().scores(find_quotes(note))
    return Taxonomy.default().find(max(scores, key=scores.__getitem__)).category


def test_the_findings_of_an_illness_speak_for_it() -> None:
    assert best(NOTE) == "Heart Failure"
    assert (
        best("Fever, night sweats and weight loss. Sputum smear positive for acid-fast bacilli.")
        == "Tuberculosis"
    )


def test_what_is_denied_is_no_evidence() -> None:
    def orthopnea(note: str) -> list[str]:
        evidence = support().evidence(Taxonomy.default().find("HFrEF"), find_quotes(note), 10)
        return [quote.text for quote in evidence.chosen["heart-failure/orthopnea"]]

    assert orthopnea("She sleeps on three pillows at night.")
    assert not orthopnea("She denies sleeping on three pillows at night.")


def test_a_note_of_other_things_says_nothing() -> None:
    scores = support().scores(find_quotes("The parcel was late. It rained in Lisbon."))
    assert (
        max(scores.values()) - min(scores.values()) < 1
    )  # of about 20 for a note that says something


def test_wordings_held_out_for_the_hard_test_can_be_hidden() -> None:
    composer = Composer(5)
    cases = [composer.case(number, hard=True) for number in range(12)]
    taxonomy = Taxonomy.default()

    def right(wordings: Wordings) -> int:
        scores = [support(wordings).scores(find_quotes(case.case.note)) for case in cases]
        names = [taxonomy.find(max(said, key=said.__getitem__)).name for said in scores]
        return sum(
            case.gold is not None and name == case.gold.diagnosis
            for name, case in zip(names, cases, strict=True)
        )

    assert right("training") < right("all")
    assert all(case.wordings == "training" for case in cases)
    assert composer.case(0).wordings == "all"


def test_evidence_is_apart_and_of_the_path_of_the_diagnosis() -> None:
    node = Taxonomy.default().find("HFrEF")
    evidence = support().evidence(node, find_quotes(NOTE), 10)
    chosen = {quote for quotes in evidence.chosen.values() for quote in quotes}
    assert {"ejection", "pillows", "crackles"} <= {
        word for quote in chosen for word in quote.text.lower().split()
    }
    assert not any("denies" in quote.text or "WBC" in quote.text for quote in chosen)
    ordered = sorted(chosen, key=lambda quote: quote.start)
    assert all(one.end <= other.start for one, other in itertools.pairwise(ordered))
    assert all(premise.node in node.path for premise in evidence.premises)
    few = support().evidence(node, find_quotes(NOTE), 2)
    assert len({quote for quotes in few.chosen.values() for quote in quotes}) == 2


def test_a_category_of_which_nothing_is_known_has_no_evidence() -> None:
    taxonomy = Taxonomy.from_records([{"category": "Gout", "tree": {"Gout attack": None}}])
    evidence = support().evidence(taxonomy.diagnoses[0], find_quotes(NOTE), 10)
    assert evidence.premises == ()


@given(
    st.lists(
        st.sampled_from(["dry cough. ", "Fever, chills; no rash. ", "WBC 12.1, Hgb 9. "]),
        max_size=8,
    ),
)
def test_single_clauses_hold_no_other_and_cover_all(pieces: list[str]) -> None:
    quotes = find_quotes("".join(pieces))
    inner = single_clauses(quotes)
    for quote in inner:
        assert not any(quote.start <= o.start and o.end <= quote.end for o in quotes if o != quote)
    for quote in quotes:
        assert any(quote.start <= o.start and o.end <= quote.end for o in inner)


def test_the_weight_decides_how_much_the_findings_count() -> None:
    names, shares, said = ["a", "b"], [0.6, 0.4], {"b": 2.0}
    assert Calibration().apply(names, shares, said) == pytest.approx(shares)
    a, b = Calibration(support=1.0).apply(names, shares, said)
    assert b / a == pytest.approx(0.4 * math.e**2 / 0.6)
    assert (
        Calibration.from_json(json.loads(json.dumps(Calibration(2.0, {}, 0.5).to_json()))).support
        == 0.5
    )
    with pytest.raises(InputError):
        Calibration.from_json({"temperature": 1, "support": "much"})


def test_the_fit_finds_the_numbers_that_made_the_answers() -> None:
    pytest.importorskip("scipy")
    from dxtrace.train.calibration import Reading, fit

    rng = np.random.default_rng(0)
    names = list("abcdef")
    readings = []
    for _ in range(1500):
        log_p = rng.normal(size=6) * 3
        said = dict(zip(names, rng.gamma(1.0, 2.0, size=6).tolist(), strict=True))
        model = np.exp(log_p - log_p.max())
        model = dict(zip(names, (model / model.sum()).tolist(), strict=True))
        true = Calibration(2.0, {}, 0.7).apply(names, list(model.values()), said)
        readings.append(Reading(model, said, str(rng.choice(names, p=true))))
    found = fit(readings)
    assert found.calibration.temperature == pytest.approx(2.0, rel=0.15)
    assert found.calibration.support == pytest.approx(0.7, rel=0.15)
    assert found.after < found.before
    with pytest.raises(InputError, match="gold"):
        fit([])


@given(st.lists(st.floats(0.001, 1), min_size=74, max_size=74), st.floats(0, 1))
def test_leaving_open_moves_probability_from_types_to_their_illness_and_loses_none(
    weights: list[float],
    share: float,
) -> None:
    nodes = Taxonomy.default().diagnoses
    shares = [weight / sum(weights) for weight in weights]
    moved = leave_open(nodes, shares, share)
    assert sum(moved) == pytest.approx(1)
    assert leave_open(nodes, shares, 0) == shares
    for node, before, after in zip(nodes, shares, moved, strict=True):
        assert after <= before + 1e-12 if node.is_leaf else after >= before - 1e-12


@pytest.mark.parametrize(("type_share", "named"), [(0.6, "Severe COPD"), (0.4, "COPD")])
def test_a_type_is_named_if_it_is_more_likely_than_not(type_share: float, named: str) -> None:
    nodes = Taxonomy.default().diagnoses
    names = [node.name for node in nodes]
    others = [name for name in names if name.endswith(" COPD") and name != "Severe COPD"]
    given = {"Severe COPD": type_share} | dict.fromkeys(others, (1 - type_share) / len(others))
    moved = leave_open(nodes, [given.get(name, 0.0) for name in names], 2 / 3)
    assert names[moved.index(max(moved))] == named
