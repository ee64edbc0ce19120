"""A check of quotes as a page: the note with its quotes marked, beside what was found of each."""

from __future__ import annotations

from collections.abc import Sequence

from dxtrace.chain import Chain, Span, Step
from dxtrace.evaluate.verification.quotes import AnswerCheck, QuoteCheck
from dxtrace.notes.case import Case
from dxtrace.view import Reading, ViewCase, library, page

STANDS, FALLS = "Stands", "Does not stand"

_LABEL = "Quotes checked"


def page_of(checks: Sequence[AnswerCheck]) -> str:
    """Return one HTML page for the checks of one or many answers.

    Raises:
        InputError: there is none.
    """
    cases = [_view_case(check) for check in checks]
    if len(cases) == 1:
        return page(cases[0], title=f"{checks[0].id} · quotes checked")
    return library(cases, "Quotes checked", practice=False)


def _view_case(check: AnswerCheck) -> ViewCase:
    case = Case.from_text(check.note, check.id)
    steps = tuple(_step(quote, case) for quote in check.quotes)
    standing = sum(quote.stands for quote in check.quotes)
    headline = f"{standing} of {len(check.quotes)} quotes stand"
    groups = [step.supports for step in steps]
    path = tuple(name for name in (FALLS, STANDS) if name in groups)
    chain = Chain(check.id, check.note, headline, "", path, steps)
    return ViewCase(case, (Reading(chain, _LABEL),))


def _step(quote: QuoteCheck, case: Case) -> Step:
    if quote.places:
        start, end = quote.places[0].start, quote.places[-1].end
    else:
        start = end = 0
    text = case.note[start:end] or quote.claim.quote
    evidence = Span(text, start, end, case.section_at(start))
    group = STANDS if quote.stands else FALLS
    return Step(group, "; ".join(findings_of(quote)), evidence)


def findings_of(quote: QuoteCheck) -> list[str]:
    """Return what was found of a quote, in words, what is wrong first."""
    said = [fault.what for fault in (*quote.faults, *quote.doubts)]
    if quote.found in ("exactly", "normalised"):
        how = "found exactly" if quote.found == "exactly" else "found in another spelling"
        said.append(how)
    if quote.stated == "stated":
        said.append("states its reason")
    said += quote.remarks
    if quote.claim.reason:
        said.append(f"quoted for: {quote.claim.reason}")
    return said
