"""Work dealt to processes, one a core, with the results in the order of the tasks."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import TypeVar

from dxtrace.engines.threads import allowed_cores
from dxtrace.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")

_INTERRUPTS = {signal.SIGINT, signal.SIGTERM}


def usable_cores() -> int:
    """Return how many cores this process may use; ``DXTRACE_THREADS`` is the most.

    Raises:
        InputError: the variable is no number.
    """
    limit = os.environ.get("DXTRACE_THREADS", "")
    if limit and not limit.isdigit():
        raise InputError(f"DXTRACE_THREADS is {limit!r}, expected a number")
    cores = allowed_cores()
    if limit and int(limit):
        return min(int(limit), cores)
    return cores


def map_in_order(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    processes: int,
) -> Iterator[Result]:
    """Yield ``function(task)`` for every task, in order, computed by so many processes.

    Few tasks are under way at once: neither tasks nor results pile up in memory. With one process
    all is done in this one.

    Args:
        function: of a module, as pickle needs it; what it loads once, it keeps in its module.
        tasks: such as pickle can send.
        processes: how many.

    Raises:
        InputError: the processes could not be started. And whatever the function raises.
    """
    if processes == 1:
        yield from map(function, tasks)
        return
    # Not forked: a thread of this process may hold a lock that its copy would wait for.
    others = set(active_children())
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _follow_parent)
    done = False
    try:
        yield from _in_order(pool, function, tasks, 2 * processes)
        done = True
    except BrokenProcessPool:
        raise InputError(
            "the worker processes ended: too little memory? A script calls this below "
            "`if __name__ == '__main__':`; DXTRACE_THREADS=1 does without them",
        ) from None
    finally:
        if not done:
            # Who leaves early does not wait for what is under way.
            for process in set(active_children()) - others:
                process.kill()
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor,
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    ahead: int,
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for task in tasks:
        with _held_back():  # the first task starts the processes
            waiting.append(pool.submit(function, task))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def _held_back() -> Iterator[None]:
    """Hold interrupts back: a process that begins meanwhile has none until it can deal with them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow_parent() -> None:
    """Leave interrupts to the parent, and end when it does, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a batch system sends it to all
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
