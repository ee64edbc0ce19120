"""The help of the command line: plain text that can be piped, commands under headings."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

#: Given to the root command; commands below it inherit the names of the help option.
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

#: The headings, in the order in which a user meets them.
HEADINGS = ("Answer", "See", "Corpus", "Train", "Evaluate", "Models")

#: The longest one-line help of a command, in characters; a test holds it.
SHORT = 45


class GroupedHelp(TyperGroup):
    """A group that lists its commands under the headings named by their ``rich_help_panel``."""

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """Write one section for each heading, all with the same width of names."""
        width = max(map(len, self.commands))
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS}
        for name, command in self.commands.items():
            row = (name.ljust(width), command.get_short_help_str(SHORT))
            sections[str(command.rich_help_panel)].append(row)  # type: ignore[attr-defined]
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
