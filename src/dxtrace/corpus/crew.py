"""Who answers many cases: this process, several of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Protocol

from dxtrace.answering.reasoner import Reasoner
from dxtrace.compose.processes import map_in_order, usable_cores
from dxtrace.corpus.answer_cases import Row, Task, answer_here, answer_row, error_row
from dxtrace.corpus.policy import FairReasoner
from dxtrace.corpus.systems import System
from dxtrace.errors import EngineError

#: Unasked, a process more begins for so many cases: to open a model takes as long as to answer a
#: few.
_CASES_FOR_A_WORKER = 8

#: Engines whose weights lie in a file that all processes map: a process more takes little memory.
_SHARED = ("NumpyEngine",)


class ModelChoice(Protocol):
    """A model that can be sent to another process or machine and loaded there."""

    @property
    def threads(self) -> int | None:
        """Processor threads of one copy; None: one a core."""

    def load(self) -> Reasoner:
        """Load the model."""

    def with_threads(self, threads: int) -> ModelChoice:
        """Return the same choice with so many threads."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Crew:
    """Answers cases as the system does that ``choice`` opens.

    Attributes:
        choice: the model; every worker opens it once.
        workers: processes, or actors of the cluster; None for one a core (on this machine only for
            many cases, and engines that share their weights). At a server of models: cases under
            way.
        ray: address of a Ray cluster (:func:`dxtrace.corpus.ray_processes.map_on_ray`); None for
            this machine.
    """

    choice: ModelChoice
    workers: int | None = None
    ray: str | None = None

    def __call__(self, system: System, tasks: Sequence[Task]) -> Generator[Row]:
        """Yield the rows of tasks in their order.

        Raises:
            EngineError, InputError, MissingExtra: of workers and clusters.
            ServerGone: the server of the model does not answer.
        """
        threads = self.choice.threads or 1
        answer = partial(_answer, self.choice.with_threads(threads))
        if self.ray is not None:
            from dxtrace.corpus.ray_processes import map_on_ray

            yield from map_on_ray(
                answer,
                tasks,
                self.ray,
                workers=self.workers,
                cpus=threads,
                lost=_lost,
            )
            return
        if system.at_once > 1:
            yield from answer_here(replace(system, at_once=self.workers or system.at_once), tasks)
            return
        workers = self.workers or _fitting(system, len(tasks), threads)
        if workers == 1:
            yield from answer_here(system, tasks)
        else:
            yield from map_in_order(answer, tasks, workers)


def _fitting(system: System, cases: int, threads: int) -> int:
    """Return how many processes are worth their start."""
    if system.identity.engine not in _SHARED:
        return 1
    return max(1, min(usable_cores() // threads, cases // _CASES_FOR_A_WORKER))


@lru_cache(maxsize=1)
def _system(choice: ModelChoice) -> System:
    """Return the system of a model, opened once in a process."""
    return FairReasoner(choice.load()).system


def _answer(choice: ModelChoice, task: Task) -> Row:
    return answer_row(_system(choice), *task)


def _lost(task: Task) -> Row:
    id, _ = task
    return error_row(id, EngineError("its worker was lost, again and again: too little memory?"))
