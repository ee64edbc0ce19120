"""Engines side by side on the embedded model: how fast, and how true to 32 bits.

    python benchmarks/engines.py [--engines NAME ...] [--rounds 3] [--notes 20] [--tokens 1300]

All in one run, turn by turn, so that a busy machine slows all alike; medians are printed as JSON.

* ``read_tokens_s``: tokens of a prompt read in a second of processor time.
* ``differential_s``: processor time of one whole differential, every diagnosis ranked, prompt
  included.
* ``first_same``: in how many places where candidates are weighed the first one is that of torch in
  32 bits.
* ``divergence``: mean divergence of the candidates' probabilities there, in nats: ``sum p log(p / q)``,
  p from torch.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from timing import measure_cold

from dxtrace.answering.choice import rank
from dxtrace.answering.differential import label_options
from dxtrace.compose import Composer
from dxtrace.engines.base import Branch, Engine
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.models import open_model
from dxtrace.models.engine_speed import measure_agreement, prompt_of


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
        composer = Composer(seed=77)
        notes = [composer.case(number, hard=True).case.note for number in range(arguments.notes)]
        for name, engine in engines.items():
            results[name] |= asdict(measure_agreement(reference, engine, notes))
    print(json.dumps({"threads": arguments.threads, **results}, indent=2))


def measure_speed(
    engines: Mapping[str, Engine],
    tokens: int,
    rounds: int,
) -> dict[str, dict[str, Any]]:
    """Return what each engine takes on a prompt of so many tokens, in seconds of processor time."""
    spent: dict[str, dict[str, list[float]]] = {name: {"read": [], "all": []} for name in engines}
    prompts = {name: prompt_of(engine, _long_note())[-tokens:] for name, engine in engines.items()}
    for _ in range(rounds):
        for name, engine in engines.items():
            for kind, run in (("read", _read), ("all", _rank)):
                _, processor = measure_cold(engine, partial(run, engine, prompts[name]))
                spent[name][kind].append(processor)
    return {
        name: {
            "tokens": len(prompts[name]),
            "read_tokens_s": round(len(prompts[name]) / statistics.median(found["read"])),
            "differential_s": round(statistics.median(found["all"]), 2),
        }
        for name, found in spent.items()
    }


def _read(engine: Engine, prompt: Sequence[int]) -> None:
    engine.distributions(prompt, [Branch((), (1, 2))])


def _rank(engine: Engine, prompt: Sequence[int]) -> None:
    rank(engine, prompt, label_options(engine, Taxonomy.default()))


def _long_note() -> str:
    composer = Composer(seed=78)
    return "\n\n".join(composer.case(number).case.note for number in range(12))


if __name__ == "__main__":
    main()
