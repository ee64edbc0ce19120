"""The sections of the page for the measures beyond the published ones, each with its picture."""

from __future__ import annotations

from collections.abc import Sequence

from dxtrace.evaluate.content import EstimateData, Report, SystemReport
from dxtrace.evaluate.metrics.bridge import tables
from dxtrace.evaluate.report.figures import area_text, between_text, interval_of, ties
from dxtrace.evaluate.report.plots import bar, curve_plot, percent
from dxtrace.evaluate.report.tables import Cell, Markup, heading, paragraph, small, table

#: What each measure of robustness is called, and which way is better.
ROBUSTNESS = {
    "stays_without_key_evidence": (
        "Diagnosis stays without its key evidence",
        "gold evidence removed; lower is better",
    ),
    "stays_without_quotes": (
        "Diagnosis stays without the quoted lines",
        "stale citations; lower is better",
    ),
    "stays_without_random_lines": (
        "Diagnosis stays without as many other lines",
        "the control: higher is better",
    ),
    "rests_on_quotes": (
        "Rests on its quotes",
        "the difference of the two above; near 0 the citations are stale",
    ),
    "anchored": (
        "Anchored",
        "a wrong diagnosis that a colleague suggests is ranked first; lower is better",
    ),
    "anchored_before": (
        "Anchored, without the suggestion",
        "the same diagnosis ranked first anyway",
    ),
    "same_when_reordered": ("Same in another order of sections", "higher is better"),
    "same_when_paraphrased": ("Same in other words", "our own templates; higher is better"),
}

_ROBUSTNESS_SOURCE = (
    "Each case is changed and answered again. Anchoring, published: attendings 10.0 %, residents 21.2 %, eight "
    "language models 55.6 % (International Journal of Medical Informatics 219:106550)."
)
_SCOPE_SOURCE = (
    "Area under the ROC curve (Hanley and McNeil 1982) of the doubt in cases outside against those inside the known "
    "illnesses; false answers at a threshold that keeps a share of the cases inside (FPR95: Hendrycks and Gimpel 2017)."
)
_FAITHFUL_SOURCE = (
    "Of the steps shown, the share that is matched with a gold step, with its reason and node, as the least confident "
    "answers are withheld (the picture of ClinTrace, arXiv 2601.16397)."
)
_SOURCES_SOURCE = (
    "The sign of the gap, mean stated probability less share right, can change between kinds of document "
    "(arXiv 2603.00924): above 0 a system is too sure of itself."
)


def tie_words(data: Report) -> str:
    """Return, in words, where another system is not told apart from the first one."""
    said = "".join(paragraph(sentence) for sentence in ties(data))
    if said:
        return heading("Who ties with whom") + said
    return ""


def averages(data: Report) -> str:
    """Return bars of the scores in which every label, or every node above it, counts."""
    rows: list[Sequence[Cell]] = []
    for system in data["systems"]:
        summary = system["summary"]
        for kind in ("category", "diagnosis"):
            value = summary["macro_f1"][kind]
            between = summary["macro_f1_intervals"][kind]
            drawn = Markup(bar(value, (between["low"], between["high"])))
            shown = small(percent(value), between_text(between))
            rows.append((small(f"Macro-F1, {kind}", system["name"]), drawn, shown))
        estimate = summary["metrics"]["hierarchical_f1"]
        rows.append(_bar_row("Hierarchical F1", system["name"], estimate))
    says = "Macro-F1: Sokolova and Lapalme 2009. Hierarchical F1: Kiritchenko et al. 2005."
    return heading("Rare labels, and near misses") + table(("", "", "#Value"), rows, says)


def _bar_row(label: str, says: str, estimate: EstimateData) -> Sequence[Cell]:
    low, high = interval_of(estimate)
    value = estimate["mean"]
    shown = small(percent(value), f"{between_text({'low': low, 'high': high})} n={estimate['n']}")
    drawn = ""
    if value is not None and value >= 0:
        drawn = bar(value, (None if low is None else max(low, 0.0), high))
    return small(label, says), Markup(drawn), shown


def scope(data: Report) -> str:
    """Return how well each system knows what it does not know."""
    parts = []
    for system in data["systems"]:
        found = system["scope"]
        if found is None:
            continue
        said = (
            f"AUROC {found['auroc']:.3f} ({area_text(found['auroc_interval'])}); {found['inside']} cases inside, "
            f"{found['outside']} outside. As the system decides, {percent(found['answered_inside'])} of those inside "
            f"are answered ({between_text(found['answered_inside_interval'])}) and "
            f"{percent(found['answered_outside'])} of those outside "
            f"({between_text(found['answered_outside_interval'])})."
        )
        for one in found["false_answers"]:
            said += (
                f" Where {percent(one['kept'], 0)} of those inside are kept, {percent(one['share'])} of those outside "
                f"are answered ({between_text(one['interval'])})."
            )
        plot = curve_plot(
            f"Cases outside answered against cases inside kept, {system['name']}.",
            found["curve"],
            ("cases inside kept", "cases outside answered"),
            "Lower is better; the dashed line is chance.",
            chance=True,
        )
        parts.append(f"{heading(system['name'], 3)}{paragraph(said)}{plot}")
    if not parts:
        return ""
    title = heading("Does it know what it does not know?")
    return title + paragraph(_SCOPE_SOURCE, "soft") + "".join(parts)


def robustness(data: Report) -> str:
    """Return what came of the cases that were changed."""
    parts = []
    for system in data["systems"]:
        found = system["robustness"]
        if not found:
            continue
        rows = []
        for key, (label, says) in ROBUSTNESS.items():
            if key in found and found[key]["mean"] is not None:
                rows.append(_bar_row(label, says, found[key]))
        parts.append(heading(system["name"], 3) + table(("", "", "#Share of cases"), rows))
    if not parts:
        return ""
    title = heading("What moves an answer")
    return title + paragraph(_ROBUSTNESS_SOURCE, "soft") + "".join(parts)


def faithful(data: Report) -> str:
    """Return the share of faithful steps as doubtful answers are withheld."""
    parts = []
    for system in data["systems"]:
        points = []
        for one in system["summary"]["faithful"]:
            if one["faithful"] is not None:
                points.append((one["withheld"], one["faithful"], one["interval"]))
        if not points:
            continue
        said = "; ".join(
            f"{percent(withheld, 0)} withheld: {percent(value)} ({between_text(between)})"
            for withheld, value, between in points[:6:2]
        )
        plot = curve_plot(
            f"Faithful steps against answers withheld, {system['name']}. {said}.",
            [(withheld, value) for withheld, value, _ in points],
            ("answers withheld", "faithful steps"),
            "Rising: its doubt is where its faults are.",
            bounds=[(one["low"], one["high"]) for _, _, one in points],
        )
        parts.append(f"{heading(system['name'], 3)}{paragraph(said + '.')}{plot}")
    if not parts:
        return ""
    return heading("What withholding buys") + paragraph(_FAITHFUL_SOURCE, "soft") + "".join(parts)


def sources(data: Report) -> str:
    """Return calibration by kind of document, where there are several kinds."""
    rows: list[Sequence[Cell]] = []
    for system in data["systems"]:
        found = system["summary"]["by_source"]
        if len(found) < 2:
            continue
        rows.append((system["name"],))
        for name, one in found.items():
            between = one["ece_interval"]
            rows.append((
                small(name, f"n={one['n']}"),
                Markup(bar(one["ece"], (between["low"], between["high"]))),
                small(percent(one["ece"]), between_text(between)),
                small(f"{100 * one['gap']:+.1f} %", between_text(one["gap_interval"])),
            ))  # fmt: skip
    if not rows:
        return ""
    heads = ("Kind of document", "", "#Calibration error", "#Gap")
    return heading("Calibration by source") + table(heads, rows, _SOURCES_SOURCE)


def bridge(data: Report) -> str:
    """Return BRIDGE's score beside the figures published for other models."""
    ours = []
    for system in data["systems"]:
        if system["bridge"]:
            ours.append(system)
    if not ours:
        return ""
    known = tables()
    first = ours[0]["bridge"] or {}
    kept, whole = first["categories"]["n"], data["systems"][0]["summary"]["n"]
    rows: list[Sequence[Cell]] = [("Measured here",)]
    for system in ours:
        rows.append(_bridge_row(system))
    rows.append((f"Other people's figures: {known['published']['source']}",))
    for row in known["published"]["models"]:
        rows.append((
            row["name"],
            f"{row['categories']:.1f} %",
            f"{row['diagnoses']:.1f} %",
            Markup(bar(row["categories"] / 100, (None, None), second=True)),
        ))  # fmt: skip
    says = (
        "Accuracy, mean of 1,000 bootstraps; an answer that is no label is replaced by a random one. "
        f"{kept} of {whole} cases are scored. Theirs were measured on about 491 notes of DiReCT: "
        f"comparable only if these are the same notes. Labels: {known['source']}."
    )
    heads = ("System", "#25 categories", "#55 diagnoses", "25 categories")
    return heading("The score of BRIDGE on DiReCT") + table(heads, rows, says)


def _bridge_row(system: SystemReport) -> Sequence[Cell]:
    found = system["bridge"] or {}
    cells: list[Cell] = []
    for kind in ("categories", "diagnoses"):
        one = found[kind]
        says = f"{between_text(one['interval'])}; {one['invalid']} no label"
        if one["left_out"]:
            says += f"; {one['left_out']} cases without label"
        cells.append(small(percent(one["accuracy"]), says))
    one = found["categories"]
    drawn = Markup(bar(one["accuracy"], (one["interval"]["low"], one["interval"]["high"])))
    return (system["name"], *cells, drawn)
