"""The page as a reader meets it, in a real browser: by mouse, by keyboard alone, narrow, dark, on
paper.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.view import (
    DECIDES,
    HOSTILE,
    NOTE,
    STATES,
    Watch,
    against_at,
    chain_on,
    chromium,
    differential_of,
    state,
)

from dxtrace.chain import DISCLAIMER, Chain, ModelInfo
from dxtrace.view import Reading, ViewCase, library, notebook_html, page

pytestmark = pytest.mark.slow

QUOTES = [
    "two weeks of worsening breathlessness",
    "Sleeps on three pillows",
    "on three pillows. Sleeps",
    "BNP 1200 pg/mL",
    "LVEF 25 %",
]

#: Joins the text of all marks of a step.
MARKED = "n => [...document.querySelectorAll(`mark[data-steps~='${n}']`)].map(m => m.textContent).join('')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open a page's text; at the end nothing may have gone wrong in it."""
    contexts, watches = [], []

    def open_text(
        text: str,
        width: int = 1440,
        scheme: str = "light",
        fragment: str = "",
        **options: Any,
    ) -> Any:
        file = tmp_path / "page.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            **options,
        )
        view = context.new_page()
        context.clock_of = context.new_cdp_session(view)
        context.clock_of.send("Performance.enable", {"timeDomain": "threadTicks"})
        watches.append(Watch(view, file.as_uri()))
        contexts.append(context)
        view.goto(file.as_uri() + fragment)
        return view

    yield open_text
    for context in contexts:
        context.close()
    assert [fault for watch in watches for fault in watch.faults] == []


def busy_s(view: Any) -> float:
    """Return the processor time that a page has taken, in seconds: a loaded machine does not change
    it.
    """
    metrics = view.context.clock_of.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def answered(note: str = NOTE, quotes: list[str] | None = None) -> Chain:
    return chain_on(
        note,
        quotes or QUOTES,
        differential=differential_of("HFrEF"),
        warnings=("cut short",),
    )


def test_what_is_marked_is_the_evidence(show: Any) -> None:
    view = show(page(answered()))
    for number, quote in enumerate(QUOTES, 1):
        view.hover(f".step[data-number='{number}']")
        assert view.evaluate(MARKED, number) == quote
        lit = view.evaluate(
            "[...document.querySelectorAll('mark.active')].map(m => m.textContent).join('')",
        )
        assert lit == quote
    assert view.text_content(".note") == NOTE
    assert (
        view.locator("mark[data-also='2'], mark[data-also~='2']").first.text_content()
        in "Sleeps on three pillows"
    )
    first = view.inner_text("body")[:600]
    assert DISCLAIMER in first and "HFrEF" in first and "60%" in first and "cut short" in first


def test_a_click_pins_and_escape_lets_go(show: Any) -> None:
    view = show(page(answered()))
    view.click(".step[data-number='4']")
    view.mouse.move(5, 5)
    assert view.get_attribute(".step[data-number='4'] button", "aria-pressed") == "true"
    assert view.text_content("mark.active") == "BNP 1200 pg/mL"
    assert "Step 4" in view.text_content("#announcer")
    view.keyboard.press("Escape")
    assert view.locator("mark.active").count() == 0
    view.click("mark[data-steps='5']")
    assert view.get_attribute(".step[data-number='5'] button", "aria-pressed") == "true"


def test_by_keyboard_alone(show: Any) -> None:
    view = show(page(answered()))
    for _ in range(30):
        view.keyboard.press("Tab")
        if view.evaluate("document.activeElement.dataset.number") == "1":
            break
    assert view.text_content("mark.active") == QUOTES[0]
    view.keyboard.press("ArrowDown")
    view.keyboard.press("End")
    assert view.text_content("mark.active") == "LVEF 25 %"
    view.keyboard.press("Enter")
    assert view.get_attribute(".step[data-number='5'] button", "aria-pressed") == "true"
    described = view.evaluate(
        "document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent",
    )
    assert (
        "It fits." in described
        and view.evaluate("document.activeElement.textContent") == "Step 5LVEF 25 %"
    )
    view.keyboard.press("Escape")
    assert view.locator("mark.active").count() == 0


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_and_wide_light_and_dark(show: Any, width: int, scheme: str) -> None:
    view = show(page(answered()), width, scheme)
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    dark = view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark == (scheme == "dark")
    view.click(".step[data-number='5'] button")
    view.wait_for_timeout(500)
    box = view.locator("mark.active").first.bounding_box()
    assert box and 0 <= box["y"] < 800
    view.emulate_media(media="print")
    assert view.locator(".disclaimer").is_visible() and not view.locator(".tabs").is_visible()
    assert view.evaluate(
        "document.querySelector('.scroller').scrollHeight <= document.querySelector('.scroller').clientHeight + 1",
    )
    assert view.pdf()[:4] == b"%PDF"


HEADLINES = {
    "answered": "Heart failure with reduced ejection fraction",
    "type_open": "Heart Failure, type not stated",
    "not_supported": "Not supported by this note",
    "out_of_scope": "None of the illnesses that dxtrace knows",
}


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("name", STATES)
def test_every_state_has_its_headline(show: Any, name: str, width: int) -> None:
    view = show(page(state(name)), width)
    assert view.inner_text("h1") == HEADLINES[name]
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    text = view.inner_text("main")
    assert (DECIDES in text) == (name == "type_open")
    nearest = name in ("not_supported", "out_of_scope")
    assert ("Nearest candidates" in text) == nearest and ("No diagnosis" in text) == nearest
    assert (view.locator("text=Learn").count() == 0) == nearest
    assert ("93% that none of them fits" in text) == (name == "out_of_scope")
    table = view.locator(".bars")
    assert table.locator("thead").inner_text().split() == ["Probability", "Model", "Findings"]
    shown = table.locator("tbody").first.inner_text().split()
    assert shown == ["Heart", "Failure", "62%", "31%", "100%", "HFrEF", "60%", "30%", "100%"]


def test_doubt_and_evidence_against_are_drawn_on_step_and_note(show: Any) -> None:
    against = (against_at(NOTE, "No fever", "Heart Failure"), against_at(NOTE, "diabetes", "HFpEF"))
    view = show(page(state("answered", contradictions=against)))
    lead = view.inner_text(".lead")
    assert "1 of them is doubtful" in lead and "1 piece of the note speaks against it" in lead
    assert view.locator(".step.doubt").count() == 1
    assert "Doubtful: the quote states it with 55%" in view.inner_text(".step.doubt")
    assert view.text_content("mark.doubt") == "Ankles swollen"
    assert view.locator("mark.counter").all_text_contents() == ["No fever", "diabetes"]
    view.focus(".step[data-number='2'] button")
    view.keyboard.press("ArrowDown")
    assert view.text_content("mark.active") == "No fever"
    view.click("mark.counter >> nth=1")
    assert view.locator(".step.pinned").get_attribute("data-number") == "b"
    with view.expect_download() as download:
        view.click("text=Download .txt")
    text = Path(download.value.path()).read_text("utf-8")
    assert "Doubtful: step 2" in text and "Speaks against HFpEF" in text
    with view.expect_download() as download:
        view.click("text=Download .json")
    data = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert Chain.from_json(data).contradictions == against


def test_comparing_with_an_answer_that_names_none(show: Any) -> None:
    readings = [Reading(state(name), name) for name in ("answered", "out_of_scope")]
    view = show(page(ViewCase.of_chains(*readings)))
    text = view.inner_text("main")
    assert "A begins with Suspected Heart Failure; B names no illness." in text
    assert "None of the illnesses that dxtrace knows" in text
    assert "(doubtful, 55%)" in text and "Speaks against Bacterial Pneumonia" in text


def test_learning_against_an_open_type(show: Any) -> None:
    view = show(page(state("type_open")))
    view.click("text=Learn")
    view.click("text=Show all")
    view.fill("#diagnosis", "HFpEF")
    view.keyboard.press("Enter")
    view.locator(".unit", has_text="No fever").click()
    view.locator(".unit", has_text="Ankles swollen").click()
    view.click("text=Commit and see")
    text = view.inner_text("main")
    assert "The diagnosis: Heart Failure, type not stated" in text
    assert "Diagnosis 50 of 50" in text and "leaves the type open" in text
    assert "Evidence against (1)" in text and "you marked it" in text
    assert "Not in the reference" not in text
    assert "the reference is unsure of this: 55%" in text


def test_a_hostile_note_stays_text(show: Any) -> None:
    chain = answered(HOSTILE, ["Troponin <0.01 & rising", "🩺 then pain", "LVEF 25 %"])
    view = show(page(chain))
    assert view.evaluate("window.hacked") is None
    assert view.text_content(".note") == HOSTILE
    assert view.evaluate(MARKED, 2) == "🩺 then pain"
    assert view.locator("#app img, #app script, #app svg").count() == 0


@pytest.mark.parametrize("end", ["\n", " "])
def test_fifty_thousand_words_stay_quick(show: Any, end: str) -> None:
    line = "He felt <b>well</b> & had no complaints of any kind today, said his wife 🙂." + end
    note = line * 2500 + "HPI:\n" + line * 1000 + NOTE
    view = show(page(answered(note, ["BNP 1200 pg/mL", "LVEF 25 %"])))
    assert len(note.split()) > 50_000
    opened = busy_s(view)
    assert opened < 2
    view.click(".step[data-number='2'] button")
    view.wait_for_selector("mark.active")
    assert busy_s(view) - opened < 1
    assert view.text_content(".note") == note


def compared() -> str:
    gold, other = answered(), chain_on(NOTE, ["three pillows", "diabetes", "LVEF 25 %"], "HFpEF")
    readings = (
        Reading(gold, "Reference", reference=True),
        Reading(replace(other, model=ModelInfo("m")), "m"),
    )
    return page(ViewCase.of_chains(*readings))


def test_comparison_says_who_cites_what_and_where_paths_part(show: Any) -> None:
    view = show(compared())
    text = view.inner_text("main")
    assert "Both reach Heart Failure; then A goes on to HFrEF; B goes on to HFpEF." in text
    assert "2 by both" in text and "1 by B alone" in text
    view.click("text=1 by B alone")
    assert view.locator(".evidence-row:visible").count() == 1
    view.click(".evidence-row:visible")
    assert view.text_content("mark.active") == "diabetes"


def test_learning_from_first_section_to_export(show: Any) -> None:
    view = show(compared())
    view.click("text=Learn")
    assert "BNP" not in view.text_content(".note")
    assert "HFrEF" not in view.inner_text("main")
    while view.locator("text=/^Show [a-z]+ .*|^Show family.*|^Show pert.*/").count():
        view.locator(".sealed .primary").click()
    assert "BNP" in view.text_content(".note")
    for name in ("copd", "HFREF"):
        view.fill("#diagnosis", name)
        view.keyboard.press("Enter")
    view.click("button[aria-label='Move HFrEF up']")
    view.locator(".unit", has_text="BNP").click()
    view.locator(".unit", has_text="father").click()
    view.click("text=Commit and see")
    text = view.inner_text("main")
    assert (
        "Diagnosis 50 of 50" in text
        and "Not in the reference (1)" in text
        and "father had a heart attack" in text
    )
    assert "Missed (" in text and "It fits." in text
    with view.expect_download() as download:
        view.click("text=Save as JSON")
    session = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert session["differential"] == ["HFrEF", "COPD"] and session["disclaimer"] == DISCLAIMER
    for mark in session["marks"]:
        assert NOTE[mark["start"] : mark["end"]] == mark["text"]
    with view.expect_download() as download:
        view.click("text=Save as Markdown")
    assert DISCLAIMER in Path(download.value.path()).read_text("utf-8")
    view.reload()
    view.click("text=Learn")
    assert "Not in the reference (1)" in view.inner_text("main")


def test_marking_by_keyboard_and_by_selection(show: Any) -> None:
    view = show(page(answered()))
    view.click("text=Learn")
    view.click("text=Show all")
    view.focus("[role=checkbox][tabindex='0']")
    view.keyboard.press("ArrowDown")
    view.keyboard.press("Space")
    assert view.evaluate("document.activeElement.getAttribute('aria-checked')") == "true"
    assert view.locator(".marks li").count() == 1
    view.keyboard.press("Space")
    assert view.locator(".marks li").count() == 0
    view.evaluate(
        "() => { const m = [...document.querySelectorAll('.unit')].find(u => u.textContent.includes('BNP')).firstChild;"
        "const r = document.createRange(); r.setStart(m, 0); r.setEnd(m, 8); getSelection().addRange(r); }",
    )
    view.locator(".note").dispatch_event("mouseup")
    view.wait_for_selector(".marks li")
    assert view.text_content(".marks li span") == "BNP 1200"
    assert view.text_content(".note") == NOTE


SCORES = [
    ([[0, 40]], ["HFrEF"], 50, 1),
    ([], ["HFpEF"], 25, 0),
    ([], ["COPD", "hfref"], 35, 0),
    ([], ["COPD"], 0, 0),
]


@pytest.mark.parametrize(("marks", "ranked", "points", "found"), SCORES)
def test_scores_follow_the_rules_that_the_page_states(
    show: Any,
    marks: list[list[int]],
    ranked: list[str],
    points: float,
    found: int,
) -> None:
    view = show(page(answered(NOTE, ["71M with two weeks of worsening", "LVEF 25 %"])))
    start = NOTE.index("71M")
    given = [[start + a, start + b] for a, b in marks]
    result = view.evaluate(
        "([marks, ranked]) => { const f = caseAt(0), r = f.readings[0];"
        "const spans = evidenceSpans(f.note, r.steps, r.path);"
        "return [scoreDiagnosis(ranked, r, PAGE.diagnoses), scoreEvidence(marks, spans)]; }",
        [given, ranked],
    )
    assert result[0]["points"] == points
    assert len(result[1]["found"]) == found
    whole = view.evaluate(
        "() => { const f = caseAt(0), r = f.readings[0];"
        "return scoreEvidence([[0, f.note.length]], evidenceSpans(f.note, r.steps, r.path)).points; }",
    )
    assert whole == 0, "marking everything earns nothing"


def wait_until(view: Any, script: str) -> None:
    """Ask again and again from outside the page, whose security policy forbids code as text inside."""
    for _ in range(100):
        if view.evaluate(script):
            return
        view.wait_for_timeout(50)
    raise AssertionError(f"never true: {script}")


def wait_for_count(view: Any, selector: str, count: int) -> None:
    """Wait until so many elements are there; without code as text, which the page's security policy
    forbids.
    """
    from playwright.sync_api import expect

    expect(view.locator(selector)).to_have_count(count)


def test_library_searches_filters_and_opens_within_a_second(show: Any) -> None:
    chain = answered()
    other = chain_on(
        "CC: headache\n\nHPI: flashing lights, then a throbbing headache.",
        ["flashing lights"],
        "COPD",
    )
    cases = [ViewCase.of_chains(Reading(replace(chain, id=f"a{n}"), "m")) for n in range(199)]
    text = library([*cases, ViewCase.of_chains(Reading(other, "m"))])
    view = show(text)
    assert busy_s(view) < 1
    assert view.locator(".cases li").count() == 200
    view.fill("#search", "flashing")
    wait_for_count(view, ".cases li", 1)
    view.fill("#search", "")
    view.select_option("#filter-category", "Heart Failure")
    wait_for_count(view, ".cases li", 199)
    view.check("#practice")
    assert "HFrEF" not in view.inner_text("main")
    view.locator(".cases a").nth(3).click()
    view.wait_for_selector(".learn")
    view.go_back()
    view.wait_for_selector(".cases")


def test_a_notebook_cell_works_in_its_frame(show: Any) -> None:
    view = show(f"<!doctype html><title>n</title><body>{notebook_html(answered())}</body>")
    frame = view.frame_locator("iframe")
    frame.locator(".step[data-number='5']").click()
    assert frame.locator("mark.active").text_content() == "LVEF 25 %"


def test_without_scripts_the_answer_can_be_read(show: Any) -> None:
    view = show(page(answered()), java_script_enabled=False)
    text = view.inner_text("body")
    assert "BNP 1200 pg/mL" in text and DISCLAIMER in text


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker's script: named by AXE_CORE, or installed with npm into a folder of
    its own.
    """
    named = os.environ.get("AXE_CORE")
    if named:
        return Path(named).read_text("utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("neither AXE_CORE nor npm")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "install", "--silent", "axe-core@4"],
        cwd=folder,
        capture_output=True,
        timeout=120,
    )
    if done.returncode:
        pytest.skip("axe-core cannot be installed here")
    return (folder / "node_modules/axe-core/axe.min.js").read_text("utf-8")


@pytest.mark.parametrize(
    ("width", "colours"),
    [
        (320, {"scheme": "dark"}),
        (1440, {"scheme": "light"}),
        (1440, {"forced_colors": "active"}),
    ],
)
def test_accessibility(show: Any, axe: str, width: int, colours: dict[str, str]) -> None:
    cases = library([ViewCase.of_chains(Reading(answered(), "m"))], practice=False)
    views = [
        (compared(), ""),
        *((page(state(name)), "") for name in STATES),
        (cases, ""),
        (cases, "#case=0&tab=read"),
        (cases, "#case=0&tab=learn"),
    ]
    for text, fragment in views:
        view = show(text, width, fragment=fragment, bypass_csp=True, **colours)
        view.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        view.evaluate(axe)
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        found = view.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in found] == []
