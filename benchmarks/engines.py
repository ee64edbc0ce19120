"""Engines side by side on the embedded model: how fast, and how true to 32 bits.

    python benchmarks/engines.py [--engines NAME ...] [--rounds 3] [--notes 20] [--tokens 1300]

All in one run, turn by turn, so that a busy machine slows all alike; medians are printed as JSON.

* ``read_tokens_s``: tokens of a prompt read in a second of processor time.
* ``differential_s``: processor time of one whole differential, every diagnosis ranked, prompt
  included.
* ``first_same``: in how many places where candidates are weighed the first one is that of torch in
  32 bits.
* ``kl``: mean divergence of the candidates' probabilities there, in nats: ``sum p log(p / q)``,
  p from torch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dxtrace.answering.choice import rank
from dxtrace.answering.differential import label_options
from dxtrace.compose import Composer
from dxtrace.engines.base import Branch, Engine
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.models import open_model
from dxtrace.notes.prompt import prompt_parts, readable

#: Probabilities below this are no more than rounding.
_LEAST = 1e-9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engines", nargs="+", default=["numpy", "llamacpp"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--notes", type=int, default=20, help="notes to compare on; 0 needs no torch"
    )
    parser.add_argument("--tokens", type=int, default=1300, help="length of the note to time")
    arguments = parser.parse_args()
    engines = {
        name: open_model(engine=name, threads=arguments.threads).engine
        for name in arguments.engines
    }
    results = measure_speed(engines, arguments.tokens, arguments.rounds)
    if arguments.notes:
        reference = open_model(engine="hf", threads=arguments.threads).engine
        for name, found in measure_truth(engines, reference, arguments.notes).items():
            results[name] |= found
    print(json.dumps({"threads": arguments.threads, **results}, indent=2))


def measure_speed(
    engines: Mapping[str, Engine],
    tokens: int,
    rounds: int,
) -> dict[str, dict[str, Any]]:
    """Return what each engine takes on a prompt of so many tokens, in seconds of processor time."""
    spent: dict[str, dict[str, list[float]]] = {name: {"read": [], "all": []} for name in engines}
    prompts = {name: _prompt(engine, _long_note())[-tokens:] for name, engine in engines.items()}
    for _ in range(rounds):
        for name, engine in engines.items():
            for kind, run in (("read", _read), ("all", _rank)):
                engine.forget()
                before = time.process_time()
                run(engine, prompts[name])
                spent[name][kind].append(time.process_time() - before)
    return {
        name: {
            "tokens": len(prompts[name]),
            "read_tokens_s": round(len(prompts[name]) / statistics.median(found["read"])),
            "differential_s": round(statistics.median(found["all"]), 2),
        }
        for name, found in spent.items()
    }


def measure_truth(
    engines: Mapping[str, Engine],
    reference: Engine,
    notes: int,
) -> dict[str, dict[str, Any]]:
    """Return how each engine agrees with the reference where the names of diagnoses branch."""
    same: dict[str, list[bool]] = {name: [] for name in engines}
    divergence: dict[str, list[float]] = {name: [] for name in engines}
    composer = Composer(seed=77)
    for number in range(notes):
        note = composer.case(number, hard=True).case.note
        branches, expected = _places(reference, _prompt(reference, note))
        for name, engine in engines.items():
            engine.forget()
            found = engine.distributions(_prompt(engine, note), branches)
            for p, q in zip(expected, found, strict=True):
                same[name].append(max(p, key=p.__getitem__) == max(q, key=q.__getitem__))
                divergence[name].append(_kl(p, q))
    return {
        name: {
            "places": len(same[name]),
            "first_same": round(statistics.mean(same[name]), 4),
            "kl": max(0.0, float(f"{statistics.mean(divergence[name]):.2g}")),
        }
        for name in engines
    }


def _read(engine: Engine, prompt: Sequence[int]) -> None:
    engine.distributions(prompt, [Branch((), (1, 2))])


def _rank(engine: Engine, prompt: Sequence[int]) -> None:
    rank(engine, prompt, label_options(engine, Taxonomy.default()))


class _Recorder:
    """Stands before an engine and keeps what is asked of it, with the answers."""

    packs = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked: list[Branch] = []
        self.answers: list[Mapping[int, float]] = []

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        found = self._engine.distributions(prompt, branches)
        self.asked += branches
        self.answers += found
        return found


def _places(
    engine: Engine, prompt: Sequence[int]
) -> tuple[list[Branch], list[Mapping[int, float]]]:
    """Return the places where ranking the diagnoses asks the engine, and its answers."""
    recorder: Any = _Recorder(engine)
    rank(recorder, prompt, label_options(engine, Taxonomy.default()))
    return recorder.asked, recorder.answers


def _kl(p: Mapping[int, float], q: Mapping[int, float]) -> float:
    here = np.array(list(p.values()))
    there = np.array([q[token] for token in p])
    return float((here * np.log((here + _LEAST) / (there + _LEAST))).sum())


def _prompt(engine: Engine, note: str) -> list[int]:
    return engine.encode_prompt(prompt_parts(engine.chat_template, readable(note)))


def _long_note() -> str:
    composer = Composer(seed=78)
    return "\n\n".join(composer.case(number).case.note for number in range(12))


if __name__ == "__main__":
    main()
