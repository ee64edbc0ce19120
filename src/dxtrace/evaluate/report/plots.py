"""Plots as SVG and HTML bars that need no library, scale with the page and say in words what they
show.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dxtrace.evaluate.content import ConfidenceData

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 330, 270, 44, 40


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as a percentage, or a dash."""
    if value is None:
        return "–"
    return f"{100 * value:.{digits}f} %"


def bar(
    value: float | None,
    interval: tuple[float | None, float | None],
    second: bool = False,
) -> str:
    """Return a horizontal bar for a share of 0 to 1, with its interval as a line across."""
    if value is None:
        return ""
    low, high = interval
    line = ""
    if low is not None and high is not None:
        line = f'<u style="left:{100 * low:.1f}%;width:{max(100 * (high - low), 0.5):.1f}%"></u>'
    if second:
        kind = "bar two"
    else:
        kind = "bar"
    return f'<div class="{kind}" aria-hidden="true"><i style="width:{100 * value:.1f}%"></i>{line}</div>'


def stack(counts: Sequence[int], classes: Sequence[str]) -> str:
    """Return one bar divided in proportion to the counts."""
    total = sum(counts) or 1
    parts = zip(counts, classes, strict=True)
    inner = "".join(
        f'<i class="{name}" style="width:{100 * count / total:.2f}%"></i>' for count, name in parts
    )
    return f'<div class="stack" aria-hidden="true">{inner}</div>'


def reliability_diagram(name: str, confidence: ConfidenceData) -> str:
    """Return the reliability diagram of a system: share right against stated confidence, a dot's
    area by its cases.
    """
    bins = confidence["bins"]
    most = max(one["n"] for one in bins)
    dots = "".join(
        f'<circle class="dot" cx="{_x(one["confidence"]):.1f}" cy="{_y(one["right"]):.1f}" '
        f'r="{3 + 7 * (one["n"] / most) ** 0.5:.1f}"/>'
        for one in bins
    )
    said = "; ".join(
        f"stated {percent(b['confidence'], 0)}, right {percent(b['right'], 0)} (n={b['n']})"
        for b in bins
    )
    alt = f"Reliability diagram of {name}. {said}."
    ideal = f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>'
    return _figure(
        alt,
        ideal + dots,
        "stated probability",
        "share right",
        "Dots on the dashed line: stated as it is.",
    )


def abstention_plot(name: str, confidence: ConfidenceData) -> str:
    """Return accuracy against the share of cases answered when the least confident answers are
    withheld.
    """
    curve = confidence["curve"]
    points = " ".join(f"{_x(coverage):.1f},{_y(accuracy):.1f}" for coverage, accuracy in curve)
    at = {}
    for share in (0.25, 0.5, 0.75, 1.0):
        at[share] = min(curve, key=lambda point: abs(point[0] - share))
    said = "; ".join(f"{percent(c, 0)} answered: {percent(a, 0)} right" for c, a in at.values())
    body = f'<polyline class="line" points="{points}"/>'
    if len(curve) == 1:
        body += f'<circle class="dot" cx="{_x(curve[0][0]):.1f}" cy="{_y(curve[0][1]):.1f}" r="4"/>'
    alt = f"Abstention curve of {name}. {said}."
    return _figure(
        alt,
        body,
        "share of cases answered",
        "share right",
        "Answering only where the system is surest.",
    )


def curve_plot(
    alt: str,
    points: Sequence[tuple[float, float]],
    labels: tuple[str, str],
    caption: str,
    *,
    chance: bool = False,
    bounds: Sequence[tuple[float | None, float | None]] = (),
) -> str:
    """Return one curve of shares.

    Args:
        alt: says in words what it shows.
        points: (x, y), each from 0 to 1, in the order in which they are joined.
        labels: of the two axes.
        caption: how to read it.
        chance: draw the diagonal.
        bounds: the interval of y at each point, drawn as a line; empty for none.
    """
    joined = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    body = f'<polyline class="line" points="{joined}"/>'
    if chance:
        body += f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>'
    for (x, y), (low, high) in zip(points, bounds, strict=False):
        body += f'<circle class="dot" cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="3"/>'
        if low is not None and high is not None:
            ends = f'y1="{_y(low):.1f}" y2="{_y(high):.1f}"'
            body += f'<line class="axis" x1="{_x(x):.1f}" x2="{_x(x):.1f}" {ends}/>'
    return _figure(alt, body, labels[0], labels[1], caption)


def _x(value: float) -> float:
    return _LEFT + value * (_WIDTH - _LEFT - 12)


def _y(value: float) -> float:
    return 10 + (1 - value) * (_HEIGHT - _BOTTOM - 10)


def _figure(alt: str, body: str, x_label: str, y_label: str, caption: str) -> str:
    ticks = "".join(
        f'<line class="axis" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(t):.1f}" y2="{_y(t):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{_y(t) + 4:.1f}" text-anchor="end">{100 * t:.0f}</text>'
        f'<text x="{_x(t):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{100 * t:.0f}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    labels = (
        f'<text x="{_x(0.5):.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)} (%)</text>'
        f'<text transform="translate(11,{_y(0.5):.0f}) rotate(-90)" text-anchor="middle">{escape(y_label)} (%)</text>'
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(alt, quote=True)}">'
        f"<title>{escape(alt)}</title>{ticks}{labels}{body}</svg><figcaption>{escape(caption)}</figcaption></figure>"
    )
