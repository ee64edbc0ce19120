"""The web app as a user meets it: paste, stream, cancel, drop, and what goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.serving import serving, wait
from support.view import HOSTILE, NOTE, Quick, Watch, chromium, state

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


def test_paste_stream_and_read(page: Any) -> None:
    with serving(Quick(delay=0.05), examples={"An example": NOTE}) as server:
        own = f"http://127.0.0.1:{server.port}"
        watch = Watch(page, own)
        page.goto(own)
        page.fill("#case", "my own words")
        page.click("text=An example")
        assert page.input_value("#case") == NOTE
        page.click("text=Put my text back")
        assert page.input_value("#case") == "my own words"
        page.fill("#case", HOSTILE)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".status.over")
        assert page.text_content(".note") == HOSTILE
        for step in page.locator(".step").all():
            step.hover()
            number = step.get_attribute("data-number")
            marks = page.locator(f"mark.active[data-steps~='{number}']").all_text_contents()
            assert "".join(marks) == step.locator(".quote").text_content()
        assert page.evaluate("window.hacked") is None
        assert "v1/reason" in page.text_content(".code >> nth=0")
        page.click("text=New case")
        assert page.input_value("#case") == ""
        assert watch.faults == []


def test_steps_appear_while_it_is_written_and_cancel_frees_the_place(page: Any) -> None:
    with serving(Quick(delay=2)) as server:
        page.goto(f"http://127.0.0.1:{server.port}")
        page.fill("#case", NOTE)
        page.click("text=Find the diagnosis")
        page.wait_for_selector(".step")
        assert page.locator(".status.over").count() == 0
        page.click("text=Cancel")
        assert page.input_value("#case") == NOTE
        wait(lambda: server.health()["running"] == 0)


@pytest.mark.parametrize("name", ["type_open", "out_of_scope"])
def test_an_answer_that_names_no_diagnosis_is_streamed(page: Any, name: str) -> None:
    with serving(Quick(delay=0.05, answer=state(name))) as server:
        page.goto(f"http://127.0.0.1:{server.port}")
        page.fill("#case", NOTE)
        page.click("text=Find the diagnosis")
        page.wait_for_selector(".status.over")
        headline = state(name).headline
        assert page.inner_text(".head h1") == headline[0].upper() + headline[1:]
        assert page.locator(".differential").count() == 1
        assert page.locator(".step:not(.counter)").count() == len(state(name).steps)
        assert page.locator("mark.counter").inner_text() == "No fever"


def test_a_very_long_paste_goes_in_whole(page: Any) -> None:
    note = "No complaints 🙂 today. " * 2000 + NOTE
    with serving() as server:
        page.goto(f"http://127.0.0.1:{server.port}")
        page.evaluate(
            "text => { const clipboardData = new DataTransfer(); clipboardData.setData('text/plain', text);"
            "document.querySelector('#case').dispatchEvent("
            "new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true})); }",
            note,
        )
        page.click("text=Find the diagnosis")
        page.wait_for_selector(".status.over")
        assert page.text_content(".note") == note


def test_the_place_in_line_is_shown(browser: Any, page: Any) -> None:
    with serving(Quick(delay=1)) as server:
        others = [browser.new_page() for _ in range(2)]
        for one in [*others, page]:
            one.goto(f"http://127.0.0.1:{server.port}")
            one.fill("#case", NOTE)
            one.click("text=Find the diagnosis")
        page.wait_for_selector("text=/Place \\d of \\d/")
        for one in others:
            one.close()
        page.wait_for_selector(".status.over", timeout=60_000)


def test_a_dropped_json_case_and_a_bad_one(page: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    with serving() as server:
        page.goto(f"http://127.0.0.1:{server.port}")
        file = tmp_path / "case.json"
        file.write_text(
            '{"id": "x", "chief_complaint": "cough", "physical_exam": "crackles at both bases"}',
        )
        page.set_input_files("#file", file)
        expect(page.locator("#case")).to_have_value(re.compile(r"^\{"))
        page.click("text=Find the diagnosis")
        page.wait_for_selector(".status.over")
        assert "crackles at both bases" in page.text_content(".note")
        page.click("text=Edit this case")
        page.fill("#case", "   ")
        page.click("text=Find the diagnosis")
        assert "Paste a case first" in page.text_content("[role=alert]")


def test_an_answer_is_kept_over_a_reload_where_that_is_wanted(page: Any, tmp_path: Path) -> None:
    with serving(Quick(delay=0.05)) as server:
        page.goto(f"http://127.0.0.1:{server.port}")
        assert page.locator("#model").count() == 0
        assert server.ask("HEAD", "/")[0] == 200
        picture = tmp_path / "scan.pdf"
        picture.write_bytes(b"%PDF-1.4 \x00\x01")
        page.set_input_files("#file", picture)
        page.wait_for_selector("text=scan.pdf is not plain text")
        page.fill("#case", NOTE)
        assert page.locator("[role=alert]").count() == 0
        page.check("#keep")
        page.click("text=Find the diagnosis")
        page.wait_for_selector(".status.over")
        page.reload()
        page.wait_for_selector(".status.over")
        assert page.text_content(".note") == NOTE and page.locator(".step").count() > 1
        page.click("text=New case")
        page.reload()
        assert page.locator(".status").count() == 0


def test_two_models_answer_one_case_side_by_side(page: Any) -> None:
    first, other = Quick(), Quick("other", answer=state("out_of_scope"))
    models = {"default": first, "quick": first, "second": other}
    with serving(loaded=[models]) as server:
        page.goto(f"http://127.0.0.1:{server.port}")
        assert page.locator("#model option").all_text_contents() == ["quick", "other"]
        assert "25 categories" in page.inner_text("main")
        page.fill("#case", NOTE)
        page.click("text=Find the diagnosis")
        page.wait_for_selector(".status.over")
        page.click("text=Compare with other")
        page.wait_for_selector(".compare")
        text = page.inner_text("main")
        assert "A begins with Suspected Heart Failure; B names no illness." in text


def test_a_token_is_given_in_the_page(page: Any) -> None:
    with serving(rules={"token": "t" * 20}) as server:
        page.goto(f"http://127.0.0.1:{server.port}")
        page.fill("#case", NOTE)
        page.click("text=Find the diagnosis")
        assert "token" in page.text_content("[role=alert]")
        assert page.evaluate("document.activeElement.id") == "token"
        page.keyboard.type("t" * 20)
        page.click("text=Find the diagnosis")
        page.wait_for_selector(".status.over")
