"""The figures of a report: how a number and its interval are written, and the tables that hold
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Literal

from dxtrace.evaluate.content import (
    ComparisonData,
    EstimateData,
    IntervalData,
    Report,
    Summary,
    SystemReport,
)
from dxtrace.evaluate.metrics.per_case import BY_KEY, METRICS
from dxtrace.evaluate.report.plots import bar, percent
from dxtrace.evaluate.report.tables import Cell, Markup, heading, keys, paragraph, small, table

#: The figures at the top of the page.
_CARDS = ("acc_cat", "acc_diag", "obs_comp", "exp_all", "evidence_f1", "grounded")

_GROUPS = {
    "published": "As published",
    "unsmoothed": "Without the +1",
    "optimal": "With optimal matching",
    "diagnosis": "Diagnosis",
    "evidence": "Evidence, by characters",
    "form": "Form",
    "length": "Length",
}

#: What the outcomes of an answer are called.
OUTCOMES = {
    "answered": "answered",
    "type_open": "type open",
    "not_supported": "not supported",
    "out_of_scope": "out of scope",
}

_SMALL_PRINT = (
    "Small print: 95 % interval and number of cases. Rates have Wilson's interval where every case is another "
    "patient's; all else has a bootstrap that draws patients. Published Obs_pre and Obs_rec stay below 100 % even for "
    "a perfect answer, because of the +1."
)
#: Two systems are told apart below this p, after Holm's correction.
_TOLD_APART = 0.05

_COMPARED = (
    "Paired, on the same cases. Difference with a patient-clustered bootstrap interval; p by permutation of the "
    "systems patient by patient, after Holm's correction over these metrics; McNemar's exact test for rates."
)


def value_text(key: str, value: float | None) -> str:
    """Return a metric's value as a report shows it: a share in percent, a length or distance as a
    number.
    """
    if value is None:
        return "–"
    plain = BY_KEY[key].group == "length" or key == "tree_distance"
    if plain:
        return f"{value:.2f}"
    return percent(value)


def interval_of(estimate: EstimateData) -> tuple[float | None, float | None]:
    """Return the interval to show: Wilson's where cases are patients, else the patient-clustered
    bootstrap's.
    """
    wilson, boot = estimate["wilson"], estimate["bootstrap"]
    if wilson and (estimate["n"] == estimate["patients"] or boot["low"] is None):
        chosen = wilson
    else:
        chosen = boot
    return chosen["low"], chosen["high"]


def interval_text(key: str, estimate: EstimateData) -> str:
    """Return the interval as "12.0–20.3 %", or an empty text."""
    low, high = interval_of(estimate)
    if low is None or high is None:
        return ""
    return f"{value_text(key, low).removesuffix(' %')}–{value_text(key, high)}"


def p_text(p: float | None) -> str:
    """Return a p value with three digits, or "<0.001"; a dash without one."""
    if p is None:
        return "–"
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}"


def area_text(interval: IntervalData) -> str:
    """Return the interval of an area under a curve as "0.873–0.965", or that there is none."""
    low, high = interval["low"], interval["high"]
    if low is None or high is None:
        return "no interval"
    return f"{low:.3f}–{high:.3f}"


def cards(data: Report) -> str:
    """Return the first system's headline figures, and how many of its answers there were."""
    system = data["systems"][0]
    summary, shown = system["summary"], []
    for key in _CARDS:
        estimate = summary["metrics"][key]
        if estimate["mean"] is not None:
            interval = interval_text(key, estimate) or "no interval"
            shown.append(
                f'<div class="card"><span>{escape(BY_KEY[key].label)}</span><b>{value_text(key, estimate["mean"])}</b>'
                f"<span>{interval} · n={estimate['n']}</span></div>",
            )
    status = summary["status"]
    lost = ", ".join(f"{status[kind]} {kind}" for kind in ("missing", "broken") if status.get(kind))
    note = f"{system['name']}: {status.get('answered', 0):,} of {summary['n']:,} answers readable"
    note += f"; {lost}, each counted as 0." if lost else "."
    note += f" {outcomes_text(summary)}"
    return f'<div class="cards">{"".join(shown)}</div>{paragraph(note, "soft")}'


def outcomes_text(summary: Summary) -> str:
    """Return in one sentence what was decided, and how often a diagnosis that was named is right."""
    shares = ", ".join(
        f"{OUTCOMES[key]} {percent(one)}" for key, one in summary["outcomes"].items()
    )
    selective = summary["metrics"]["selective_acc_diag"]
    right = value_text("selective_acc_diag", selective["mean"])
    if selective["n"]:
        named = f"of {selective['n']:,} diagnoses named {right} are right"
    else:
        named = ""
    return f"Of all cases: {shares}" + (f"; {named}." if named else ".")


def all_metrics(data: Report) -> str:
    """Return the table of every metric, systems side by side."""
    systems = data["systems"]
    rows: list[Sequence[Cell]] = []
    group = ""
    for metric in METRICS:
        estimates = []
        for system in systems:
            estimates.append(system["summary"]["metrics"][metric.key])
        if all(estimate["mean"] is None for estimate in estimates):
            continue
        if metric.group != group:
            group = metric.group
            rows.append((_GROUPS[group],))
        cells = []
        for estimate in estimates:
            cells.append(_estimate(metric.key, estimate))
        if metric.better == "lower":
            lower = " (lower is better)"
        else:
            lower = ""
        rows.append((small(metric.label, metric.says + lower), *cells))
    rows += _other_averages(systems)
    heads = ("Metric", *(f"#{system['name']}" for system in systems))
    return heading("All metrics") + paragraph(_SMALL_PRINT, "soft") + table(heads, rows)


def _estimate(key: str, estimate: EstimateData) -> Markup:
    return small(
        value_text(key, estimate["mean"]),
        f"{interval_text(key, estimate)} n={estimate['n']}".strip(),
    )


def _other_averages(systems: Sequence[SystemReport]) -> list[Sequence[Cell]]:
    def row(
        label: str,
        says: str,
        value: Callable[[Summary], float | None],
    ) -> Sequence[Cell]:
        return (small(label, says), *(percent(value(system["summary"])) for system in systems))

    def f1(kind: Literal["category", "diagnosis"]) -> Sequence[Cell]:
        cells = []
        for system in systems:
            summary = system["summary"]
            between = between_text(summary["macro_f1_intervals"][kind])
            cells.append(small(percent(summary["macro_f1"][kind]), between))
        return (small(f"Macro-F1, {kind}", f"every {kind} counts the same"), *cells)

    return [
        ("Other averages",),
        f1("category"),
        f1("diagnosis"),
        row("Acc_diag by category", "mean over categories", lambda s: s["macro"]["acc_diag"]),
        row("Obs_comp pooled", "all observations in one pot", lambda s: s["pooled"]["obs_comp"]),
        row("Exp_all pooled", "all observations in one pot", lambda s: s["pooled"]["exp_all"]),
    ]


def between_text(interval: IntervalData, digits: int = 1) -> str:
    """Return the interval of a share as "12.0–20.3 %", or that there is none."""
    low, high = interval["low"], interval["high"]
    if low is None or high is None:
        return "no interval"
    return f"{100 * low:.{digits}f}–{percent(high, digits)}"


def comparisons(data: Report) -> str:
    """Return the paired tests of every other system against the first; empty with one system."""
    parts = []
    for pair in data["comparisons"]:
        heads = (
            "Metric",
            f"#{pair['first']}",
            f"#{pair['second']}",
            "#Difference",
            "#p (Holm)",
            "#McNemar",
            "#n",
        )
        rows = []
        for one in pair["metrics"]:
            rows.append(_comparison(one))
        parts.append(
            heading(f"{pair['second']} against {pair['first']}", 3) + table(heads, rows, _COMPARED),
        )
    if parts:
        return heading("Systems compared") + "".join(parts)
    return ""


def ties(data: Report) -> list[str]:
    """Return a sentence for each system, category or diagnosis that is not told apart from the first
    system.
    """
    said = []
    for pair in data["comparisons"]:
        for one in pair["metrics"]:
            if one["key"] not in ("acc_cat", "acc_diag") or one["adjusted"] < _TOLD_APART:
                continue
            between = between_text(one["interval"])
            said.append(
                f"{pair['second']} ties with {pair['first']} on {BY_KEY[one['key']].label}: "
                f"{percent(one['second'])} against {percent(one['first'])}, difference "
                f"{100 * one['difference']:+.1f} points ({between}), p {p_text(one['adjusted'])}; "
                f"{one['n']} cases do not tell them apart.",
            )
    return said


def _comparison(one: ComparisonData) -> Sequence[Cell]:
    key, low, high = one["key"], one["interval"]["low"], one["interval"]["high"]
    if low is not None:
        between = f"{value_text(key, low)} to {value_text(key, high)}"
    else:
        between = ""
    if one["difference"] > 0:
        sign = "+"
    else:
        sign = ""
    return (
        BY_KEY[key].label,
        value_text(key, one["first"]),
        value_text(key, one["second"]),
        small(sign + value_text(key, one["difference"]), between),
        p_text(one["adjusted"]),
        p_text(one["mcnemar"]),
        one["n"],
    )


def bars(data: Report, group: str, title: str) -> str:
    """Return one row a category, domain or diagnosis: n, a bar of Acc_diag for up to two systems,
    other shares.
    """
    systems = [system for system in data["systems"] if system["summary"]["groups"].get(group)][:2]
    if not systems:
        return ""
    names = sorted({name for system in systems for name in system["summary"]["groups"][group]})
    rows = []
    for name in names:
        rows.append(_bar_row(systems, group, name))
    colors = zip(("one", "two"), (system["name"] for system in systems), strict=False)
    legend = f'<p class="soft">Bars: Acc_diag with its 95 % interval.{keys(colors)}</p>'
    heads = ("", "#n", "Acc_diag", "#", "#Obs_comp", "#Exp_all")
    return heading(title) + legend + table(heads, rows)


def _bar_row(systems: Sequence[SystemReport], group: str, name: str) -> Sequence[Cell]:
    found = []
    for place, system in enumerate(systems):
        found.append((place, system["summary"]["groups"][group].get(name)))
    there = []
    for place, one in found:
        if one:
            there.append((place, one))
    drawn = "".join(
        bar(
            one["metrics"]["acc_diag"]["mean"],
            interval_of(one["metrics"]["acc_diag"]),
            second=place == 1,
        )
        for place, one in there
    )

    def column(key: str) -> Markup:
        return Markup("<br>".join(percent(one["metrics"][key]["mean"], 0) for _, one in there))

    return (
        name,
        there[0][1]["n"],
        Markup(drawn),
        column("acc_diag"),
        column("obs_comp"),
        column("exp_all"),
    )
