"""Laboratory results and studies: rows of a table as hospitals print them, or sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dxtrace.compose import _formula
from dxtrace.compose._compile import Said
from dxtrace.compose._draw import finding_of
from dxtrace.compose._style import Part, Print
from dxtrace.compose._voice import Voice
from dxtrace.compose._write import Item, Piece, lowered
from dxtrace.knowledge.background import Test, background
from dxtrace.knowledge.schema import Range


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


def laboratory(voice: Voice, part: Part, own: Sequence[Said]) -> list[Item]:
    """Laboratory results: abnormal rows among normal ones, the rest in words."""
    kind = voice.rng.choice(voice.style.prints)
    if part.layout == "prose":
        kind = "prose"
    waiting = [said for said in own if said.id not in voice.said]
    rows: list[Row] = []
    for said in waiting:
        lab = said.finding.lab if said.finding else None
        if lab and not said.compound and voice.rng.random() < (0.25 if kind == "prose" else 0.7):
            row = _row_of(voice, said)
            if _fits(kind, row):
                voice.said.add(said.id)
                rows.append(row)
    words = [voice.say(said, part) for said in waiting if said.id not in voice.said]
    taken = {row.table.lower() for row in rows}
    rows += _normal_rows(voice, taken)
    printed = _PRINTERS[kind](voice, rows) if rows else []
    if voice.style.long and kind in ("dense", "chart") and voice.rng.random() < 0.8:
        again = _normal_rows(voice, taken)[: voice.rng.randint(8, 22)]
        printed += _PRINTERS[kind](voice, again) if again else []
    return printed + words if voice.rng.random() < 0.7 else words + printed


def _fits(kind: Print, row: Row) -> bool:
    """True if the row can be printed so: dense print has room for short names and bare numbers
    only.
    """
    if kind in ("dense", "chart"):
        return len(row.dense) <= 16 and bool(re.fullmatch(r"[<>]?[\d.,/]{1,9}", row.value))
    return kind not in ("pipes", "short") or len(row.dense) + len(row.value) <= 40


def _row_of(voice: Voice, said: Said) -> Row:
    lab = finding_of(said).lab
    assert lab is not None
    name, value = lab.name.format_map(voice.values), lab.value.format_map(voice.values)
    unit = lab.unit if re.search(r"\d", value) else ""
    return Row(name, name, name, value, unit, lab.reference, lab.flag, said.id)


def _normal_rows(voice: Voice, taken: set[str]) -> list[Row]:
    draft, rng = voice.draft, voice.rng
    shifts: dict[str, Range] = {
        test: low_high for item in draft.comorbidities for test, low_high in item.shifts.items()
    }
    free = [
        t
        for t in background().tests
        if t.id not in draft.hidden and not taken & {n.lower() for n in (*t.table, *t.dense)}
    ]
    count = min(len(free), rng.randint(*voice.style.normal_tests))
    panels = list(dict.fromkeys(test.panel for test in free))
    rng.shuffle(panels)
    order = sorted(free, key=lambda test: panels.index(test.panel))
    chosen = [test for test in order if test.id in shifts or rng.random() < 0.85][:count]
    chosen += [test for test in order if test.id in shifts and test not in chosen]
    drawn = _values(voice, chosen, shifts)
    return [_normal_row(voice, test, drawn[test.id]) for test in chosen if test.id in drawn]


def _values(voice: Voice, tests: Sequence[Test], shifts: Mapping[str, Range]) -> dict[str, float]:
    """Draw the values of tests, rounded as printed; a second panel gives much the same as the
    first.
    """
    rng, drawn = voice.rng, dict[str, float]()
    ranges = {test.id: shifts.get(test.id, test.range_of(voice.draft.female)) for test in tests}
    for test in tests:
        low, high = ranges[test.id]
        before = voice.results.get(test.id)
        value = (
            rng.uniform(low, high)
            if before is None
            else before + rng.uniform(-0.08, 0.08) * (high - low)
        )
        drawn[test.id] = round(min(max(value, low), high), test.decimals)
    for test in tests:
        if test.follows in drawn:
            drawn[test.id] = round(
                drawn[test.follows] * test.times * rng.uniform(0.98, 1.02),
                test.decimals,
            )
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
    formula, (low, high) = test.formula or "", ranges[test.id]
    inputs = sorted(_formula.names(formula))
    if not drawn.keys() >= set(inputs):
        return False
    for _ in range(60):
        drawn[test.id] = round(_formula.evaluate(formula, drawn), test.decimals)
        if low <= drawn[test.id] <= high:
            return True
        drawn |= {name: float(round(voice.rng.uniform(*ranges[name]))) for name in inputs}
    return False


def _normal_row(voice: Voice, test: Test, number: float) -> Row:
    reference = test.reference_of(voice.draft.female)
    *below, high = (float(limit) for limit in re.findall(r"[\d.]+", reference))
    flag = "H" if number > high else "L" if below and number < below[0] else ""
    dense, table, prose = (
        voice.rng.choice(texts) for texts in (test.dense, test.table, test.prose)
    )
    value = f"{number:.{test.decimals}f}"
    return Row(dense, table, prose, value, test.unit, reference, flag)


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
    stamp = f"{hour:02d}:{voice.rng.randrange(60):02d}{voice.rng.choice(('AM', 'PM'))}"
    return stamp if voice.rng.random() < 0.5 else f"___ {stamp}"


def _stamped(lines: list[Item], stamp: str) -> list[Item]:
    return [Item(((stamp, None), *line.pieces)) for line in lines]


def _dense(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    rows = _shuffled(voice, rows)
    lines = _joined(
        rows,
        lambda r: f"{r.dense.upper()}-{r.value}{'*' if r.flag else ''}",
        " ",
        voice.rng.randint(3, 8),
    )
    return _stamped(lines, f"{_time(voice)}   ")


def _chart(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    rows = _shuffled(voice, rows)
    lines = _joined(
        rows,
        lambda r: f"{r.dense}-{r.value}{'*' if r.flag else ''}",
        " ",
        voice.rng.randint(4, 9),
    )
    return _stamped(lines, f"{_time(voice)} BLOOD ")


def _table(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    reference, colon = (
        voice.rng.choice((" (ref {})", " [{}]", " ({})", " (normal {})", "")),
        voice.rng.choice((": ", " ", " - ")),
    )
    mark = voice.rng.choice((" {}", " ({})", " *"))

    def text(row: Row) -> str:
        tail = reference.format(row.reference) if row.reference and reference else ""
        return f"{row.table}{colon}{row.value}{_unit(row)}{tail}{mark.format(row.flag) if row.flag else ''}"

    return _joined(_shuffled(voice, rows), text, "", 1)


def _columns(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    width = max(len(row.table) for row in rows) + voice.rng.randint(2, 6)

    def text(row: Row) -> str:
        value = f"{row.value}{_unit(row)}"
        return f"{row.table:<{width}}{value:<16}{row.reference} {row.flag}".rstrip()

    return _joined(_shuffled(voice, rows), text, "", 1)


def _pipes(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    return _joined(
        _shuffled(voice, rows),
        lambda r: f"{r.dense} {r.value}{_arrow(r)}",
        " | ",
        voice.rng.randint(4, 8),
    )


def _short(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    units = voice.rng.random() < 0.3
    separator = voice.rng.choice((", ", ", ", "; ", "  "))

    def text(row: Row) -> str:
        unit = _unit(row) if units else ""
        return f"{row.dense} {row.value}{unit}{_arrow(row)}"

    return _joined(_shuffled(voice, rows), text, separator, voice.rng.randint(3, 9))


def _prose(voice: Voice, rows: Sequence[Row]) -> list[Item]:
    with_reference = voice.rng.random() < 0.3
    items: list[Item] = []
    rows = _shuffled(voice, rows)
    for at in range(0, len(rows), 5):
        frame = voice.filled(voice.frame("labs"), list="\0")
        before, _, after = frame.partition("\0")
        some = rows[at : at + 5]
        pieces: list[Piece] = [(before, None)]
        for number, row in enumerate(some):
            if number:
                last = " and " if len(some) == 2 else ", and "
                pieces.append((last if number == len(some) - 1 else ", ", None))
            tail = (
                f" (reference range, {row.reference})" if with_reference and row.reference else ""
            )
            pieces.append(
                (
                    f"{lowered(row.prose)} {voice.rng.choice(('', '', 'of '))}{row.value}{_unit(row)}{tail}",
                    row.tag,
                ),
            )
        items.append(Item((*pieces, (after, None)), sentence=after.endswith(".")))
    return items


def _unit(row: Row) -> str:
    return row.unit if row.unit == "%" else f" {row.unit}" if row.unit else ""


def _arrow(row: Row) -> str:
    return {"H": " (H)", "HH": " (HH)", "L": " (L)", "LL": " (LL)", "A": " (A)"}.get(row.flag, "")


def _shuffled(voice: Voice, rows: Sequence[Row]) -> list[Row]:
    """Put the case's own rows among the others, whose panels stay together."""
    own, others = [r for r in rows if r.tag], [r for r in rows if not r.tag]
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
