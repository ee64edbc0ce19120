"""Several answers on one note, and a library of them: where paths part, how far they agree, what a researcher takes out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.view import NOTE, Watch, chain_on, chromium, differential_of, state

from dxtrace.chain import Chain, ModelInfo
from dxtrace.view import Reading, ViewCase, label_of, library, page

SHARED, OWN = "three pillows", "BNP 1200 pg/mL"


def chain(diagnosis: str, *quotes: str) -> Chain:
    found = chain_on(NOTE, list(quotes), diagnosis, differential=differential_of(diagnosis))
    return replace(found, model=ModelInfo("m"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def opened(browser: Any, file: Path, fragment: str = "") -> Any:
    view = browser.new_page(viewport={"width": 1440, "height": 900})
    view.watch = Watch(view, file.as_uri())
    view.goto(file.as_uri() + fragment)
    return view


@pytest.mark.slow
def test_three_answers_are_one_tree_with_numbers(browser: Any, tmp_path: Path) -> None:
    readings = (
        Reading(chain("HFrEF", SHARED, OWN, "LVEF 25 %"), "Reference", reference=True),
        Reading(chain("HFpEF", SHARED, "LVEF 25 %"), "m"),
        Reading(chain("COPD", SHARED, "diabetes"), "n"),
    )
    file = tmp_path / "page.html"
    file.write_text(page(ViewCase.of_chains(*readings)), encoding="utf-8")
    view = opened(browser, file)
    text = view.inner_text("main")
    assert "They part at the first suspicion: A and B begin with Suspected Heart Failure" in text
    assert "A and B reach Heart Failure; then A goes on to HFrEF; B goes on to HFpEF." in text
    nodes = view.locator(".tree .node").all_text_contents()
    assert nodes.count("Suspected Heart Failure") == 1 and "Suspected COPD" in nodes
    numbers = [row.inner_text().split("\t") for row in view.locator(".numbers tbody tr").all()]
    assert ["B beside A", "1", "0%", "100%", "1.00", "0.67", "0.80"] in numbers
    assert ["Heart Failure", "62%", "62%", "2%"] in numbers
    row = view.locator(".evidence-row", has_text="three pillows")
    assert row.locator("dd").count() == 1 and row.locator("dt .letter").count() == 3
    with view.expect_download() as download:
        view.click("text=Save as CSV")
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines()))
    assert [(row["reading"], row["parts_at"]) for row in rows] == [
        ("Reference", ""),
        ("m", "HFrEF / HFpEF"),
        ("n", "Suspected Heart Failure / Suspected COPD"),
    ]
    assert view.watch.faults == []


@pytest.mark.slow
def test_a_library_is_filtered_by_how_answers_agree(browser: Any, tmp_path: Path) -> None:
    gold = Reading(chain("HFrEF", SHARED, OWN), "Reference", reference=True)
    other = chain_on("CC: cough\n\nHPI: cough for weeks", ["cough for weeks"], "COPD")
    cases = [
        ViewCase.of_chains(gold, Reading(state("answered"), "m")),
        ViewCase.of_chains(
            Reading(other, "Reference", reference=True),
            Reading(replace(other, diagnosis="COPD"), "m"),
        ),
    ]
    file = tmp_path / "library.html"
    file.write_text(library(cases, practice=False), encoding="utf-8")
    view = opened(browser, file)
    shown = "[...document.querySelectorAll('.cases .name')].map(e => e.textContent)"
    for asked, expected in {
        "agree": ["breathless", "cough"],
        "disagree": [],
        "doubtful": ["breathless"],
        "wrong": [],
    }.items():
        view.select_option("#filter-agree", asked)
        view.wait_for_timeout(60)
        assert view.evaluate(shown) == expected, asked
    view.select_option("#filter-agree", "agree")
    view.select_option("#order", "rising")
    view.wait_for_timeout(60)
    assert view.evaluate(shown) == ["breathless", "cough"]
    view.locator(".cases a").nth(1).click()
    assert "(2 of 2 in the list)" in view.inner_text(".crumbs")
    view.click("text=← All cases")
    assert view.evaluate("document.activeElement.getAttribute('href')") == "#case=1"
    view.click("text=For research")
    cells = view.locator(".numbers tbody tr").inner_text().split("\t")
    assert cells[:4] == ["m beside Reference", "2", "100%", "100%"]
    assert view.watch.faults == []


def test_a_base_and_its_own_adapter_are_named_once() -> None:
    assert label_of(ModelInfo("a + a")) == "a with its adapter"
    assert label_of(ModelInfo("a + b")) == "a + b" and label_of(ModelInfo("a")) == "a"
