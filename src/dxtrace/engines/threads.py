"""Many waits at once: threads for work that is done elsewhere."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    most: int,
) -> Iterator[Result]:
    """Yield ``function(item)`` in the order of the items; at most ``most`` are under way.

    Whoever is interrupted does not wait for what is under way. With one at a time there is no
    thread.
    """
    if most == 1:
        yield from map(function, items)
        return
    under_way: deque[Future[Result]] = deque()
    for item in items:
        future: Future[Result] = Future()
        under_way.append(future)
        threading.Thread(target=_settle, args=(future, function, item), daemon=True).start()
        if len(under_way) == most:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _settle(future: Future[Any], function: Callable[[Any], Any], item: Any) -> None:
    try:
        future.set_result(function(item))
    except BaseException as error:
        future.set_exception(error)
