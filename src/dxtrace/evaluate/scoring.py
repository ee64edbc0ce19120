"""From answers to one result a case: judged, matched, scored; kept on disk so that nothing is done
twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dxtrace.errors import InputError, RowError
from dxtrace.evaluate.answers import Account, Observation, find_node, gold_account
from dxtrace.evaluate.judges.base import Judge, Pair, Statement
from dxtrace.evaluate.metrics.calibration import Stated, brier
from dxtrace.evaluate.metrics.direct import Counts, Scores, accuracy, same_name
from dxtrace.evaluate.metrics.pairing import Pairs, judge_all, match_greedy, match_optimal
from dxtrace.evaluate.metrics.per_case import (
    METRICS,
    diagnosis_scores,
    evidence_scores,
    form_scores,
    missing_scores,
)
from dxtrace.evaluate.metrics.robustness import Trial
from dxtrace.evaluate.metrics.scope import Doubt
from dxtrace.evaluate.reading import Answers, RowProblem
from dxtrace.files import RowStore, check, read_jsonl
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase

#: Changes when a formula changes: results on disk of another version are not used again.
FORMULAS = 4

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Judges:
    """Who decides: on observations, and on rationales."""

    observations: Judge
    rationales: Judge

    def to_json(self) -> dict[str, str]:
        """Return the names, as reports show them."""
        return {"observations": self.observations.name, "rationales": self.rationales.name}


@dataclass(frozen=True)
class CaseResult:
    """One system's result on one case. It holds no text of the note: indexes, names and numbers.

    ``pairs`` and ``optimal_pairs`` are (gold, predicted, rationale the same) by index into the
    unique observations.
    ``counts`` are gold, predicted, matched and explained observations. ``status`` is ``answered``,
    ``missing`` or
    ``broken``; ``outcome`` what a readable answer decides (:data:`dxtrace.chain.Status`), else
    empty. ``source`` is the kind of document, where the corpus tells.
    """

    id: str
    patient: str
    category: str
    diagnosis: str
    specialty: str
    amended: bool
    status: str
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    predicted_category: str = ""
    predicted_diagnosis: str = ""
    scores: Scores = field(default_factory=dict)
    pairs: tuple[tuple[int, int, bool], ...] = ()
    optimal_pairs: tuple[tuple[int, int, bool], ...] = ()
    stated: Stated | None = None
    sections: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    seconds: float | None = None
    outcome: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; :meth:`from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CaseResult:
        """Read what :meth:`to_json` wrote.

        Raises:
            InputError: another shape.
        """
        return check(cls, data, "a stored result")


@dataclass
class Scored:
    """One system after scoring. ``answers`` is None where only results were kept.

    ``outside``: its doubts on cases of other illnesses; ``trials``: what came of changed cases.
    """

    name: str
    results: list[CaseResult]
    answers: Answers | None = None
    problems: list[RowProblem] = field(default_factory=list)
    outside: list[Doubt] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)


def score_cases(
    answers: Answers,
    cases: Sequence[AnnotatedCase],
    judges: Judges,
    store: Path | None = None,
    progress: Progress | None = None,
) -> list[CaseResult]:
    """Score a system on every annotated case, in the order of the corpus; a missing or broken
    answer scores 0.

    Args:
        answers: what the system answered.
        cases: the corpus; cases without a gold chain are left out.
        judges: who decides.
        store: a JSONL file that results are added to as they come, and read from first.
        progress: called with (cases done, cases in all).
    """
    annotated = []
    for case in cases:
        if case.gold is not None:
            annotated.append(case)
    results: dict[str, CaseResult] = {}
    with _open_store(store) if store else nullcontext() as rows:
        if rows:
            known = {}
            for row in rows.kept:
                known[row.key] = row.result
        else:
            known = {}
        for number, case in enumerate(annotated, 1):
            account = answers.accounts.get(case.id)
            broken = answers.broken.get(case.id)
            key = _key(case, account, broken, judges)
            result = known.get(key)
            if result is None:
                result = score_case(case, account, judges, broken=broken is not None)
                if rows:
                    rows.append({"key": key, "result": result.to_json()})
            results[key] = result
            if progress:
                progress(number, len(annotated))
        if rows:
            _put_last(rows, results)
    return list(results.values())


def score_case(
    case: AnnotatedCase,
    account: Account | None,
    judges: Judges,
    broken: bool = False,
) -> CaseResult:
    """Score one answer; None for a missing one (or a broken one, if ``broken``).

    Raises:
        InputError: the case has no gold chain.
    """
    taxonomy = Taxonomy.default()
    gold = gold_account(case)
    node = find_node(gold.diagnosis, taxonomy)
    about: dict[str, Any] = {
        "id": case.id,
        "patient": case.patient,
        "category": gold.category,
        "diagnosis": gold.diagnosis,
        "specialty": taxonomy.category_of(node).specialty if node else "",
        "amended": case.tags.get("amended", "").lower() in ("true", "yes", "1"),
        "source": case.tags.get("source") or case.tags.get("style", ""),
    }
    if account is None:
        if broken:
            status = "broken"
        else:
            status = "missing"
        counts = (len(gold.unique), 0, 0, 0)
        scores, sections = missing_scores(gold, taxonomy), _sections(gold, None)
        return CaseResult(**about, status=status, counts=counts, scores=scores, sections=sections)
    greedy, optimal = _match(gold, account, judges)
    scores = missing_scores(gold, taxonomy) | accuracy(gold.path, account.category, account.path)
    if not account.named:
        scores["acc_diag"] = 0.0
    found = _counts(gold, account, greedy)
    scores |= found.scores()
    scores |= {
        f"optimal_{key}": value for key, value in _counts(gold, account, optimal).scores().items()
    }
    scores |= diagnosis_scores(gold, account, taxonomy) | form_scores(account)
    scores |= evidence_scores(case.case.note, gold.observations, account.observations)
    return CaseResult(
        **about,
        status="answered",
        counts=(found.gold, found.predicted, found.matched, found.explained),
        predicted_category=account.category,
        predicted_diagnosis=account.diagnosis,
        scores=scores,
        pairs=tuple(greedy),
        optimal_pairs=tuple(optimal),
        stated=_stated(gold, account),
        sections=_sections(gold, account),
        seconds=account.seconds,
        outcome=account.status,
    )


def _match(
    gold: Account,
    account: Account,
    judges: Judges,
) -> tuple[list[tuple[int, int, bool]], list[tuple[int, int, bool]]]:
    """Return the greedy and the optimal pairs, each with the verdict on the rationales."""
    theirs, ours = gold.unique, account.unique
    verdicts = judge_all(
        judges.observations,
        [Statement(o.text, o.span) for o in theirs],
        [Statement(o.text, o.span) for o in ours],
    )
    greedy, optimal = match_greedy(verdicts), match_optimal(verdicts)
    asked: Pairs = list(dict.fromkeys(greedy + optimal))
    pairs = []
    for i, j in asked:
        pairs.append(Pair(_reason(theirs[i]), _reason(ours[j])))
    same = {}
    for place, verdict in zip(asked, judges.rationales.judge(pairs), strict=True):
        same[place] = verdict.same
    return [(i, j, same[i, j]) for i, j in greedy], [(i, j, same[i, j]) for i, j in optimal]


def _reason(observation: Observation) -> Statement:
    return Statement(observation.rationale, premise=observation.premise)


def _counts(gold: Account, account: Account, pairs: Sequence[tuple[int, int, bool]]) -> Counts:
    theirs, ours = gold.unique, account.unique
    explained = sum(same and same_name(theirs[i].node, ours[j].node) for i, j, same in pairs)
    return Counts(len(theirs), len(ours), len(pairs), explained)


def _stated(gold: Account, account: Account) -> Stated | None:
    """Return the probability of the diagnosis, or of the most probable one where none is named."""
    entries = account.differential.entries
    if not entries:
        return None
    shares = {}
    for entry in entries:
        shares[entry.diagnosis] = entry.probability
    chosen = account.diagnosis or account.differential.top.diagnosis
    right = chosen == gold.diagnosis
    return Stated(shares.get(chosen, 0.0), right, brier(shares, gold.diagnosis))


def _sections(gold: Account, account: Account | None) -> dict[str, tuple[int, int, int]]:
    """Return, by section, how many gold evidences were found, missed, and how many quoted ones are
    not gold.
    """
    counts: dict[str, list[int]] = {}
    if account:
        ours = account.observations
    else:
        ours = ()
    for observation in gold.observations:
        place = counts.setdefault(observation.section or "elsewhere", [0, 0, 0])
        place[0 if any(_touch(observation, other) for other in ours) else 1] += 1
    for other in ours:
        if not any(_touch(observation, other) for observation in gold.observations):
            counts.setdefault(other.section or "elsewhere", [0, 0, 0])[2] += 1
    sections = {}
    for name, (found, missed, extra) in counts.items():
        sections[name] = (found, missed, extra)
    return sections


def _touch(one: Observation, other: Observation) -> bool:
    return bool(
        one.span and other.span and one.span[0] < other.span[1] and other.span[0] < one.span[1],
    )


def _key(case: AnnotatedCase, account: Account | None, broken: str | None, judges: Judges) -> str:
    """Return a hash of everything that a result depends on."""
    said = [FORMULAS, case.to_json(), asdict(account) if account else broken, judges.to_json()]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _StoredResult:
    key: str
    result: CaseResult | None


def _remember(row: Mapping[str, Any]) -> _StoredResult | None:
    """Return a row of a store of results; its result is None where another version wrote it."""
    if row.keys() != {"key", "result"}:
        return None
    try:
        return _StoredResult(str(row["key"]), CaseResult.from_json(row["result"]))
    except InputError:
        return _StoredResult(str(row["key"]), None)


def _open_store(store: Path) -> RowStore[_StoredResult]:
    return RowStore(store, _remember, "the result of a case", sync=False)


def _put_last(rows: RowStore[_StoredResult], current: Mapping[str, CaseResult]) -> None:
    """Move results (by key) behind others of the same cases: the last one of a case counts."""
    last = {}
    for row in rows.kept:
        if row.result:
            last[row.result.id] = row.key
    behind = {}
    for key, result in current.items():
        if last[result.id] != key:
            behind[key] = result
    if behind:
        rows.drop({number for number, row in enumerate(rows.kept) if row.key in behind})
        for key, result in behind.items():
            rows.append({"key": key, "result": result.to_json()})


def columns(results: Sequence[CaseResult]) -> dict[str, list[float | None]]:
    """Return metric -> one value a case, in the order of the results.

    A metric that no answer has (top 3 without any differential) has no value for missing answers
    either.
    """
    answered = []
    for result in results:
        if result.status == "answered":
            answered.append(result)
    told = set()
    for m in METRICS:
        if not answered or any(result.scores.get(m.key) is not None for result in answered):
            told.add(m.key)
    columns = {}
    for m in METRICS:
        columns[m.key] = [result.scores.get(m.key) if m.key in told else None for result in results]
    return columns


def load_results(store: Path) -> list[CaseResult]:
    """Return the results in a results file, the last one of each case.

    Raises:
        InputError: it holds none.
    """
    results: dict[str, CaseResult] = {}
    for line in read_jsonl(store):
        with suppress(RowError):  # half a row at the end of a run that goes on
            row = line.parse()
            kept = _remember(row) if isinstance(row, dict) else None
            if kept and kept.result:
                results[kept.result.id] = kept.result
    if not results:
        raise InputError(f"{store}: holds no results; make them with dxtrace evaluate")
    return list(results.values())
