"""One answer on the page: what the first screen says, how sure it is, what else it could be, and what can be taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.view import NOTE, Watch, chain_on, chromium, state, step_at

from dxtrace.chain import Alternative, Chain, ModelInfo
from dxtrace.evaluate.fit import read_pairs
from dxtrace.findings.weights import weight_of
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.models import store
from dxtrace.models.opening import shipped_adapter
from dxtrace.view import page, trust_in

FULL = "Heart failure with reduced ejection fraction"

SEEN = (
    "selector => [...document.querySelectorAll(selector)].filter(e => { const b = e.getBoundingClientRect();"
    "return b.top >= 0 && b.bottom <= innerHeight && b.width > 0; }).length"
)


def answer() -> Chain:
    """Return an answer of the model that ships, with weights, an alternative, and what speaks against."""
    quotes = [
        "Sleeps on three pillows",
        "raised jugular venous pressure",
        "BNP 1200 pg/mL",
        "LVEF 25 %",
    ]
    weights = ("supportive", "supportive", "strong", "strong")
    chain = chain_on(NOTE, quotes)
    steps = tuple(replace(s, weight=w) for s, w in zip(chain.steps, weights, strict=True))
    folder = shipped_adapter("smollm2-135m")
    assert folder is not None
    copd = Alternative("COPD", "COPD", (step_at(NOTE, "Sleeps on three pillows", "COPD"),))
    return state(
        "answered",
        steps=steps,
        alternatives=(copd,),
        model=ModelInfo("smollm2-135m", None, store.adapter_sha256(folder)),
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def opened(browser: Any, file: Path, width: int, height: int) -> Any:
    view = browser.new_page(viewport={"width": width, "height": height})
    view.watch = Watch(view, file.as_uri())
    view.goto(file.as_uri())
    view.wait_for_selector("mark.active")
    view.wait_for_timeout(100)
    return view


@pytest.mark.slow
def test_the_first_screen_says_what_why_how_sure_and_where(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "answer.html"
    file.write_text(page(answer()), encoding="utf-8")
    narrow = opened(browser, file, 360, 740)
    for selector in ("h1", ".step[data-number='1'] .quote", "mark.active"):
        assert narrow.evaluate(SEEN, selector) == 1, selector
    wide = opened(browser, file, 1440, 900)
    assert wide.evaluate(SEEN, ".step") >= 3 and wide.evaluate(SEEN, ".note mark.evidence") >= 3
    assert wide.inner_text("h1") == FULL
    codes = wide.inner_text(".codes")
    assert "HFrEF" in codes and "ICD-10-CM I50.20" in codes and "60%" in codes
    assert "Settled by LVEF 25 %; raised by BNP 1200 pg/mL and" in wide.inner_text(".lead")
    trust = trust_in(answer().model)
    assert trust and f"of {trust['cases']} {trust['on']}" in wide.inner_text(".head .trust")
    assert "What else: " in wide.inner_text(".rivals")
    wide.click(".lead .said >> nth=0")
    assert wide.text_content("mark.active") == "LVEF 25 %"
    assert "strong" in wide.inner_text(".step[data-number='4']")
    chips = wide.locator(".step .chip").all_text_contents()
    assert chips == ["1", "1", "1", "1", "2"] and wide.locator(".sources li").count() == 2
    grid = wide.locator(".grid")
    assert grid.locator("thead th").all_text_contents() == ["HFrEF", "COPD"]
    row = grid.locator("tr", has_text="three pillows")
    assert row.locator(".hidden").all_text_contents() == ["for", "for"]
    assert narrow.watch.faults == wide.watch.faults == []


@pytest.mark.slow
def test_votes_and_the_page_itself_can_be_taken_away(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "answer.html"
    file.write_text(page(answer()), encoding="utf-8")
    view = opened(browser, file, 1440, 900)
    view.click("text=Judge the steps")
    view.click("fieldset >> nth=0 >> text=Right")
    view.click("fieldset >> nth=3 >> text=Wrong quote")
    with view.expect_download() as download:
        view.click("text=Save votes")
    rows = [
        json.loads(line) for line in Path(download.value.path()).read_text("utf-8").splitlines()
    ]
    pairs = read_pairs(rows)
    assert [(pair.label, NOTE[pair.start : pair.end]) for pair in pairs] == [
        ("good", "Sleeps on three pillows"),
        ("wrong", "LVEF 25 %"),
    ]
    with view.expect_download() as download:
        view.click("text=Save as HTML")
    saved = tmp_path / "saved.html"
    download.value.save_as(saved)
    again = opened(browser, saved, 1440, 900)
    assert again.inner_text("h1") == FULL and again.text_content(".note") == NOTE
    again.click(".step[data-number='4'] button")
    assert again.text_content("mark.active") == "LVEF 25 %"
    assert view.watch.faults == again.watch.faults == []


def test_a_finding_has_the_weight_of_its_kind_and_its_ratio() -> None:
    assert weight_of("heart-failure/lvef-reduced-echo") == "strong"
    assert weight_of("heart-failure/orthopnea") == "supportive"
    assert weight_of("atrial-fibrillation/older-age") == "weak"
    assert weight_of("heart-failure/no-such-finding") is None and weight_of("x") is None


def test_every_diagnosis_has_a_name_in_full_and_a_code() -> None:
    for node in Taxonomy.default().diagnoses:
        assert node.icd10cm and not node.full_name.isupper(), node.name


def test_a_model_without_a_card_is_not_praised() -> None:
    assert trust_in(ModelInfo("other", None, "0" * 64)) is None and trust_in(ModelInfo("x")) is None


def test_alternatives_come_back_from_json() -> None:
    chain = answer()
    assert Chain.from_json(chain.to_json()) == chain
