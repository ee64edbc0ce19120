"""An audit as a page of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dxtrace.corpus.audit import Audit, Spread
from dxtrace.provenance import CREDENTIALED_RULE

#: Lines shown of a long list.
_SHOWN = 12


def audit_page(audit: Audit, every: bool = False) -> str:
    """Return the page; ``every`` shows long lists whole. It holds ids, labels and counts, no text of a note."""
    shown = 10**9 if every else _SHOWN
    parts = [
        *_head(audit),
        *_section("Lengths and observations", _lengths(audit)),
        *_section("Categories", _bars(audit.categories, 10**9)),
        *_section("Diagnoses", _bars(audit.diagnoses, 10**9 if every else 2 * _SHOWN)),
        *_section("Balance", _balance(audit)),
        *_section("Problems while reading", _problems(audit, shown)),
        *_section("Labels that contradict each other", _listed(_conflicts(audit), shown)),
        *_section("Duplicates", _listed(_duplicates(audit), shown)),
        *_section("Labels named in the note", _leaks(audit, shown)),
        *_section("Across splits", _listed(_crossing(audit), shown) if audit.splits else ["  no splits recorded"]),
    ]
    return "\n".join(parts) + "\n"


def spread_table(rows: Mapping[str, Spread]) -> list[str]:
    """Return a table of spreads, one row each."""
    lines = [f"  {'':<22}{'least':>8}{'median':>8}{'mean':>8}{'95 %':>8}{'most':>8}"]
    for name, spread in rows.items():
        numbers = (spread.minimum, spread.median, spread.mean, spread.p95, spread.maximum)
        lines.append(f"  {name:<22}" + "".join(f"{number:>8.0f}" if name != "observations" or number == int(number)
                                               else f"{number:>8.1f}" for number in numbers))  # fmt: skip
    return lines


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *lines]


def _head(audit: Audit) -> list[str]:
    info = audit.corpus
    lines = [
        f"Audit of {info.name} ({info.id})",
        f"  SHA-256   {info.sha256}",
        f"  licence   {info.licence}",
        f"  cases     {audit.cases:,}, annotated {audit.annotated:,}; patients {audit.patients:,}",
    ]
    if audit.amended is not None:
        lines.append(f"  amended   {audit.amended:,} (evidence was written into the note)")
    if audit.splits:
        lines.append("  splits    " + ", ".join(f"{name} {count:,}" for name, count in audit.splits.items()))
    return [*lines, f"  {CREDENTIALED_RULE}"] if info.credentialed else lines


def _lengths(audit: Audit) -> list[str]:
    rows = {"words": audit.words, "observations": audit.observations}
    if audit.tokens is not None:
        rows[f"tokens ({audit.tokens_of})"[:22]] = audit.tokens
    total = sum(audit.sections.values())
    per = "; ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in audit.sections.items() if count)
    missing = f", {audit.unaligned:,} not found in their note ({audit.unaligned_share:.1%})" if audit.unaligned else ""
    return [*spread_table(rows), f"  {total:,} observations placed{missing}", *([f"  {per}"] if per else [])]


def _bars(counts: Mapping[str, int], shown: int) -> list[str]:
    if not counts:
        return ["  none"]
    most = max(counts.values())
    lines = [
        f"  {name[:44]:<44} {count:>6,}  {'#' * max(1, round(24 * count / most))}"
        for name, count in list(counts.items())[:shown]
    ]
    return lines + ([f"  and {len(counts) - shown} more"] if len(counts) > shown else [])


def _balance(audit: Audit) -> list[str]:
    name, share = audit.majority
    counts = list(audit.diagnoses.values())
    if not counts:
        return ["  no diagnosis"]
    return [
        f"  always answering {name!r} would be right in {share:.1%}",
        f"  {len(counts)} diagnoses; with one case {counts.count(1)}, with fewer than five {sum(n < 5 for n in counts)}",
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
    return lines + (
        _listed((f"{id}: {', '.join(names)}" for id, names in audit.leaks.items()), shown) if audit.leaks else []
    )


def _crossing(audit: Audit) -> Iterable[str]:
    for patient, splits in audit.crossing.items():
        yield f"patient {patient} is in {', '.join(splits)}"
    for group in audit.crossing_duplicates:
        yield f"duplicates in different splits: {', '.join(group)}"


def _listed(lines: Iterable[str], shown: int) -> list[str]:
    every = [f"  {line}" for line in lines]
    more = [f"  and {len(every) - shown} more (--all shows them)"] if len(every) > shown else []
    return (every[:shown] + more) or ["  none"]
