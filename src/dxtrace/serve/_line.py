"""The line in front of the engines: who is next, where everybody stands, and how a place is given
up.

All state belongs to the event loop; only :meth:`Job.run` works in a thread, and it reports back
through the loop. An engine answers one request at a time, so a job runs from its first token to its
last without another between.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from dxtrace.chain import Chain, Differential, ModelInfo, Step, step_to_json
from dxtrace.engines.base import Unwanted, while_wanted
from dxtrace.errors import CaseError, DxtraceError, EngineError
from dxtrace.notes.case import Case

LOG = logging.getLogger("dxtrace.serve")

Kind = Literal["reason", "differential"]


#: Status, kind and message for whoever waits while the server stops.
STOPPING = (503, "Stopping", "the server stops; ask again when it is back")


class Answerer(Protocol):
    """What the server needs of a reasoner (:class:`dxtrace.answering.reasoner.Reasoner` is one)."""

    model: ModelInfo

    def differential(self, case: Case) -> Differential:
        """Return the differential of a case."""
        ...

    def stream(self, case: Case) -> Iterator[Differential | Step | Chain]:
        """Yield the differential, the steps, and last the chain."""
        ...


class Refused(Exception):
    """A job that gets no place. ``status`` is the HTTP status that says why."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        self.status = status
        self.kind = kind
        super().__init__(message)


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: ``queue``, ``start``, ``differential``, ``step``, ``chain``
    or ``error``.
    """

    name: str
    data: Any


@dataclass(eq=False)
class Job:
    """One case to answer for one client; its events arrive in ``events``, the last one is ``chain``
    or ``error``.
    """

    case: Case
    model: str
    kind: Kind
    client: str
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    cancelled: bool = False
    done: bool = False
    _ends: float = math.inf

    @property
    def in_time(self) -> bool:
        """Whether the answer may still go on by its time."""
        return time.monotonic() < self._ends

    def is_wanted(self) -> bool:
        """Whether anybody waits for what an engine computes for this job."""
        return self.in_time and not self.cancelled

    def run(self, answerer: Answerer, most_s: float) -> Iterator[Event]:
        """Yield the events of the answer; stops once cancelled or over its time."""
        self._ends = time.monotonic() + most_s
        try:
            if self.kind == "differential":
                yield Event("differential", answerer.differential(self.case))
                return
            for event in _events(answerer.stream(self.case)):
                if self.cancelled:
                    return
                yield event
                if event.name == "chain":
                    return
                if not self.in_time:
                    raise Unwanted
            raise EngineError("the answer broke off")
        except Unwanted:
            if not self.cancelled:
                yield error_event(
                    "TimeLimit",
                    f"the answer took longer than {most_s:.0f} s",
                    504,
                )
        except DxtraceError as error:
            yield error_event(
                type(error).__name__,
                str(error),
                422 if isinstance(error, CaseError) else 500,
            )
        except Exception as error:
            LOG.error("an answer failed: %s", place_of(error))
            yield error_event(
                "InternalError",
                "the answer failed; the server's log says where",
                500,
            )


class Line:
    """Jobs waiting for an engine, in turn: one of each client, then the next of each.

    Args:
        engines: one dictionary of answerers by model name for each engine thread.
        most: jobs that may wait.
        most_each: jobs of one named client that may wait.
        most_s: seconds that one answer may take.
    """

    def __init__(
        self,
        engines: list[dict[str, Answerer]],
        most: int = 64,
        most_each: int = 4,
        most_s: float = 600.0,
    ) -> None:
        self._engines = engines
        self._most, self._most_each, self._most_s = most, most_each, most_s
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._running: set[Job] = set()
        self._arrived = asyncio.Condition()
        self._threads = ThreadPoolExecutor(len(engines), thread_name_prefix="engine")
        self._workers: list[asyncio.Task[None]] = []
        self._seconds = 0.0

    def start(self) -> None:
        """Begin to answer; call it inside the event loop."""
        self._workers = [asyncio.create_task(self._work(engine)) for engine in self._engines]

    def end(self) -> None:
        """Cancel everything that waits or runs, and tell everybody."""
        status, kind, message = STOPPING
        for job in [*self._running, *self._in_turn()]:
            self.leave(job)
            job.events.put_nowait(error_event(kind, message, status))

    async def stop(self) -> None:
        """End; see :meth:`end`."""
        self.end()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def running(self) -> int:
        """How many jobs are being answered."""
        return len(self._running)

    async def join(self, job: Job) -> None:
        """Put a job into the line.

        Raises:
            Refused: the line is full, or the client has too many jobs in it.
        """
        if self.waiting >= self._most:
            raise Refused(503, "Busy", f"{self.waiting} cases wait already; try again later")
        if len(self._waiting.get(job.client, ())) >= self._most_each:
            raise Refused(429, "TooMany", f"{self._most_each} of your cases wait already")
        async with self._arrived:
            self._waiting.setdefault(job.client, deque()).append(job)
            self._arrived.notify()
        self._tell_places()

    def leave(self, job: Job) -> None:
        """Give a job's place up: a waiting one goes at once, a running one before its next step or layer."""
        if job.done:
            return
        job.cancelled = True
        queue = self._waiting.get(job.client)
        if queue and job in queue:
            queue.remove(job)
            if not queue:
                del self._waiting[job.client]
            self._tell_places()

    async def follow(self, job: Job, pulse_s: float = 10.0) -> AsyncIterator[Event | None]:
        """Yield a job's events to the last, None whenever nothing happened for ``pulse_s``; leave
        when abandoned.
        """
        try:
            while True:
                try:
                    event = await asyncio.wait_for(job.events.get(), pulse_s)
                except TimeoutError:
                    yield None
                    continue
                yield event
                if event.name in _LAST[job.kind]:
                    job.done = True
                    return
        finally:
            self.leave(job)

    async def _work(self, engine: dict[str, Answerer]) -> None:
        while True:
            async with self._arrived:
                await self._arrived.wait_for(lambda: self._waiting)
                job = self._next()
            self._running.add(job)
            self._tell_places()
            started = time.monotonic()
            job.events.put_nowait(Event("start", job.model))
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(
                    self._threads,
                    self._answer,
                    job,
                    engine[job.model],
                    loop,
                )
            finally:
                self._running.discard(job)
            if not job.cancelled:
                took = time.monotonic() - started
                self._seconds = took if not self._seconds else 0.8 * self._seconds + 0.2 * took

    def _answer(self, job: Job, answerer: Answerer, loop: asyncio.AbstractEventLoop) -> None:
        """Run a job in this thread; its events go to the loop in order."""
        with while_wanted(job.is_wanted):
            for event in job.run(answerer, self._most_s):
                loop.call_soon_threadsafe(job.events.put_nowait, event)

    def _next(self) -> Job:
        """Take the first job of the client whose turn it is; the client goes to the end."""
        client, queue = next(iter(self._waiting.items()))
        job = queue.popleft()
        if queue:
            self._waiting.move_to_end(client)
        else:
            del self._waiting[client]
        return job

    def _in_turn(self) -> list[Job]:
        """Return the waiting jobs in the order in which they will be taken."""
        queues = []
        for waiting in self._waiting.values():
            queues.append(list(waiting))
        longest = max(map(len, queues), default=0)
        jobs = []
        for turn in range(longest):
            for queue in queues:
                if turn < len(queue):
                    jobs.append(queue[turn])
        return jobs

    def _tell_places(self) -> None:
        """Tell everybody who waits where they stand, and about how long it takes."""
        jobs = self._in_turn()
        for place, job in enumerate(jobs, 1):
            wait = round(self._seconds * (place - 1 + self.running) / len(self._engines), 1)
            job.events.put_nowait(
                Event("queue", {"place": place, "waiting": len(jobs), "wait_s": wait or None}),
            )


def _events(items: Iterator[Differential | Step | Chain]) -> Iterator[Event]:
    """Yield what a reasoner yields as events; data are JSON, but a differential stays what it is."""
    number = 0
    for item in items:
        if isinstance(item, Differential):
            yield Event("differential", item)
        elif isinstance(item, Step):
            number += 1
            yield Event("step", step_to_json(number, item))
        else:
            yield Event("chain", item.to_json())


_LAST = {"reason": ("chain", "error"), "differential": ("differential", "error")}


def place_of(error: BaseException) -> str:
    """Say what failed and where without the error's message, which may hold a note's text."""
    frames = traceback.extract_tb(error.__traceback__)
    if frames:
        where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
    else:
        where = ""
    return f"{type(error).__name__}{where}"


def error_event(kind: str, message: str, status: int) -> Event:
    """Return the event of an error, with the HTTP status that it has as a reply."""
    return Event("error", {"type": kind, "message": message, "status": status})
