"""An audit as a page of plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from dxtrace.corpus.audit import Audit, Spread
from dxtrace.provenance import CREDENTIALED_RULE

#: Lines shown of a long list.
_SHOWN = 12

_ALL = 10**9


def audit_page(audit: Audit, every: bool = False) -> str:
    """Return the page; ``every`` shows long lists whole.

    It holds ids, labels and counts, no text of a note.
    """
    if every:
        shown = _ALL
    else:
        shown = _SHOWN
    parts = [
        *_counts(audit, 2 * shown),
        *_section("Problems while reading", _problems(audit, shown)),
        *_section(
            "Labels that contradict each other",
            _listed(_conflicts(audit), shown),
        ),
        *_section("Duplicates", _listed(_duplicates(audit), shown)),
        *_section("Labels named in the note", _leaks(audit, shown)),
        *_section("Across splits", _splits(audit, shown)),
    ]
    return "\n".join(parts) + "\n"


def stats_page(audit: Audit) -> str:
    """Return the counts and lengths alone, lists whole."""
    return "\n".join(_counts(audit, _ALL)) + "\n"


def _counts(audit: Audit, shown: int) -> list[str]:
    return [
        *_head(audit),
        *_section("Lengths and observations", _lengths(audit)),
        *_section("Categories", _bars(audit.categories, _ALL)),
        *_section("Diagnoses", _bars(audit.diagnoses, shown)),
        *_section("Balance", _balance(audit)),
    ]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *lines]


def _head(audit: Audit) -> list[str]:
    info = audit.corpus
    lines = [
        f"{info.name} ({info.id})",
        f"  SHA-256   {info.sha256}",
        f"  licence   {info.licence}",
        f"  cases     {audit.cases:,}, annotated {audit.annotated:,}; patients {audit.patients:,}",
    ]
    if audit.amended is not None:
        lines.append(f"  amended   {audit.amended:,} (evidence was written into the note)")
    if audit.splits:
        counts = []
        for name, count in audit.splits.items():
            counts.append(f"{name} {count:,}")
        lines.append("  splits    " + ", ".join(counts))
    if info.credentialed:
        lines += _wrapped(CREDENTIALED_RULE)
    return lines


def _lengths(audit: Audit) -> list[str]:
    spreads = {"words": audit.words, "observations": audit.observations}
    if audit.tokens is not None:
        spreads[f"tokens of {audit.tokens_of}"] = audit.tokens
    lines = [f"  {'':<28}{'least':>8}{'median':>8}{'mean':>8}{'95 %':>8}{'most':>8}"]
    lines += [f"  {name[:28]:<28}{_numbers(spread)}" for name, spread in spreads.items()]
    total = sum(audit.sections.values())
    line = f"  {total:,} observations placed"
    if audit.unaligned:
        line += f", {audit.unaligned:,} not found in their note ({audit.unaligned_share:.1%})"
    if audit.moved:
        line += f", {audit.moved:,} moved to where they stand"
    lines.append(line)
    by_section: list[str] = []
    for name, count in audit.sections.items():
        if count:
            words = name.replace("_", " ")
            by_section.append(f"{words} {count:,}")
    if by_section:
        lines += _wrapped("; ".join(by_section))
    return lines


def _numbers(spread: Spread) -> str:
    values = (
        spread.minimum,
        spread.median,
        spread.mean,
        spread.p95,
        spread.maximum,
    )
    return "".join(map(_number, values))


def _number(value: float) -> str:
    whole = value >= 100 or value == int(value)
    if whole:
        return f"{value:>8,.0f}"
    return f"{value:>8.1f}"


def _bars(counts: Mapping[str, int], shown: int) -> list[str]:
    if not counts:
        return ["  none"]
    most = max(counts.values())
    lines: list[str] = []
    for name, count in list(counts.items())[:shown]:
        bar = "#" * max(1, round(24 * count / most))
        lines.append(f"  {name[:44]:<44} {count:>6,}  {bar}")
    if len(counts) > shown:
        lines.append(f"  and {len(counts) - shown} more")
    return lines


def _balance(audit: Audit) -> list[str]:
    name, share = audit.majority
    counts = list(audit.diagnoses.values())
    if not counts:
        return ["  no diagnosis"]
    few = sum(count < 5 for count in counts)
    return [
        f"  always answering {name!r} would be right in {share:.1%}",
        f"  {len(counts)} diagnoses; with one case {counts.count(1)}, with fewer than five {few}",
    ]


def _problems(audit: Audit, shown: int) -> list[str]:
    if not audit.problems:
        return ["  none"]
    counts = ", ".join(f"{kind} {count:,}" for kind, count in audit.problems.items())
    return [f"  {counts}", *_listed(audit.problem_list, shown)]


def _conflicts(audit: Audit) -> Iterable[str]:
    for conflict in audit.conflicts:
        yield f"{conflict.what}: {', '.join(conflict.cases)}: {' / '.join(conflict.labels)}"


def _duplicates(audit: Audit) -> Iterable[str]:
    for group in audit.duplicates:
        yield f"the same: {', '.join(group)}"
    for one, other, score in audit.near_duplicates:
        yield f"{score:.2f} alike: {one}, {other}"


def _leaks(audit: Audit, shown: int) -> list[str]:
    lines = [
        f"  of the diagnosis itself: {len(audit.leaks):,} of {audit.annotated:,} ({audit.leak_share:.1%})",
        f"  of any node of its category: {len(audit.category_leaks):,}",
    ]
    if audit.leaks:
        named = []
        for id, names in audit.leaks.items():
            named.append(f"{id}: {', '.join(names)}")
        lines += _listed(named, shown)
    return lines


def _splits(audit: Audit, shown: int) -> list[str]:
    if not audit.splits:
        return ["  no splits recorded"]
    return _listed(_crossing(audit), shown)


def _crossing(audit: Audit) -> Iterable[str]:
    for patient, splits in audit.crossing.items():
        yield f"patient {patient} is in {', '.join(splits)}"
    for group in audit.crossing_duplicates:
        yield f"duplicates in different splits: {', '.join(group)}"


def _listed(lines: Iterable[str], shown: int) -> list[str]:
    every = [f"  {line}" for line in lines]
    if not every:
        return ["  none"]
    if len(every) <= shown:
        return every
    return [
        *every[:shown],
        f"  and {len(every) - shown} more (--all shows them)",
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="  ")
