"""How long an answer takes, beside plain llama.cpp on the stock file, and plain generation on
transformers.

    python benchmarks/answer.py [--note FILE] [--rounds 1] [--threads 2] [--hf] [--labels]

All in one run, turn by turn from a cold cache, so that a busy machine slows all alike. Printed as
JSON: medians in seconds and in seconds of processor time (``cpu``), and their ratios. With both
options it takes about four minutes on two cores.

* ``stock``: the model's own Q4_1 file on plain xllamacpp, unconstrained, same prompt, as many
tokens as the answer has.
* ``dxtrace``: the whole answer: prompt, differential of all diagnoses, steps, verification.
* ``--hf``: the transformers engine against ``generate`` for the same number of tokens.
* ``--labels``: the differential against scoring every diagnosis by itself, one after the other:
``naive`` reads prompt and name each time, ``cached`` reads the prompt once. Both score every eighth
name, and count it eight times.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from timing import Seconds, compare, measure, measure_cold

from dxtrace.answering.choice import rank
from dxtrace.answering.differential import label_options
from dxtrace.answering.reasoner import Reasoner
from dxtrace.engines.base import Branch, Engine
from dxtrace.models import open_model
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import answer_segments, prompt_parts, readable
from dxtrace.notes.reading import read_case

EXAMPLES = Path(__file__).parents[1] / "examples"

#: Every so many-th name is scored by itself.
_EVERY = 8

#: A whole vocabulary, nearly: what is weighed where no closed list is known.
_EVERYTHING = tuple(range(2, 40_000))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--note",
        type=Path,
        help="a case; default: examples joined to about 1,300 tokens",
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hf", action="store_true", help="measure the transformers engine too")
    parser.add_argument(
        "--labels",
        action="store_true",
        help="measure the differential against naive scoring too",
    )
    arguments = parser.parse_args()
    results: dict[str, Any] = {"answer": measure_answer(arguments)}
    if arguments.labels:
        results["labels"] = measure_labels(arguments)
    if arguments.hf:
        results["hf"] = measure_hf(arguments)
    print(json.dumps(results, indent=2))


def measure_answer(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the times of whole answers, the stock file's and ours, and their ratio."""
    ours = _reasoner(arguments.threads)
    stock = open_model(adapter="none", threads=arguments.threads, quantisation="as-is").engine
    case = _case(arguments.note, ours.engine)
    prompt = ours.engine.encode_prompt(prompt_parts(ours.engine.chat_template, readable(case.note)))
    written = _answer_tokens(ours, case)
    spent: dict[str, list[Seconds]] = {"stock": [], "dxtrace": []}
    for _ in range(arguments.rounds):
        spent["stock"].append(measure(lambda: _plain(stock, prompt, written)))
        spent["dxtrace"].append(measure_cold(ours.engine, lambda: ours.reason(case)))
    return {"prompt_tokens": len(prompt), "answer_tokens": written, **compare(**spent)}


def measure_labels(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the times of a differential, ours and one name after the other without a trie."""
    reasoner = _reasoner(arguments.threads)
    engine = reasoner.engine
    options = label_options(engine, reasoner.taxonomy)
    case = _case(arguments.note, engine)
    prompt = engine.encode_prompt(prompt_parts(engine.chat_template, readable(case.note)))
    sample = options.tokens[::_EVERY]

    def score(label: tuple[int, ...]) -> None:
        places = [Branch(label[:length], _EVERYTHING) for length in range(len(label))]
        engine.distributions(prompt, places)

    naive = cached = np.zeros(2)
    for label in sample:
        naive = naive + measure_cold(engine, partial(score, label))
    read = measure_cold(engine, lambda: engine.distributions(prompt, [Branch((), _EVERYTHING)]))
    for label in sample:
        cached = cached + measure(partial(score, label))
    ours = [measure_cold(engine, lambda: rank(engine, prompt, options))]
    share = len(options.tokens) / len(sample)
    return {
        "labels": len(options.tokens),
        "naive": compare(naive=[share * naive], dxtrace=ours),
        "cached": compare(cached=[read + share * cached], dxtrace=ours),
    }


def measure_hf(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the times of whole answers on transformers, ours and ``generate`` for as many tokens."""
    import torch

    opened = open_model(engine="hf", threads=arguments.threads)
    reasoner = Reasoner(opened.engine, opened.info, calibration=opened.calibration)
    engine: Any = opened.engine
    case = _case(arguments.note, engine)
    prompt = engine.encode_prompt(prompt_parts(engine.chat_template, readable(case.note)))
    written = _answer_tokens(reasoner, case)

    def plain() -> None:
        ids = torch.tensor([prompt])
        engine.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=written,
            min_new_tokens=written,
            do_sample=False,
        )

    spent: dict[str, list[Seconds]] = {"generate": [], "dxtrace": []}
    for _ in range(arguments.rounds):
        spent["generate"].append(measure(plain))
        spent["dxtrace"].append(measure_cold(engine, lambda: reasoner.reason(case)))
    return {"prompt_tokens": len(prompt), "answer_tokens": written, **compare(**spent)}


def _reasoner(threads: int) -> Reasoner:
    opened = open_model(threads=threads)
    return Reasoner(opened.engine, opened.info, calibration=opened.calibration)


def _case(note: Path | None, engine: Engine) -> Case:
    if note is not None:
        return read_case(note)
    text = ""
    for file in sorted(EXAMPLES.glob("*.txt")):
        text = f"{text}\n\n{file.read_text('utf-8')}".strip()
        if len(engine.encode([text])[0]) >= 1250:
            break
    while len(engine.encode([text])[0]) > 1300:
        text = text[: int(0.97 * len(text))]
    return Case.from_text(text, "benchmark")


def _answer_tokens(reasoner: Reasoner, case: Case) -> int:
    return sum(
        len(ids) for ids in reasoner.engine.encode(answer_segments(reasoner.reason(case).answer))
    )


def _plain(engine: Any, prompt: list[int], tokens: int) -> None:
    engine._complete(
        {
            "prompt": prompt,
            "n_predict": tokens,
            "temperature": 0.0,
            "ignore_eos": True,
            "cache_prompt": False,
        },
    )


if __name__ == "__main__":
    main()
