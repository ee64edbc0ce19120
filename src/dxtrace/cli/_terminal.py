"""A chain on a terminal: the note with numbered highlights beside the steps."""

from __future__ import annotations

import re

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dxtrace.chain import DISCLAIMER, Chain, Differential, Step

#: Colours of the evidence of step 1, 2, ...; the number is shown as well.
_COLOURS = (
    "cyan",
    "green",
    "yellow",
    "magenta",
    "blue",
    "red",
    "bright_cyan",
    "bright_green",
    "bright_yellow",
    "bright_magenta",
)
#: Below this width, in columns, steps stand under the note.
_SIDE_BY_SIDE = 96


def clean(text: str) -> str:
    """Return ``text`` without control characters that a terminal would obey."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


def show(console: Console, chain: Chain, top: int) -> None:
    """Print a chain: diagnosis, differential, the note beside the steps, warnings."""
    console.print(heading(chain))
    console.print(Padding(differential_table(chain.differential, top), (0, 0, 1, 2)))
    note, steps = (
        _note(chain),
        Group(*(step_text(n, step) for n, step in enumerate(chain.steps, 1))),
    )
    if console.width >= _SIDE_BY_SIDE:
        grid = Table.grid(expand=True, padding=(0, 3, 0, 0))
        grid.add_column(ratio=11)
        grid.add_column(ratio=10)
        grid.add_row(note, steps)
        console.print(grid)
    else:
        console.print(note)
        console.print()
        console.print(steps)
    for warning in chain.warnings:
        console.print(Text(f"Warning: {warning}", style="yellow"))
    console.print(Text(f"\n{DISCLAIMER}", style="dim"))


def heading(chain: Chain) -> Text:
    """Return the line that says the diagnosis and the path to it."""
    line = Text("FINAL DIAGNOSIS: ", style="bold")
    line.append(chain.diagnosis, style="bold reverse")
    return line.append(f"   {' > '.join(chain.path)}", style="dim")


def differential_table(differential: Differential, top: int) -> Table:
    """Return the ``top`` most probable diagnoses with bars."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for entry in differential.entries[:top]:
        bar = "\u2588" * round(20 * entry.probability) or "\u258f"
        table.add_row(
            f"{entry.probability:6.1%}",
            Text(bar, style="cyan"),
            entry.diagnosis,
            Text(entry.category, style="dim"),
        )
    return table


def step_text(number: int, step: Step) -> Text:
    """Return one step: number, node, rationale, evidence and the source of its premise."""
    colour = _COLOURS[(number - 1) % len(_COLOURS)]
    text = Text(f"{number:>2} ", style=f"bold {colour}")
    text.append(f"[{step.supports}] ", style="dim")
    text.append(clean(step.rationale))
    text.append(f"\n   \u201c{clean(' '.join(step.evidence.text.split()))}\u201d", style=colour)
    text.append(f" ({step.evidence.section.replace('_', ' ')})", style="dim")
    if step.premise:
        text.append(f"\n   {step.premise.source}", style="dim italic")
    return text.append("\n")


def _note(chain: Chain) -> Text:
    """Return the note with each evidence underlined, coloured and numbered."""
    marks = sorted(
        (step.evidence.start, step.evidence.end, n) for n, step in enumerate(chain.steps, 1)
    )
    text, position = Text(), 0
    for start, end, number in marks:
        if start < position:
            continue
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        text.append(clean(chain.note[position:start]))
        text.append(f"[{number}]", style=f"bold {colour}")
        text.append(clean(chain.note[start:end]), style=f"underline {colour}")
        position = end
    return text.append(clean(chain.note[position:]))
