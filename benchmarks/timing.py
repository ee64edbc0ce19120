"""What the benchmarks of engines share: seconds of work, from a cold cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dxtrace.engines import Branch, Engine

#: (seconds, seconds of processor time).
Seconds = npt.NDArray[np.float64]


def measure(work: Callable[[], Any]) -> Seconds:
    """Return what some work takes."""
    began = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - began


def measure_cold(engine: Engine, work: Callable[[], Any]) -> Seconds:
    """Return what some work takes on an engine that knows nothing of an earlier prompt.

    Forgetting alone would leave what is exact in the cache.
    """
    engine.forget()
    engine.distributions([1], [Branch((), (1, 2))])
    engine.forget()
    return measure(work)


def compare(**rounds: list[Seconds]) -> dict[str, float]:
    """Return the medians of each kind of work, and of the last as a share of the first."""
    result: dict[str, float] = {}
    medians = [np.median(times, axis=0) for times in rounds.values()]
    for name, (seconds, processor) in zip(rounds, medians, strict=True):
        result[f"{name}_s"] = round(seconds, 3)
        result[f"{name}_cpu_s"] = round(processor, 3)
    ratio, ratio_cpu = medians[-1] / medians[0]
    return {**result, "ratio": round(ratio, 4), "ratio_cpu": round(ratio_cpu, 4)}
