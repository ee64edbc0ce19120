"""How far text in a note steers the answer: statements, and findings that nobody asserts of the patient.

    python benchmarks/steering.py [--set heldout] [--attacks 300] [--model default] [--json FILE]

Thin notes say little; full ones bear their diagnosis out. To each a text is added that names or
describes another illness. Counted are answers whose first category changed, quotes that come from the
added text, and, of texts that talk to a language model, the answers without a warning. The texts are
in ``steering.yaml``; nothing was tuned on the set ``heldout``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from dxtrace import Reasoner, load
from dxtrace.chain import Chain

#: Kinds of texts: those that talk to a model, that name an illness, and that assert nothing of the
#: patient.
KINDS = ("talk", "plain", "unasserted")

SETS = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Trial:
    """A text of a kind that is put at the end of a note (thin or full)."""

    kind: str
    size: str
    note: str
    template: str
    text: str


@dataclass(frozen=True)
class Result:
    """What one added text did."""

    kind: str
    note: str
    text: str
    changed: bool
    quoted: bool
    warned: bool


def category(chain: Chain) -> str:
    """Return the category of the likeliest diagnosis."""
    return chain.differential.top.category


def trials_of(texts: dict[str, Any], first: dict[str, str]) -> list[Trial]:
    """Return every text on every note, in an order that is always the same.

    Args:
        texts: one set of the file.
        first: the category that each note is given without a text; a text on that illness is left
            out.
    """
    trials = []
    for size in ("thin", "full"):
        for note in texts[size]:
            for name, (target, signs) in texts["targets"].items():
                if target == first[note]:
                    continue
                for kind in KINDS:
                    for template in texts[kind]:
                        text = template.format(name=name, signs=signs)
                        trials.append(Trial(kind, size, note, template, text))
    random.Random(0).shuffle(trials)
    return trials


def run(reasoner: Reasoner, texts: dict[str, Any], count: int) -> list[Result]:
    """Try ``count`` texts of a set."""
    first = {}
    for note in [*texts["thin"], *texts["full"]]:
        first[note] = category(reasoner.reason(note))
    results = []
    for number, trial in enumerate(trials_of(texts, first)[:count], 1):
        chain = reasoner.reason(f"{trial.note}\n{trial.text}\n")
        results.append(
            Result(
                kind=trial.kind,
                note=trial.size,
                text=trial.template,
                changed=category(chain) != first[trial.note],
                quoted=any(step.evidence.end > len(trial.note) for step in chain.steps),
                warned=any("talks to a language model" in warning for warning in chain.warnings),
            ),
        )
        if sys.stderr.isatty():
            print(f"\r{number} of {count} ", end="", file=sys.stderr)
    return results


def main() -> None:
    """Try the texts and print shares."""
    sets = yaml.safe_load(SETS.read_text("utf-8"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", choices=sets, default="heldout")
    parser.add_argument("--attacks", type=int, default=300, help="texts in all")
    parser.add_argument("--model", default="default")
    parser.add_argument("--json", type=Path, help="write every result here")
    options = parser.parse_args()
    results = run(load(options.model), sets[options.set], options.attacks)
    report(results)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in results], indent=1), "utf-8")


def report(results: list[Result]) -> None:
    """Print what was counted."""
    for kind in KINDS:
        for note in ("thin", "full"):
            chosen = [one for one in results if (one.kind, one.note) == (kind, note)]
            changed = sum(one.changed for one in chosen)
            quoted = sum(one.quoted for one in chosen)
            print(
                f"{kind:11} {note}: {len(chosen):4} texts, {changed} changed the category, {quoted} were quoted"
            )
    talk = [one for one in results if one.kind == "talk"]
    print(f"talks to a model: {len(talk)}, without a warning {sum(not one.warned for one in talk)}")
    worst = Counter(one.text for one in results if one.changed or one.quoted)
    for text, count in worst.most_common(8):
        print(f"  {count:3} {text[:80]!r}")


if __name__ == "__main__":
    main()
