"""``report.html``: one file, no script, no request, made from ``report.json`` and, if they may be
shown, a few cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources

from dxtrace import knowledge
from dxtrace.chain import DISCLAIMER, Chain, Span, Step
from dxtrace.evaluate.answers import Account, find_node
from dxtrace.evaluate.content import Report
from dxtrace.evaluate.metrics.direct import PUBLISHED
from dxtrace.evaluate.report import measures
from dxtrace.evaluate.report.figures import (
    all_metrics,
    area_text,
    bars,
    between_text,
    cards,
    comparisons,
)
from dxtrace.evaluate.report.plots import abstention_plot, percent, reliability_diagram, stack
from dxtrace.evaluate.report.tables import Cell, Markup, heading, keys, paragraph, table
from dxtrace.evaluate.scoring import CaseResult, Scored
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CREDENTIALED_RULE
from dxtrace.view import STATIC_STYLE, static_case_html

#: Best and worst cases shown of the first system.
_SHOWN = 2

_CITE = (
    "Metrics: Wang et al. 2024, DiReCT, arXiv 2408.01933 (NeurIPS 2024 Datasets and Benchmarks). Intervals: "
    "Wilson 1927; percentile bootstrap clustered by patient. Tests: McNemar 1947, paired permutation, Holm 1979."
)


def html_report(
    data: Report,
    systems: Sequence[Scored] = (),
    cases: Mapping[str, AnnotatedCase] | None = None,
) -> str:
    """Return the page.

    Args:
        data: the content of ``report.json`` (:func:`dxtrace.evaluate.runner.report_data`).
        systems: the scored systems; the first one's best and worst cases are shown.
        cases: the corpus by id, or None to show no case.
    """
    names = ", ".join(system["name"] for system in data["systems"])
    parts = (
        _head(data),
        cards(data),
        all_metrics(data),
        measures.tie_words(data),
        comparisons(data),
        measures.bridge(data),
        measures.averages(data),
        measures.scope(data),
        measures.robustness(data),
        measures.faithful(data),
        bars(data, "category", "By category"),
        bars(data, "specialty", "By domain"),
        bars(data, "amended", "With and without amended notes"),
        bars(data, "diagnosis", "By diagnosis"),
        _confusions(data),
        _calibration(data),
        measures.sources(data),
        _sections(data),
        _problems(data),
        _cases(systems, cases),
        _provenance(data),
    )
    style = resources.files("dxtrace.evaluate.report").joinpath("report.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Evaluation: {escape(names)}</title><style>{STATIC_STYLE}\n{style}</style></head>"
        f"<body><main>{''.join(parts)}<footer>{escape(DISCLAIMER)}</footer></main></body></html>\n"
    )


def _head(data: Report) -> str:
    corpus, judges = data["corpus"], data["judges"]
    summary = data["systems"][0]["summary"]
    if corpus:
        place = f" from {corpus['name']} ({corpus['id']})"
    else:
        place = ""
    parts = [
        heading("Evaluation: " + " · ".join(system["name"] for system in data["systems"]), 1),
        paragraph(f"{summary['n']:,} cases of {summary['patients']:,} patients{place}."),
        f"<p>Observations judged by <b>{escape(judges['observations'])}</b>; rationales by "
        f"<b>{escape(judges['rationales'])}</b>. Scores under another judge are not comparable.</p>",
        paragraph(DISCLAIMER, "soft"),
    ]
    if data["credentialed"]:
        parts.append(paragraph(CREDENTIALED_RULE, "warn"))
    return "".join(parts)


def _confusions(data: Report) -> str:
    parts = []
    for system in data["systems"]:
        found = system["summary"]["confusions"]["diagnosis"][:12]
        if found:
            rows = []
            for gold, predicted, n in found:
                rows.append((gold, predicted, n, _look_alike(gold, predicted)))
            parts.append(
                heading(system["name"], 3)
                + table(("Gold", "Predicted", "#Cases", "Where it lies"), rows),
            )
    if parts:
        return heading("Confusion between look-alikes") + "".join(parts)
    return ""


def _look_alike(gold: str, predicted: str) -> str:
    taxonomy = Taxonomy.default()
    one, other = find_node(gold, taxonomy), find_node(predicted, taxonomy)
    if one is None or other is None:
        return ""
    if one.category == other.category:
        return "same category"
    alike = (
        one.category in knowledge.written()
        and other.category in knowledge.load(one.category).lookalikes
    )
    return other.category + (", a known look-alike" if alike else "")


def _calibration(data: Report) -> str:
    parts = []
    for system in data["systems"]:
        name, found = system["name"], system["summary"]["confidence"]
        if found:
            said = (
                f"ECE {percent(found['ece'])} ({between_text(found['ece_interval'])}), Brier score "
                f"{found['brier']:.3f} ({area_text(found['brier_interval'])}; 0 best, 2 worst), area under the "
                f"risk-coverage curve {found['area_under_risk']:.3f} ({area_text(found['area_interval'])}; Geifman and "
                f"El-Yaniv 2017); n={found['n']}."
            )
            plots = reliability_diagram(name, found) + abstention_plot(name, found)
            parts.append(f'{heading(name, 3)}{paragraph(said)}<div class="plots">{plots}</div>')
    if parts:
        return heading("Can its probabilities be trusted?") + "".join(parts)
    return ""


def _sections(data: Report) -> str:
    kinds = ("found", "missed", "extra")
    parts = []
    for system in data["systems"]:
        rows: list[Sequence[Cell]] = []
        for name, counts in system["summary"]["sections"].items():
            rows.append(
                (name.replace("_", " ").capitalize(), Markup(stack(counts, kinds)), *counts)
            )
        if rows:
            heads = ("Section", "Share", "#Found", "#Missed", "#Not gold")
            parts.append(heading(system["name"], 3) + table(heads, rows))
    legend = keys(
        (("good", "gold evidence found"), ("bad", "missed"), ("soft", "quoted, not gold")),
    )
    title = heading("Where evidence was found or missed")
    if parts:
        return f'{title}<p class="soft">{legend}</p>{"".join(parts)}'
    return ""


def _problems(data: Report) -> str:
    parts = []
    for system in data["systems"]:
        counts = ", ".join(f"{n} {kind}" for kind, n in system["problem_counts"].items())
        listed = "".join(
            f"<li>{escape(p['place'])}: {escape(p['message'])}</li>"
            for p in system["problems"][:20]
        )
        if counts:
            parts.append(
                f'{heading(system["name"], 3)}{paragraph(counts)}<ul class="soft">{listed}</ul>',
            )
    if parts:
        return heading("Rows that could not be used as they were") + "".join(parts)
    return ""


def _cases(systems: Sequence[Scored], cases: Mapping[str, AnnotatedCase] | None) -> str:
    if not systems or cases is None or systems[0].answers is None:
        return ""
    first, accounts = systems[0], systems[0].answers.accounts
    order = sorted(
        (r for r in first.results if r.id in accounts and r.id in cases),
        key=_merit,
        reverse=True,
    )
    chosen = [("Best", r) for r in order[:_SHOWN]] + [
        ("Worst", r) for r in order[_SHOWN:][-_SHOWN:]
    ]
    shown = "".join(
        _case(kind, result, cases[result.id], accounts[result.id]) for kind, result in chosen
    )
    if shown:
        return heading(f"Best and worst cases of {first.name}") + shown
    return ""


def _merit(result: CaseResult) -> float:
    return sum(result.scores.get(key) or 0.0 for key in (*PUBLISHED, "evidence_f1"))


def _case(kind: str, result: CaseResult, case: AnnotatedCase, account: Account) -> str:
    found = set()
    for i, _, _ in result.pairs:
        found.add(i)
    gold = {}
    for step in case.gold.steps if case.gold else ():
        gold[step.evidence.text] = step
    missed = "".join(f"<li>{escape(text)}</li>" for i, text in enumerate(gold) if i not in found)
    if result.scores.get("acc_diag"):
        right = "right"
    else:
        right = f"gold: {result.diagnosis}"
    scores = f"Obs_comp {percent(result.scores.get('obs_comp'), 0)}, Exp_all {percent(result.scores.get('exp_all'), 0)}"
    if missed:
        rest = f"<p>Gold evidence that was missed:</p><ul>{missed}</ul>"
    else:
        rest = "<p>All gold evidence was found.</p>"
    title = paragraph(f"{kind}: {result.id} ({right}; {scores})", "soft")
    return f'<section class="case">{title}{static_case_html(_chain(case, account))}{rest}</section>'


def _chain(case: AnnotatedCase, account: Account) -> Chain:
    """Return an account as a chain that can be shown: the steps whose evidence stands in the note."""
    note = case.case.note
    steps = tuple(
        Step(o.node or "", o.rationale, Span(note[o.span[0] : o.span[1]], *o.span, o.section or ""))
        for o in account.observations
        if o.span
    )
    return Chain(
        account.id,
        note,
        account.diagnosis,
        account.category,
        account.path,
        steps,
        status=account.status,
    )


def _provenance(data: Report) -> str:
    corpus, settings = data["corpus"], data["settings"]
    if corpus:
        named = " · ".join((corpus["name"], corpus["id"], corpus["licence"]))
    else:
        named = "–"
    entries = {
        "Corpus": named,
        "Corpus SHA-256": corpus["sha256"] if corpus else "–",
        "Judge of observations": data["judges"]["observations"],
        "Judge of rationales": data["judges"]["rationales"],
        "Resampling": f"{settings['resamples']} resamples of patients, seed {settings['seed']}",
        "dxtrace": data["provenance"]["version"],
    }
    for system in data["systems"]:
        known = []
        for key, value in system["model"].items():
            if value:
                known.append(f"{key} {value}")
        if known:
            entries[f"Model of {system['name']}"] = " · ".join(known)
    rows = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in entries.items()
    )
    return f"{heading('Settings and provenance')}<dl>{rows}</dl>{paragraph(_CITE, 'soft')}"
