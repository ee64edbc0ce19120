"""Metrics, matching, judges, baselines, statistics and the report."""

from dxtrace.evaluate._extras import expect_libraries
from dxtrace.evaluate.answers import (
    Account,
    Observation,
    chain_account,
    gold_account,
    published_account,
)
from dxtrace.evaluate.baselines.registry import BASELINES, LEARNT, make_baseline
from dxtrace.evaluate.interchange import prediction_file, write_published
from dxtrace.evaluate.judges import JUDGES, JudgeSettings, agree, ask, open_judge, read_pairs
from dxtrace.evaluate.metrics.direct import PUBLISHED, Counts, evaluation_file, score_evaluation
from dxtrace.evaluate.metrics.pairing import match_greedy, match_optimal
from dxtrace.evaluate.metrics.per_case import METRICS, Metric
from dxtrace.evaluate.perturb import choose, run_variants
from dxtrace.evaluate.reading import Answers, RowProblem, is_evaluation_folder, read_predictions
from dxtrace.evaluate.report.html_report import html_report
from dxtrace.evaluate.report.markdown import markdown_table
from dxtrace.evaluate.report.summary import compare, summarise
from dxtrace.evaluate.runner import (
    Settings,
    folder_name,
    report_data,
    run_system,
    score_evaluations,
)
from dxtrace.evaluate.scope import outside_cases, outside_doubts
from dxtrace.evaluate.scoring import (
    CaseResult,
    Judges,
    Scored,
    load_results,
    score_case,
    score_cases,
)

__all__ = [
    "BASELINES",
    "JUDGES",
    "LEARNT",
    "METRICS",
    "PUBLISHED",
    "Account",
    "Answers",
    "CaseResult",
    "Counts",
    "JudgeSettings",
    "Judges",
    "Metric",
    "Observation",
    "RowProblem",
    "Scored",
    "Settings",
    "agree",
    "ask",
    "chain_account",
    "choose",
    "compare",
    "evaluation_file",
    "expect_libraries",
    "folder_name",
    "gold_account",
    "html_report",
    "is_evaluation_folder",
    "load_results",
    "make_baseline",
    "markdown_table",
    "match_greedy",
    "match_optimal",
    "open_judge",
    "outside_cases",
    "outside_doubts",
    "prediction_file",
    "published_account",
    "read_pairs",
    "read_predictions",
    "report_data",
    "run_system",
    "run_variants",
    "score_case",
    "score_cases",
    "score_evaluation",
    "score_evaluations",
    "summarise",
    "write_published",
]
