"""The same figures as a Markdown table, for a paper or a model card."""

from __future__ import annotations

from collections.abc import Iterator

from dxtrace.chain import DISCLAIMER
from dxtrace.evaluate.content import ComparedSystems, Report
from dxtrace.evaluate.metrics.per_case import BY_KEY, METRICS
from dxtrace.evaluate.report.figures import (
    area_text,
    between_text,
    interval_of,
    interval_text,
    outcomes_text,
    p_text,
    ties,
    value_text,
)
from dxtrace.evaluate.report.plots import percent
from dxtrace.provenance import CREDENTIALED_RULE

#: Groups of metrics that the table has; the report has all.
_GROUPS = ("published", "diagnosis", "evidence", "form")


def markdown_table(data: Report) -> str:
    """Return the table of a report (:func:`dxtrace.evaluate.runner.report_data`), with n, intervals
    and judges.
    """
    systems = data["systems"]
    corpus = data["corpus"]
    lines = [
        "| metric | " + " | ".join(_plain(system["name"]) for system in systems) + " |",
        "|---|" + "---:|" * len(systems),
    ]
    for metric in METRICS:
        estimates = []
        for system in systems:
            estimates.append(system["summary"]["metrics"][metric.key])
        if metric.group in _GROUPS and any(estimate["mean"] is not None for estimate in estimates):
            cells = [
                f"{value_text(metric.key, e['mean'])} ({interval_text(metric.key, e)})"
                for e in estimates
            ]
            lines.append(
                f"| {metric.label} | "
                + " | ".join(cell.replace(" ()", "") for cell in cells)
                + " |",
            )
    f1 = []
    for system in systems:
        f1.append(value_text("acc_diag", system["summary"]["macro_f1"]["diagnosis"]))
    lines.append("| Macro-F1, diagnosis | " + " | ".join(f1) + " |")
    known = []
    for system in systems:
        known.append(system["wordings"])
    if any(known):
        lines.append("| Wordings known | " + " | ".join(text or "–" for text in known) + " |")
    sizes = ", ".join(
        f"{_plain(s['name'])}: n={s['summary']['n']} cases of {s['summary']['patients']} patients"
        for s in systems
    )
    lines += [
        "",
        f"{sizes}. Corpus: {_plain(corpus['id'] if corpus else 'not named')}. In brackets 95 % intervals.",
        *(f"{_plain(s['name'])}: {outcomes_text(s['summary'])}" for s in systems),
        *(_plain(sentence) for sentence in ties(data)),
        *_other_figures(data),
        "A missing or broken answer counts 0.",
        f"Judges: observations by {data['judges']['observations']}; rationales by {data['judges']['rationales']}.",
        DISCLAIMER,
    ]
    for pair in data["comparisons"]:
        lines += ["", *_compared(pair)]
    if data["credentialed"]:
        lines.append(CREDENTIALED_RULE)
    return "\n".join(lines) + "\n"


def _compared(pair: ComparedSystems) -> Iterator[str]:
    """Yield the lines of a table of paired differences, with p values by permutation."""
    yield f"| {_plain(pair['second'])} against {_plain(pair['first'])} | difference | p | p (Holm) | n |"
    yield "|---|---:|---:|---:|---:|"
    for one in pair["metrics"]:
        key = one["key"]
        if BY_KEY[key].group not in _GROUPS:
            continue
        difference = value_text(key, one["difference"])
        if one["difference"] > 0:
            difference = f"+{difference}"
        if one["interval"]["low"] is not None:
            low, high = (value_text(key, one["interval"][end]) for end in ("low", "high"))
            difference += f" ({low} to {high})"
        chances = f"{p_text(one['permutation'])} | {p_text(one['adjusted'])}"
        yield f"| {BY_KEY[key].label} | {difference} | {chances} | {one['n']} |"


def _other_figures(data: Report) -> Iterator[str]:
    """Yield a line for each system and each group of measures that has figures."""
    for system in data["systems"]:
        name, confidence = _plain(system["name"]), system["summary"]["confidence"]
        if confidence:
            yield (
                f"{name}: expected calibration error {percent(confidence['ece'])} "
                f"({between_text(confidence['ece_interval'])}), area under the risk-coverage curve "
                f"{percent(confidence['area_under_risk'])} ({between_text(confidence['area_interval'])})."
            )
        scope = system["scope"]
        if scope:
            shares = "; ".join(
                f"at {percent(one['kept'], 0)} of those inside kept {percent(one['share'])} "
                f"({between_text(one['interval'])})"
                for one in scope["false_answers"]
            )
            yield (
                f"{name}, {scope['outside']} cases of other illnesses: AUROC {scope['auroc']:.3f} "
                f"({area_text(scope['auroc_interval'])}), answered "
                f"{percent(scope['answered_outside'])} ({between_text(scope['answered_outside_interval'])}); {shares}."
            )
        for key, estimate in system["robustness"].items():
            if estimate["mean"] is None:
                continue
            low, high = interval_of(estimate)
            yield (
                f"{name}, {key.replace('_', ' ')}: {percent(estimate['mean'])} "
                f"({between_text({'low': low, 'high': high})}), n={estimate['n']}."
            )
        for kind, score in (system["bridge"] or {}).items():
            yield (
                f"{name}, BRIDGE, {kind}: {percent(score['accuracy'])} ({between_text(score['interval'])}), "
                f"n={score['n']}, {score['invalid']} answers are no label."
            )


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
