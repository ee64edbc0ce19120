"""The shape of the project: one direction of imports, small files, code with air in it, documented
names, no one machine.
"""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "dxtrace").rglob("*.py"))
EVERYTHING = (
    SOURCES + sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))
)

#: What the light core may import: nothing here may come in with `dxtrace reason` on the embedded
#: model.
HEAVY = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "datasets",
    "sklearn",
    "scipy",
    "matplotlib",
    "statsmodels",
    "fastapi",
)

#: On average over the package. Names, operators, brackets and strings are tokens.
MOST_TOKENS_A_LINE = 8.0

#: In a thousand lines of the package. A comprehension with a filter or a computed element, and a
#: branch that gives a value, are read faster as statements.
MOST_COMPREHENSIONS = 14
MOST_CONDITIONAL_EXPRESSIONS = 8

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / file for file in listed.stdout.split("\0") if file and (ROOT / file).is_file()]


def test_imports_run_in_one_direction() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("path", EVERYTHING, ids=name)
def test_files_are_small(path: Path) -> None:
    assert path.read_text("utf-8").count("\n") <= 500, "a file has at most 500 lines"


def docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, DOCUMENTED) or ast.get_docstring(node) is None:
            continue
        docstring = node.body[0]
        lines |= set(range(docstring.lineno, docstring.end_lineno + 1))
    return lines


def code_size(path: Path) -> tuple[int, int]:
    """Return the tokens and the lines of a file's code: no docstring, comment or empty line."""
    text = path.read_text("utf-8")
    docstrings = docstring_lines(ast.parse(text))
    tokens = 0
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        first, last = token.start[0], token.end[0]
        if token.type in NO_CODE or first in docstrings:
            continue
        tokens += 1
        lines |= set(range(first, last + 1))
    return tokens, len(lines)


def test_code_has_air_in_it() -> None:
    """A cap on the lines of a function is met by packing them; a cap on tokens a line is not."""
    sizes = [code_size(path) for path in SOURCES]
    tokens = sum(count for count, _ in sizes)
    lines = sum(count for _, count in sizes)
    assert tokens / lines <= MOST_TOKENS_A_LINE


def test_expressions_do_not_hide_statements() -> None:
    lines = 0
    comprehensions = 0
    conditionals = 0
    for path in SOURCES:
        text = path.read_text("utf-8")
        lines += text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
                comprehensions += 1
            elif isinstance(node, ast.IfExp):
                conditionals += 1
    assert comprehensions <= MOST_COMPREHENSIONS * lines / 1000
    assert conditionals <= MOST_CONDITIONAL_EXPRESSIONS * lines / 1000


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_conditional_expression_stands_in_another(path: Path) -> None:
    nested = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.IfExp):
            continue
        if any(isinstance(part, ast.IfExp) for part in (node.test, node.body, node.orelse)):
            nested.append(f"line {node.lineno}")
    assert not nested


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_public_names_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    missing = [] if ast.get_docstring(tree) or path.stat().st_size == 0 else ["the module"]
    private = any(
        part.startswith("_") and not part.startswith("__") for part in path.with_suffix("").parts
    )
    owners = [(tree, "")] + [
        (node, f"{node.name}.") for node in tree.body if isinstance(node, ast.ClassDef)
    ]
    for owner, prefix in owners:
        for node in owner.body:
            if (
                not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                or private
            ):
                continue
            if (
                not node.name.startswith("_")
                and not prefix.startswith("_")
                and not ast.get_docstring(node)
            ):
                missing.append(prefix + node.name)
    assert not missing


def test_no_file_names_a_place_of_one_machine() -> None:
    place = re.compile(r"(?<![\w/.])/(?:home/(?!user/)|root/|work/|Users/|tmp/|opt/|mnt/)[\w.]+/")
    found = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {match[0]}" for match in place.finditer(text)]
    assert not found


def test_the_core_imports_nothing_heavy() -> None:
    code = "import sys, dxtrace.cli, dxtrace.answering.reasoner, dxtrace.corpus.answer_cases, dxtrace.models.opening, dxtrace.engines.llamacpp\n"
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_import_of_the_core_is_a_declared_dependency() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    declared = {
        re.split(r"[^\w-]", requirement)[0].lower() for requirement in project["dependencies"]
    }
    declared = {"yaml" if item == "pyyaml" else item for item in declared}
    core = [
        ROOT / "src/dxtrace" / part
        for part in ("cli/__init__.py", "cli/answer.py", "cli/models.py", "cli/doctor.py")
    ]
    core += sorted((ROOT / "src/dxtrace").glob("*.py")) + sorted(
        (ROOT / "src/dxtrace/models").glob("*.py"),
    )
    undeclared = set()
    for path in core:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Import):
                imported = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported = {node.module.split(".")[0]}
            else:
                continue
            undeclared |= imported - declared - sys.stdlib_module_names - {"dxtrace"}
    assert not undeclared
