"""Small pieces of HTML that the report is made of.

Text is escaped here, so that no caller forgets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Markup:
    """HTML that is ready: shown as it is. Every other text is escaped."""

    html: str


Cell = str | int | Markup


def shown(cell: Cell) -> str:
    """Return a cell's HTML."""
    if isinstance(cell, Markup):
        return cell.html
    return escape(str(cell))


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "") -> str:
    """Return a table that scrolls sideways on a narrow screen.

    Args:
        heads: the columns' titles; one that starts with "#" is a column of numbers. The first
            column names its row.
        rows: cells, as many as heads; a row of one cell is a heading over the rows after it.
        caption: a sentence above the table.
    """
    titles = "".join(
        f'<th scope="col"{_number(head)}>{escape(head.lstrip("#"))}</th>' for head in heads
    )
    body = "".join(_row(heads, row) for row in rows)
    if caption:
        said = paragraph(caption, "soft")
    else:
        said = ""
    content = f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody>"
    return f'{said}<div class="scroll"><table class="wide">{content}</table></div>'


def _row(heads: Sequence[str], row: Sequence[Cell]) -> str:
    if len(row) == 1:
        return f'<tr><th scope="colgroup" colspan="{len(heads)}">{shown(row[0])}</th></tr>'
    first, *rest = row
    cells = "".join(
        f"<td{_number(head)}>{shown(cell)}</td>" for head, cell in zip(heads[1:], rest, strict=True)
    )
    return f'<tr><td class="name">{shown(first)}</td>{cells}</tr>'


def _number(head: str) -> str:
    if head.startswith("#"):
        return ' class="n"'
    return ""


def small(above: str, below: str) -> Markup:
    """Return two lines, the second in small print; an empty one is left out."""
    if below:
        under = f"<br><small>{escape(below)}</small>"
    else:
        under = ""
    return Markup(escape(above) + under)


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; ``kind`` is its class."""
    return f"<p{f' class={kind!r}' if kind else ''}>{escape(text)}</p>"


def heading(text: str, level: int = 2) -> str:
    """Return a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def keys(entries: Iterable[tuple[str, str]]) -> str:
    """Return a legend: (CSS colour name, what it stands for)."""
    return "".join(
        f'<span class="key" style="background:var(--{color})"></span>{escape(text)}'
        for color, text in entries
    )
