"""How many traps a tool passes, kind by kind, with Wilson intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dxtrace.evaluate.metrics.statistics import wilson
from dxtrace.evaluate.traps.suite import Trap, traps


@dataclass(frozen=True)
class Score:
    """Traps passed of one kind, with the 95 % Wilson interval of the share.

    ``affirmed``: findings wrongly called present in the patient now. ``missed``: present ones called
    anything else. A trap without an answer is failed.
    """

    name: str
    right: int
    total: int
    low: float
    high: float
    affirmed: int
    missed: int

    @property
    def share(self) -> float:
        """Traps passed of all, from 0 to 1."""
        return self.right / self.total


@dataclass(frozen=True)
class TrapReport:
    """Scores of all traps, kind by kind, and of those written after the recogniser; what was failed."""

    scores: tuple[Score, ...]
    unanswered: int
    failed: tuple[tuple[Trap, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        failed: list[dict[str, str]] = []
        for trap, answer in self.failed:
            failed.append({"id": trap.id, "expected": trap.expected, "answer": answer})
        scores = []
        for score in self.scores:
            scores.append({**vars(score), "share": score.share})
        return {"scores": scores, "unanswered": self.unanswered, "failed": failed}


def score_traps(answers: Mapping[str, str]) -> TrapReport:
    """Score the answers of a tool.

    Args:
        answers: by id of the trap, one of :data:`~dxtrace.evaluate.traps.suite.ANSWERS`.
    """
    kinds: dict[str, list[Trap]] = {}
    for trap in traps():
        kinds.setdefault(trap.kind, []).append(trap)
    groups = {**kinds, "all": list(traps())}
    groups["written later"] = [trap for trap in traps() if not trap.seen]
    scores = []
    for name, group in groups.items():
        scores.append(_score(name, group, answers))
    failed: list[tuple[Trap, str]] = []
    for trap in traps():
        if not trap.is_right(answers.get(trap.id, "")):
            failed.append((trap, answers.get(trap.id, "no answer")))
    unanswered = sum(trap.id not in answers for trap in traps())
    return TrapReport(tuple(scores), unanswered, tuple(failed))


def _score(name: str, group: list[Trap], answers: Mapping[str, str]) -> Score:
    count: Counter[str] = Counter()
    for trap in group:
        answer = answers.get(trap.id, "")
        if trap.is_right(answer):
            count["right"] += 1
        elif answer == "present":
            count["affirmed"] += 1
        elif trap.expected == "present":
            count["missed"] += 1
    interval = wilson(count["right"], len(group))
    low, high = interval.low or 0.0, interval.high or 0.0
    return Score(name, count["right"], len(group), low, high, count["affirmed"], count["missed"])
