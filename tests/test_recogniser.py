"""What a note states, what it says for each diagnosis, and how much that counts."""

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
from dxtrace.answering.step_writer import draft_steps
from dxtrace.compose import Composer
from dxtrace.corpus.policy import read_fairly, wordings_of
from dxtrace.errors import InputError
from dxtrace.findings.recogniser import recogniser
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.case import Case
from dxtrace.notes.quotes import find_quotes, single_clauses

NOTE = """Chief Complaint: Swollen ankles.
She needs three pillows to sleep and wakes breathless at night. Pitting edema to both knees. Bibasilar crackles.
The echocardiogram shows an ejection fraction of 30%. She denies chest pain. WBC 8.1."""

NORMAL_TROPONIN = "pulmonary-embolism/troponin-normal"
RAISED_TROPONIN = "pulmonary-embolism/troponin-raised"


def stated(note: str) -> dict[str, list[str]]:
    """Return the quotes for each finding that a note states."""
    found: dict[str, list[str]] = {}
    for statement in recogniser().read(Case.from_text(note)).statements:
        found.setdefault(statement.premise.id, []).append(statement.quote.text)
    return found


def best(note: str) -> str:
    scores = recogniser().read(Case.from_text(note)).scores
    return Taxonomy.default().find(max(scores, key=lambda name: scores[name])).category


def test_the_findings_of_an_illness_speak_for_it() -> None:
    assert best(NOTE) == "Heart Failure"
    assert (
        best("Fever, night sweats and weight loss. Sputum smear positive for acid-fast bacilli.")
        == "Tuberculosis"
    )


def test_a_note_of_other_things_says_nothing() -> None:
    reading = recogniser().read(Case.from_text("The parcel was late. It rained in Lisbon."))
    assert not reading.statements
    # Of about 20 for a note that says something.
    assert max(reading.scores.values()) - min(reading.scores.values()) < 1


def test_every_statement_is_the_text_of_the_note() -> None:
    for statement in recogniser().read(Case.from_text(NOTE)).statements:
        quote = statement.quote
        assert " ".join(NOTE[quote.start : quote.end].split()) == quote.text


@pytest.mark.parametrize(
    ("note", "finding", "expected"),
    [
        ("BP 88/52.", "pulmonary-embolism/sustained-hypotension", True),
        ("BP 130/87.", "pulmonary-embolism/sustained-hypotension", False),
        ("Pulse is 129/min.", "pneumonia/tachycardia", True),
        ("Pulse is 97/min.", "pneumonia/tachycardia", False),
        ("45M with cough for 2 days.", "tuberculosis/chronic-cough", False),
        ("45M with 6 weeks of cough.", "tuberculosis/chronic-cough", True),
        ("Sputum AFB sent.", "tuberculosis/afb-smear", False),
        ("Sputum smear: acid-fast bacilli 2+.", "tuberculosis/afb-smear", True),
        ("Troponin pending.", "acute-coronary-syndrome/troponin-i-rise", False),
        # What one thing is, is not said of the next.
        ("The echo was normal and the troponin was raised.", NORMAL_TROPONIN, False),
        ("ECG normal and troponin raised, BNP normal.", NORMAL_TROPONIN, False),
        ("The scan showed clots and the troponin is awaited.", RAISED_TROPONIN, False),
        ("Normal ECG and troponin.", NORMAL_TROPONIN, True),
        ("Troponin, CK and BNP were normal.", NORMAL_TROPONIN, True),
        ("The heart ultrasound was normal and the troponin too.", NORMAL_TROPONIN, True),
        ("The heart ultrasound was normal and the troponin too.", RAISED_TROPONIN, False),
        ("ECG was normal and so was the troponin.", NORMAL_TROPONIN, True),
        # Two values decide what their difference is called.
        ("BP right arm 196/104, left arm 190/100.", "aortic-dissection/arm-difference", False),
        ("BP right arm 196/104, left arm 150/90.", "aortic-dissection/arm-difference", True),
        (
            "FEV1 rose from 2.10 to 2.14 L after albuterol.",
            "asthma/bronchodilator-reversibility",
            False,
        ),
        (
            "FEV1 rose from 2.10 to 2.52 L after albuterol.",
            "asthma/bronchodilator-reversibility",
            True,
        ),
        ("VS: 98.6 165/95 88 16 99%RA", "hypertension/single-elevated-reading", True),
        ("VS: 98.6 125/75 88 16 99%RA", "hypertension/single-elevated-reading", False),
        ("Night sweats: N", "tuberculosis/night-sweats", False),
        ("His mother has night sweats.", "tuberculosis/night-sweats", False),
        ("If you notice night sweats, call your doctor.", "tuberculosis/night-sweats", False),
        ("WBC 16,400/mm3.", "pneumonia/leukocytosis", True),
        ("WBC 16.4 x 10^9/L (4.0-11.0).", "pneumonia/leukocytosis", True),
        ("WBC 7,2 x 10^9/L.", "pneumonia/leukocytosis", False),
        ("H. influenzae grew in sputum.", "pneumonia/viral-influenza", False),
        ("Her neck veins were full when she sat at 45 degrees.", "pneumonia/hypoxemia", False),
        ("A chest film on entry had been normal.", "tuberculosis/clear-film-reactor", False),
        ("The chest film was normal.", "tuberculosis/clear-film-reactor", True),
        (
            "She exercises three times a week and eats little meat.",
            "hyperlipidemia/sedentary",
            False,
        ),
        ("The heart failure test was normal.", "heart-failure/proof-strong-hf", False),
        ("Her legs swell, if you press a thumb in.", "heart-failure/leg-swelling", True),
        ("Sputum AFB neg. IGRA pos.", "tuberculosis/igra-positive", True),
        ("The first troponin was 11.", "acute-coronary-syndrome/large-troponin-release", False),
        ("The sweat chloride is 18 mmol/L.", "acute-coronary-syndrome/diaphoresis", False),
        ("HbA1c 36 mmol/mol, sodium 140 mmol/L.", "diabetes/hba1c-criterion", False),
        ("She can't follow her recipes.", "alzheimer/finances-and-iadls", True),
        ("She forgets names of her grandchildren.", "alzheimer/word-finding", False),
        ("She puts the iron in the fridge.", "alzheimer/misplacing-objects", True),
        ("She has not had a period for eleven months.", "pituitary-disease/amenorrhea", True),
        ("HbA1c (mmol/mol) | 58", "diabetes/hba1c-criterion", True),
        ("He lies still in a headache.", "migraine/worse-with-activity", True),
        ("He cannot lie still and paces.", "migraine/worse-with-activity", False),
        (
            "An ulcer (Forrest III) on the duodenal wall.",
            "peptic-ulcer-disease/ct-focal-defect",
            False,
        ),
        ("Her mother's video shows pelvic thrusts.", "epilepsy/waxing-waning-movements", True),
        ("Pain was eased by milk.", "peptic-ulcer-disease/du-fasting-pain", True),
        ("Milk sends him back to sleep.", "peptic-ulcer-disease/du-night-pain", False),
        ("He wakes at two and needs milk.", "peptic-ulcer-disease/du-night-pain", True),
        (
            "Tired for a year, with mouth ulcers.",
            "upper-gastrointestinal-bleeding/past-bleed",
            False,
        ),
    ],
)
def test_a_finding_is_stated_by_what_the_clause_says(
    note: str,
    finding: str,
    expected: bool,
) -> None:
    assert (finding in stated(note)) is expected


@pytest.mark.parametrize(
    ("note", "quote"),
    [
        ("HR 120 T4 level 4.8 TSH 0.01.", "HR 120"),
        ("WBC 16.4 x 10^9/L, Hb 98 g/L.", "WBC 16.4 x 10^9/L"),
        ("Cough (productive, green sputum), no fever.", "Cough (productive, green sputum)"),
        ("BP 88/52 HR 121 O2 sat 88% RA.", "BP 88/52"),
        (
            "No bruit was heard. Results:\nHDL\t1.3 mmol/L\nLDL\t7.6 mmol/L",
            "LDL 7.6 mmol/L",
        ),
        (
            "Hs-troponin T was 12 ng/L on arrival and 420 ng/L later.",
            "Hs-troponin T was 12 ng/L on arrival and 420 ng/L later",
        ),
        (
            "HDL | 1.3 mmol/L | >1.2\nLDL cholesterol | 7.6 mmol/L | <3.0",
            "LDL cholesterol | 7.6 mmol/L",
        ),
    ],
)
def test_a_quote_clips_no_value_and_no_bracket(note: str, quote: str) -> None:
    assert quote in {text for texts in stated(note).values() for text in texts}


@pytest.mark.parametrize(
    ("note", "contrary", "expected"),
    [
        ("CSF: glucose normal, oligoclonal bands present.", "no-oligoclonal-bands", False),
        ("Oligoclonal bands were absent.", "no-oligoclonal-bands", True),
        ("Oligoclonal bands not found in serum.", "no-oligoclonal-bands", False),
        ("There has never been an attack.", "never-a-relapse-against-relapsing-onset", True),
        ("Grade B inflammation of the gullet, stomach normal.", "normal-esophagus", False),
        ("The esophagus appeared normal.", "normal-esophagus", True),
        ("Gastroscopy showed a normal oesophagus.", "normal-endoscopy-against-pud", False),
        ("The EEG during both events showed alpha rhythm, unchanged.", "ictal-eeg-normal", True),
        ("The eye waters and the nostril runs.", "cluster-signs", True),
        ("A tilt test reproduced the faint, BP 60/30.", "attack-reproduced-on-tilt", True),
        ("A tilt test was normal.", "attack-reproduced-on-tilt", False),
        ("Anti-tissue transglutaminase IgA 182 U/mL (<7).", "coeliac-against-gastritis", True),
        ("Anti-tissue transglutaminase IgA 3 U/mL (<7).", "coeliac-against-gastritis", False),
    ],
)
def test_what_speaks_against_a_diagnosis_is_said_of_it(
    note: str,
    contrary: str,
    expected: bool,
) -> None:
    found = recogniser().read(Case.from_text(note)).contrary
    assert (contrary in {statement.contrary.id for statement in found}) is expected


@pytest.mark.parametrize(
    ("table", "finding"),
    [
        ("       pre-op   now\nBNP    40       890", "heart-failure/bnp-raised"),
        ("Spirometry | 2019 | 2024\nFEV1 (% predicted) | 85 | 58", "copd/moderate-fev1"),
        ("Test | today | last year\nHb (g/L) | 84 | 141", "tuberculosis/anaemia-chronic"),
        ("| | March 2023 | On admission |\n| BNP | 40 | 890 |", "heart-failure/bnp-raised"),
    ],
)
def test_of_a_row_what_is_measured_now_counts(table: str, finding: str) -> None:
    assert finding in stated(table)


def test_a_column_of_earlier_results_states_nothing() -> None:
    table = "Test | 2019 | today\nHb (g/L) | 84 | 141"
    assert "tuberculosis/anaemia-chronic" not in stated(table)
    # Where no column is of now, every one is read.
    assert "tuberculosis/anaemia-chronic" in stated("Test | 0 h | 3 h\nHb (g/L) | 84 | 91")


def test_wordings_held_out_for_the_hard_test_can_be_hidden() -> None:
    composer = Composer(5)
    case = composer.case(0, hard=True)
    assert wordings_of(case) == "training"
    assert wordings_of(composer.case(0)) == "all"
    fair, whole = read_fairly(case), recogniser().read(case.case)
    assert fair.scores != whole.scores


def test_steps_are_apart_on_the_path_and_few_demographics() -> None:
    node = Taxonomy.default().find("HFrEF")
    known = recogniser()
    drafts = draft_steps(known, known.read(Case.from_text(NOTE)), node, 0.5)
    quoted = " ".join(draft.quote.text.lower() for draft in drafts)
    assert {"ejection", "pillows", "crackles"} <= set(quoted.split())
    assert "denies" not in quoted
    assert "wbc" not in quoted
    ordered = sorted((draft.quote for draft in drafts), key=lambda quote: quote.start)
    assert all(one.end <= other.start for one, other in itertools.pairwise(ordered))
    assert all(draft.supports in node.path for draft in drafts)


def test_contrary_findings_count_against_a_diagnosis() -> None:
    note = "Crushing chest pain for 2 hours. ECG: ST elevation in V1-V4."
    reading = recogniser().read(Case.from_text(note))
    assert any("NSTE-ACS" in item.contrary.against for item in reading.contrary)
    assert reading.scores["STEMI-ACS"] > reading.scores["NSTEMI"] + 2


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
    from dxtrace.train.calibration import ScoredCase, fit

    rng = np.random.default_rng(0)
    names = list("abcdef")
    readings = []
    for _ in range(1500):
        log_p = rng.normal(size=6) * 3
        said = dict(zip(names, rng.gamma(1.0, 2.0, size=6).tolist(), strict=True))
        model = np.exp(log_p - log_p.max())
        model = dict(zip(names, (model / model.sum()).tolist(), strict=True))
        true = Calibration(2.0, {}, 0.7).apply(names, list(model.values()), said)
        readings.append(ScoredCase(model, said, str(rng.choice(names, p=true))))
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


@pytest.mark.parametrize(
    "note",
    [
        "Medications: albuterol as needed for wheezing and cough.",
        "Discharge Medications:\n1. docusate sodium 100 mg BID\n2. ondansetron for nausea and vomiting",
        "Allergies: penicillin (wheeze, shortness of breath), lisinopril (cough)",
        "Allergies/ADRs:\naspirin\ncodeine - nausea and vomiting",
        "ADRs: lisinopril (cough).",
        "Discharge Instructions:\nYou came with pain.\n\nChest pain, dyspnea or melena: come back.",
        "Follow-up:\nCardiology, for palpitations and tremor.",
        "Counselled re symptoms of stroke: facial droop, slurred speech.",
        "Safety-netted re: melena and coffee ground vomiting.",
        "Typical features of Graves disease are tremor, weight loss and goiter.",
        "Monitor for melena, hematemesis.",
        "FHx positive for migraine with aura; atrial fibrillation; peptic ulcer.",
        "His boss was diagnosed with tuberculosis.",
        "Her 4-year-old has fever, cough and wheezing.",
        "PGM: goiter, tremor.",
        "Mo: seizures, Fa: tuberculosis.",
        "Children: epilepsy.",
        "The risk of stroke and melena on warfarin was explained.",
        "We talked about melena and hematemesis as reasons to return.",
        "Nitroglycerin SL PRN chest pain.",
    ],
)
def test_what_is_not_of_the_patient_now_is_no_complaint_or_sign(note: str) -> None:
    kinds = set()
    for statement in recogniser().read(Case.from_text(note)).statements:
        if statement.premise.of == "patient":
            kinds.add(statement.premise.kind)
    assert not kinds & {"symptom", "sign", "lab", "proof"}


def test_a_drug_that_is_taken_may_be_evidence() -> None:
    assert "gastritis/nsaid-use" in stated("Meds on admission:\n- ibuprofen 400 mg TID")
    assert "asthma/nonallergic-nsaid" in stated("Allergies: aspirin (bronchospasm)")
    assert not stated("Allergies: aspirin, ibuprofen, lisinopril")


@pytest.mark.parametrize(
    ("note", "speaks_against"),
    [
        ("Chest pain. Coronary angiography: normal coronaries.", True),
        ("Chest pain. Cath 2016 clean.", False),
        ("Chest pain. Angiogram three years ago: normal coronaries.", False),
    ],
)
def test_a_result_of_years_ago_speaks_against_nothing(note: str, speaks_against: bool) -> None:
    contrary = recogniser().read(Case.from_text(note)).contrary
    assert ("clean-coronaries" in [item.contrary.id for item in contrary]) == speaks_against


@pytest.mark.parametrize(
    ("note", "finding", "met"),
    [
        ("Orthostatics: lying 130/80, standing 128/82", "orthostasis", False),
        ("Orthostatics: lying 130/80, standing 100/60", "orthostasis", True),
        ("SpO2 98% on 4 L", "mild-normal-saturation", False),
        ("SpO2 98% RA", "mild-normal-saturation", True),
        ("Trop 0.03 (<0.04)", "troponin-raised", False),
        ("Test | 0 h | 3 h\nTroponin T (ng/L) | 9 | 480", "troponin-raised", True),
        ("Test | 0 h | 3 h\nTroponin T (ng/L) | 9 | 480", "troponin-not-raised", False),
        ("BNP 1.850 pg/mL", "natriuretic-peptide-normal", False),
    ],
)
def test_a_value_is_evidence_of_what_it_shows(note: str, finding: str, met: bool) -> None:
    assert any(id.endswith(f"/{finding}") for id in stated(note)) == met


def test_a_troponin_of_no_named_kind_that_is_normal_does_not_speak_for_an_infarct() -> None:
    pain = "Crushing chest pain at rest, ST depression V4-V6. Troponin"
    normal = recogniser().read(Case.from_text(f"{pain} <0.01.")).scores
    raised = recogniser().read(Case.from_text(f"{pain} 2.31.")).scores
    assert normal["UA"] > normal["NSTEMI"] and raised["NSTEMI"] > raised["UA"]


def test_a_complaint_is_quoted_without_what_stands_before_it() -> None:
    note = "63F w/ HTN, 35 pk-yr (quit 2019) p/w substernal pressure radiating to L jaw."
    quotes = stated(note)["acute-coronary-syndrome/pain-radiation"]
    assert quotes == ["substernal pressure radiating to L jaw"]
