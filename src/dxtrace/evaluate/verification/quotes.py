"""Whether the quotes of an answer stand: in the note, whole, and for their reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dxtrace.evaluate.verification.alignment import Difference
from dxtrace.evaluate.verification.claims import Claim, QuotedAnswer, read_answer
from dxtrace.evaluate.verification.clipping import ClippingCheck, Fault
from dxtrace.evaluate.verification.folding import Folded, Place, fold
from dxtrace.evaluate.verification.reasons import Stated, Verdict, reason_check
from dxtrace.evaluate.verification.search import Finding, Found, findings
from dxtrace.notes.case import Case
from dxtrace.notes.cues import denies

#: How the JSON form is called.
SCHEMA = "dxtrace.verification/1"


@dataclass(frozen=True)
class QuoteCheck:
    """What was found of one quote.

    ``places``: where it stands, piece by piece; of a changed one, what it comes nearest to.
    ``also``: how many other places hold the same words. ``doubts``: that it does not state its
    reason, as far as the recogniser can tell. Doubts and ``remarks`` are no faults.
    """

    claim: Claim
    found: Found
    places: tuple[Place, ...]
    stated: Stated
    faults: tuple[Fault, ...]
    doubts: tuple[Fault, ...] = ()
    remarks: tuple[str, ...] = ()
    also: int = 0

    @property
    def stands(self) -> bool:
        """True if nothing is wrong with it."""
        return not self.faults


@dataclass(frozen=True)
class AnswerCheck:
    """What was found of the quotes of one answer on a note."""

    id: str
    form: str
    note: str
    quotes: tuple[QuoteCheck, ...]

    @property
    def stands(self) -> bool:
        """True if nothing is wrong with any quote."""
        return all(quote.stands for quote in self.quotes)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; offsets are code points of the note."""
        rows = []
        for number, quote in enumerate(self.quotes, 1):
            rows.append(_row(number, quote))
        standing = sum(quote.stands for quote in self.quotes)
        return {
            "schema": SCHEMA,
            "id": self.id,
            "form": self.form,
            "stands": self.stands,
            "quotes": len(rows),
            "standing": standing,
            "checks": rows,
        }


def _row(number: int, quote: QuoteCheck) -> dict[str, Any]:
    return {
        "number": number,
        "quote": quote.claim.quote,
        "reason": quote.claim.reason,
        "found": quote.found,
        "places": [[place.start, place.end] for place in quote.places],
        "other_places": quote.also,
        "reason_stated": quote.stated,
        "stands": quote.stands,
        "faults": [vars(fault) for fault in quote.faults],
        "doubts": [vars(doubt) for doubt in quote.doubts],
        "remarks": list(quote.remarks),
    }


def verify_quotes(answer: Any, note: str | Case, *, reasons: bool = True) -> AnswerCheck:
    """Check every quote of an answer against a note.

    Args:
        answer: what a model said: text, a parsed JSON object in one of the forms that are read
            (:mod:`dxtrace.evaluate.verification.claims`), or a :class:`QuotedAnswer`.
        note: the note that it quotes.
        reasons: also ask whether each quote states its reason.

    Raises:
        InputError: the answer has none of the known forms. CaseError: the note is no text.
    """
    if isinstance(note, Case):
        case = note
    else:
        case = Case.from_text(note)
    if isinstance(answer, QuotedAnswer):
        read = answer
    else:
        read = read_answer(answer)
    checker = _Checker(case, reasons)
    checks: list[QuoteCheck] = []
    for claim in read.claims:
        checks.append(checker.check(claim, checks, trusted=read.note in ("", case.note)))
    return AnswerCheck(read.id, read.form, case.note, tuple(checks))


class _Checker:
    """Checks the quotes of one answer on one note."""

    def __init__(self, case: Case, reasons: bool) -> None:
        self._note = case.note
        self._case = case
        self._reasons = reasons

    @cached_property
    def _folded(self) -> Folded:
        return fold(self._note)

    @cached_property
    def _clipping(self) -> ClippingCheck:
        return ClippingCheck(self._case)

    def check(self, claim: Claim, earlier: Sequence[QuoteCheck], trusted: bool) -> QuoteCheck:
        """Check one claim; ``trusted``: the place that it claims is counted in this note."""
        if not any(map(str.isalnum, claim.quote)):
            fault = Fault("empty", "holds no word")
            return QuoteCheck(claim, "absent", (), "cannot_tell", (fault,))
        found = list(findings(self._note, self._folded, claim.quote))
        if found[0].found == "absent":
            fault = Fault("absent", "is not in the note")
            return QuoteCheck(claim, "absent", (), "cannot_tell", (fault,))
        if found[0].found == "changed":
            changes = tuple(_changes(found[0].differences))
            return QuoteCheck(claim, "changed", found[0].places, "cannot_tell", changes)
        claimed = _claimed(claim) if trusted else None
        finding, faults = self._best(found, claimed)
        verdict = self._verdict(claim, finding)
        doubts: tuple[Fault, ...] = ()
        if verdict.stated == "contradicted":
            faults = [*faults, Fault("contradicted", verdict.what)]
        elif verdict.stated == "not_stated":
            doubts = (Fault("not_stated", verdict.what),)
        if _repeats(claim, finding, earlier):
            faults = [*faults, Fault("repeated", "is quoted before for the same reason")]
        remarks = tuple(_remarks(claim, finding, found, claimed, earlier))
        return QuoteCheck(
            claim,
            finding.found,
            finding.places,
            verdict.stated,
            tuple(faults),
            doubts,
            remarks,
            len(found) - 1,
        )

    def _best(
        self,
        found: Sequence[Finding],
        claimed: Place | None,
    ) -> tuple[Finding, list[Fault]]:
        """Return the finding at the claimed place; without one, that with the fewest faults."""
        if claimed is not None:
            for finding in found:
                if _stands_at(finding, claimed, self._note):
                    return finding, self._clipping.faults(finding.places)
        judged = [(finding, self._clipping.faults(finding.places)) for finding in found]
        finding, faults = min(judged, key=lambda pair: len(pair[1]))
        if claimed is not None:
            what = f"stands at {finding.places[0].start}, not at {claimed.start}"
            faults = [Fault("misplaced", what), *faults]
        return finding, faults

    def _verdict(self, claim: Claim, finding: Finding) -> Verdict:
        if not self._reasons:
            return Verdict("cannot_tell")
        sentences = self._clipping.sentences(finding.places)
        return reason_check().verdict(claim, sentences, finding.places)


def _claimed(claim: Claim) -> Place | None:
    if claim.start is None or claim.end is None:
        return None
    return Place(claim.start, claim.end)


def _stands_at(finding: Finding, claimed: Place, note: str) -> bool:
    """True if a finding is at the claimed place, white space and marks at its ends aside."""
    first, last = finding.places[0].start, finding.places[-1].end
    before = note[min(first, claimed.start) : max(first, claimed.start)]
    after = note[min(last, claimed.end) : max(last, claimed.end)]
    return not any(map(str.isalnum, before + after))


def _changes(differences: Iterable[Difference]) -> Iterable[Fault]:
    for difference in differences:
        said, written = difference.said, difference.written
        if not written:
            what = f"adds {said!r}"
        elif not said:
            what = f"leaves out {written!r}"
        else:
            what = f"says {said!r} where the note has {written!r}"
        if denies(said) != denies(written):
            what += " (a denial)"
        yield Fault("changed", what)


def _repeats(claim: Claim, finding: Finding, earlier: Sequence[QuoteCheck]) -> bool:
    """True if the same words were quoted for the same reason."""
    return any(
        quote.places == finding.places and quote.claim.reason == claim.reason for quote in earlier
    )


def _remarks(
    claim: Claim,
    finding: Finding,
    found: Sequence[Finding],
    claimed: Place | None,
    earlier: Sequence[QuoteCheck],
) -> Iterable[str]:
    if len(finding.places) > 1:
        yield "words are left out between its pieces"
    if len(found) > 1 and claimed is None:
        yield f"the same words stand in {len(found)} places"
    for number, quote in enumerate(earlier, 1):
        if quote.places == finding.places and quote.claim.reason != claim.reason:
            yield f"the same words as quote {number}, for another reason"
