"""Laboratory results and studies: rows of a table as hospitals print them, or sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dxtrace.compose import _formula
from dxtrace.compose._compile import CaseStatement
from dxtrace.compose._draft import finding_of
from dxtrace.compose._style import Part, Print
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, Piece, lowered
from dxtrace.knowledge.background import Test, background
from dxtrace.knowledge.schema import Range

#: Share of findings with a row that are printed as one: in tables, and (True) in prose.
_ROWS = {False: 0.7, True: 0.25}

#: Share of long printouts with a second panel, of another day.
_SECOND_PANEL = 0.8

#: Share of notes with the table before what is said of results in words.
_TABLE_FIRST = 0.7

#: Share of the tests of a panel that are printed, where all fit.
_OF_A_PANEL = 0.85

#: How far a second result lies from the first, at most, as a share of the range.
_DRIFT = 0.08

#: Tries to draw inputs from which a computed test comes out normal.
_REDRAWS = 60

#: Longest name in dense print, and longest entry among pipes or commas, in characters.
_DENSE_NAME = 16
_SHORT_ENTRY = 40

#: Share of time stamps without a masked date before them ("___ 06:10AM").
_UNDATED = 0.5

_SHORT_WITH_UNITS = 0.3
_PROSE_WITH_REFERENCE = 0.3
_ROWS_A_SENTENCE = 5


@dataclass(frozen=True)
class Row:
    """One result, its name as three kinds of print give it; ``tag`` is the finding that may be
    quoted from it.
    """

    dense: str
    table: str
    prose: str
    value: str
    unit: str = ""
    reference: str = ""
    flag: str = ""
    tag: str | None = None


def laboratory(voice: Voice, part: Part, own: Sequence[CaseStatement]) -> list[Item]:
    """Laboratory results: abnormal rows among normal ones, the rest in words."""
    rng = voice.rng
    kind = rng.choice(voice.style.prints)
    if part.layout == "prose":
        kind = "prose"
    waiting = []
    for statement in own:
        if statement.id not in voice.stated_ids:
            waiting.append(statement)
    rows = _own_rows(voice, waiting, kind)
    words = []
    for statement in waiting:
        if statement.id not in voice.stated_ids:
            words.append(voice.say(statement, part))
    taken = set()
    for row in rows:
        taken.add(row.table.lower())
    rows += _normal_rows(voice, taken)
    printed: list[Item] = []
    if rows:
        printed += _PRINTERS[kind](voice, rows)
    if voice.style.long and kind in ("dense", "chart") and rng.random() < _SECOND_PANEL:
        again = _normal_rows(voice, taken)
        again = again[: rng.randint(8, 22)]
        if again:
            printed += _PRINTERS[kind](voice, again)
    if rng.random() < _TABLE_FIRST:
        return printed + words
    return words + printed


def _own_rows(voice: Voice, waiting: Sequence[CaseStatement], kind: Print) -> list[Row]:
    """Return rows for those findings that are printed as one; they are then said."""
    share = _ROWS[kind == "prose"]
    rows: list[Row] = []
    for statement in waiting:
        if statement.finding is None or statement.finding.lab is None or statement.compound:
            continue
        if voice.rng.random() >= share:
            continue
        row = _row_of(voice, statement)
        if _is_printable(kind, row):
            voice.stated_ids.add(statement.id)
            rows.append(row)
    return rows


def _is_printable(kind: Print, row: Row) -> bool:
    """True if the row can be printed so: dense print has room for short names and bare numbers
    only.
    """
    if kind in ("dense", "chart"):
        bare_number = re.fullmatch(r"[<>]?[\d.,/]{1,9}", row.value)
        return bare_number is not None and len(row.dense) <= _DENSE_NAME
    if kind in ("pipes", "short"):
        return len(row.dense) + len(row.value) <= _SHORT_ENTRY
    return True


def _row_of(voice: Voice, statement: CaseStatement) -> Row:
    lab = finding_of(statement).lab
    assert lab is not None
    name = lab.name.format_map(voice.values)
    value = lab.value.format_map(voice.values)
    # A result in words ("positive") has no unit.
    if re.search(r"\d", value):
        unit = lab.unit
    else:
        unit = ""
    return Row(
        dense=name,
        table=name,
        prose=name,
        value=value,
        unit=unit,
        reference=lab.reference,
        flag=lab.flag,
        tag=statement.id,
    )


def _normal_rows(voice: Voice, taken: set[str]) -> list[Row]:
    """Return rows of tests that no finding is about, panel by panel."""
    shifts: dict[str, Range] = {}
    for item in voice.draft.comorbidities:
        shifts |= item.shifts
    chosen = _chosen_tests(voice, taken, shifts)
    drawn = _values(voice, chosen, shifts)
    rows: list[Row] = []
    for test in chosen:
        if test.id in drawn:
            rows.append(_normal_row(voice, test, drawn[test.id]))
    return rows


def _chosen_tests(voice: Voice, taken: set[str], shifts: Mapping[str, Range]) -> list[Test]:
    """Choose tests to print: those that an illness shifts always, whole panels but for gaps."""
    rng = voice.rng
    free: list[Test] = []
    for test in background().tests:
        names = set()
        for name in (*test.table, *test.dense):
            names.add(name.lower())
        if test.id not in voice.draft.hidden and not taken & names:
            free.append(test)
    count = min(len(free), rng.randint(*voice.style.normal_tests))
    panels = list(dict.fromkeys(test.panel for test in free))
    rng.shuffle(panels)
    order = sorted(free, key=lambda test: panels.index(test.panel))
    chosen: list[Test] = []
    for test in order:
        if test.id in shifts or rng.random() < _OF_A_PANEL:
            chosen.append(test)
    del chosen[count:]
    for test in order:
        if test.id in shifts and test not in chosen:
            chosen.append(test)
    return chosen


def _values(voice: Voice, tests: Sequence[Test], shifts: Mapping[str, Range]) -> dict[str, float]:
    """Draw the values of tests, rounded as printed; a second panel gives much the same as the
    first.
    """
    rng = voice.rng
    drawn: dict[str, float] = {}
    ranges: dict[str, Range] = {}
    for test in tests:
        ranges[test.id] = shifts.get(test.id, test.range_of(voice.draft.female))
    for test in tests:
        low, high = ranges[test.id]
        before = voice.results.get(test.id)
        if before is None:
            value = rng.uniform(low, high)
        else:
            value = before + rng.uniform(-_DRIFT, _DRIFT) * (high - low)
        drawn[test.id] = round(min(max(value, low), high), test.decimals)
    for test in tests:
        if test.follows in drawn:
            # Haematocrit is about three times haemoglobin, and the like.
            value = drawn[test.follows] * test.times * rng.uniform(0.98, 1.02)
            drawn[test.id] = round(value, test.decimals)
    for test in tests:
        if test.formula and not _computed(voice, test, drawn, ranges):
            del drawn[test.id]
    voice.results |= drawn
    return drawn


def _computed(
    voice: Voice,
    test: Test,
    drawn: dict[str, float],
    ranges: Mapping[str, Range],
) -> bool:
    """Compute a test from others, drawn anew until it is normal; false where one is missing or it
    never is.
    """
    formula = test.formula or ""
    low, high = ranges[test.id]
    inputs = sorted(_formula.names(formula))
    if not drawn.keys() >= set(inputs):
        return False
    for _ in range(_REDRAWS):
        drawn[test.id] = round(_formula.evaluate(formula, drawn), test.decimals)
        if low <= drawn[test.id] <= high:
            return True
        for name in inputs:
            drawn[name] = float(round(voice.rng.uniform(*ranges[name])))
    return False


def _normal_row(voice: Voice, test: Test, number: float) -> Row:
    reference = test.reference_of(voice.draft.female)
    # "0.6-1.2", or one limit only: "<200".
    *low, high = map(float, re.findall(r"[\d.]+", reference))
    flag = ""
    if number > high:
        flag = "H"
    elif low and number < low[0]:
        flag = "L"
    return Row(
        dense=voice.rng.choice(test.dense),
        table=voice.rng.choice(test.table),
        prose=voice.rng.choice(test.prose),
        value=f"{number:.{test.decimals}f}",
        unit=test.unit,
        reference=reference,
        flag=flag,
    )


def _joined(
    rows: Sequence[Row],
    text: Callable[[Row], str],
    separator: str,
    width: int,
) -> list[Item]:
    """Print rows ``width`` to a line."""
    lines: list[Item] = []
    for at in range(0, len(rows), width):
        pieces: list[Piece] = []
        for row in rows[at : at + width]:
            if pieces:
                pieces.append((separator, None))
            pieces.append((text(row), row.tag))
        lines.append(Item(tuple(pieces)))
    return lines


def _time(voice: Voice) -> str:
    hour = voice.rng.randint(1, 12)
    minute = voice.rng.randrange(60)
    half = voice.rng.choice(("AM", "PM"))
    stamp = f"{hour:02d}:{minute:02d}{half}"
    if voice.rng.random() < _UNDATED:
        return stamp
    return f"___ {stamp}"


def _stamped(lines: list[Item], stamp: str) -> list[Item]:
    results = []
    for line in lines:
        results.append(Item(((stamp, None), *line.pieces)))
    return results


def _dense(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    def text(row: Row) -> str:
        return f"{row.dense.upper()}-{row.value}{_star(row)}"

    rows = _shuffled(voice, rows)
    lines = _joined(rows, text, " ", voice.rng.randint(3, 8))
    return _stamped(lines, f"{_time(voice)}   ")


def _chart(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    def text(row: Row) -> str:
        return f"{row.dense}-{row.value}{_star(row)}"

    rows = _shuffled(voice, rows)
    lines = _joined(rows, text, " ", voice.rng.randint(4, 9))
    return _stamped(lines, f"{_time(voice)} BLOOD ")


def _table(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    reference = voice.rng.choice((" (ref {})", " [{}]", " ({})", " (normal {})", ""))
    colon = voice.rng.choice((": ", " ", " - "))
    mark = voice.rng.choice((" {}", " ({})", " *"))

    def text(row: Row) -> str:
        line = f"{row.table}{colon}{row.value}{_unit(row)}"
        if row.reference:
            line += reference.format(row.reference)
        if row.flag:
            line += mark.format(row.flag)
        return line

    return _joined(_shuffled(voice, rows), text, "", 1)


def _columns(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    width = max(len(row.table) for row in rows) + voice.rng.randint(2, 6)

    def text(row: Row) -> str:
        value = f"{row.value}{_unit(row)}"
        return f"{row.table:<{width}}{value:<16}{row.reference} {row.flag}".rstrip()

    return _joined(_shuffled(voice, rows), text, "", 1)


def _pipes(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    def text(row: Row) -> str:
        return f"{row.dense} {row.value}{_flag(row)}"

    rows = _shuffled(voice, rows)
    return _joined(rows, text, " | ", voice.rng.randint(4, 8))


def _short(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    units = voice.rng.random() < _SHORT_WITH_UNITS
    separator = voice.rng.choice((", ", ", ", "; ", "  "))

    def text(row: Row) -> str:
        if units:
            unit = _unit(row)
        else:
            unit = ""
        return f"{row.dense} {row.value}{unit}{_flag(row)}"

    rows = _shuffled(voice, rows)
    return _joined(rows, text, separator, voice.rng.randint(3, 9))


def _prose(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    with_reference = voice.rng.random() < _PROSE_WITH_REFERENCE
    items: list[Item] = []
    rows = _shuffled(voice, rows)
    for start in range(0, len(rows), _ROWS_A_SENTENCE):
        some = rows[start : start + _ROWS_A_SENTENCE]
        # What stands before and after the list may be quoted with none of its results.
        frame = voice.filled(voice.frame("labs"), list="\0")
        before, _, after = frame.partition("\0")
        pieces: list[Piece] = [(before, None)]
        for number, row in enumerate(some):
            if number:
                pieces.append((_comma(number, len(some)), None))
            pieces.append((_in_words(voice, row, with_reference), row.tag))
        pieces.append((after, None))
        items.append(Item(tuple(pieces), sentence=after.endswith(".")))
    return items


def _comma(number: int, count: int) -> str:
    """Return what stands before entry ``number`` (from 0, not the first) of ``count``."""
    if number < count - 1:
        return ", "
    if count == 2:
        return " and "
    return ", and "


def _in_words(voice: Voice, row: Row, with_reference: bool) -> str:
    joint = voice.rng.choice(("", "", "of "))
    text = f"{lowered(row.prose)} {joint}{row.value}{_unit(row)}"
    if with_reference and row.reference:
        text += f" (reference range, {row.reference})"
    return text


def _unit(row: Row) -> str:
    if not row.unit or row.unit == "%":
        return row.unit
    return f" {row.unit}"


def _star(row: Row) -> str:
    if row.flag:
        return "*"
    return ""


def _flag(row: Row) -> str:
    if row.flag in ("H", "HH", "L", "LL", "A"):
        return f" ({row.flag})"
    return ""


def _shuffled(voice: Voice, rows: Sequence[Row]) -> list[Row]:
    """Put the case's own rows among the others, whose panels stay together."""
    own = []
    for row in rows:
        if row.tag:
            own.append(row)
    others = []
    for row in rows:
        if not row.tag:
            others.append(row)
    for row in own:
        others.insert(voice.rng.randint(0, len(others)), row)
    return others


_PRINTERS: dict[Print, Callable[[Voice, Sequence[Row]], list[Item]]] = {
    "dense": _dense,
    "chart": _chart,
    "table": _table,
    "columns": _columns,
    "pipes": _pipes,
    "short": _short,
    "prose": _prose,
}
