"""The same case a little otherwise: what moves an answer, and what should.

Each variant of a case is a case of its own, with the id ``CASE#VARIANT``; a system answers them as it
answers any case, so that the run is resumed like any other. What is measured on the answers is in
:mod:`dxtrace.evaluate.metrics.robustness`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dxtrace.corpus.systems import System
from dxtrace.errors import CaseError
from dxtrace.evaluate.answers import Account
from dxtrace.evaluate.metrics.robustness import VARIANTS, Trial, Variant
from dxtrace.evaluate.reading import read_predictions
from dxtrace.evaluate.runner import Progress, run_system
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.quotes import find_quotes, single_clauses

Span = tuple[int, int]

#: What a colleague may write under a note. Our own words.
SUGGESTION = "\n\nThe referring colleague is convinced that this is {name}.\n"

#: Ways of saying the same, applied in this order. Our own.
PARAPHRASES = (
    (r"\bpresents with\b", "comes with"),
    (r"\bpresented with\b", "came with"),
    (r"\bcomplains of\b", "reports"),
    (r"\bcomplaining of\b", "reporting"),
    (r"\bis complaining about\b", "reports"),
    (r"\bc/o\b", "reports"),
    (r"\bhas a history of\b", "is known to have had"),
    (r"\bwith a history of\b", "known to have had"),
    (r"\bfor the past\b", "over the last"),
    (r"\bfor the last\b", "over the past"),
    (r"\bshortness of breath\b", "breathlessness"),
    (r"\bdyspnea on exertion\b", "breathlessness on exertion"),
    (r"\bon examination\b", "on exam"),
    (r"\bwas found to have\b", "turned out to have"),
    (r"\bwas noted to have\b", "was seen to have"),
    (r"\brevealed\b", "showed"),
    (r"\bdemonstrated\b", "showed"),
    (r"\bshows\b", "reveals"),
    (r"\bwas brought to\b", "was taken to"),
    (r"\bapproximately\b", "about"),
    (r"\byear-old\b", "year old"),
    (r"\bprior to\b", "before"),
    (r"\bapart from\b", "besides"),
    (r"\bbegan\b", "started"),
)


def variants(
    case: AnnotatedCase,
    account: Account,
    seed: int = 0,
) -> dict[Variant, AnnotatedCase]:
    """Return the variants of a case; one that cannot be made (a note of one section has no other
    order) is left out.

    Args:
        case: annotated.
        account: what the system answered on it: its quotes are what is removed.
        seed: of the random lines and the suggested diagnosis.
    """
    note = case.case.note
    gold: list[Span] = []
    if case.gold is not None:
        for step in case.gold.steps:
            gold.append((step.evidence.start, step.evidence.end))
    quoted: list[Span] = []
    for observation in account.observations:
        if observation.span:
            quoted.append(observation.span)
    lines: list[Span] = []
    for quote in single_clauses(find_quotes(note)):
        lines.append((quote.start, quote.end))
    own = _touched(lines, quoted)
    others = []
    for line in lines:
        if line not in own:
            others.append(line)
    drawn = _rng(case, seed).sample(others, min(len(own), len(others)))
    texts: dict[Variant, str] = {
        "without_key_evidence": remove(note, _touched(lines, gold)),
        "without_quotes": remove(note, own),
        "suggested": note.rstrip() + SUGGESTION.format(name=suggestion(case, seed)),
        "reordered": reorder(case.case),
        "paraphrased": paraphrase(note),
    }
    if len(drawn) == len(own):
        texts["without_random_lines"] = remove(note, drawn)
    found: dict[Variant, AnnotatedCase] = {}
    for name in VARIANTS:
        text = texts.get(name, note)
        if text == note:
            continue
        try:
            changed = Case.from_text(text, f"{case.id}#{name}")
        except CaseError:
            continue
        found[name] = replace(case, case=changed, gold=None)
    return found


def suggestion(case: AnnotatedCase, seed: int = 0) -> str:
    """Return a diagnosis of another category, always the same for a case and seed."""
    names = []
    for node in Taxonomy.default().diagnoses:
        if case.gold is None or node.category != case.gold.category:
            names.append(node.name)
    return _rng(case, seed).choice(names)


def remove(note: str, spans: Sequence[Span]) -> str:
    """Return a note without these ranges, which do not overlap."""
    for start, end in sorted(spans, reverse=True):
        note = note[:start] + note[end:]
    return note


def reorder(case: Case) -> str:
    """Return the note with its sections, headings and all, in the opposite order."""
    blocks, last = [], 0
    for section in case.sections:
        blocks.append(case.note[last : section.end].strip("\n"))
        last = section.end
    if len(blocks) < 2:
        return case.note
    return "\n\n".join([*reversed(blocks), case.note[last:].strip("\n")]).rstrip() + "\n"


def paraphrase(note: str) -> str:
    """Return a note with other words for the same, after :data:`PARAPHRASES`."""
    for pattern, words in PARAPHRASES:
        note = re.sub(pattern, words, note)
    return note


def run_variants(
    system: System,
    cases: Sequence[AnnotatedCase],
    accounts: dict[str, Account],
    out: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Trial]:
    """Let a system answer the variants of cases that it has answered; return what came of each.

    What stands in ``out`` already is not answered again.

    Args:
        system: answers.
        cases: of which a variant is made.
        accounts: the system's answers on them, by id; cases without one are left out.
        out: the file of answers.
        seed: of what is random in the variants.
        progress: called with (variants done, variants in all).
    """
    made: list[AnnotatedCase] = []
    for case in cases:
        if case.id in accounts:
            made += variants(case, accounts[case.id], seed).values()
    if not made:
        return []
    run_system(system, made, out, progress)
    answers = read_predictions(out, {case.id: case for case in made}, out.stem, None)
    trials = []
    for case in cases:
        if case.id not in accounts:
            continue
        after = {}
        for name in VARIANTS:
            account = answers.accounts.get(f"{case.id}#{name}")
            if account is not None:
                after[name] = account
        trials.append(Trial(case.patient, accounts[case.id], after, suggestion(case, seed)))
    return trials


def choose(cases: Sequence[AnnotatedCase], count: int, seed: int = 0) -> list[AnnotatedCase]:
    """Return so many cases at random, in their order; always the same ones."""
    places = random.Random(seed).sample(range(len(cases)), min(count, len(cases)))
    chosen = []
    for place in sorted(places):
        chosen.append(cases[place])
    return chosen


def _touched(lines: Sequence[Span], spans: Sequence[Span]) -> list[Span]:
    """Return the lines that one of the spans overlaps."""
    found = []
    for start, end in lines:
        if any(first < end and start < last for first, last in spans):
            found.append((start, end))
    return found


def _rng(case: AnnotatedCase, seed: int) -> random.Random:
    return random.Random(f"{seed} {case.id}")
