"""Make the tables of figures in README and the adapter's card anew.

python benchmarks/tables.py                                       # composed cases: needs no data
python benchmarks/tables.py --cases CASES.jsonl                   # and published cases: id, note, category, diagnosis
python benchmarks/tables.py --agentclinic FILE.jsonl              # and cases of other illnesses
python benchmarks/tables.py --pairs PAIRS.jsonl --cases CASES.jsonl   # and quotes against reasons
python benchmarks/tables.py ... --write README.md CARD.md         # put them where "<!-- figures: NAME -->" stands

What was answered is kept under --out, by a digest of the code, so that the same command goes on after an interruption
and answers anew after a change.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dxtrace
from dxtrace.answering.conformal import conformal_set
from dxtrace.chain import Chain, Differential
from dxtrace.compose import Composer
from dxtrace.corpus import open_corpus
from dxtrace.corpus.policy import FairReasoner
from dxtrace.corpus.systems import System
from dxtrace.evaluate import (
    LEARNT,
    chain_account,
    make_baseline,
    outside_cases,
    outside_doubts,
    run_system,
)
from dxtrace.evaluate.fit import measure_fit, read_pairs
from dxtrace.evaluate.metrics.calibration import Stated, measure
from dxtrace.evaluate.metrics.scope import Doubt, Scope, measure_scope
from dxtrace.evaluate.metrics.statistics import Interval, mcnemar, wilson
from dxtrace.evaluate.scope import doubt_of
from dxtrace.files import atomic_write, read_jsonl
from dxtrace.findings.recogniser import recogniser
from dxtrace.models.loading import load
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case

#: Seeds of the composed cases that are answered and of those that baselines learn from: no corpus of ours has them.
SEED, TRAINING_SEED = 4321, 8765

#: Systems of the table, the one that is shipped first.
SYSTEMS = ("as shipped", "findings", "model", "tfidf", "boosting")

#: What the rows are called.
LABELS = {
    "as shipped": "**as shipped**",
    "findings": "findings alone, no model",
    "model": "model alone",
    "tfidf": "TF-IDF, logistic regression",
    "boosting": "TF-IDF, gradient boosting",
    "embedding": "TF-IDF, sentence embedding, gradient boosting",
}

HEAD = "| system | category | category in the top 3 | diagnosis |"

#: Of these the answers of the system that is shipped tell: it keeps both opinions beside its ranking.
OPINIONS = ("findings", "model")


@dataclass(frozen=True)
class Wanted:
    """A case, and what is right: a category, and a diagnosis where the type is known."""

    case: AnnotatedCase
    category: str
    diagnosis: str | None


@dataclass
class Work:
    """What the tables are made from, and where answers are kept."""

    out: Path
    names: Sequence[str]
    train: int
    made: dict[str, System]

    def system(self, name: str) -> System:
        """Return a system by its name, opened or trained once."""
        if name not in self.made:
            if name == "as shipped":
                self.made[name] = FairReasoner(load()).system
            else:
                self.made[name] = make_baseline(name, self._training(name))
        return self.made[name]

    def answer(self, name: str, what: str, cases: Sequence[AnnotatedCase]) -> dict[str, Chain]:
        """Return a system's chains by case; what is on disk is not answered again."""
        if name in OPINIONS and "as shipped" in self.names:
            shipped = self.answer("as shipped", what, cases)
            return {id: _opinion(chain, name) for id, chain in shipped.items()}
        folder = self.out / what
        folder.mkdir(parents=True, exist_ok=True)
        file = run_system(self.system(name), cases, folder / f"{name.replace(' ', '-')}.jsonl")
        chains = {}
        for line in read_jsonl(file):
            row: Any = line.parse()
            if "error" not in row:
                chains[row["id"]] = Chain.from_json(row)
        return {case.id: chains[case.id] for case in cases if case.id in chains}

    def _training(self, name: str) -> list[AnnotatedCase]:
        if name not in LEARNT:
            return []
        composer = Composer(TRAINING_SEED)
        return [composer.case(number) for number in range(self.train)]


def code_digest() -> str:
    """Return eight hex digits that change with the code and the knowledge that answers depend on."""
    package = Path(dxtrace.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*")):
        if file.suffix in (".py", ".yaml", ".json", ".safetensors"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def composed(count: int) -> list[Wanted]:
    """Return composed cases in wordings that training has not seen."""
    composer = Composer(SEED)
    found = []
    for number in range(count):
        case = composer.case(number, hard=True)
        if case.gold is not None:
            found.append(Wanted(case, case.gold.category, case.gold.diagnosis))
    return found


def published(cases: Path | None, agentclinic: Path | None) -> list[Wanted]:
    """Return published cases in scope: rows with a category, and AgentClinic's with a diagnosis of ours."""
    found = []
    for row in _rows(cases) if cases else []:
        case = Case.from_text(row["note"], str(row["id"]))
        annotated = AnnotatedCase(case, None, case.id, {})
        found.append(Wanted(annotated, row["category"], row.get("diagnosis")))
    if agentclinic:
        for annotated in open_corpus(f"agentclinic:{agentclinic}").cases:
            if "expected" in annotated.tags:
                tags = annotated.tags
                found.append(Wanted(annotated, tags["expected_category"], tags["expected"]))
    return found


def diagnosis_table(work: Work, what: str, cases: Sequence[Wanted]) -> Iterator[str]:
    """Yield the lines of a table: a row a system, and in words which of them tie with the shipped one."""
    yield HEAD
    yield "|---|---:|---:|---:|"
    right: dict[str, list[float]] = {}
    for name in work.names:
        chains = work.answer(name, what, [wanted.case for wanted in cases])
        there = [(wanted, chains[wanted.case.id]) for wanted in cases if wanted.case.id in chains]
        yield _row(name, there)
        right[name] = []
        for wanted in cases:
            chain = chains.get(wanted.case.id)
            hit = chain is not None and chain.differential.top.category == wanted.category
            right[name].append(float(hit))
    typed = sum(wanted.diagnosis is not None for wanted in cases)
    yield ""
    yield f"{len(cases)} cases, {typed} with a known type; in brackets 95 % intervals."
    first, *others = work.names
    for name in others:
        p = mcnemar(list(zip(right[first], right[name], strict=True)))
        verdict = "told apart from" if p < 0.05 else "ties with"
        yield f"On the category, {_plain(name)} {verdict} {_plain(first)} (McNemar's exact p {p:.3f})."


def _row(name: str, answers: Sequence[tuple[Wanted, Chain]]) -> str:
    category, top, diagnosis = [], [], []
    for wanted, chain in answers:
        entries = chain.differential.entries
        ranked = list(dict.fromkeys(entry.category for entry in entries))
        category.append(ranked[0] == wanted.category)
        top.append(wanted.category in [entry.category for entry in entries[:3]])
        if wanted.diagnosis is not None:
            diagnosis.append(entries[0].diagnosis == wanted.diagnosis)
    cells = [rate(category), rate(top), rate(diagnosis)]
    return f"| {LABELS.get(name, name)} | {' | '.join(cells)} |"


def _opinion(chain: Chain, name: str) -> Chain:
    """Return a chain with the ranking of one opinion alone: the model's, or that of the findings."""
    entries = []
    for entry in chain.differential.entries:
        share = entry.model if name == "model" else entry.findings
        entries.append(replace(entry, probability=share or 0.0))
    entries.sort(key=lambda entry: -entry.probability)
    return replace(chain, differential=Differential(tuple(entries)))


def calibration_line(work: Work, what: str, cases: Sequence[Wanted]) -> str:
    """Return how far the stated probability of the category can be trusted."""
    chains = work.answer("as shipped", what, [wanted.case for wanted in cases])
    stated, patients = [], []
    for wanted in cases:
        shares = chains[wanted.case.id].differential.category_probabilities()
        best = max(shares, key=lambda name: shares[name])
        stated.append(Stated(shares[best], best == wanted.category, 0.0))
        patients.append(wanted.case.patient)
    found = measure(stated, patients, resamples=1000)
    assert found is not None
    area = found.area_interval
    return (
        f"Expected calibration error of the category, as shipped: {found.ece:.2f} ({_between(found.ece_interval)}); "
        f"area under the risk-coverage curve {found.area_under_risk:.2f} ({_between(area)})."
    )


def _between(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "no interval"
    return f"{interval.low:.2f} to {interval.high:.2f}"


def rate(hits: Sequence[bool]) -> str:
    """Return a share in percent with its Wilson interval."""
    if not hits:
        return "–"
    interval = wilson(sum(hits), len(hits))
    low, high = interval.low or 0.0, interval.high or 0.0
    return f"{100 * sum(hits) / len(hits):.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def conformal_line(work: Work, cases: Sequence[Wanted], coverage: float = 0.9) -> str:
    """Return how often the conformal set of a case held its diagnosis."""
    calibration = load().calibration
    chains = work.answer("as shipped", "composed", [wanted.case for wanted in cases])
    held = []
    for wanted in cases:
        chosen = conformal_set(chains[wanted.case.id].differential, calibration.conformal, coverage)
        held.append(wanted.diagnosis in {entry.diagnosis for entry in chosen})
    return f"A conformal set for {coverage:.0%} held the diagnosis of {rate(held)} of them."


def outside_lines(
    work: Work,
    inside: Sequence[Wanted],
    agentclinic: Path,
    limit: int | None,
) -> Iterator[str]:
    """Yield what is measured on cases that none of the known illnesses fits."""
    yield "| system | outside, answered | inside, answered | AUROC | answered at 95 % kept | answered at 90 % kept |"
    yield "|---|---:|---:|---:|---:|---:|"
    strangers = outside_cases(open_corpus(f"agentclinic:{agentclinic}"))
    chosen = list(strangers.values())[:limit]
    for name in [name for name in work.names if name not in OPINIONS]:
        found = _scope(work, name, inside, chosen)
        if found is None:
            continue
        kept = [
            f"{100 * one.share:.0f} % ({100 * (one.interval.low or 0):.0f} to {100 * (one.interval.high or 0):.0f})"
            for one in found.false_answers
        ]
        yield (
            f"| {LABELS.get(name, name)} | {_share(found.answered_outside, found.outside)} "
            f"| {_share(found.answered_inside, found.inside)} "
            f"| {found.auroc:.2f} ({_between(found.auroc_interval)}) | {' | '.join(kept)} |"
        )
    yield ""
    yield f"{len(chosen)} examination cases outside the known illnesses, {len(inside)} published ones inside."


def _scope(
    work: Work,
    name: str,
    inside: Sequence[Wanted],
    outside: Sequence[AnnotatedCase],
) -> Scope | None:
    doubts: list[Doubt] = []
    here = [wanted.case for wanted in inside]
    for case, chain in _chains(work, name, "published", here):
        account = chain_account(chain, case.case)
        doubt = doubt_of(account)
        if doubt is not None:
            answered = account.status in ("answered", "type_open")
            doubts.append(Doubt(True, doubt, answered, case.patient))
    there = {}
    for case, chain in _chains(work, name, "outside", outside):
        there[case.id] = chain_account(chain, case.case)
    by_id = {case.id: case for case in outside}
    return measure_scope([*doubts, *outside_doubts(there, by_id)], resamples=1000)


def _chains(
    work: Work, name: str, what: str, cases: Sequence[AnnotatedCase]
) -> Iterator[tuple[AnnotatedCase, Chain]]:
    chains = work.answer(name, what, cases)
    for case in cases:
        if case.id in chains:
            yield case, chains[case.id]


def quotes_table(pairs: Path, cases: Path) -> Iterator[str]:
    """Yield how well the recogniser tells quotes that state their reason from those that do not."""
    notes, key_evidence = {}, {}
    for row in _rows(cases):
        notes[row["id"]] = Case.from_text(row["note"], str(row["id"]))
        if row.get("key_evidence"):
            key_evidence[row["id"]] = (row["category"], row["key_evidence"])
    found = measure_fit(recogniser(), notes, read_pairs(_rows(pairs)), key_evidence or None)
    yield "| what | share |"
    yield "|---|---:|"
    figures = {
        "good pairs told from wrong ones, area under the curve": found.auc,
        "precision on the labelled pairs": found.precision,
        "recall on the labelled pairs": found.recall,
    }
    if found.coverage:
        figures["key evidence stated"] = found.coverage
    for label, (value, low, high) in figures.items():
        yield f"| {label} | {value:.2f} ({low:.2f} to {high:.2f}) |"
    yield ""
    yield f"{found.pairs} labelled pairs; {found.unknown} more are about premises that are no longer known."


def _share(share: float, n: int) -> str:
    count = round(share * n)
    return rate([True] * count + [False] * (n - count))


def _plain(name: str) -> str:
    return LABELS.get(name, name).strip("*")


def _rows(path: Path) -> list[Any]:
    return [line.parse() for line in read_jsonl(path)]


def put(text: str, name: str, lines: Sequence[str], command: str) -> str:
    """Return a text with a block of figures put between its markers; without them the text as it is."""
    block = (
        f"<!-- figures: {name} -->\n" + "\n".join(lines) + f"\nMade by `{command}`.\n<!-- end -->"
    )
    pattern = rf"<!-- figures: {re.escape(name)} -->\n.*?<!-- end -->"
    return re.sub(pattern, lambda _: block, text, flags=re.DOTALL)


def tables(arguments: argparse.Namespace) -> dict[str, tuple[list[str], str]]:
    """Return, by name, the lines of each table that there is data for, and the command that makes it."""
    work = Work(arguments.out / code_digest(), arguments.systems, arguments.train, {})
    found: dict[str, tuple[list[str], str]] = {}
    cases = composed(arguments.composed)
    if cases:
        lines = list(diagnosis_table(work, "composed", cases))
        if "as shipped" in work.names:
            lines.append(conformal_line(work, cases))
            lines.append(calibration_line(work, "composed", cases))
        found["composed"] = (lines, "python benchmarks/tables.py")
    inside = published(arguments.cases, arguments.agentclinic)[: arguments.limit]
    if inside:
        command = "python benchmarks/tables.py --cases CASES --agentclinic FILE"
        few = replace(work, names=[name for name in work.names if name not in LEARNT])
        lines = list(diagnosis_table(few, "published", inside))
        if "as shipped" in few.names:
            lines.append(calibration_line(few, "published", inside))
        found["published"] = (lines, command)
        if arguments.agentclinic:
            outside = outside_lines(few, inside, arguments.agentclinic, arguments.limit)
            found["outside"] = (list(outside), command)
    if arguments.pairs and arguments.cases:
        command = "python benchmarks/tables.py --pairs PAIRS --cases CASES"
        found["quotes"] = (list(quotes_table(arguments.pairs, arguments.cases)), command)
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables, and write them where they are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--composed", type=int, default=60, help="composed cases (default 60, 0 for none)"
    )
    parser.add_argument("--train", type=int, default=600, help="cases that baselines learn from")
    parser.add_argument("--cases", type=Path, help="published cases in scope, JSON lines")
    parser.add_argument("--agentclinic", type=Path, help="AgentClinic's cases, JSON lines")
    parser.add_argument("--pairs", type=Path, help="labelled pairs of quote and reason, JSON lines")
    parser.add_argument("--limit", type=int, help="only so many published cases")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), help="rows of the tables")
    parser.add_argument(
        "--out", type=Path, default=Path("out/tables"), help="where answers are kept"
    )
    parser.add_argument("--write", nargs="*", type=Path, default=[], help="files to put them into")
    arguments = parser.parse_args(words)
    found = tables(arguments)
    for name, (lines, command) in found.items():
        print(f"\n{name}\n" + "\n".join(lines) + f"\nMade by `{command}`.")
    for file in arguments.write:
        text = file.read_text("utf-8")
        for name, (lines, command) in found.items():
            text = put(text, name, lines, command)
        atomic_write(file, text)


if __name__ == "__main__":
    main()
