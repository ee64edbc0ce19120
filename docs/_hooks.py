"""What mkdocs cannot read by itself: the help of every command, and the keys of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.structure.files import File, Files

from dxtrace.cli import app
from dxtrace.train import recipe

#: Columns of a printed help.
WIDTH = 96


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    pages = {"reference/cli.md": cli_page(), "reference/recipe-keys.md": recipe_page()}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Turn the roles of docstrings (``:mod:`` and its like) into plain code."""
    return re.sub(r":(?:attr|class|data|func|meth|mod):<code>~?", "<code>", html)


def cli_page() -> str:
    """Return the help of every command as a page."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="dxtrace", **root.context_settings)
    parts = ["# Command line", "What `-h` prints, of every command.", block(root, context)]
    for path, command, inner in commands(root, context):
        parts += [f"## {path}", block(command, inner)]
    return "\n\n".join(parts)


def commands(group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, command and context of every command below a group."""
    for name, command in getattr(group, "commands", {}).items():
        inner = typer.Context(command, info_name=name, parent=context)
        yield inner.command_path.removeprefix("dxtrace "), command, inner
        yield from commands(command, inner)


def block(command: Any, context: Any) -> str:
    """Return the help of a command as a block of text."""
    context.terminal_width = WIDTH
    return f"```text\n{command.get_help(context)}\n```"


def recipe_page() -> str:
    """Return the keys of a recipe as a page."""
    parts = [
        "# Recipe keys",
        "A recipe is a YAML file; `dxtrace train` reads one by name or by path. "
        "`--set KEY=VALUE` changes a key and may be repeated; the part before the point may be "
        "left out where no other part has a key of that name.",
    ]
    for name, model in recipe.parts().items():
        parts += [f"## {name}", (model.__doc__ or "").replace("``", "`"), table(name)]
    return "\n\n".join(parts)


def table(part: str) -> str:
    """Return the keys of one part of a recipe as a table."""
    rows = ["| key | default | what it decides |", "|---|---|---|"]
    for key in recipe.recipe_keys():
        if key.name.startswith(f"{part}."):
            rows.append(f"| `{key.name}` | `{key.default}` | {key.about} |")
    return "\n".join(rows)
