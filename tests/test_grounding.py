"""What may be quoted: nothing clipped, nothing without its denial, and everything that a clinician
would point at.
"""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import DATA
from support.strategies import texts

from dxtrace.chain import flatten
from dxtrace.notes.case import Case
from dxtrace.notes.cues import has_cue
from dxtrace.notes.locate import locate
from dxtrace.notes.quotes import MAX_QUOTE, find_quotes, has_quote, single_clauses, span_of
from dxtrace.notes.reading import read_case
from dxtrace.notes.sentences import sentences

EXAMPLES = Path(__file__).parents[1] / "examples"


def quotes_of(note: str) -> set[str]:
    return {quote.text for quote in find_quotes(note)}


@given(texts())
@example("a\x00b, no fever\ud800 and cough")
@example("- no\u200b fever\r\n\r\n- cough, and dyspnea\r\n")
def test_every_quote_is_the_note_s_own_text(note: str) -> None:
    quotes = find_quotes(note)
    assert has_quote(note) == bool(quotes)
    assert len({quote.text for quote in quotes}) == len(quotes)
    for quote in quotes:
        piece = note[quote.start : quote.end]
        assert flatten(piece) == quote.text and quote.text
        assert piece == piece.strip() and len(quote.text) <= MAX_QUOTE
        before, after = note[: quote.start][-1:], note[quote.end :][:1]
        assert not (before.isalnum() and piece[0].isalnum()), "starts inside a word"
        assert not (after.isalnum() and piece[-1].isalnum()), "ends inside a word"


@given(texts(), st.integers(0, 500), st.integers(0, 500))
def test_quotes_stay_in_what_the_model_reads(note: str, start: int, length: int) -> None:
    keep = ((start, start + length),)
    assert all(start <= q.start and q.end <= start + length for q in find_quotes(note, keep))


@given(texts())
def test_sentences_are_in_order_and_inside_the_note(note: str) -> None:
    end = 0
    for start, stop in sentences(note):
        assert end <= start < stop <= len(note) and note[start:stop].strip()
        end = stop


# An oracle of its own: sentences are composed of clauses whose kind is known, and a quote that
# touches a clause with an opening cue must hold it from its opener to its end.
FINDINGS = (
    "fever",
    "chest pain",
    "night sweats",
    "cough",
    "vomiting",
    "leg swelling",
    "dyspnea on exertion",
    "syncope",
)
OPENERS = (
    "denies",
    "Denies",
    "no",
    "No",
    "without",
    "h/o",
    "mother had",
    "negative for",
    "never had",
    "s/p",
    "possible",
)
PLAIN = (
    "He has crushing chest pain",
    "temperature 38.4 C",
    "crackles at both bases",
    "she is pale",
    "troponin 1.2 ng/mL",
)


@st.composite
def cued_clauses(draw: st.DrawFn) -> str:
    opener = draw(st.sampled_from(OPENERS))
    items = draw(st.lists(st.sampled_from(FINDINGS), min_size=1, max_size=4, unique=True))
    join = draw(st.sampled_from((", ", " or ", " and ", "/", ", or ")))
    return f"{opener} {join.join(items)}"


@st.composite
def charted(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A note, and the clauses in it that open with a cue (each made unique by a number)."""
    cued: list[str] = []
    note = draw(st.sampled_from(("", "HPI: ", "PMH:\n", "Exam: ")))
    for number in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            clause = f"{draw(cued_clauses())} {number}x"
            cued.append(clause)
        else:
            clause = f"{draw(st.sampled_from(PLAIN))} {number}y"
        if note and not note.endswith((": ", "\n", ". ", "- ")):
            note += draw(
                st.sampled_from(
                    (". ", "; ", ", ", ", but ", " but ", ".\n", "\n\n", "\n- ", ".\r\n", ", and "),
                ),
            )
        note += clause
    return note + ".", cued


@given(charted(), st.sampled_from((0, 0, 60, 78)))
def test_no_quote_lies_inside_a_clause_without_its_opener(
    drawn: tuple[str, list[str]],
    width: int,
) -> None:
    note, cued = drawn
    if width and "\n" not in note:
        note = textwrap.fill(note, width, break_on_hyphens=False)
    for clause in cued:
        for quote in quotes_of(note):
            mark = clause.split()[-1]
            words = clause.split()[len(clause.split()) - 2 :]
            touches = mark in quote.split() or mark in quote or " ".join(words) in quote
            assert not touches or clause in quote, (note, quote)
            # any item of the clause that stands only there
            for item in FINDINGS:
                if item in clause and flatten(note).count(item) == 1 and item in quote:
                    assert clause in quote, (note, quote)


@pytest.mark.parametrize(
    ("note", "quotes"),
    [
        (
            "He has crushing chest pain radiating to the left arm, diaphoresis and nausea.",
            {"He has crushing chest pain", "diaphoresis", "nausea", "diaphoresis and nausea"},
        ),
        ("BP 168/74, HR 90, RR 16", {"BP 168/74", "HR 90", "RR 16"}),
        ("CREAT-1.7* NA-137 K-4.2 NEUTS-72.7*", {"CREAT-1.7*", "NA-137", "K-4.2", "NEUTS-72.7*"}),
        ("- edema to the knees\n- S3 gallop", {"edema to the knees", "S3 gallop"}),
        ("Troponin I 4.2 ng/mL (ref <0.04).", {"Troponin I 4.2 ng/mL (ref <0.04)"}),
        ("Dr. Smith found a murmur. It was loud.", {"Dr. Smith found a murmur", "It was loud"}),
        ("It came back after 20 min. Over two weeks it grew.", {"It came back after 20 min"}),
        ("Took 25 mg b.i.d. for a year.", {"Took 25 mg b.i.d. for a year"}),
        (
            "She has had a dull constant pain in the right\nlower quadrant",
            {"She has had a dull constant pain in the right lower quadrant"},
        ),
        ("a nodule of 3.5 cm; no effusion", {"a nodule of 3.5 cm", "no effusion"}),
        ("No fever but has palpitations.", {"No fever", "has palpitations"}),
        ("Thyroid: enlarged", {"enlarged", "Thyroid: enlarged"}),
        ("Cough x\u00a03\u00a0weeks\r\n", {"Cough x 3 weeks"}),
    ],
)
def test_pieces_that_a_clinician_would_quote(note: str, quotes: set[str]) -> None:
    assert quotes <= quotes_of(note)


@pytest.mark.parametrize(
    ("note", "never"),
    [
        ("He denies fever, chills, or cough.", ("fever", "chills", "cough", "chills, or cough")),
        ("Negative for:\n- dyspnea\n- syncope\n", ("dyspnea", "syncope")),
        ("The patient reports no\nnausea.", ("nausea", "The patient reports")),
        ("Cough (-), wheeze (-).", ("Cough", "wheeze")),
        ("Chest pain? No.", ("Chest pain", "Chest pain?")),
        ("Mother with stroke.", ("stroke", "with stroke")),
        ("h/o MI, stroke", ("MI", "stroke")),
        ("Concern for aortic rupture", ("aortic rupture",)),
        ("Neither pain nor fever", ("pain", "fever")),
        ("Pain is absent", ("Pain", "Pain is")),
        ("She hasn\u2019t had chest pain", ("had chest pain", "chest pain")),
        ("Edema was not seen and crackles were not heard", ("Edema was", "crackles")),
        ("Creatinine 1.75", ("Creatinine 1.7", "5", "75", "Creatinine")),
        ("Ketones neg, nitrite neg", ("Ketones", "nitrite")),
        ("Resp: no crackles,\nwheeze, or rub", ("wheeze", "rub", "wheeze, or rub")),
    ],
)
def test_a_finding_is_never_quoted_without_what_takes_it_back(
    note: str,
    never: tuple[str, ...],
) -> None:
    assert not quotes_of(note) & set(never)


def test_cues() -> None:
    assert all(
        has_cue(text)
        for text in (
            "no fever",
            "r/o MI",
            "FH of gout",
            "s/p PCI",
            "cough (-)",
            "pain?",
            "Denied pain",
        )
    )
    assert not any(
        has_cue(text)
        for text in (
            "knows pain",
            "notable edema",
            "BP 120/80",
            "node of 2 cm",
            "known-good".upper()[6:],
        )
    )


@pytest.mark.parametrize(
    "file",
    sorted(
        p.name for p in EXAMPLES.iterdir() if p.suffix in {".txt", ".md"} and p.stem != "README"
    ),
)
def test_examples_hold_enough_to_quote(file: str) -> None:
    case = read_case(EXAMPLES / file)
    quotes = find_quotes(case.note)
    positive = [quote for quote in quotes if not has_cue(quote.text)]
    assert len(positive) >= 20
    span = span_of(case, quotes[0])
    assert case.note[span.start : span.end] == span.text and span.section == case.section_at(
        span.start,
    )


def test_every_quote_is_found_again_by_its_text() -> None:
    case = read_case(EXAMPLES / "multiple_sclerosis_letter.txt")
    for quote in find_quotes(case.note):
        found = locate(case.note, quote.text)
        assert found is not None and flatten(case.note[slice(*found)]) == quote.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chest pain", "chest pain"),
        (" Chest  pain\n", "Chest\u200b\n pain"),
        ("CRUSHING", "crushing"),
        ("rushing chest pain", "crushing chest pain"),
        ("crushing chest pains", "crushing chest pain"),
        ("xrushing", None),
        ("palpitations", None),
        ("", None),
        (".*", None),
    ],
)
def test_locate(text: str, found: str | None) -> None:
    note = "He has crushing chest pain.\nChest\u200b\n pain came back."
    span = locate(note, text)
    assert (note[slice(*span)] if span else None) == found


@given(texts(), st.data())
def test_locate_finds_any_piece_of_a_note(note: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(note) - 1))
    piece = note[start : start + 80].strip()
    span = locate(note, piece)
    if span is not None:
        assert piece.casefold()[1:-1] in note[slice(*span)].casefold() or " " in piece
    if piece and (start == 0 or note[start - 1].isspace()) and start + 80 >= len(note):
        assert span is not None and note[slice(*span)] == piece


@pytest.mark.parametrize(
    ("note", "text", "found"),
    [
        ("He was febrile to 39.2.", "afebrile", None),
        ("She was afebrile.", "febrile", None),
        ("She was symptomatic.", "asymptomatic", None),
        ("Atypical chest pain.", "typical chest pain", None),
        ("Abdominal pain.", "bdominal pain", "Abdominal pain"),
        ("Hypotension.", "tension", None),
        ("PERRL. CTPA shows PE.", "PE", "PE at 18"),
        ("BP 139/80, Temp 39.2, age 39.", "39", "39 at 26"),
        ("BP 139/80", "39", None),
        ("tell us, then US of the leg", "US", "US at 14"),
        ("tell us", "US", None),
        ("EF 25", "EF 25%", None),
        ("EF 25%", "EF 25", "EF 25"),
        ("weighs 80kg", "80", "80"),
        ("No chest pain at rest. On walking chest pain.", "chest pain", "chest pain at 34"),
        ("No chest pain.", "chest pain", "chest pain"),
        ("chest pain; no chest pain", "no chest pain", "no chest pain"),
        ("crackle at the base", "crackles", "crackle"),
    ],
)
def test_a_text_is_found_as_whole_words(note: str, text: str, found: str | None) -> None:
    span = locate(note, text)
    shown = None
    if span is not None:
        shown = note[slice(*span)]
        if found and " at " in found and found[-1].isdigit():
            shown += f" at {span[0]}"
    assert shown == found


def test_the_place_nearest_to_the_stated_one_is_taken() -> None:
    note = "\U0001f44d crackles at right base; crackles at right base"
    assert locate(note, "crackles at right base", near=27) == (26, 48)
    assert locate(note, "crackles at right base", near=4) == (2, 24)


def test_locate_looks_in_a_section_first() -> None:
    note = "cough\ncough"
    assert locate(note, "cough", (6, 11)) == (6, 11)


HUGE = {
    "one line of words": "word " * 200_000,
    "commas": "a" + "," * 999_000,
    "letters and commas": "a, " * 333_000,
    "no": "no " * 300_000,
    "denials without end": "no a, b, c, d; e " * 55_000,
    "brackets": "a" + "(" * 999_000,
    "closing brackets": "a)" * 500_000,
    "colons": "x: " * 300_000,
    "blanks": "a" + " " * 999_000 + "b",
    "newlines": "a" + "\n" * 999_000,
    "windows lines": "short line\r\n" * 80_000,
    "full stops": "It is so. " * 100_000,
    "abbreviations": "A. " * 333_000,
    "laboratory values": "NEUTS-72.7* " * 80_000,
    "and": "ab and " * 140_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", HUGE)
def test_quotes_of_a_huge_note_are_found_in_seconds(shape: str) -> None:
    start = time.process_time()
    find_quotes(HUGE[shape])
    assert time.process_time() - start < 20


@pytest.mark.slow
@pytest.mark.parametrize("shape", HUGE)
def test_time_grows_with_the_note_and_no_faster(shape: str) -> None:
    seconds = []
    for part in (20_000, 80_000):
        start = time.process_time()
        find_quotes(HUGE[shape][:part])
        seconds.append(time.process_time() - start)
    assert seconds[1] < 10 * max(seconds[0], 0.05)


@pytest.mark.slow
def test_what_the_model_does_not_read_costs_little() -> None:
    case = Case.from_text("He has chest pain. " + "and more pain, with cough. " * 10_000)
    start = time.process_time()
    assert [quote.text for quote in find_quotes(case.note, ((0, 19),))] == ["He has chest pain"]
    assert time.process_time() - start < 4


def test_marked_observations_align_with_quotes() -> None:
    """Most observations that clinicians marked can be quoted as they are, or lie within one quote."""
    files = sorted((DATA / "direct").glob("*_1.json"))
    assert files
    exact = inside = total = 0
    for path in files:
        data = json.loads(path.read_text("utf-8"))
        quotes = quotes_of(read_case(path).note)
        for observation in _observations(data):
            text = flatten(observation).strip(" .,;")
            total += 1
            exact += text in quotes
            inside += any(text in quote for quote in quotes)
    assert inside >= 0.8 * total > 0, (exact, inside, total)


def _observations(tree: object) -> list[str]:
    if not isinstance(tree, dict):
        return []
    here = [key.rpartition("$")[0] for key in tree if key.rpartition("$")[2].startswith("Input")]
    return here + [item for value in tree.values() for item in _observations(value)]


@pytest.mark.parametrize(
    ("line", "clauses"),
    [
        ("WBC 16.4 x 10^9/L, Hb 98 g/L", ["WBC 16.4 x 10^9/L", "Hb 98 g/L"]),
        ("BP 88/52 HR 121 O2 sat 88% RA.", ["BP 88/52", "HR 121", "O2 sat 88% RA"]),
        ("PMH: 1. HTN 2. DM2 3. CAD", ["HTN", "DM2", "CAD"]),
        ("SpO2 &lt; 88 %; pain &gt; 8/10", ["SpO2 &lt; 88 %", "pain &gt; 8/10"]),
        (
            "Cough (productive, green sputum), dyspnea",
            ["Cough (productive, green sputum)", "dyspnea"],
        ),
        ("total chol. 284 mg/dl. Trop. 2.31 ng/ml.", ["total chol. 284 mg/dl", "Trop. 2.31 ng/ml"]),
        ("WBC 16.4 [ref. 4.0 to 10.0], Hb 9", ["WBC 16.4 [ref. 4.0 to 10.0]", "Hb 9"]),
    ],
)
def test_a_clause_clips_no_value_no_item_and_no_bracket(line: str, clauses: list[str]) -> None:
    assert [quote.text for quote in single_clauses(find_quotes(line))] == clauses


@pytest.mark.parametrize(
    "line",
    [
        "troponin 0.02 at 6 h 2.4 at 12 h HR 90.",
        "HR 120 T4 level 4.8 TSH 0.01.",
        "CURB-65 score 4 RR 32",
        "vitamin B12 level 120 Hb 9",
    ],
)
def test_no_clause_ends_within_a_value_with_its_name(line: str) -> None:
    for quote in single_clauses(find_quotes(line)):
        assert quote.text.split()[0] not in {"h", "level", "score", "sat"}
