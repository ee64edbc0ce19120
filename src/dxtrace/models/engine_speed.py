"""How fast an engine is on this machine, and how true to another."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dxtrace.answering.choice import branches, rank
from dxtrace.answering.differential import label_options
from dxtrace.engines.base import Branch, Engine
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.prompt import prompt_parts, readable

#: Added to probabilities: below this they are no more than rounding.
_LEAST = 1e-9


@dataclass(frozen=True)
class Speed:
    """One differential of every diagnosis: tokens read, seconds, seconds of processor time."""

    tokens: int
    seconds: float
    processor_s: float


@dataclass(frozen=True)
class Agreement:
    """How an engine weighs candidates beside another, at the ``places`` where names branch.

    ``first_same``: the share of places with the same first candidate. ``divergence``: mean
    Kullback-Leibler divergence from the other, in nats.
    """

    places: int
    first_same: float
    divergence: float


def measure_speed(engine: Engine, note: str) -> Speed:
    """Return what a differential takes on an engine that has not read the note before."""
    options = label_options(engine, Taxonomy.default())
    prompt = prompt_of(engine, note)
    # The first pass also brings the weights from the disk.
    engine.distributions(prompt_of(engine, "-"), [Branch((), (1, 2))])
    engine.forget()
    tokens = _tokens(engine)
    began, processor = time.perf_counter(), time.process_time()
    rank(engine, prompt, options)
    return Speed(
        _tokens(engine) - tokens,
        time.perf_counter() - began,
        time.process_time() - processor,
    )


def measure_agreement(reference: Engine, engine: Engine, notes: Sequence[str]) -> Agreement:
    """Return how true an engine is to another on some notes."""
    same = 0
    total = 0.0
    places = 0
    for note in notes:
        expected = _weigh(reference, note)
        found = _weigh(engine, note)
        places += len(expected)
        for p, q in zip(expected, found, strict=True):
            same += max(p, key=p.__getitem__) == max(q, key=q.__getitem__)
            total += divergence(p, q)
    return Agreement(places, same / places, max(0.0, total / places))


def divergence(p: Mapping[int, float], q: Mapping[int, float]) -> float:
    """Return the Kullback-Leibler divergence ``sum p log(p / q)`` in nats."""
    return sum(here * math.log((here + _LEAST) / (q[token] + _LEAST)) for token, here in p.items())


def prompt_of(engine: Engine, note: str) -> list[int]:
    """Return a note's prompt."""
    return engine.encode_prompt(prompt_parts(engine.chat_template, readable(note)))


def _weigh(engine: Engine, note: str) -> list[Mapping[int, float]]:
    engine.forget()
    places = branches(label_options(engine, Taxonomy.default()))
    return engine.distributions(prompt_of(engine, note), places)


def _tokens(engine: Engine) -> int:
    return engine.work.prefill_tokens + engine.work.decode_tokens
