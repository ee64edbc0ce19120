"""A suite of sentences that trap readers of clinical text, with right answers and a score for any tool."""

from dxtrace.evaluate.traps.own import answer_traps
from dxtrace.evaluate.traps.score import Score, TrapReport, score_traps
from dxtrace.evaluate.traps.suite import ANSWERS, Trap, read_answers, traps

__all__ = [
    "ANSWERS",
    "Score",
    "Trap",
    "TrapReport",
    "answer_traps",
    "read_answers",
    "score_traps",
    "traps",
]
