"""A note read sentence by sentence: tokens, what is said about them, what is measured, and whose
they are.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dxtrace.findings.asides import mark_asides
from dxtrace.findings.columns import Columns, earlier_columns, is_row, names_times, without_earlier
from dxtrace.findings.context import Context, patient_by_relation, read_context
from dxtrace.findings.lists import denied_items, opens_denial
from dxtrace.findings.measurements import read_measurements
from dxtrace.findings.quantities import Measurement
from dxtrace.findings.scope import Property, Scope
from dxtrace.findings.text_kinds import is_over, is_question
from dxtrace.findings.tokens import Token, tokenise
from dxtrace.notes.case import Case
from dxtrace.notes.sections import section_named
from dxtrace.notes.sentences import sentences

_LABEL = re.compile(
    r"[\s>*•#-]*(?:\d{1,2}[.)]\s*)?(?:\*\*|__)?(?P<words>[A-Za-z][A-Za-z/&() '-]{1,45}?)"
    r"(?:\*\*|__)?\s*:(?:\*\*)?(?=\s|\Z)",
)
_TEACHING_LABEL = re.compile(
    r"(?:discharge|patient|return|follow.?up|home|general)\s+(?:instructions?|education|precautions?|teaching|advice)"
    r"|instructions?|education|when to (?:call|return|seek)|differential(?: diagnos[ie]s)?|ddx"
    r"|teaching(?: points?)?|handout|leaflet|possibilities|considerations|literature|reference|template|example|faq",
    re.IGNORECASE,
)
# A question of a form that has no answer: nothing is stated.
_NO_ANSWER = re.compile(
    r"[^:.;\n]{2,60}:\s*(?:_+|\.{3,}|-{2,}|\*+|\?+|n/?a|unknown|unclear|unsure|deferred|blank"
    r"|(?:not|un)[ -]?(?:able to )?(?:assess|ask|know|record|document|avail|test|done|examin|applic|obtain|recall"
    r"|stated|specified)\w*"
    r"|could not be \w+)?[\s.]*\Z",
    re.IGNORECASE,
)
# What parts a row's question from its answer, and what may end the row.
_GAP, _ROW_END = r"\S(?:\t|  |\s*\||\s*\.{3,})\s*", r"\s*(?:[.|]\s*)?\Z"
# A row of a form: what is asked, a gap, and a no.
_ROW_OF_NO = re.compile(
    rf"(?:{_GAP}|\A[^,;:.|]{{2,40}}[,;])(?:n|no|neg|negative|0|-|\u2013|false|absent|none|denie[sd]|nil){_ROW_END}",
    re.IGNORECASE,
)
# A list of which nothing is there: "Pertinent negatives: ...", and "fever, cough: none".
_LIST_OF_NO = re.compile(
    r"\A[^:.;]{0,60}\b(?:negatives|negative (?:ros|review of systems)|not (?:present|reported|found|seen)"
    r"|absent|none of(?: the following)?)\s*:"
    r"|\A(?:[^:;\d]{0,40}:)?[^:;\d]*[:(\u2013-]\s*"
    r"(?:(?:all |both )(?:negative|denied|absent)|(?:all )?(?:none|absent|nil|not present))"
    r"(?: of (?:these|them|the above))?\W*\Z",
    re.IGNORECASE,
)
# ... and one whose answer is a relative.
_ROW_OF_RELATIVE = re.compile(
    rf"{_GAP}(?:maternal |paternal )?(?:mother|father|brother|sister|son|daughter"
    rf"|aunt|uncle|cousin|grand(?:mother|father)|parents?|siblings?)s?{_ROW_END}",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\s*(?:[-*•+–>]|\d{1,2}[.)])\s*|\s{2,}|\t")

# Headings of the two columns of a table with a mark in one of them.
_YES_COLUMN = frozenset({"yes", "y", "present", "positive", "pos"})
_NO_COLUMN = frozenset({"no", "n", "absent", "negative", "neg", "denied"})

#: Longest item of a list of what is denied, in words; and how far, in characters, the next one may
#: stand.
_ITEM_WORDS, _LIST_GAP = 6, 5

#: Words that end a clause when nothing else does.
_BREAKS = frozenset({",", ";", "|", "(", ")"})


@dataclass(frozen=True)
class Sentence:
    """One sentence of a note, read.

    ``begin``: where it begins, its label included; ``start``: where its words do. ``clauses``: the
    number of the clause that each token stands in. ``quotable``: not teaching text, no question, and
    no aside (:mod:`dxtrace.findings.asides`). ``over``: of an illness of long ago that is over.
    """

    begin: int
    start: int
    end: int
    tokens: tuple[Token, ...]
    context: Context
    measurements: tuple[Measurement, ...]
    clauses: tuple[int, ...]
    section: str
    quotable: bool
    over: bool


def read_sentences(
    case: Case,
    keep: tuple[tuple[int, int], ...] | None = None,
) -> Iterator[Sentence]:
    """Yield the sentences of a case, read.

    Args:
        case: the case.
        keep: half-open ranges of the note to read (default: all of it).
    """
    wholes = list(sentences(case.note))
    asides = mark_asides(case, wholes)
    state = _State(patient_by_relation(case.note), denied_items(case.note), asides)
    for start, end in wholes:
        if keep is None or any(a < end and start < b for a, b in keep):
            sentence = _read(case, start, end, state)
            if sentence is not None:
                yield sentence


@dataclass
class _State:
    """What an earlier line says about the next: who the patient is to the teller, under which label it
    stands, and whether a denied list is open. ``denied``: the items of marked lists that deny them.
    """

    patient: str
    denied: Sequence[tuple[int, int]]
    asides: bytes
    section: str = ""
    family: bool = False
    teaching: bool = False
    denial_until: int = -1
    denying: bool = False
    no_column: int = 0
    columns: Columns | None = None
    times: bool = False


def _read(case: Case, start: int, end: int, state: _State) -> Sentence | None:
    text = case.note[start:end]
    section = case.section_at(start)
    if section != state.section:
        state.section, state.family, state.teaching = section, section == "family_history", False
    start_of_words = start + _read_label(text, state)
    words = _read_now(text, state)[start_of_words - start :]
    tokens = tokenise(words, start_of_words)
    if not tokens:
        _open_denial(case.note, start, end, state)
        return None
    measurements = tuple(read_measurements(words, tokens, start_of_words, state.times))
    context = read_context(words, tokens, patient=state.patient)
    labelled = start_of_words > start
    if state.family and not labelled and _returns_to_patient(words, context, measurements):
        state.family = False
    if state.family:
        context = _with_scope(context, "family", len(tokens))
    over = is_over(text)
    if over:
        context = _with_scope(context, "past", len(tokens))
    if _ROW_OF_RELATIVE.search(text):
        context = _with_scope(context, "family", len(tokens))
    inner = len(context.scopes)
    context = _with_denied_items(context, tokens, state.denied)
    if len(context.scopes) > inner:
        # A list of items with a mark ends by itself.
        state.denying = False
    listed = state.denying and start <= state.denial_until and _is_item(case.note, start, end)
    row_of_no = (
        _marked_no(text, state)
        or _ROW_OF_NO.search(text) is not None
        or _LIST_OF_NO.search(text) is not None
    )
    if listed or row_of_no:
        context = _with_scope(context, "denied", len(tokens))
    if row_of_no and not listed:
        state.denying = False
    elif listed:
        state.denial_until = end + _LIST_GAP
    else:
        _open_denial(case.note, start, end, state)
        if text.rstrip().endswith(",") and _denies_to_its_end(context, len(tokens)):
            state.denying, state.denial_until = True, end + _LIST_GAP
    unanswered = _NO_ANSWER.match(text) is not None
    advice = state.teaching or section == "discharge_instructions"
    aside = 1 in state.asides[start:end] or is_question(case.note, start, end)
    quotable = not (advice or aside or context.hypothetical or unanswered)
    if section == "allergies":
        context = replace(context, reaction=True)
    clauses = tuple(_clause_numbers(tokens))
    return Sentence(
        start,
        start_of_words,
        end,
        tuple(tokens),
        context,
        measurements,
        clauses,
        state.section,
        quotable,
        over,
    )


def _read_now(text: str, state: _State) -> str:
    """Return a line with what a table tells of earlier tests blank; note the heading of a table."""
    if names_times(text) or not is_row(text):
        state.times = names_times(text)
    columns = earlier_columns(text)
    if columns is not None or not is_row(text):
        state.columns = columns
        return text
    return without_earlier(text, state.columns)


def _returns_to_patient(
    words: str,
    context: Context,
    measurements: tuple[Measurement, ...],
) -> bool:
    """True for a sentence under the family's history that names no relative and opens the next section
    without a colon ("PMH nil") or gives what is measured in the patient ("T 38.1, HR 112").
    """
    if any(scope.property == "family" for scope in context.scopes):
        return False
    first = words.split(maxsplit=1)[0].strip(".,;")
    if first.isupper() and section_named(first) not in {None, "family_history"}:
        return True
    return any(item.quantity not in {"age", "duration"} for item in measurements)


def _marked_no(text: str, state: _State) -> bool:
    """True for a row of a table with a column for yes and one for no, whose mark stands under no."""
    cells = []
    for cell in re.split(r"\t|\|", text.rstrip("\r\n")):
        cells.append(cell.strip().lower())
    denied = [cell for cell in cells if cell in _NO_COLUMN]
    if len(denied) == 1 and _YES_COLUMN.intersection(cells):
        state.no_column = cells.index(denied[0])
        return False
    if len(cells) < 2:
        state.no_column = 0
    column = state.no_column
    return 0 < column < len(cells) and cells[column] in {"x", "✓", "✔", "√", "+", "*", "[x]"}


def _with_scope(context: Context, property: Property, count: int) -> Context:
    """Return a context with one scope more, over all of a sentence of ``count`` tokens."""
    scope = Scope(property, -1, -1, 0, count)
    return replace(context, scopes=(*context.scopes, scope))


def _with_denied_items(
    context: Context,
    tokens: Sequence[Token],
    denied: Sequence[tuple[int, int]],
) -> Context:
    """Return a context in which the tokens of denied items are denied."""
    scopes = list(context.scopes)
    first = bisect.bisect_left(denied, tokens[0].start, key=lambda item: item[1])
    for start, end in denied[first:]:
        inside = [index for index, token in enumerate(tokens) if start <= token.start < end]
        if not inside:
            break
        scopes.append(Scope("denied", -1, -1, inside[0], inside[-1] + 1))
    return replace(context, scopes=tuple(scopes))


def _read_label(text: str, state: _State) -> int:
    """Return how long the label of a section is that the sentence opens with; note what the label
    says.
    """
    label = _LABEL.match(text)
    if label is None:
        if _TEACHING_LABEL.fullmatch(text.strip(" \t#*_")):
            state.teaching = True
            return len(text)
        return 0
    words = label["words"].strip()
    if _TEACHING_LABEL.fullmatch(words):
        state.teaching = True
        return label.end()
    name = section_named(words)
    if name is None:
        if words.lower() in {"patient information", "additional findings", "ancillary tests"}:
            state.family = state.teaching = False
            return label.end()
        return 0
    state.family, state.teaching = name == "family_history", False
    named_test = re.fullmatch(
        r"(?:cxr|ct|mri|tte|echo\w*|e[ck]g|egd|imaging)",
        words,
        re.IGNORECASE,
    )
    if named_test:
        return 0
    return label.end()


def _denies_to_its_end(context: Context, count: int) -> bool:
    """True if a denial is still open where a line breaks off after a comma."""
    return any(scope.property == "denied" and scope.end >= count - 1 for scope in context.scopes)


def _is_item(note: str, start: int, end: int) -> bool:
    """True for an item of a list: with its mark, or a short line that is no sentence and no
    heading.
    """
    line = note[start:end].strip()
    short = len(line.split()) <= _ITEM_WORDS and ":" not in line
    return short or _ITEM.match(note[max(0, start - 1) : end]) is not None


def _open_denial(note: str, start: int, end: int, state: _State) -> None:
    """Note whether a line opens a list, item by item, of what the patient denies."""
    line = note[start:end].rstrip()
    opens = opens_denial(line)
    following = note[end : end + 4]
    state.denying = opens and ("\n" in following or "\r" in following or line.endswith(":"))
    state.denial_until = end + 4 if state.denying else -1


def _clause_numbers(tokens: list[Token]) -> Iterator[int]:
    number = 0
    for token in tokens:
        yield number
        if token.text in _BREAKS:
            number += 1
