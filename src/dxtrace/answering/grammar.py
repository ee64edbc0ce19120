"""The Lark grammar of a whole answer for one note: one string for every engine that speaks
llguidance.

It says what :mod:`dxtrace.answering.reasoner` writes choice by choice: a diagnosis, then steps
whose nodes run along its path from the first to the last, each with a rationale (a premise's, where
there are premises) and a quote out of a closed list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from dxtrace.knowledge.taxonomy import Node
from dxtrace.notes.prompt import MARK, step_head

MIN_STEPS, MAX_STEPS = 3, 10

#: A rationale where no premise is known: one sentence without the marks that structure an answer.
#: Any full stop but a decimal point ends it: the matcher takes the longest text and would not give
#: the words after it back.
FREE_RATIONALE = r"/ [A-Z]([^\n\[\]:.]|\.[0-9]){20,240}\./"


def answer_grammar(
    diagnoses: Sequence[Node],
    rationales: Mapping[str, Sequence[str]],
    quotes: Sequence[str],
    steps: tuple[int, int],
) -> str:
    """Return the grammar of an answer after ``FINAL DIAGNOSIS:``.

    Args:
        diagnoses: those that may be chosen; one to force it.
        rationales: by node name, the sentences that may stand; a node without any takes a free
            sentence.
        quotes: the pieces of the note that may be quoted; at least one.
        steps: fewest and most steps.

    A grammar has no memory, so it cannot forbid a quote to stand twice; the writer does.
    """
    lines = [
        "%llguidance {}",
        "start: " + " | ".join(f"d{index}" for index in range(len(diagnoses))),
    ]
    for index, node in enumerate(diagnoses):
        lines.append(f"d{index}: {_literal(' ' + node.name)} s{index}_1_0")
        lines += _step_rules(index, node, steps)
    names = dict.fromkeys(name for node in diagnoses for name in node.path)
    for number, name in enumerate(names):
        lines.append(f"R{number}: {_one_of(rationales.get(name, ())) or FREE_RATIONALE}")
    lines.append(f"QUOTE: {_one_of(quotes)}")
    return "\n".join(_name_rationales(lines, list(names))) + "\n"


def rationale_grammar() -> str:
    """Return the grammar of one free rationale."""
    return f"%llguidance {{}}\nstart: RATIONALE\nRATIONALE: {FREE_RATIONALE}\n"


def _step_rules(index: int, node: Node, steps: tuple[int, int]) -> Iterable[str]:
    """Yield rules ``sI_N_J``: step N, at the J-th node of the path or a later one."""
    fewest, most = steps
    last = len(node.path) - 1
    for number in range(1, most + 1):
        for at in range(last + 1):
            ways = []
            first_only = number == 1 and last > 0
            for to in [0] if first_only else range(at, last + 1):
                if number == most and to != last:
                    continue
                head = f"{_literal(step_head(number, node.path[to]))} @{node.path[to]}@ {_literal(MARK)} QUOTE"
                if number < most:
                    follow = [f"s{index}_{number + 1}_{to}"]
                else:
                    follow = []
                may_end = number >= fewest and to == last
                tail = ""
                if follow and may_end:
                    tail = f" ({follow[0]})?"
                elif follow:
                    tail = f" {follow[0]}"
                ways.append(head + tail)
            yield f"s{index}_{number}_{at}: " + " | ".join(ways)


def _name_rationales(lines: Iterable[str], names: Sequence[str]) -> Iterable[str]:
    for line in lines:
        for number, name in enumerate(names):
            line = line.replace(f"@{name}@", f"R{number}")
        yield line


def _one_of(texts: Iterable[str]) -> str:
    return " | ".join(_literal(" " + text) for text in texts)


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
