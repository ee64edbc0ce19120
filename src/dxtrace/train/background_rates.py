"""How often each finding is stated in notes on other illnesses: fitted on composed cases, stored with the recogniser.

``python -m dxtrace.train.background_rates`` writes ``findings/background_rates.json`` anew after the knowledge or the
patterns have changed. A normal examination is stated in half of all notes, whatever the illness: it says little.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from dxtrace.compose import Composer
from dxtrace.files import atomic_write
from dxtrace.findings import recogniser as recognition
from dxtrace.findings.recogniser import recogniser
from dxtrace.knowledge import slug

#: Cases that are composed, and their seed; no corpus of ours has it.
CASES, SEED = 2_000, 52_837

#: Rates below this are not stored: the chance that every finding has covers them.
LEAST = 0.005


def fit_background_rates(count: int = CASES) -> dict[str, float]:
    """Return, by premise id, the share of composed notes on other categories in which the finding is stated.

    Args:
        count: of cases.
    """
    composer = Composer(SEED)
    known = recogniser()
    stated: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for number in range(count):
        case = composer.case(number, hard=bool(number % 2))
        if case.gold is None:
            continue
        own = slug(case.gold.category)
        notes[own] += 1
        found = set()
        for statement in known.read(case.case).statements:
            found.add(statement.premise.id)
        stated.update(id for id in found if not id.startswith(f"{own}/"))
    total = sum(notes.values())
    rates = {}
    for id, times in stated.items():
        rates[id] = times / (total - notes[id.partition("/")[0]])
    rounded = {}
    for id, rate in sorted(rates.items()):
        if rate >= LEAST:
            rounded[id] = round(rate, 4)
    return rounded


def main() -> None:
    """Fit the rates and write them where the recogniser reads them."""
    file = Path(recognition.__file__).with_name("background_rates.json")
    rates = fit_background_rates()
    atomic_write(file, json.dumps(rates, indent=0) + "\n")


if __name__ == "__main__":
    main()
