"""What an answer claims to quote, whatever form it has.

Read: our results and rows, DiReCT's predictions, LangExtract's annotated documents, messages with
citations as Anthropic's API gives them, and text: the published form, block quotes, quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dxtrace.chain import EVIDENCE_MARK
from dxtrace.chain.result import ContradictionV1, ResultV1, StepV1
from dxtrace.errors import InputError
from dxtrace.evaluate.answers import published_account
from dxtrace.evaluate.rows import steps_of
from dxtrace.notes.case import Case
from dxtrace.notes.reading import own_id

Form = Literal["dxtrace", "direct", "langextract", "citations", "text"]


@dataclass(frozen=True)
class Claim:
    """A text that an answer says stands in the note, and what it is quoted for.

    ``start`` and ``end`` are the place that is claimed, in code points; None if none is.
    """

    quote: str
    reason: str = ""
    start: int | None = None
    end: int | None = None
    premise: str = ""


@dataclass(frozen=True)
class QuotedAnswer:
    """The claims of one answer. ``note`` is the text that the answer itself brings, if it does;
    ``credentialed``: the answer says that its note or its model is.
    """

    id: str
    form: Form
    claims: tuple[Claim, ...]
    note: str = ""
    credentialed: bool = False


def read_answer(data: Any, id: str = "answer") -> QuotedAnswer:
    """Return the claims of an answer.

    Args:
        data: a parsed JSON value, or text.
        id: of the answer where it names none.

    Raises:
        InputError: it has none of the forms that are known, or a field of the wrong kind.
    """
    if isinstance(data, str):
        return QuotedAnswer(id, "text", tuple(_of_text(data)))
    if isinstance(data, list):
        return QuotedAnswer(id, "citations", tuple(_of_blocks(data)))
    if not isinstance(data, Mapping):
        raise InputError(f"an answer is an object or text, not {type(data).__name__}")
    id = own_id(data) or _text(data, "document_id") or _text(data, "custom_id") or id
    note = _text(data, "note")
    if "extractions" in data:
        claims = tuple(_of_extractions(data["extractions"]))
        return QuotedAnswer(id, "langextract", claims, _text(data, "text"))
    if "content" in data:
        if isinstance(data["content"], str):
            return QuotedAnswer(id, "text", tuple(_of_text(data["content"])), note)
        return QuotedAnswer(id, "citations", tuple(_of_blocks(data["content"])), note)
    if "steps" in data or "quotes" in data:
        return QuotedAnswer(id, "dxtrace", tuple(_of_row(data)), note)
    if isinstance(data.get("chain"), list):
        return QuotedAnswer(id, "direct", tuple(_of_prediction(id, data)), note)
    for key in ("answer", "output", "text"):
        if _text(data, key):
            return QuotedAnswer(id, "text", tuple(_of_text(data[key])), note)
    raise InputError(
        "none of the forms that are known: a result, a DiReCT prediction, extractions, content "
        "with citations, or text under 'answer', 'output' or 'text'",
    )


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if isinstance(value, str):
        return value
    return ""


def _part(data: Any, key: str) -> Mapping[str, Any]:
    """Return an object within an object, or an empty one."""
    value = data.get(key) if isinstance(data, Mapping) else None
    if isinstance(value, Mapping):
        return value
    return {}


def _of_row(data: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield the steps, then what speaks against, of a whole result; of another row its quotes."""
    if "schema" not in data and not {"note", "category"} <= data.keys():
        steps = list(steps_of(data))
        for raw, step in zip(data.get("steps", data.get("quotes")), steps, strict=True):
            evidence = _part(raw, "evidence")
            start, end = _place(evidence.get("start"), evidence.get("end"))
            yield Claim(step.quote, step.rationale, start, end, _text(_part(raw, "premise"), "id"))
        return
    result = ResultV1.parse({"id": "answer", **data})
    parts: list[StepV1 | ContradictionV1] = [*result.steps, *result.contradictions]
    for part in parts:
        quoted = part.evidence
        if part.premise:
            premise = part.premise.id
        else:
            premise = ""
        yield Claim(quoted.text, part.rationale, quoted.start, quoted.end, premise)


def _of_prediction(id: str, data: Mapping[str, Any]) -> Iterator[Claim]:
    # The place of an observation is looked for later, in the note that is given.
    somewhere = Case("-", ())
    for observation in published_account(id, data, somewhere).observations:
        yield Claim(observation.text, observation.rationale)


def _of_extractions(extractions: Any) -> Iterator[Claim]:
    for number, item in enumerate(_list(extractions, "extractions"), 1):
        quote = item.get("extraction_text") if isinstance(item, Mapping) else None
        if not isinstance(quote, str):
            raise InputError(f"extraction {number} has no 'extraction_text'")
        place = _part(item, "char_interval")
        start, end = _place(place.get("start_pos"), place.get("end_pos"))
        yield Claim(quote, _text(item, "extraction_class"), start, end)


def _of_blocks(blocks: Any) -> Iterator[Claim]:
    """Yield the citations of content blocks; a block's own text is what they are cited for."""
    for block in _list(blocks, "content"):
        if not isinstance(block, Mapping):
            raise InputError("a content block is not an object")
        citations = block.get("citations") or []
        for number, citation in enumerate(_list(citations, "citations"), 1):
            quote = citation.get("cited_text") if isinstance(citation, Mapping) else None
            if not isinstance(quote, str):
                raise InputError(f"citation {number} of a block has no 'cited_text'")
            start, end = _place(citation.get("start_char_index"), citation.get("end_char_index"))
            yield Claim(quote, _text(block, "text"), start, end)


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise InputError(f"{name!r} is not a list")
    return value


def _place(start: Any, end: Any) -> tuple[int | None, int | None]:
    if type(start) is int and type(end) is int and 0 <= start <= end:
        return start, end
    return None, None


_EVIDENCE = re.compile(rf"{EVIDENCE_MARK.strip()}[ \t]*(?P<quote>[^\n]+)", re.IGNORECASE)
_STEP = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])?\s*(?:Step \d+(?: \[[^\]\n]*\])?:)?\s*")
_BLOCK = re.compile(r"^[ \t]*>[ \t]?(?P<quote>[^\n]*\S[^\n]*(?:\n[ \t]*>[ \t]?[^\n]*)*)", re.M)
_MARKED = re.compile(
    r"“(?P<curly>[^“”]{1,2000}?)”|„(?P<low>[^„“”]{1,2000}?)[“”]|«(?P<angle>[^«»]{1,2000}?)»"
    r"|(?<![\w\"])\"(?P<straight>[^\"\n]{1,2000}?)\"(?!\w)",
)
_PAIRS = (("“", "”"), ('"', '"'), ("«", "»"), ("„", "“"), ("'", "'"), ("‘", "’"), ("`", "`"))


def _of_text(text: str) -> Iterator[Claim]:
    """Yield the evidence of the published form; in other text, what stands in block quotes and
    quotation marks.
    """
    text = text.replace("\r\n", "\n")
    evidence = list(_EVIDENCE.finditer(text))
    for match in evidence:
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        yield Claim(_unmarked(match["quote"].strip()), _STEP.sub("", line, count=1).strip())
    if evidence:
        return
    blocks = list(_BLOCK.finditer(text))
    for match in blocks:
        quote = re.sub(r"\n[ \t]*>[ \t]?", "\n", match["quote"])
        yield Claim(_unmarked(quote.strip()), _line_before(text, match.start()))
    for match in _MARKED.finditer(text):
        inside = any(block.start() <= match.start() < block.end() for block in blocks)
        quote = next(filter(None, match.groups()))
        if not inside and any(map(str.isalnum, quote)) and "\n\n" not in quote:
            yield Claim(quote.strip(), _sentence_around(text, match))


def _unmarked(quote: str) -> str:
    """Return a quote without the marks around it."""
    bare = quote.rstrip(".")
    for left, right in _PAIRS:
        whole = len(bare) > 2 and bare.startswith(left) and bare.endswith(right)
        if whole and left not in bare[1:-1] and right not in bare[1:-1]:
            return bare[1:-1].strip()
    return quote


def _line_before(text: str, place: int) -> str:
    lines = text[:place].strip().rsplit("\n", 1)
    return lines[-1].strip()


def _sentence_around(text: str, match: re.Match[str]) -> str:
    """Return the sentence that a quote stands in, without the quote."""
    start = max(text.rfind(mark, 0, match.start()) + 1 for mark in ("\n", ". ", "! ", "? "))
    ends = []
    for mark in ("\n", ". ", "! ", "? "):
        ends.append(text.find(mark, match.end()))
    end = min((end for end in ends if end >= 0), default=len(text))
    sentence = f"{text[start : match.start()]} {text[match.end() : end]}"
    return " ".join(sentence.split())
