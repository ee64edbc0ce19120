"""``dxtrace judge-agreement``, and the options that name a judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from dxtrace.cli.answer import MaySend, Threads
from dxtrace.errors import InputError
from dxtrace.evaluate import JUDGES, JudgeSettings, agree, ask, open_judge, read_pairs

JudgeModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Model of the judge 'llm': a local one, or with --judge-url the endpoint's.",
    ),
]
JudgeUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="OpenAI-compatible endpoint of the judge 'llm': http://127.0.0.1:8000/v1",
    ),
]


def judge_agreement(
    pairs: Annotated[
        Path,
        typer.Argument(help='JSONL with "one", "other" and, from a human, "same": true or false.'),
    ],
    judge: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"One of {', '.join(JUDGES[1:])}. Repeat to compare."),
    ] = None,
    task: Annotated[
        str,
        typer.Option(help="What the judge 'llm' is asked: observations or rationales."),
    ] = "rationales",
    judge_model: JudgeModel = None,
    judge_url: JudgeUrl = None,
    credentialed: Annotated[
        bool,
        typer.Option(help="The pairs come from credentialed data."),
    ] = False,
    send_credentialed_data: MaySend = False,
    examples: Annotated[int, typer.Option(min=0, help="Disagreements to show.")] = 10,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Compare judges with labels or each other.

    Printed: kappa, confusion, examples. The labels are a human's.
    """
    labelled = read_pairs(pairs)
    settings = JudgeSettings(
        model=judge_model,
        url=judge_url,
        credentialed=credentialed,
        may_send=send_credentialed_data,
        threads=threads,
    )
    sides: list[tuple[str, list[bool]]] = []
    human = []
    for pair in labelled:
        if pair.same is not None:
            human.append(pair.same)
    if len(human) == len(labelled):
        sides.append(("human", human))
    for name in judge or ["lexical"]:
        opened = open_judge(name, task, settings)
        sides.append((opened.name, ask(opened, labelled)))
    if len(sides) < 2:
        raise InputError(
            f'{pairs}: not every pair has a label "same"; name two judges to compare with each other',
        )
    found = []
    for name, said in sides[1:]:
        found.append(agree(labelled, sides[0][1], said, (sides[0][0], name), examples))
    if json_:
        print(json.dumps([one.to_json() for one in found], ensure_ascii=False, indent=1))
        return
    for one in found:
        _print_agreement(one)


def _print_agreement(one: Any) -> None:
    yy, yn, ny, nn = one.confusion
    if one.kappa is None:
        kappa = "–"
    else:
        low, high = one.interval
        kappa = f"{one.kappa:.3f} ({low:.3f} to {high:.3f})"
    if one.balanced is None:
        balanced = "–"
    else:
        balanced = f"{one.balanced:.3f}"
    print(
        f"{one.second}\n  against {one.first}: n={one.n}, kappa {kappa}, balanced accuracy {balanced}",
    )
    print(f"  both same {yy}, only {one.first} {yn}, only the judge {ny}, both different {nn}")
    for kind, (share, n) in one.by_kind.items():
        print(f"  {kind or 'all'}: called the same {share:.1%} of {n}")
    for pair in one.examples:
        if pair.kind:
            kind = f"[{pair.kind}] "
        else:
            kind = ""
        print(f"  - {kind}{pair.one} | {pair.other}")
