"""``dxtrace train`` before anything is trained: recipes by name, runs that are there already."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import run

from dxtrace.models.opening import shipped_adapter
from dxtrace.train.recipe import load_recipe, recipe_keys, recipe_names, to_yaml

ADAPTER = shipped_adapter("smollm2-135m") or Path()


def begin(folder: Path, **outcome: object) -> Path:
    """Make the folder of a run, and how it ended if that is given."""
    folder.mkdir()
    recipe = load_recipe("smollm2-135m-cpu", ["data.limit=24", "optimiser.steps=4"])
    (folder / "recipe.yaml").write_text(to_yaml(recipe))
    if outcome:
        (folder / "outcome.json").write_text(json.dumps({"folder": "elsewhere"} | outcome))
    return folder


def ended(state: str) -> dict[str, object]:
    return {"state": state, "step": 4, "best_step": 4, "loss": 1.5, "dev_loss": None}


def test_recipes_are_listed_with_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "train", "list")
    assert code == 0
    for name in recipe_names():
        assert f"{name}\n    " in out


def test_a_recipe_is_shown_to_be_copied(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    code, out, _ = run(capsys, "train", "show", "smollm2-135m-cpu")
    assert code == 0
    copy = tmp_path / "mine.yaml"
    copy.write_text(out)
    assert load_recipe(copy) == load_recipe("smollm2-135m-cpu")


def test_every_key_is_told_with_its_default_and_what_it_decides(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "train", "keys")
    assert code == 0
    for key in recipe_keys():
        assert f"{key.name} = {key.default}\n    {key.about}\n" in out
        assert key.about
        if key.default != "needed":
            load_recipe("smollm2-135m-cpu", [f"{key.name}={key.default}"])


@pytest.mark.parametrize("arguments", [("nosuch",), ("show",), ("show", "nosuch")])
def test_an_unknown_recipe_is_told_which_there_are(
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    code, _, err = run(capsys, "train", *arguments)
    assert code == 2
    assert all(name in err for name in recipe_names())


@pytest.mark.parametrize("state", ["done", "stopped early"])
@pytest.mark.parametrize("recipe", ["RUN", "smollm2-135m-cpu"])
def test_a_finished_run_is_not_gone_on_with(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    state: str,
    recipe: str,
) -> None:
    pytest.importorskip("trl", reason="needs the extra 'train'")
    folder = begin(tmp_path / "run", **ended(state))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    named = str(folder) if recipe == "RUN" else recipe
    code, out, err = run(capsys, "train", named, "--out", folder, "--resume")
    assert code == 0
    assert f"{state} at step 4" in out
    assert "finished before" in err
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_run_is_not_gone_on_with_by_another_recipe(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    folder = begin(tmp_path / "run")
    code, _, err = run(capsys, "train", "smollm2-135m-gpu", "--out", folder, "--resume")
    assert code == 2
    assert "smollm2-135m-cpu" in err


def test_only_what_was_changed_is_named(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    pytest.importorskip("trl", reason="needs the extra 'train'")
    folder = begin(tmp_path / "run", **ended("done"))
    changed = ("--set", "learning_rate=1e-5")
    code, _, err = run(capsys, "train", folder, "--resume", *changed)
    assert code == 2
    assert "another optimiser.learning_rate;" in err


def test_a_dry_run_of_publishing_names_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "publish", ADAPTER, "--to", "nobody/x", "--dry-run")
    assert code == 0
    assert "adapter_model.safetensors" in out
    assert "https://huggingface.co/nobody/x" in out
    assert run(capsys, "publish", ADAPTER, "--to", "nobody", "--dry-run")[0] == 2


@pytest.mark.parametrize("kind", ["httpx", "builtins"])
def test_a_hub_out_of_reach_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs the extra 'train'")
    error: type[Exception] = ConnectionError
    if kind == "httpx":
        error = pytest.importorskip("httpx").ConnectError

    def refuse(*_: object, **__: object) -> None:
        raise error("no route")

    monkeypatch.setattr(hub.HfApi, "create_repo", refuse)
    code, _, err = run(capsys, "publish", ADAPTER, "--to", "nobody/x")
    assert code == 1
    assert "cannot be reached" in err
    assert "internal error" not in err
