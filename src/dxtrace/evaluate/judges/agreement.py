"""How far judges agree: with each other, with labelled pairs, or with a human's file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dxtrace.errors import InputError
from dxtrace.evaluate.judges.base import Judge, Pair, Statement
from dxtrace.files import Line, read_jsonl

_RESAMPLES = 2000


@dataclass(frozen=True)
class LabelledPair:
    """Two statements, whether a human calls them the same (None if nobody did), and what kind of pair it is."""

    one: str
    other: str
    same: bool | None = None
    kind: str = ""


@dataclass(frozen=True)
class Agreement:
    """Agreement of two sides on the same pairs.

    ``interval`` holds kappa with 95 % confidence. ``confusion`` counts (first, second) as yes-yes,
    yes-no, no-yes, no-no. ``balanced`` is the balanced accuracy of the second side if the first is
    the truth. ``by_kind`` is the share that the second side calls the same, with n.
    """

    first: str
    second: str
    n: int
    kappa: float | None
    interval: tuple[float, float] | None
    confusion: tuple[int, int, int, int]
    balanced: float | None
    by_kind: dict[str, tuple[float, int]]
    examples: tuple[LabelledPair, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)


def read_pairs(path: str | Path) -> list[LabelledPair]:
    """Read labelled pairs: JSONL with ``one``, ``other`` and, where known, ``same`` (true or false) and ``kind``.

    Raises:
        InputError: the file cannot be read, or a line has another shape; names it.
    """
    path = Path(path)
    pairs = []
    for line in read_jsonl(path):
        pairs.append(_read_pair(line))
    if not pairs:
        raise InputError(f"{path}: holds no pair")
    return pairs


def _read_pair(line: Line) -> LabelledPair:
    row = line.parse()
    place = line.place
    try:
        pair = LabelledPair(row["one"], row["other"], row.get("same"), str(row.get("kind", "")))
    except (KeyError, TypeError, AttributeError):
        raise InputError(f'{place}: expected an object with "one", "other" and "same"') from None
    if (
        not isinstance(pair.one, str)
        or not isinstance(pair.other, str)
        or not isinstance(pair.same, bool | None)
    ):
        raise InputError(f'{place}: "one" and "other" are texts, "same" is true or false')
    return pair


def ask(judge: Judge, pairs: Sequence[LabelledPair]) -> list[bool]:
    """Return the judge's verdict on each pair."""
    verdicts = judge.judge([Pair(Statement(pair.one), Statement(pair.other)) for pair in pairs])
    answers = []
    for verdict in verdicts:
        answers.append(verdict.same)
    return answers


def agree(
    pairs: Sequence[LabelledPair],
    first: Sequence[bool],
    second: Sequence[bool],
    names: tuple[str, str],
    examples: int = 10,
) -> Agreement:
    """Compare two sides' verdicts on the same pairs. ``examples`` disagreements are kept, spread over the kinds.

    Cohen's kappa (Cohen 1960): agreement beyond what the two shares of yes would give by chance; None if both are
    constant.
    """
    cells = list(zip(first, second, strict=True))
    confusion = tuple(
        cells.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False))
    )
    kinds = dict.fromkeys(pair.kind for pair in pairs)
    by_kind = {}
    for kind in kinds:
        by_kind[kind] = [
            said for pair, said in zip(pairs, second, strict=True) if pair.kind == kind
        ]
    unlike = []
    for pair, (a, b) in zip(pairs, cells, strict=True):
        if a != b:
            unlike.append(pair)
    if examples:
        step = max(1, len(unlike) // examples)
    else:
        step = 1
    yy, yn, ny, nn = confusion
    return Agreement(
        first=names[0],
        second=names[1],
        n=len(cells),
        kappa=_kappa(yy, yn, ny, nn),
        interval=_interval((yy, yn, ny, nn)),
        confusion=(yy, yn, ny, nn),
        balanced=(yy / (yy + yn) + nn / (ny + nn)) / 2 if yy + yn and ny + nn else None,
        by_kind={kind: (sum(said) / len(said), len(said)) for kind, said in by_kind.items()},
        examples=tuple(unlike[::step][:examples]),
    )


def _kappa(yy: int, yn: int, ny: int, nn: int) -> float | None:
    n = yy + yn + ny + nn
    if n == 0:
        return None
    chance = ((yy + yn) * (yy + ny) + (ny + nn) * (yn + nn)) / n**2
    if chance < 1:
        return ((yy + nn) / n - chance) / (1 - chance)
    return None


def _interval(confusion: tuple[int, int, int, int]) -> tuple[float, float] | None:
    """Return the 95 % interval of kappa by the percentile bootstrap (Efron 1979) over pairs.

    Pairs drawn with replacement have counts of a multinomial distribution. None where kappa is.
    """
    counts = np.array(confusion)
    if _kappa(*confusion) is None:
        return None
    draws = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), _RESAMPLES)
    found = []
    for yy, yn, ny, nn in draws.tolist():
        kappa = _kappa(yy, yn, ny, nn)
        if kappa is not None:
            found.append(kappa)
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)
