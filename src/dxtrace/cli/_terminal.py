"""A chain on a terminal: the note with numbered highlights beside the steps."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dxtrace.chain import DISCLAIMER, Chain, Contradiction, Differential, Ranked, Span, Step
from dxtrace.cli._progress import UNBROKEN

#: Colours of the evidence of step 1, 2, ...; the number is shown as well.
_COLOURS = (
    "cyan",
    "green",
    "yellow",
    "magenta",
    "blue",
    "bright_cyan",
    "bright_green",
    "bright_yellow",
    "bright_magenta",
)
#: Colour of what speaks against a diagnosis; its letters are shown as well.
_AGAINST = "red"
#: Width of a bar that stands for a probability of 1, in columns.
_BAR = 14
#: Below this width, in columns, steps stand under the note.
_SIDE_BY_SIDE = 96


def clean(text: str) -> str:
    """Return ``text`` without control characters that a terminal would obey."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


def show(console: Console, chain: Chain, top: int) -> None:
    """Print a chain: diagnosis, differential, the note beside the steps, warnings."""
    console.print(heading(chain))
    console.print(Padding(differential_table(chain.differential, top), (0, 0, 1, 2), expand=False))
    note, reasons = _note(chain), Group(*_reasons(chain))
    if _SIDE_BY_SIDE <= console.width < UNBROKEN:
        grid = Table.grid(expand=True, padding=(0, 3, 0, 0))
        grid.add_column(ratio=11)
        grid.add_column(ratio=10)
        grid.add_row(note, reasons)
        console.print(grid)
    else:
        console.print(note)
        console.print()
        console.print(reasons)
    for warning in chain.warnings:
        console.print(Text(f"Warning: {clean(warning)}", style="yellow"))
    console.print(Text(f"\n{DISCLAIMER}", style="dim"))


def heading(chain: Chain) -> Text:
    """Return the lines that say the diagnosis and the path to it, or why none is named."""
    line = Text("FINAL DIAGNOSIS: ", style="bold")
    line.append(clean(chain.headline), style="bold reverse" if chain.diagnosis else "bold yellow")
    line.append(f"   {clean(' > '.join(chain.path))}", style="dim")
    for explanation in _explanations(chain):
        line.append(f"\n{explanation}")
    return line


def _explanations(chain: Chain) -> Iterator[str]:
    """Yield the sentences under a headline that names no diagnosis, or none of its types."""
    if chain.status == "type_open":
        if chain.diagnosis:
            yield "Its type is not stated in this note."
        if chain.undecided:
            yield "What would decide it:"
        for premise in chain.undecided:
            yield f"  - {clean(premise)}"
    elif chain.status == "not_supported":
        yield "Nothing in the note bears out the most probable diagnosis."
    elif chain.status == "out_of_scope" and chain.out_of_scope is not None:
        yield f"Probability that none of them fits: {chain.out_of_scope:.0%}."
    if not chain.path and chain.differential.entries:
        yield "Nearest candidates, none of them an answer:"


def differential_table(differential: Differential, top: int) -> Table:
    """Return the ``top`` most probable diagnoses with bars and, where known, the two opinions
    behind each.
    """
    entries = differential.entries[:top]
    opinions = any(entry.model is not None or entry.findings is not None for entry in entries)
    table = Table.grid(padding=(0, 2, 0, 0))
    if opinions:
        heads = ("", "", "", "", "model", "findings")
        table.add_row(*(Text(head, style="dim", justify="right") for head in heads))
    for entry in entries:
        bar = "\u2588" * round(_BAR * entry.probability) or "\u258f"
        cells = [
            Text(f"{entry.probability:6.1%}"),
            Text(bar, style="cyan"),
            Text(clean(entry.diagnosis)),
            Text(clean(entry.category), style="dim"),
        ]
        table.add_row(*cells, *(_opinions(entry) if opinions else ()))
    return table


def _opinions(entry: Ranked) -> Iterator[Text]:
    for share in (entry.model, entry.findings):
        if share is None:
            text = "\u2013"
        else:
            text = f"{share:.1%}"
        yield Text(text, style="dim", justify="right")


def _reasons(chain: Chain) -> Iterator[Text]:
    """Yield the steps, then what speaks against a diagnosis."""
    for number, step in enumerate(chain.steps, 1):
        yield step_text(number, step)
    if chain.contradictions:
        yield Text("Evidence against", style="bold")
    for number, item in enumerate(chain.contradictions):
        yield contradiction_text(_letter(number), item)


def step_text(number: int, step: Step) -> Text:
    """Return one step: number, node, rationale, evidence, any doubt, and the source of its premise."""
    colour = _COLOURS[(number - 1) % len(_COLOURS)]
    text = Text(f"{number:>2} ", style=f"bold {colour}")
    text.append(f"[{clean(step.supports)}] ", style="dim")
    text.append(clean(step.rationale))
    text.append(_quote(step.evidence, colour))
    if step.doubtful:
        text.append(f"\n   doubtful: states it with {step.probability:.0%}", style="yellow")
    if step.premise:
        text.append(f"\n   {clean(step.premise.source)}", style="dim italic")
    return text.append("\n")


def contradiction_text(letter: str, item: Contradiction) -> Text:
    """Return one contradiction: letter, the diagnoses that it speaks against, why, evidence,
    source.
    """
    text = Text(f"{letter:>2} ", style=f"bold {_AGAINST}")
    if item.strength == "veto":
        verb = "rules out"
    else:
        verb = "speaks against"
    text.append(f"[{verb} {clean(', '.join(item.against))}] ", style="dim")
    text.append(clean(item.rationale))
    text.append(_quote(item.evidence, _AGAINST))
    return text.append(f"\n   {clean(item.premise.source)}", style="dim italic").append("\n")


def _quote(evidence: Span, colour: str) -> Text:
    text = Text(f"\n   \u201c{clean(' '.join(evidence.text.split()))}\u201d", style=colour)
    return text.append(f" ({clean(evidence.section.replace('_', ' '))})", style="dim")


def _letter(number: int) -> str:
    """Return "a" for 0, "b" for 1 ... and "z" for all beyond."""
    return chr(ord("a") + min(number, 25))


def _note(chain: Chain) -> Text:
    """Return the note with each evidence underlined, coloured and numbered, what speaks against
    lettered.
    """
    marks = []
    for n, step in enumerate(chain.steps, 1):
        marks.append(
            (step.evidence.start, step.evidence.end, str(n), _COLOURS[(n - 1) % len(_COLOURS)])
        )
    marks += [
        (item.evidence.start, item.evidence.end, _letter(n), _AGAINST)
        for n, item in enumerate(chain.contradictions)
    ]
    text, position = Text(), 0
    for start, end, label, colour in sorted(marks):
        if start < position:
            continue
        text.append(clean(chain.note[position:start]))
        text.append(f"[{label}]", style=f"bold {colour}")
        text.append(clean(chain.note[start:end]), style=f"underline {colour}")
        position = end
    return text.append(clean(chain.note[position:]))
