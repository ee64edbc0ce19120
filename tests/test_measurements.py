"""Measurements: quantity, value in one unit, role, flag."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.errors import KnowledgeError
from dxtrace.findings.context import read_context
from dxtrace.findings.measurements import read_measurements
from dxtrace.findings.pattern_index import PatternIndex
from dxtrace.findings.patterns import parse_pattern
from dxtrace.findings.quantities import Measurement, quantities
from dxtrace.findings.tokens import tokenise


def read(sentence: str) -> list[Measurement]:
    return read_measurements(sentence, tokenise(sentence))


def measured(sentence: str) -> dict[str, float]:
    return {m.quantity: m.low for m in read_measurements(sentence, tokenise(sentence))}


@pytest.mark.parametrize(
    ("sentence", "quantity", "value"),
    [
        ("BP 145/90 mmHg", "sbp", 145),
        ("BP 145/90 mmHg", "dbp", 90),
        ("tachycardic (110 bpm)", "hr", 110),
        ("temperature 101.3 F", "temp", 38.5),
        ("K = 2 mEq/L", "potassium", 2),
        ("TSH 0.015 uIU/L", "tsh", 0.015),
        ("TSH 0,01 mIU/L", "tsh", 0.01),
        ("BNP 1'850 pg/mL", "bnp", 1850),
        ("BNP 1 850 pg/mL", "bnp", 1850),
        ("WBC 16 400 /µL", "wbc", 16.4),
        ("BNP approx. 1,850 pg/mL", "bnp", 1850),
        ("The heart pumps at 30 percent.", "lvef", 30),
        ("His heart only works at 25 %.", "lvef", 25),
        ("fT4 60.5 pmol/L", "free_t4", 4.70),
        ("Leukocyte count 12,000/mm3", "wbc", 12),
        ("WBC 16.4 x 10^9/L", "wbc", 16.4),
        ("Hb 98 g/L", "hgb", 9.8),
        ("reduced ejection fraction (35-40%)", "lvef", 35),
        ("a 54-year-old man", "age", 54),
        ("a 3-week history of cough", "duration", 21),
        ("30 to 60 seconds", "duration", 30 / 86400),
        ("a 30 pack-year history", "pack_years", 30),
        ("Total cholesterol (mg/dL) | 426", "total_cholesterol", 426),
        ("FEV1:FVC ratio of 62%", "fev1_fvc", 0.62),
        ("FEV1 1.20 L (40% pred)", "fev1", 40),
        ("oxygen saturation at rest was 88%", "spo2", 88),
        ("glucose 11.1 mmol/L", "glucose", 199.8),
        ("creatinine 203 umol/L", "creatinine", 2.29),
        ("CRP 6.8 mg/dL", "crp", 68),
        ("WBC (x10^9/L) 12.1", "wbc", 12.1),
        ("Platelets (10^9/L) | 88", "platelets", 88),
        ("WBC, x10³/µL | 3.2", "wbc", 3.2),
        ("Creatinine (µmol/L)   180   60-110", "creatinine", 2.034),
        ("Cholesterol (mmol/L) 7.8", "total_cholesterol", 301.6),
        ("TSH (normal 0.4-4.0) 7.9", "tsh", 7.9),
        ("Troponin I 64", "troponin_i", 0.064),
        ("Troponin I 12 ng/mL", "troponin_i", 12),
        ("FEV1 (% predicted)   58   60", "fev1", 58),
        ("hs-TnI (ng/L)   64   512   <16", "hs_troponin", 64),
        ("Urine albumin-creatinine ratio 4.8 mg/mmol", "uacr", 42.4),
        ("HbA1c 48 mmol/mol", "hba1c", 6.5),
        ("HbA1c (mmol/mol) | 48", "hba1c", 6.5),
    ],
)
def test_values_are_read_in_one_unit(sentence: str, quantity: str, value: float) -> None:
    assert measured(sentence)[quantity] == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize(
    ("sentence", "quantity"),
    [
        ("pulse deficit and BP 130/80", "hr"),
        ("glucose tolerance test at 24 weeks", "glucose"),
        ("creatinine 2.3 mg/dL (0.6-1.2)", "magnesium"),
        ("C-peptide 0.2 ng/mL", "insulin"),
        ("LVEF ___ %", "lvef"),
        ("strength 5/5, pulse 2+", "hr"),
    ],
)
def test_a_number_of_something_else_is_no_value(sentence: str, quantity: str) -> None:
    assert quantity not in measured(sentence)


@pytest.mark.parametrize(
    ("sentence", "flag"),
    [
        ("Na 128 mmol/L (135-145)", "down"),
        ("Na 128 L", "down"),
        ("creatinine 2.3 mg/dL (0.6-1.2)", "up"),
        ("troponin I 0.8 ng/mL (normal <0.04)", "up"),
        ("Na 139 mmol/L (135-145)", ""),
    ],
)
def test_a_value_is_flagged_by_mark_and_by_reference_range(sentence: str, flag: str) -> None:
    assert read_measurements(sentence, tokenise(sentence))[0].flag == flag


def meets(pattern: str, sentence: str) -> bool:
    index = PatternIndex()
    index.add(0, parse_pattern(pattern))
    tokens = tokenise(sentence)
    context = read_context(sentence, tokens)
    clauses = [0] * len(tokens)
    return bool(index.matches(tokens, context, read_measurements(sentence, tokens), {}, clauses))


@pytest.mark.parametrize(
    ("pattern", "sentence", "expected"),
    [
        ("cough* & week*|chronic", "He has coughed for weeks.", True),
        ("cough* & week*|chronic", "He has a cough.", False),
        ("cough* & week*", "No cough for weeks.", False),
        ("pulse & deficit", "Pulse is 129/min.", False),
        ("[hr > 100]", "Pulse is 129/min.", True),
        ("[hr > 100]", "Pulse is 100/min.", False),
        ("[sbp < 90]", "BP 88/52", True),
        ("[sbp < 90]", "BP 130/87", False),
        ("[bmi >= 25]", "BMI 20.57 kg/m2", False),
        ("[lvef 41..49]", "LVEF 45%", True),
        ("[duration >= 3 weeks]", "cough for 1 month", True),
        ("[duration >= 3 weeks]", "cough for 2 days", False),
        ("ct & ~hemorrhage", "CT shows no hemorrhage.", True),
        ("ct & ~hemorrhage", "CT shows hemorrhage.", False),
        ("influenza & -h|-haemophilus", "H. influenza grew.", False),
        ("tsh & @up", "TSH was elevated.", True),
        ("tsh & @up", "TSH 9.2 (0.4-4.5)", True),
        ("tsh & @up", "TSH was normal.", False),
        ("chest & film & normal|clear", "The chest film is normal.", True),
    ],
)
def test_patterns_are_met_by_what_is_said(pattern: str, sentence: str, expected: bool) -> None:
    assert meets(pattern, sentence) is expected


@pytest.mark.parametrize("pattern", ["", "a &", "a | ", "@nowhere", "[hr]", "[foo > 1]", "-a"])
def test_a_pattern_that_cannot_be_read_is_named(pattern: str) -> None:
    with pytest.raises(KnowledgeError, match="pattern"):
        parse_pattern(pattern)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    tokens = tokenise(text)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    read_context(text, tokens)
    for measurement in read_measurements(text, tokens):
        assert measurement.quantity in quantities()
        assert 0 <= measurement.first <= measurement.last < len(tokens)


@given(st.floats(0, 400), st.floats(0, 400))
def test_a_limit_and_its_opposite_are_never_both_met(value: float, limit: float) -> None:
    measurement = Measurement("hr", value, value, 0, 0)
    below = measurement.meets("<", limit, math.inf)
    assert below is not measurement.meets(">=", limit, math.inf)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Hs-troponin T 61 ng/L on arrival and 412 ng/L three hours later.", [412]),
        ("Hs-troponin T 38 ng/L on arrival (reference <14) and 1420 ng/L later.", [1420]),
        ("Hs-TnI 0 h 12 ng/L, 3 h 300 ng/L.", [300]),
        ("High-sensitivity troponin 20 ng/L, CK-MB mass 40 ng/L.", [20]),
    ],
)
def test_a_quantity_that_is_measured_again_counts_at_its_highest(
    text: str, values: list[float]
) -> None:
    assert [one.low for one in read(text) if one.quantity == "hs_troponin"] == values


@pytest.mark.parametrize(
    ("text", "fall"),
    [
        ("BP lying 130/80, standing 100/60.", 30),
        ("Blood pressure 128/82 mmHg lying and 96/60 mmHg standing.", 32),
        ("On standing 90/54, seated 118/72.", 28),
        ("BP was 130/80 supine and 126/78 upright.", 4),
    ],
)
def test_two_postures_make_a_fall_of_pressure(text: str, fall: float) -> None:
    assert [one.low for one in read(text) if one.quantity == "postural_fall"] == [fall]


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("BP right arm 196/104, left arm 190/100.", 6),
        ("BP L arm 128/70, R arm 176/92.", 48),
        ("RUE 170/90, LUE 128/78.", 42),
        ("Systolic pressure was 182 mmHg in the right arm and 140 in the left.", 42),
        ("Blood pressure 150/80 in the left arm and 118/70 in the right arm, pulse 96.", 32),
    ],
)
def test_two_arms_make_a_gap_of_pressure(text: str, gap: float) -> None:
    assert [one.low for one in read(text) if one.quantity == "arm_gap"] == [gap]


@pytest.mark.parametrize(
    "text",
    [
        "BP 130/80 and 100/60.",
        "Right calf 42 cm, left calf 38 cm, BP 130/80.",
        "BP in both arms 150/90.",
        "Right arm strength 5, left arm strength 4.",
    ],
)
def test_no_arms_no_gap(text: str) -> None:
    assert "arm_gap" not in measured(text)


def test_the_arm_may_stand_between_a_pressure_and_its_name() -> None:
    assert measured("BP R arm 182/90")["sbp"] == 182


@pytest.mark.parametrize(
    "text",
    [
        "BP 130/80 and 100/60.",
        "BP 130/80, standing.",
        "Lying on the bed he felt better standing up.",
    ],
)
def test_no_posture_no_fall(text: str) -> None:
    assert "postural_fall" not in measured(text)


@pytest.mark.parametrize(
    "text",
    [
        "98.6 145/90 88 16 99%RA",
        "98.6, 145/90, 88, 16, 99% on RA",
        "37.0 88 145/90 16 99%",
        "T98.6 BP145/90 HR88 RR16 SpO299%",
    ],
)
def test_a_row_of_vital_signs_needs_no_names(text: str) -> None:
    found = measured(text)
    names = ("temp", "sbp", "dbp", "hr", "rr", "spo2")
    assert [round(found[name], 1) for name in names] == [37.0, 145, 90, 88, 16, 99]


@pytest.mark.parametrize(
    "text",
    [
        "Advair 100/50 one puff twice a day",
        "Losartan/HCTZ 100/25 mg daily",
        "Visual acuity 20/40 on the right",
        "Seen on 12/31, flat 101/45",
        "GCS 15/15, sensation 120/50/40",
    ],
)
def test_two_numbers_with_a_slash_need_not_be_a_pressure(text: str) -> None:
    assert "sbp" not in measured(text)


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("FEV1 2.6 L (71 %), after salbutamol 3.2 L (88 %).", 23),
        ("FEV1 rose from 2.10 to 2.14 L after albuterol.", 2),
        ("Post bronchodilator FEV1 2.5 L, before 2.0 L.", 25),
        ("FEV1 1,450 mL, post-bronchodilator 1,720 mL.", 19),
    ],
)
def test_two_volumes_make_a_reversibility(text: str, percent: float) -> None:
    assert round(measured(text)["reversibility"]) == percent


def test_a_point_before_three_digits_may_mark_thousands() -> None:
    (value,) = read("BNP 1.850 pg/mL")
    assert (value.low, value.high) == (1.85, 1850)
    assert measured("TSH 0.010 mIU/L") == {"tsh": 0.01}
    (acid,) = read("pH 7.180")
    assert (acid.low, acid.high) == (7.18, 7.18)


def test_a_name_of_everyday_speech_needs_its_unit() -> None:
    assert "lvef" not in measured("The heart pumps 5 litres a minute.")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("troponin T 9 ng/L on arrival and 480 ng/L at 3 h", 0.48),
        ("troponin T 480 ng/L on arrival and 9 ng/L at 3 days", 0.48),
        ("TnT 9 at 0 h and 480 at 3 h", 0.48),
        ("TnT 9 → 480 ng/L", 0.48),
    ],
)
def test_of_several_values_that_only_rise_in_illness_the_highest_counts(
    text: str, value: float
) -> None:
    found = [one for one in read(text) if one.quantity == "troponin_t"]
    assert [round(one.high, 3) for one in found] == [value]


def test_a_row_below_times_is_a_series() -> None:
    row = "Troponin T (ng/L) | 9 | 480"
    assert [m.low for m in read_measurements(row, tokenise(row), in_columns=True)] == [480, 0.48]
