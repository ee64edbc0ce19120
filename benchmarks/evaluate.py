"""Measure the evaluation itself: how good its judges are, how long 500 cases take, what the
baselines reach.

python benchmarks/evaluate.py judges [--embedding]     # on tests/data/judge_pairs.jsonl and on the
knowledge files python benchmarks/evaluate.py speed  [--cases 500]     # metrics, intervals and
report, in processor seconds
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from dxtrace import knowledge
from dxtrace.compose import Composer
from dxtrace.evaluate import (
    Judges,
    Scored,
    Settings,
    agree,
    ask,
    html_report,
    make_baseline,
    open_judge,
    read_pairs,
    read_predictions,
    report_data,
    run_system,
    score_cases,
)
from dxtrace.evaluate.judges import Judge, LabelledPair

PAIRS = Path(__file__).parents[1] / "tests" / "data" / "judge_pairs.jsonl"


def main() -> None:
    """Run one measurement and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("judges", "speed"))
    parser.add_argument(
        "--embedding",
        action="store_true",
        help="measure the judge 'embedding' too",
    )
    parser.add_argument("--cases", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.what == "judges":
        measure_judges(["lexical", "embedding"] if arguments.embedding else ["lexical"])
    else:
        measure_speed(arguments.cases)


def measure_judges(names: list[str]) -> None:
    """Print balanced accuracy and shares by kind, on the labelled pairs and on rationales of the
    knowledge files.
    """
    for name in names:
        judge = open_judge(name)
        print(judge.name)
        show("labelled pairs", judge, read_pairs(PAIRS))
        show("knowledge files", judge, rationale_pairs())


def show(title: str, judge: Judge, pairs: list[LabelledPair]) -> None:
    """Print one judge's agreement with the labels."""
    found = agree(
        pairs,
        [bool(pair.same) for pair in pairs],
        ask(judge, pairs),
        ("label", judge.name),
    )
    print(
        f"  {title}: n={found.n}, balanced accuracy {found.balanced:.3f}, kappa {found.kappa:.3f}",
    )
    for kind, (share, n) in found.by_kind.items():
        print(f"    {kind}: called the same {share:.1%} of {n}")


def rationale_pairs(seed: int = 0) -> list[LabelledPair]:
    """Pair rationales of one premise (one reason in other words), of two premises of a category, of
    two categories.

    Rationales of one premise often give different arguments for it, so this is a hard and a noisy
    set.
    """
    rng = random.Random(seed)
    pairs = []
    names = knowledge.written()
    for name in names:
        findings = knowledge.load(name).findings
        others = knowledge.load(rng.choice([other for other in names if other != name])).findings
        for finding in findings:
            one, two = rng.sample(finding.rationales, 2)
            near = rng.choice([other for other in findings if other.id != finding.id])
            pairs.append(LabelledPair(one, two, True, "same premise"))
            pairs.append(LabelledPair(one, rng.choice(near.rationales), False, "same category"))
            pairs.append(
                LabelledPair(
                    one,
                    rng.choice(rng.choice(others).rationales),
                    False,
                    "other category",
                ),
            )
    return pairs


def measure_speed(count: int) -> None:
    """Print the processor seconds of scoring, intervals and report for ``count`` cases answered by
    two systems.
    """
    composer = Composer(3)
    cases = [composer.case(number) for number in range(count)]
    by_id = {case.id: case for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        judges = Judges(open_judge("spans"), open_judge("lexical"))
        for name in ("findings", "gold"):
            file = run_system(make_baseline(name), cases, Path(folder) / f"{name}.jsonl")
            started = time.process_time()
            answers = read_predictions(file, by_id, name)
            results = score_cases(answers, cases, judges, Path(folder) / f"{name}.results.jsonl")
            print(
                f"{name}: {count} cases scored in {time.process_time() - started:.1f} s",
                flush=True,
            )
            started = time.process_time()
            scored = [Scored(name, results, answers)]
            page = html_report(report_data(scored, Settings(judges.to_json())), scored, by_id)
            print(
                f"{name}: report of {len(page) // 1024} KiB in {time.process_time() - started:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
