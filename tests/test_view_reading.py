"""Reading a note on the page: how its lines are set, what is lit, and that the reader keeps their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.view import Watch, chain_on, chromium, differential_of

from dxtrace.notes.case import Case
from dxtrace.view import page, title_of
from dxtrace.view._data import person_of

WRAPPED = (
    "## Presentation\n"
    "A 71-year-old retired bus driver presents with three weeks of progressive\n"
    "dyspnea on exertion. He used to walk his dog for half an hour every day and\n"
    "now stops after one flight of stairs.\n\n"
    "Physical Exam:\nVS: BP 110/70, HR 98\n\n"
    "ECG: sinus tachycardia, left bundle branch block.\n"
    "Labs on admission:\n"
    "BNP        1200   pg/mL   H\n"
    "Sodium      131   mmol/L  L\n"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def opened(browser: Any, tmp_path: Path, text: str, width: int = 1440) -> Any:
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    view = browser.new_page(viewport={"width": width, "height": 800})
    watch = Watch(view, file.as_uri())
    view.goto(file.as_uri())
    view.watch = watch
    return view


@pytest.mark.slow
def test_lines_are_set_for_the_screen_and_the_text_stays(browser: Any, tmp_path: Path) -> None:
    quotes = ["three weeks of progressive\ndyspnea on exertion", "ECG: sinus tachycardia", "1200"]
    view = opened(browser, tmp_path, page(chain_on(WRAPPED, quotes)))
    assert view.text_content(".note") == WRAPPED
    shown = view.inner_text(".note")
    assert "progressive dyspnea on exertion. He used" in shown and "##" not in shown
    assert "mono" in view.evaluate(
        "getComputedStyle(document.querySelector('.columns')).fontFamily"
    )
    columns = "".join(view.locator(".note .columns").all_text_contents())
    assert "pg/mL" in columns and "Sodium" in columns and "ECG" not in columns
    headings = [" ".join(text.split()) for text in view.locator(".note h3").all_text_contents()]
    assert headings == ["## Presentation", "Physical Exam:", "VS:", "ECG:", "Labs on admission:"]
    label, quote = view.locator("mark[data-steps='2']").all()
    assert label.bounding_box()["y"] == pytest.approx(quote.bounding_box()["y"], abs=2)
    assert "Pertinent results" in view.inner_text(".step[data-number='2']")
    assert view.watch.faults == []


@pytest.mark.slow
def test_pointing_lights_and_only_a_click_scrolls(browser: Any, tmp_path: Path) -> None:
    line = "He felt well & had no complaints of any kind today, said his wife. "
    note = "HPI:\n" + line * 300 + "BNP 1200 pg/mL. " + line * 3000 + "LVEF 25 %. " + line * 900
    chain = chain_on(note, ["BNP 1200 pg/mL", "LVEF 25 %"], differential=differential_of("HFrEF"))
    view = opened(browser, tmp_path, page(chain))
    top = "document.querySelector('.scroller').scrollTop"
    view.wait_for_selector("mark.active")
    view.wait_for_timeout(200)
    view.evaluate("document.querySelector('.scroller').scrollTop = 300")
    view.wait_for_timeout(200)
    before = view.evaluate(top)
    for number in (1, 2, 1):
        view.hover(f".step[data-number='{number}']")
        assert view.locator(f"mark.active[data-steps~='{number}']").count() == 1
    assert view.evaluate(top) == before
    seen = (
        "() => { const m = document.querySelector('mark.active').getBoundingClientRect(),"
        "s = document.querySelector('.scroller').getBoundingClientRect();"
        "return m.top >= s.top && m.bottom <= Math.min(s.bottom, innerHeight); }"
    )
    for number in (2, 1, 2, 2, 1):
        view.click(f".step[data-number='{number}'] button")
        view.keyboard.press("Escape")
        view.click(f".step[data-number='{number}'] button")
        view.wait_for_timeout(150)
        assert view.evaluate(seen), number
    assert view.watch.faults == []


def test_a_heading_belongs_to_the_section_that_it_opens() -> None:
    note = "58M with chest pain.\nECG on arrival: ST depression V4-V6.\nCXR (portable): clear\nHe said: no."
    case = Case.from_text(note)
    assert case.section_at(note.index("ECG")) == "pertinent_results"
    assert case.section_at(note.index("CXR")) == "pertinent_results"
    assert case.section_at(note.index("chest")) == "history_of_present_illness"
    titled = Case.from_text("### Present illness\nA 9-month-old boy with ___ fever")
    assert title_of(titled) == "A 9-month-old boy with fever"


@pytest.mark.parametrize(
    ("said", "person"),
    [
        ("71M with cough", "71-year-old man"),
        ("Mr. ___ is a 71-year-old retired bus driver", "71-year-old man"),
        ("A woman aged 40 years attended", "40-year-old woman"),
        ("58 y/o male", "58-year-old man"),
        ("The pt is an 86 year old woman", "86-year-old woman"),
        ("BP 120/80 for 3 years. He smokes", ""),
    ],
)
def test_whom_a_note_is_about(said: str, person: str) -> None:
    assert person_of(said) == person
