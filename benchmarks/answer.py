"""How long an answer takes, beside plain llama.cpp on the stock file, and plain generation on
transformers.

    python benchmarks/answer.py [--note FILE] [--rounds 3] [--threads 2] [--hf] [--labels]

All in one run, turn by turn, so that a busy machine slows all alike; medians and their ratios are
printed as JSON.

* ``stock``: the model's own Q4_1 file on plain xllamacpp, unconstrained, same prompt, as many
tokens as the answer has.
* ``dxtrace``: the whole answer: prompt, differential of all diagnoses, steps, verification.
* ``--hf``: the transformers engine against ``generate`` for the same number of tokens.
* ``--labels``: the differential against scoring every diagnosis by itself, one after the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dxtrace.answering.choice import rank
from dxtrace.answering.differential import label_options
from dxtrace.answering.reasoner import Reasoner
from dxtrace.engines.base import Branch, Engine
from dxtrace.models import open_model, store
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import answer_segments, prompt_parts, readable
from dxtrace.notes.reading import read_case

EXAMPLES = Path(__file__).parents[1] / "examples"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--note",
        type=Path,
        help="a case; default: examples joined to about 1,300 tokens",
    )
    parser.add_argument("--rounds", type=int, default=3)
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
    times = _turns(
        arguments.rounds,
        stock=lambda: _plain(stock, prompt, written),
        dxtrace=lambda: ours.reason(case),
    )
    return {"prompt_tokens": len(prompt), "answer_tokens": written, **times}


def measure_labels(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the time of a differential after its prompt, ours and one label after the other
    without a trie.
    """
    reasoner = _reasoner(arguments.threads)
    engine = reasoner.engine
    options = label_options(engine, reasoner.taxonomy)
    prompt = engine.encode_prompt(
        prompt_parts(engine.chat_template, readable(_case(arguments.note, engine).note)),
    )
    everything = tuple(range(1000))

    def naive() -> None:
        for label in options.tokens:
            engine.forget()
            for length in range(len(label)):
                engine.distributions([*prompt, *label[:length]], [Branch((), everything)])

    def ours() -> None:
        engine.forget()
        rank(engine, prompt, options)

    return _turns(1, naive=naive, dxtrace=ours)


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

    times = _turns(arguments.rounds, generate=plain, dxtrace=lambda: reasoner.reason(case))
    return {"prompt_tokens": len(prompt), "answer_tokens": written, **times}


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


def _turns(rounds: int, **work: Callable[[], Any]) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    first, second = work
    ratios = [b / a for a, b in zip(seconds[first], seconds[second], strict=True)]
    medians = {f"{name}_s": round(statistics.median(values), 3) for name, values in seconds.items()}
    return {
        **medians,
        "ratio": round(statistics.median(ratios), 3),
        "rounds": rounds,
        "quantisation": store.fastest_quantisation()[0],
    }


if __name__ == "__main__":
    main()
