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

#: One use of each command, for the end of its help.
EXAMPLES = {
    "demo": "dxtrace demo",
    "reason": "dxtrace reason case.txt --format json",
    "batch": "dxtrace batch out/corpus:test --out answers.jsonl",
    "view": "dxtrace view answers.jsonl --out library.html",
    "serve": "dxtrace serve --port 8080",
    "corpus make": "dxtrace corpus make --size 200 --out out/corpus",
    "corpus audit": "dxtrace corpus audit direct:PATH --max-leaks 0.02",
    "corpus stats": "dxtrace corpus stats out/corpus:train",
    "corpus show": "dxtrace corpus show out/corpus case-0-000004",
    "corpus split": "dxtrace corpus split direct:PATH --out parts",
    "train": "dxtrace train smollm2-135m-cpu --data out/corpus --out runs/first --set data.limit=24",
    "calibrate": "dxtrace calibrate runs/first --count 60",
    "card": "dxtrace card runs/first --evaluation out/report/report.json",
    "publish": "dxtrace publish runs/first --to you/first --dry-run",
    "export": "dxtrace export runs/first --as gguf --quantisation Q8_0 --out first.gguf",
    "verify-export": "dxtrace verify-export runs/first --count 2",
    "evaluate": "dxtrace evaluate --predictions theirs=answers.jsonl --corpus out/corpus:test",
    "evaluate fit": "dxtrace evaluate fit --pairs pairs.jsonl --cases cases.jsonl",
    "evaluate traps": "dxtrace evaluate traps",
    "verify": "dxtrace verify answer.txt --note note.txt",
    "judge-agreement": "dxtrace judge-agreement pairs.jsonl --judge lexical --judge premise",
    "models list": "dxtrace models list",
    "models pull": "dxtrace models pull",
    "models path": "dxtrace models path smollm2-135m",
    "models remove": "dxtrace models remove smollm2-135m",
    "schema": "dxtrace schema > result.schema.json",
    "doctor": "dxtrace doctor",
}


def example(command: str) -> str:
    """Return the last line of a command's help."""
    return f"For example: {EXAMPLES[command]}"


class GroupedHelp(TyperGroup):
    """A group that lists its commands under the headings named by their ``rich_help_panel``."""

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """Write one section for each heading, all with the same width of names."""
        width = max(map(len, self.commands))
        sections: dict[str, list[tuple[str, str]]] = {}
        for heading in HEADINGS:
            sections[heading] = []
        for name, command in self.commands.items():
            row = (name.ljust(width), command.get_short_help_str(SHORT))
            sections[str(command.rich_help_panel)].append(row)  # type: ignore[attr-defined]
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
