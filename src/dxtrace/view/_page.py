"""Putting a page together: one file with its style, its script and its data, and a policy that runs
nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from string import Template
from typing import Any, Literal

from dxtrace.chain import DISCLAIMER, DOUBTFUL, Chain
from dxtrace.errors import InputError
from dxtrace.provenance import CREDENTIALED_RULE, version
from dxtrace.view._data import (
    ViewCase,
    case_json,
    catalogue,
    entry_json,
    front_json,
    reading_of,
    title_of,
)
from dxtrace.view._static import STATIC_STYLE, static_case_html

Tab = Literal["read", "compare", "learn"]

_STYLES = ("tokens", "layout", "note", "result", "compare", "learn", "library")
_SCRIPTS = (
    "dom",
    "reflow",
    "note",
    "state",
    "differential",
    "grid",
    "votes",
    "result",
    "research",
    "compare",
    "score",
    "course",
    "learn",
    "feedback",
    "library",
)

#: Height of a result in a notebook, in CSS pixels.
NOTEBOOK_HEIGHT = 720


def page(*found: Chain | ViewCase, title: str | None = None, start: Tab | None = None) -> str:
    """Return a self-contained HTML page of one case: its answer, or two or three answers compared.

    Args:
        found: one :class:`ViewCase`, or one to three chains on the same note.
        title: the page's title; None for the case's own.
        start: the tab that is open at first; None for the comparison where there is one, else the
            answer.

    Raises:
        InputError: nothing to show, or chains on different notes.
    """
    case = _one_case(found)
    data = {
        "mode": "case",
        "start": start or ("compare" if len(case.readings) > 1 else "read"),
        "diagnoses": catalogue(),
    }
    fallback = "".join(static_case_html(reading.chain) for reading in case.readings)
    body = case_json(case)
    title = title or f"{title_of(case.case)} · dxtrace"
    marked = case.credentialed
    return _assemble(title, data, [body], fallback=fallback, credentialed=marked)


def library(
    cases: Iterable[ViewCase],
    title: str = "Case library",
    practice: bool | None = None,
    answers: bool = True,
) -> str:
    """Return a self-contained HTML page of many cases, with search, filters and learning.

    Args:
        cases: in the order of the list.
        title: heading of the list.
        practice: hide diagnoses at first; None to do so if every case has a reference and nothing
            else.
        answers: False for a practice file: it holds neither answers nor ids, and what is done in it is
            graded on a page that does.

    Raises:
        InputError: there is no case.
    """
    found = list(cases)
    if not found:
        raise InputError("a library needs at least one case with an answer")
    if practice is None:
        practice = all(len(case.readings) == 1 and case.readings[0].reference for case in found)
    entries = []
    blocks = []
    for number, case in enumerate(found, 1):
        block = case_json(case, short=True, answers=answers)
        entry = entry_json(case)
        if not answers:
            block["id"] = f"case-{number}"
            entry = {"id": block["id"], **front_json(case), "labels": [], "tags": []}
        entries.append(entry)
        blocks.append(block)
    data = {
        "mode": "library",
        "title": title,
        "practice": practice,
        "sealed": not answers,
        "cases": entries,
        "diagnoses": catalogue(),
    }
    fallback = "<p>This library needs JavaScript to be read.</p>"
    marked = any(case.credentialed for case in found)
    return _assemble(title, data, blocks, fallback=fallback, credentialed=marked)


def app_page(settings: Mapping[str, Any]) -> str:
    """Return the page of the web app; ``settings`` go to its script (models, examples, limits)."""
    data = {"mode": "app", "diagnoses": catalogue(), **settings}
    fallback = (
        "<p>This page needs JavaScript. The JSON API works without it: see /openapi.json.</p>"
    )
    return _assemble("dxtrace", data, [], fallback=fallback, extra=("app",), connect="'self'")


def content_policy(connect: str = "'none'", extra: Sequence[str] = ()) -> str:
    """Return the content security policy of a page: only its own style and script, known by their
    hashes.
    """
    style, script = _hash(style_text(tuple(extra))), _hash(script_text(tuple(extra)))
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src {connect}; "
        "base-uri 'none'; form-action 'none'"
    )


def notebook_html(chain: Chain) -> str:
    """Return a result for a notebook cell: the same page in a frame of its own, cut off from the
    notebook.

    The frame runs its script without the notebook's origin, so that nothing in it reaches the
    notebook.
    """
    return (
        f'<iframe srcdoc="{html.escape(page(chain), quote=True)}" sandbox="allow-scripts allow-downloads allow-modals" '
        f'title="Diagnosis with its chain of reasoning" width="100%" height="{NOTEBOOK_HEIGHT}" '
        'style="border:1px solid #ccc;border-radius:8px;max-width:100%"></iframe>'
    )


@cache
def style_text(extra: tuple[str, ...] = ()) -> str:
    """Return the style sheet of a page; the rules for paper come last."""
    return "\n".join(
        [*(_asset(f"{name}.css") for name in (*_STYLES, *extra, "print")), STATIC_STYLE],
    )


@cache
def script_text(extra: tuple[str, ...] = ()) -> str:
    """Return the script of a page; what begins it comes last."""
    return '"use strict";\n' + "\n".join(
        _asset(f"{name}.js") for name in (*_SCRIPTS, *extra, "main")
    )


def _one_case(found: Sequence[Chain | ViewCase]) -> ViewCase:
    cases = []
    for item in found:
        if isinstance(item, ViewCase):
            cases.append(item)
    if cases and len(found) > 1:
        raise InputError("a page shows one case; use library() for several")
    if cases:
        return cases[0]
    return ViewCase.of_chains(*(reading_of(item) for item in found if isinstance(item, Chain)))


def _assemble(
    title: str,
    data: Mapping[str, Any],
    cases: Sequence[Mapping[str, Any]],
    *,
    fallback: str,
    extra: tuple[str, ...] = (),
    connect: str = "'none'",
    credentialed: bool = False,
) -> str:
    disclaimer = DISCLAIMER
    if credentialed:
        disclaimer = f"{DISCLAIMER} {CREDENTIALED_RULE}"
    head = {"disclaimer": disclaimer, "version": version(), "doubtful": DOUBTFUL, **data}
    blocks = [
        _block("dxtrace-data", head),
        *(_block(f"dxtrace-case-{n}", case) for n, case in enumerate(cases)),
    ]
    return Template(_asset("page.html")).substitute(
        policy=content_policy(connect, extra),
        version=html.escape(version()),
        title=html.escape(title),
        style=style_text(extra),
        fallback=f"<p>{html.escape(disclaimer)}</p>{fallback}",
        blocks="\n".join(blocks),
        script=script_text(extra),
    )


def _block(name: str, data: Mapping[str, Any]) -> str:
    """Return data as a block that is never run: no character in it can end the block or be a
    mark-up character.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return resources.files("dxtrace.view").joinpath("assets", name).read_text("utf-8").strip()
