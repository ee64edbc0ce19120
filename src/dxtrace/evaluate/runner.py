"""An evaluation from end to end: systems answer, answers are scored, the report is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from dxtrace.corpus.answer_cases import Answering, answer_cases
from dxtrace.corpus.systems import System
from dxtrace.errors import CorpusError, DxtraceError, InputError
from dxtrace.evaluate.content import (
    CorpusData,
    EstimateData,
    ProblemData,
    Report,
    ScopeData,
    SystemReport,
)
from dxtrace.evaluate.metrics.direct import PUBLISHED, score_evaluation
from dxtrace.evaluate.metrics.robustness import robustness
from dxtrace.evaluate.metrics.statistics import RESAMPLES
from dxtrace.evaluate.reading import Answers, RowProblem, read_json_folder
from dxtrace.evaluate.report.summary import bridge, compare, comparisons_json, summarise
from dxtrace.evaluate.scope import scope_of
from dxtrace.evaluate.scoring import CaseResult, Scored
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CorpusInfo, Provenance

Progress = Callable[[int, int], None]

#: How many problems of one system a report lists; all are counted.
_LISTED = 200


@dataclass(frozen=True)
class Settings:
    """What a report says about how it was made."""

    judges: Mapping[str, str]
    seed: int = 0
    resamples: int = RESAMPLES
    show_cases: bool = True
    bridge: bool = False


def folder_name(name: str) -> str:
    """Return a system's name as a folder name."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "system"


def run_system(
    system: System,
    cases: Sequence[AnnotatedCase],
    out: Path,
    progress: Progress | None = None,
    crew: Answering | None = None,
) -> Path:
    """Let a system answer every case that it has not answered in ``out``; return the file of
    predictions.

    What another system answered there, or this one from another note, is answered again
    (:func:`dxtrace.corpus.answer_cases.answer_cases`).

    Raises:
        InputError: the file is not one of predictions, or cannot be written.
    """
    tasks = []
    for case in cases:
        tasks.append((case.id, case))
    answer_cases(system, tasks, out, redo=True, progress=progress, crew=crew)
    return out


def score_evaluations(folder: Path, cases: Mapping[str, AnnotatedCase] | None = None) -> Scored:
    """Score a folder in the published evaluation layout, as it is: no judge is asked.

    Args:
        folder: its JSON files; the path in the folder is the case's id.
        cases: the corpus, if there is one: cases without a file then count 0.

    Raises:
        InputError: no file can be scored.
    """
    answers = Answers(folder.name)
    results: dict[str, CaseResult] = {}
    for file, id, data in read_json_folder(folder, answers):
        try:
            results[id] = _evaluation_result(id, data, score_evaluation(data), cases)
        except InputError as error:
            answers.problems.append(RowProblem(str(file), "bad-shape", str(error), id))
    if not results:
        raise InputError(f"{folder}: holds no evaluation file that can be scored")
    for id, case in (cases or {}).items():
        if id not in results and case.gold is not None:
            answers.problems.append(
                RowProblem(folder.name, "missing", f"no evaluation for the case {id!r}", id),
            )
            chain = [case.gold.category, *case.gold.path]
            zero: dict[str, float | None] = dict.fromkeys((*PUBLISHED, "answered"), 0.0)
            results[id] = _evaluation_result(
                id,
                {"chain_gt": chain[1:], "chain_pred": []},
                zero,
                cases,
                "missing",
            )
    return Scored(folder.name, list(results.values()), None, answers.problems)


def _evaluation_result(
    id: str,
    data: Mapping[str, Any],
    scores: Mapping[str, float | None],
    cases: Mapping[str, AnnotatedCase] | None,
    status: str = "answered",
) -> CaseResult:
    gold, predicted = data["chain_gt"], data["chain_pred"]
    category, specialty = id.split("/")[0], ""
    try:
        found = Taxonomy.default().category_of(gold[0] if gold else category)
        category, specialty = found.name, found.specialty
    except DxtraceError:
        pass
    case = (cases or {}).get(id)
    matched = len(data.get("ob_record_paired", ()))
    return CaseResult(
        id=id,
        patient=case.patient if case else id,
        category=category,
        diagnosis=gold[-1] if gold else "",
        specialty=specialty,
        amended=bool(case and case.tags.get("amended", "").lower() in ("true", "yes", "1")),
        status=status,
        counts=(
            data.get("len_ob_gt", 0),
            data.get("len_ob_pred", 0),
            matched,
            round((scores.get("exp_com") or 0) * matched),
        ),
        predicted_category=predicted[0] if predicted else "",
        predicted_diagnosis=predicted[-1] if predicted else "",
        scores={"answered": 1.0, **scores},
        outcome="answered" if predicted else "",
    )


def report_data(
    systems: Sequence[Scored],
    settings: Settings,
    corpus: CorpusInfo | None = None,
    credentialed: bool = False,
) -> Report:
    """Return the content of ``report.json``: every system's summary, and each compared with the
    first.

    Raises:
        CorpusError: there is no case to evaluate on.
    """
    if not systems or not any(system.results for system in systems):
        raise CorpusError("there is no annotated case to evaluate on")
    first = systems[0]
    provenance = Provenance(
        corpora=(corpus,) if corpus else (),
        seed=settings.seed,
        marked_credentialed=credentialed,
    )
    return {
        "corpus": cast(CorpusData, asdict(corpus)) if corpus else None,
        "credentialed": provenance.credentialed,
        "judges": dict(settings.judges),
        "settings": {
            "seed": settings.seed,
            "resamples": settings.resamples,
            "confidence": 0.95,
            "cluster": "patient",
        },
        "systems": [_system_json(system, settings) for system in systems],
        "comparisons": [
            {
                "first": first.name,
                "second": other.name,
                "metrics": comparisons_json(
                    compare(first.results, other.results, settings.seed, settings.resamples),
                ),
            }
            for other in systems[1:]
        ],
        "provenance": provenance.to_json(),
    }


def _system_json(system: Scored, settings: Settings) -> SystemReport:
    answers = system.answers
    problems = [*(answers.problems if answers else ()), *system.problems]
    kinds: dict[str, int] = {}
    for problem in problems:
        kinds[problem.kind] = kinds.get(problem.kind, 0) + 1
    return {
        "name": system.name,
        "model": answers.model if answers else {},
        "wordings": _wordings(answers),
        "problem_counts": kinds,
        "problems": [cast(ProblemData, asdict(problem)) for problem in problems[:_LISTED]],
        "summary": summarise(system.results, settings.seed, settings.resamples),
        "scope": _scope(system, settings),
        "robustness": _robustness(system, settings),
        "bridge": bridge(system.results) if settings.bridge else None,
    }


def _scope(system: Scored, settings: Settings) -> ScopeData | None:
    found = scope_of(system, settings.seed, settings.resamples)
    if found is None:
        return None
    return found.to_json()


def _robustness(system: Scored, settings: Settings) -> dict[str, EstimateData]:
    found = {}
    for key, one in robustness(system.trials, settings.seed, settings.resamples).items():
        found[key] = one.to_json()
    return found


def _wordings(answers: Answers | None) -> str:
    """Say which wordings were known to who answered: "all", "training", both, or "" for not stated."""
    if answers is None:
        return ""
    text = ", ".join(sorted(wordings for wordings in answers.wordings if wordings))
    if answers.flattered:
        return f"{text} (flatters)"
    return text
