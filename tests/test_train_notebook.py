"""The notebook runs from top to bottom on the smallest settings."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.training import environment

pytest.importorskip("trl", reason="needs the extra 'train'")
#: Stands for what a notebook has and a script has not.
SHOWN = "import sys, types; shown = types.ModuleType('shown'); shown.Image = str; sys.modules['IPython.display'] = shown"

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "train_on_a_t4.ipynb"


def cells() -> list[str]:
    """Return the notebook's code, cell by cell, without the installation."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in code if not cell.startswith("%")]


@pytest.mark.slow
def test_the_notebook_runs(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text("\n".join([SHOWN, *cells()]), "utf-8")
    settings = "epochs=1 optimiser.steps=1 batch=1 accumulation=1 data.limit=4 run.eval_cases=1 run.generate=0"
    env = environment() | {
        "RECIPE": "smollm2-135m-cpu",
        "CASES": "20",
        "SETTINGS": settings,
        "MEASURED": "2",
    }
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "said:" in done.stdout
    assert (tmp_path / "run/loss.png").is_file()
    assert "cases of" in (tmp_path / "run/adapter/README.md").read_text("utf-8")


def test_the_notebook_holds_no_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert all(not cell.get("outputs") for cell in notebook["cells"])


def test_the_first_cell_installs_from_the_repository() -> None:
    """There is no release yet; a line that names one fails for every reader."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code[0] == f'%pip install --quiet "dxtrace[train,evaluate] @ git+{repository()}"'


def repository() -> str:
    """Return the address that the project gives of itself."""
    with (NOTEBOOK.parents[1] / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["urls"]["Repository"])
