"""Learning on the page: names as students type them, a course through a library, practice files, a class."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.view import NOTE, Watch, chain_on, chromium

from dxtrace.chain import Chain
from dxtrace.view import Reading, ViewCase, library, page

pytestmark = pytest.mark.slow

#: Names of diagnoses as students type them, one for each line or comma.
TYPED = """
heart attack, MI, AMI, acute MI, myocardial infarction, NSTEMI, non-STEMI, STEMI, ST elevation MI, inferior STEMI,
anterior MI, unstable angina, angina, ACS, acute coronary syndrome, UA, CHF, congestive heart failure, heart failure, HF,
HFrEF, HFpEF, systolic heart failure, diastolic heart failure, acute decompensated heart failure, left heart failure, AF,
Afib, a fib, atrial fibrillation, paroxysmal AF, AF with RVR, persistent atrial fibrillation, aortic dissection,
type A dissection, Type B aortic dissection, acute aortic syndrome, cardiomyopathy, dilated cardiomyopathy, DCM, HOCM, HCM,
hypertrophic cardiomyopathy, restrictive cardiomyopathy, ARVC, amyloid cardiomyopathy, HTN, hypertension,
high blood pressure, essential hypertension, hyperlipidaemia, high cholesterol, hypercholesterolemia, dyslipidemia,
gastritis, acute gastritis, H. pylori gastritis, atrophic gastritis, chronic gastritis, GERD, GORD, reflux, acid reflux,
peptic ulcer, PUD, gastric ulcer, stomach ulcer, duodenal ulcer, peptic ulcer disease, GI bleed, upper GI bleed, UGIB,
variceal bleed, haematemesis, Mallory Weiss tear, dementia, Alzheimer's, Alzheimer's disease, Alzheimer dementia, epilepsy,
seizure, seizures, seizure disorder, absence seizures, temporal lobe epilepsy, PNES, pseudoseizure, functional seizures,
migraine, migraine with aura, migraine without aura, classic migraine, MS, multiple sclerosis, RRMS, PPMS,
relapsing remitting MS, secondary progressive multiple sclerosis, stroke, CVA, ischaemic stroke, ischemic stroke,
haemorrhagic stroke, intracerebral haemorrhage, ICH, brain bleed, MCA stroke, asthma, asthma exacerbation,
acute severe asthma, status asthmaticus, allergic asthma, cough variant asthma, COPD, COPD exacerbation, emphysema,
chronic bronchitis, asthma-COPD overlap, pneumonia, CAP, community-acquired pneumonia, bacterial pneumonia,
viral pneumonia, COVID-19, lobar pneumonia, PE, pulmonary embolism, pulmonary embolus, massive PE, saddle embolus, TB,
tuberculosis, pulmonary TB, latent TB, LTBI, miliary TB, Addison's, Addison's disease, adrenal insufficiency,
adrenal crisis, CAH, congenital adrenal hyperplasia, secondary adrenal insufficiency, diabetes, T2DM, type 2 diabetes,
T1DM, type 1 DM, DKA, gestational diabetes, MODY, prolactinoma, pituitary adenoma, macroadenoma, microadenoma,
hypothyroidism, hypothyroid, Hashimoto's, Graves' disease, hyperthyroidism, thyrotoxicosis, thyroiditis, thyroid cancer,
thyroid nodule, goitre
"""

SECOND = "CC: cough\n\nHPI: 44F with fever and productive cough for four days.\n\nExam: crackles at the right base."


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def opened(browser: Any, file: Path, fragment: str = "", width: int = 1440) -> Any:
    view = browser.new_page(viewport={"width": width, "height": 900})
    view.watch = Watch(view, file.as_uri())
    view.goto(file.as_uri() + fragment)
    return view


def rows_of(file: str | Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(Path(file).read_text("utf-8").splitlines()))


def cases() -> list[ViewCase]:
    """Return two reference cases, the second of another illness."""
    gold = chain_on(NOTE, ["three pillows", "raised jugular venous pressure", "LVEF 25 %"])
    weights = ("weak", "supportive", "strong")
    steps = tuple(replace(s, weight=w) for s, w in zip(gold.steps, weights, strict=True))
    other = chain_on(SECOND, ["productive cough", "crackles at the right base"], "Pneumonia")
    found: list[Chain] = [replace(gold, id="hfref_classic", steps=steps), replace(other, id="pna")]
    return [ViewCase.of_chains(Reading(chain, "Reference", reference=True)) for chain in found]


def test_names_as_students_type_them_are_known(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(cases()[0]), encoding="utf-8")
    view = opened(browser, file)
    names = [name.strip() for name in TYPED.replace("\n", " ").split(",") if name.strip()]
    unknown = view.evaluate("names => names.filter(n => !diagnosisNamed(n, PAGE.diagnoses))", names)
    assert len(names) >= 150 and len(unknown) <= 0.04 * len(names), unknown
    points = view.evaluate(
        "([d, c, p, names]) => names.map(n => scoreDiagnosis([n],"
        "{diagnosis: d, category: c, path: p, status: 'answered'}, PAGE.diagnoses).points)",
        ["NSTEMI", "Acute Coronary Syndrome", ["NSTEMI"], ["nstemi", "heart attack", "ACS", "PE"]],
    )
    assert points == [50, 25, 25, 0]


def test_a_course_from_the_list_to_the_class_file(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "library.html"
    file.write_text(library(cases()), encoding="utf-8")
    view = opened(browser, file)
    text = view.inner_text("main")
    assert "0 of 2 done" in text and "71-year-old man" in text and "Cardiology" in text
    for telling in ("hfref", "HFrEF", "Heart Failure", "pna"):
        assert telling not in text + view.title()
    view.select_option("#filter-specialty", "Cardiology")
    view.wait_for_selector("text=1 case of 2")
    view.locator(".cases a").first.click()
    view.wait_for_selector(".learn")
    assert view.title() == "Case 1 · dxtrace" and "hfref" not in view.inner_text("main")
    assert view.evaluate("document.activeElement.tagName") == "H1"
    assert view.is_disabled("text=Answer")
    view.click(".sealed .primary")
    assert view.evaluate("document.activeElement.dataset.first") == "1"
    assert "Sleeps" in view.text_content(".note") and "BNP" not in view.text_content(".note")
    view.fill("#diagnosis", "hart failure")
    view.keyboard.press("Enter")
    view.wait_for_selector("text=not one of the")
    view.click("form .button.small >> text=Heart Failure")
    view.fill("[aria-label^='How sure of']", "70")
    view.keyboard.press("Tab")
    view.click("text=Show all")
    view.locator(".unit", has_text="three pillows").first.click()
    view.locator(".unit", has_text="No fever").click()
    view.check("#side-against")
    view.locator(".unit", has_text="diabetes").click()
    assert view.locator("mark.mine.against").count() == 1
    view.click("[aria-label='Remove mark 3']")
    assert view.evaluate("document.activeElement.closest('.marks') !== null")
    view.fill("#summary", "Elderly man, weeks of congestion")
    view.click("text=Commit and see")
    text = view.inner_text("main")
    assert "in the right category" in text and "Absent or against (1)" in text
    assert "Not in the reference" not in text and "Elderly man" in text
    assert "hfref_classic" in view.inner_text(".crumbs") or "Case 1" in view.inner_text(".crumbs")
    assert view.is_enabled("text=Answer")
    view.click(".finding.miss button.quote >> nth=0")
    assert view.locator("mark.active").count() == 1
    view.click("text=← All cases")
    view.wait_for_selector(".cases")
    assert "1 of 2 done, mean" in view.inner_text("main") and "of 100" in view.inner_text(".cases")
    view.click("text=How well your confidence fits")
    assert "right 0 of 1" in view.inner_text("main")
    view.click("text=For a class")
    view.fill("#student", "s1")
    with view.expect_download() as download:
        view.click("text=as CSV")
    rows = rows_of(download.value.path())
    assert rows[0]["student"] == "s1" and rows[0]["first_diagnosis"] == "Heart Failure"
    assert view.watch.faults == []


def test_a_practice_file_holds_no_answer_and_is_graded_elsewhere(
    browser: Any, tmp_path: Path
) -> None:
    handed, key = tmp_path / "practice.html", tmp_path / "key.html"
    text = library(cases(), answers=False)
    data = text.split('<script type="application/json"')[1:]
    assert all("hfref" not in block and 'LVEF 25 %"' not in block for block in data)
    assert all('"readings":[]' in block for block in data[1:])
    handed.write_text(text, encoding="utf-8")
    key.write_text(library(cases()), encoding="utf-8")
    view = opened(browser, handed, "#case=0&tab=learn")
    view.click("text=Show all")
    view.fill("#diagnosis", "hfref")
    view.keyboard.press("Enter")
    view.locator(".unit", has_text="LVEF 25 %").click()
    view.click("button >> text=Commit")
    view.wait_for_selector("text=Your answer is kept")
    view.click("text=← All cases")
    view.click("text=For a class")
    view.fill("#student", "s2")
    with view.expect_download() as download:
        view.click("text=Save all sessions as JSON")
    sessions = tmp_path / "sessions.json"
    download.value.save_as(sessions)
    assert "score" not in json.loads(sessions.read_text("utf-8"))["sessions"][0]
    teacher = opened(browser, key)
    teacher.click("text=For a class")
    with teacher.expect_download() as download:
        teacher.set_input_files("#handed-in", sessions)
    row = rows_of(download.value.path())[0]
    assert (
        row["student"] == "s2" and row["diagnosis_points"] == "50" and float(row["recall"]) == 0.5
    )
    assert view.watch.faults == teacher.watch.faults == []


def test_on_a_phone_nothing_covers_the_answer_sheet(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(cases()[0], start="learn"), encoding="utf-8")
    view = opened(browser, file, width=360)
    view.set_viewport_size({"width": 360, "height": 740})
    hidden = view.evaluate(
        "() => { const out = []; for (const e of document.querySelectorAll('main button, main input')) {"
        "if (e.disabled || !e.offsetParent) continue; e.focus(); e.scrollIntoView({block: 'nearest'});"
        "const b = e.getBoundingClientRect(); const top = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);"
        "if (!(top === e || e.contains(top) || (top && top.contains(e)))) out.push(e.id || e.textContent); } return out; }"
    )
    assert hidden == [] and view.evaluate("document.documentElement.scrollWidth") <= 360
