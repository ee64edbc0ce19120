"""The notebook runs from top to bottom on the smallest settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.training import environment

from dxtrace.provenance import CorpusInfo, Provenance, sha256_of
from dxtrace.train import read_metrics

pytest.importorskip("trl", reason="needs the extra 'train'")
#: Stands for what a notebook has and a script has not.
SHOWN = "import sys, types; shown = types.ModuleType('shown'); shown.Image = str; sys.modules['IPython.display'] = shown"

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "train_on_a_t4.ipynb"


def cells() -> list[str]:
    """Return the notebook's code, cell by cell, without the installation."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in code if not cell.startswith("%")]


#: What a disconnect leaves of a run of two steps: a checkpoint of the first.
DISCONNECT = """
import shutil
(RUN / "outcome.json").unlink()
shutil.rmtree(RUN / "checkpoints/checkpoint-2")
shutil.rmtree(RUN / "adapter")
"""


@pytest.mark.slow
def test_the_notebook_runs_goes_on_after_a_disconnect_and_may_run_twice(
    home: Path,
    tmp_path: Path,
) -> None:
    script = tmp_path / "notebook.py"
    script.write_text("\n".join([SHOWN, *cells(), DISCONNECT, *cells()]), "utf-8")
    settings = (
        "epochs=1 optimiser.steps=2 batch=1 accumulation=1 data.limit=4 run.eval_cases=1 "
        "run.generate=0 run.save_every=1 run.log_every=1"
    )
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
    assert "going on from step 1" in done.stdout + done.stderr
    answers = [line for line in done.stdout.splitlines() if line.startswith("said:")]
    assert len(answers) == 2 and answers[0] == answers[1]
    assert done.stdout.count("may be shared: adapter_model.safetensors") == 2
    assert [row["step"] for row in read_metrics(tmp_path / "run") if "loss" in row] == [1, 2]
    assert (tmp_path / "run/loss.png").is_file()
    assert "cases of" in (tmp_path / "run/adapter/README.md").read_text("utf-8")


def cell(words: str) -> str:
    """Return the one cell that holds these words."""
    (found,) = [one for one in cells() if words in one]
    return found


@pytest.mark.parametrize(
    ("recipe", "key", "asked"),
    [
        ("llama-3.2-3b-t4", None, True),
        ("llama-3.2-3b-t4", "hf_a_key", False),
        ("smollm2-135m-gpu", None, False),
    ],
)
def test_who_is_not_signed_in_is_asked_where_the_base_is_gated(
    recipe: str,
    key: str | None,
    asked: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub

    calls: list[bool] = []
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: key)
    monkeypatch.setattr(huggingface_hub, "notebook_login", lambda: calls.append(True))
    exec(cell("notebook_login"), {"RECIPE": recipe, "SETTINGS": [], "Path": Path})
    assert bool(calls) == asked


def test_what_may_not_be_shared_is_not_and_the_cell_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from dxtrace import train

    shared: list[tuple[Path, str, bool]] = []
    monkeypatch.setenv("PUBLISH", "me/x")
    monkeypatch.setattr(
        train, "publish", lambda run, to, private: shared.append((run, to, private))
    )
    for name in ("adapter_config.json", "adapter_model.safetensors", "README.md"):
        (tmp_path / name).write_text("{}")
    for credentialed in (True, False):
        info = CorpusInfo("a corpus", "a", "0" * 64, "open", credentialed)
        weights = sha256_of(tmp_path / "adapter_model.safetensors")
        made = Provenance((info,), base_model="smollm2-135m", weights_sha256=weights)
        (tmp_path / "provenance.json").write_text(json.dumps(made.to_json()))
        exec(cell("check_publishable"), {"RUN": tmp_path, "os": os})
        assert ("PhysioNet" in capsys.readouterr().out) == credentialed
    assert shared == [(tmp_path, "me/x", True)]


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
