"""Cases, a quick answerer and a browser for the tests of the page and the server."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from dxtrace.chain import (
    Alternative,
    Chain,
    Contradiction,
    Differential,
    ModelInfo,
    PremiseRef,
    Ranked,
    Span,
    Step,
    Timing,
)
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.case import Case

NOTE = (
    "CC: breathless\n\nHPI: 71M with two weeks of worsening breathlessness. Sleeps on three pillows. "
    "Sleeps on three pillows. No fever.\n\nPMH: hypertension, diabetes.\n\n"
    "Family history: father had a heart attack.\n\n"
    "Exam: raised jugular venous pressure, crackles at both bases. Ankles swollen.\n\n"
    "Results: BNP 1200 pg/mL. Troponin <0.01. Echo: LVEF 25 %."
)

HOSTILE = (
    'CC: <script>window.hacked=1</script> chest pain\n\nHPI: Troponin <0.01 & rising; "quoted" '
    "</script><img src=x onerror=window.hacked=1>\n"
    "Fever \u202eright to left\u202c and back. Emoji 🫀🩺 then pain. '--><svg onload=window.hacked=1>\n\n"
    "Results: {{7*7}} ${window.hacked=1} javascript:alert(1) LVEF 25 % \u2028 end."
)


def step_at(
    note: str,
    text: str,
    supports: str,
    rationale: str = "It fits.",
    after: int = 0,
) -> Step:
    """Return a step that quotes the first ``text`` after an offset."""
    start = note.index(text, after)
    section = Case.from_text(note).section_at(start)
    return Step(
        supports,
        rationale,
        Span(text, start, start + len(text), section),
        PremiseRef("hf/x", "ESC, 2021"),
    )


def chain_on(note: str, quotes: list[str], diagnosis: str = "HFrEF", **changes: Any) -> Chain:
    """Return a verified chain with one step for each quote, spread along the path."""
    node = Taxonomy.default().find(diagnosis)
    places = [
        min(n * len(node.path) // len(quotes), len(node.path) - 1) for n in range(len(quotes))
    ]
    steps = tuple(
        step_at(note, quote, node.path[place]) for quote, place in zip(quotes, places, strict=True)
    )
    chain = Chain("case-1", note, node.name, node.category, node.path, steps, **changes)
    chain.verify()
    return chain


def differential_of(diagnosis: str) -> Differential:
    """Return a differential over the whole taxonomy that puts ``diagnosis`` first with 60 %."""
    nodes = Taxonomy.default().diagnoses
    rest = 0.4 / (len(nodes) - 1)
    entries = [Ranked(n.name, n.category, 0.6 if n.name == diagnosis else rest) for n in nodes]
    return Differential(tuple(sorted(entries, key=lambda entry: -entry.probability)))


STATES = ("answered", "type_open", "not_supported", "out_of_scope")

#: What would decide the type in :func:`state`.
DECIDES = "An ejection fraction of 40 % or less makes it HFrEF"


def against_at(note: str, text: str, *nodes: str) -> Contradiction:
    """Return a contradiction that quotes the first ``text``."""
    evidence = step_at(note, text, "").evidence
    return Contradiction(nodes, "strong", "It speaks against.", evidence, PremiseRef("hf/c", "ESC"))


def state(name: str, **changes: Any) -> Chain:
    """Return a verified chain on :data:`NOTE` in one of :data:`STATES`; its second step is doubtful."""
    path: tuple[str, ...] = ()
    if name == "type_open":
        path = ("Suspected Heart Failure", "Strongly Suspected Heart Failure")
    elif name == "answered":
        path = Taxonomy.default().find("HFrEF").path
    steps = (
        replace(
            step_at(NOTE, "Sleeps on three pillows", "Suspected Heart Failure"), probability=0.9
        ),
        replace(step_at(NOTE, "Ankles swollen", "Suspected Heart Failure"), probability=0.55),
    )
    chain = Chain(
        id=name,
        note=NOTE,
        diagnosis="HFrEF" if name == "answered" else "",
        category="Heart Failure" if path else "",
        path=path,
        steps=steps if path else (),
        differential=opinions_of("HFrEF"),
        status=name,  # type: ignore[arg-type]
        alternatives=(
            Alternative("COPD", "COPD", (step_at(NOTE, "Sleeps on three pillows", "COPD"),)),
        ),
        contradictions=(against_at(NOTE, "No fever", "Bacterial Pneumonia"),),
        undecided=(DECIDES,) if name == "type_open" else (),
        out_of_scope=0.93 if name == "out_of_scope" else 0.04,
        model=ModelInfo("m"),
    )
    return replace(chain, **changes)


def opinions_of(diagnosis: str) -> Differential:
    """Return :func:`differential_of` with the two opinions beside each probability."""
    entries = [
        replace(entry, model=entry.probability / 2, findings=1.0 if number == 0 else 0.0)
        for number, entry in enumerate(differential_of(diagnosis).entries)
    ]
    return Differential(tuple(entries))


@dataclass
class Quick:
    """An answerer without a model: quotes clauses of the note, ``delay`` seconds apart; one request
    at a time.

    With ``answer``, which is on :data:`NOTE`, it gives that.
    """

    name: str = "quick"
    delay: float = 0.0
    answer: Chain | None = None
    model: ModelInfo = field(init=False)

    def __post_init__(self) -> None:
        self.model = ModelInfo(self.name)
        self.busy = threading.Lock()
        self.answered = 0

    def differential(self, _: Case) -> Differential:
        """Return the same differential for every case."""
        return differential_of("HFrEF")

    def stream(self, case: Case) -> Iterator[Differential | Step | Chain]:
        """Yield differential, steps and chain; fails when two requests meet."""
        assert self.busy.acquire(blocking=False), "two requests at once on one engine"
        try:
            time.sleep(self.delay)
            yield self.differential(case)
            if self.answer is not None:
                yield from self.answer.steps
                yield replace(self.answer, id=case.id, note=case.note)
                return
            spans = [m.span() for m in re.finditer(r"\w[^.,;\n]{3,}", case.note)]
            path = Taxonomy.default().find("HFrEF").path
            steps = []
            for number, (start, end) in enumerate(spans[:: max(1, len(spans) // 5)][:5]):
                time.sleep(self.delay)
                span = Span(case.note[start:end], start, end, case.section_at(start))
                steps.append(Step(path[min(number, 3)], f"Reason {number + 1}.", span))
                yield steps[-1]
            self.answered += 1
            yield Chain(
                case.id,
                case.note,
                "HFrEF",
                "Heart Failure",
                path,
                tuple(steps),
                self.differential(case),
                model=self.model,
                timing=Timing(total_s=self.delay),
            )
        finally:
            self.busy.release()


FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a headless browser; skips the test where there is none."""
    import pytest

    playwright = pytest.importorskip("playwright.sync_api")
    program = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if program is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


class Watch:
    """Notes what a page does that it must not: errors, console output, requests to elsewhere."""

    def __init__(self, page: Any, own: str) -> None:
        self.faults: list[str] = []
        page.on("console", lambda message: self.faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", lambda request: self._request(request.url, own))

    def _request(self, url: str, own: str) -> None:
        if not url.startswith((own, "data:", "blob:")):
            self.faults.append(f"request: {url}")
