"""How many cores there are to use; and many waits at once: threads for work done elsewhere."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Seconds between two checks whether to go on waiting.
_CHECK_S = 0.2


#: Matrix products of a small model gain nothing from more threads.
_MOST_THREADS = 8

#: Fewer tokens a thread are not worth it: each thread reads all weights from memory.
_FEWEST_ROWS = 8


def allowed_cores() -> int:
    """Return how many cores this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """Return how many threads an engine uses where nobody says."""
    return min(allowed_cores(), _MOST_THREADS)


class ThreadPool:
    """Threads that compute the shares of one task side by side; numpy lets go of the interpreter
    while it computes.
    """

    def __init__(self, count: int) -> None:
        """Start no thread yet; there will be at most ``count``."""
        self.count = count
        self._pool = ThreadPoolExecutor(count, "share")

    def parts(self, items: int) -> int:
        """Return into how many shares so many tokens are worth dividing."""
        return max(1, min(self.count, items // _FEWEST_ROWS))

    def run(self, function: Callable[[Item], None], shares: Sequence[Item]) -> None:
        """Call ``function`` with each share, and wait for all."""
        if len(shares) == 1:
            function(shares[0])
            return
        for done in [self._pool.submit(function, share) for share in shares]:
            done.result()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def map_in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    most: int,
    check: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """Yield ``function(item)`` in the order of the items; at most ``most`` are under way.

    Whoever is interrupted does not wait for what is under way.

    Args:
        function: waits for something.
        items: what it is called with.
        most: with one there is no thread, unless there is a ``check``.
        check: called again and again while nothing is ready; it may raise, to give up.
    """
    if most == 1 and check is None:
        yield from map(function, items)
        return
    under_way: deque[Future[Result]] = deque()
    for item in items:
        future: Future[Result] = Future()
        under_way.append(future)
        threading.Thread(target=_settle, args=(future, function, item), daemon=True).start()
        if len(under_way) == most:
            yield _result(under_way.popleft(), check)
    while under_way:
        yield _result(under_way.popleft(), check)


def _result(future: Future[Result], check: Callable[[], None] | None) -> Result:
    while check is not None and not wait([future], _CHECK_S).done:
        check()
    return future.result()


def _settle(future: Future[Any], function: Callable[[Any], Any], item: Any) -> None:
    try:
        future.set_result(function(item))
    except BaseException as error:
        future.set_exception(error)
