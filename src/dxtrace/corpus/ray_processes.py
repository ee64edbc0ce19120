"""Work dealt to the workers of a Ray cluster, with the results in the order of the tasks; the
counterpart of :mod:`dxtrace.compose.processes` on several machines.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from dxtrace.errors import EngineError, InputError, MissingExtra

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Tasks handed out beyond the one that is due, for each worker: none waits for a slow one.
_AHEAD = 4

#: Workers that one task may take with it before it is given up.
_MOST_LOST = 3

#: The address that starts Ray on this machine for one run.
HERE = "local"


def map_on_ray(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    address: str,
    *,
    workers: int | None = None,
    cpus: int = 1,
    lost: Callable[[Task], Result] | None = None,
) -> Iterator[Result]:
    """Yield ``function(task)`` for every task, in order, computed on a cluster.

    A worker whose machine or process is lost is replaced, and its task done again.

    Args:
        function: of a module that is installed on every machine; what it loads once, it keeps in
            its module.
        tasks: such as pickle can send.
        address: of the cluster: ``auto`` on one of its machines, ``ray://HOST:10001`` from
            elsewhere, ``local`` for this machine alone.
        workers: how many; None for as many as the cluster has processors for.
        cpus: processors of each.
        lost: returns the result of a task that took several workers with it; None to raise.

    Raises:
        MissingExtra: Ray is not installed. InputError: there is no cluster at the address.
        EngineError: workers cannot be started, or were lost on the same task again and again.
            And whatever the function raises.
    """
    with _connected(address) as ray:
        wanted = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus)
        crew = _Crew(ray, function, cpus)
        for _ in range(min(wanted, len(tasks))):
            crew.hire()
        yield from _in_order(crew, tasks, lost)


def _in_order(
    crew: _Crew,
    tasks: Sequence[Any],
    lost: Callable[[Any], Any] | None,
) -> Iterator[Any]:
    waiting = deque(range(len(tasks)))
    results: dict[int, Any] = {}
    losses: Counter[int] = Counter()
    for due in range(len(tasks)):
        while due not in results:
            # Not further ahead than this: results that wait for an earlier one take memory.
            last = due + _AHEAD * crew.size
            while crew.free and waiting and waiting[0] <= last:
                number = waiting.popleft()
                crew.give(number, tasks[number])
            done, result = crew.next_result()
            if done is None:
                continue
            if not isinstance(result, _Lost):
                results[done] = result
                continue
            losses[done] += 1
            if losses[done] < _MOST_LOST:
                waiting.appendleft(done)
            elif lost is not None:
                results[done] = lost(tasks[done])
            else:
                raise EngineError(f"{_MOST_LOST} workers were lost on the same task")
        yield results.pop(due)


class _Lost:
    """Stands for the result of a task whose worker was lost."""


class _Crew:
    """The actors, and what each is doing."""

    def __init__(self, ray: Any, function: Callable[[Any], Any], cpus: int) -> None:
        self._ray = ray
        self._function = function
        # Ray's own restarts are off: it would give the task to the same actor, and wait for it
        # though others are free.
        self._make = ray.remote(num_cpus=cpus, max_restarts=0)(_Worker)
        self._under_way: dict[Any, tuple[Any, int | None]] = {}
        self.free: list[Any] = []
        self.size = 0
        self._failed_starts = 0

    def hire(self) -> None:
        """Start a worker; it is free once it runs."""
        actor = self._make.remote(self._function)
        self._under_way[actor.ready.remote()] = actor, None
        self.size += 1

    def give(self, number: int, task: Any) -> None:
        """Let a free worker work on a task."""
        actor = self.free.pop()
        self._under_way[actor.work.remote(task)] = actor, number

    def next_result(self) -> tuple[int | None, Any]:
        """Wait for one worker; return the number of its task (None: it has begun) and the result."""
        (done, *_), _ = self._ray.wait(list(self._under_way), num_returns=1)
        actor, number = self._under_way.pop(done)
        errors = self._ray.exceptions
        try:
            result = self._ray.get(done)
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayActorError as error:
            self._replace(number is None, error)
            return number, _Lost()
        self.free.append(actor)
        self._failed_starts = 0
        return number, result

    def _replace(self, was_starting: bool, error: Exception) -> None:
        self.size -= 1
        self._failed_starts += was_starting
        if self._failed_starts > _MOST_LOST:
            raise EngineError(
                f"no worker of the cluster starts ({type(error).__name__}); "
                "is the same dxtrace installed on every machine?",
            )
        self.hire()


class _Worker:
    """An actor: a process of the cluster that calls a function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def ready(self) -> None:
        """Return once the process runs."""

    def work(self, task: Any) -> Any:
        """Return the result of a task."""
        return self._function(task)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    if importlib.util.find_spec("ray") is None:
        raise MissingExtra("--ray", "cluster")
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == HERE:
        options["include_dashboard"] = False
    try:
        ray.init(address, **options)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{address!r}: no Ray cluster there ({type(error).__name__}); "
            "'auto', 'ray://HOST:10001', or 'local' for this machine",
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()
