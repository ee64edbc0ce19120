"""A check of quotes as a page: what was found of each, and the note with its quotes marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dxtrace.chain import DISCLAIMER, Chain, Span, Step
from dxtrace.evaluate.verification.quotes import AnswerCheck, QuoteCheck
from dxtrace.notes.case import Case
from dxtrace.provenance import CREDENTIALED_RULE
from dxtrace.view import STATIC_STYLE, static_case_html

STANDS, FALLS = "Stands", "Does not stand"

#: The page runs no script and asks for nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_FOUND = {
    "exactly": "found exactly",
    "normalised": "found in another spelling",
    "changed": "changed",
    "absent": "not in the note",
}


def page_of(checks: Sequence[AnswerCheck], credentialed: bool = False) -> str:
    """Return one HTML page for the checks of one or many answers; one with credentialed notes quotes
    the rule.
    """
    articles = "".join(static_case_html(_chain(check)) for check in checks)
    said = [DISCLAIMER]
    if credentialed:
        said.append(CREDENTIALED_RULE)
    footer = "".join(f"<p>{escape(line)}</p>" for line in said)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>Quotes checked</title><style>{STATIC_STYLE}</style></head>"
        f"<body><main>{articles}<footer>{footer}</footer></main></body></html>\n"
    )


def _chain(check: AnswerCheck) -> Chain:
    """Return a check in the shape that the page of a case has: a step for each quote."""
    case = Case.from_text(check.note, check.id)
    steps = tuple(_step(quote, case) for quote in check.quotes)
    standing = sum(quote.stands for quote in check.quotes)
    headline = f"{check.id}: {standing} of {len(check.quotes)} quotes stand"
    return Chain(check.id, check.note, headline, "", (), steps)


def _step(quote: QuoteCheck, case: Case) -> Step:
    start = end = 0
    if quote.places:
        start, end = quote.places[0].start, quote.places[-1].end
    text = case.note[start:end] or quote.claim.quote
    evidence = Span(text, start, end, case.section_at(start))
    if quote.stands:
        verdict = STANDS
    else:
        verdict = FALLS
    return Step(verdict, f"{verdict}: {'; '.join(_said_of(quote, text))}.", evidence)


def _said_of(quote: QuoteCheck, text: str) -> list[str]:
    """Return what was found of a quote, in words, what is wrong first."""
    said = []
    for fault in (*quote.faults, *quote.doubts):
        said.append(fault.what)
    said.append(_FOUND[quote.found])
    if quote.stated == "stated":
        said.append("states its reason")
    said += quote.remarks
    if quote.claim.quote != text:
        said.append(f"quoted as “{quote.claim.quote}”")
    if quote.claim.reason:
        said.append(f"for: {quote.claim.reason.rstrip('.')}")
    return said
