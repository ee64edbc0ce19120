"""The card of a run: what it was trained and measured on, and what was given to it later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from support.commands import run

from dxtrace.models.export import merged_card
from dxtrace.models.opening import shipped_adapter
from dxtrace.models.store import adapter_sha256
from dxtrace.provenance import CorpusInfo, Provenance
from dxtrace.train.card import Made, write_card
from dxtrace.train.recipe import load_recipe, to_yaml

TRAIN = CorpusInfo("teaching", "teaching-1", "ab", "Apache-2.0")
DEV = CorpusInfo("mine", "mine-1", "cd", "CC-BY-4.0")
OTHER = "0" * 64


def card(folder: Path, recipe: str, provenance: Provenance, made: Made | None = None) -> str:
    metrics = [{"step": 10, "loss": 2.0}]
    return write_card(folder, load_recipe(recipe), provenance, metrics, made=made).read_text()


def test_what_was_measured_on_is_not_called_trained_on(tmp_path: Path) -> None:
    made = Made(24, 4, DEV.id, "fp32", "a CPU")
    text = card(tmp_path, "smollm2-135m-cpu", Provenance((TRAIN, DEV)), made)
    assert f"Trained on: 24 cases of teaching (`{TRAIN.id}`, Apache-2.0). Measured" in text
    assert f"not trained on: 4 cases of mine (`{DEV.id}`" in text
    assert "| Precision | fp32 |" in text
    assert "| Device | a CPU |" in text
    assert "from dxtrace import load" in text


def test_the_public_losses_and_direct_stand_where_they_belong(tmp_path: Path) -> None:
    ours = card(tmp_path, "smollm2-135m-cpu", Provenance((TRAIN,)))
    assert "22.38" not in ours
    assert "2408.01933" not in ours
    theirs = card(tmp_path, "card-llama-3.2-3b-t4", Provenance((TRAIN,)))
    assert "22.38" in theirs
    assert "2408.01933" in theirs


def test_a_merged_model_is_not_called_an_adapter(tmp_path: Path) -> None:
    text = card(tmp_path, "smollm2-135m-cpu", Provenance((TRAIN,)))
    merged = merged_card(text, "transformers")
    assert yaml.safe_load(merged.split("---")[1])["library_name"] == "transformers"
    assert "--model model" in merged
    assert "--adapter" not in merged
    assert "library_name" not in yaml.safe_load(merged_card(text, None).split("---")[1])


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The folder of a run, as far as a card needs it."""
    shipped = shipped_adapter("smollm2-135m")
    assert shipped is not None
    shutil.copytree(shipped, tmp_path / "run" / "adapter")
    folder = tmp_path / "run"
    (folder / "recipe.yaml").write_text(to_yaml(load_recipe("smollm2-135m-cpu")))
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    return folder


def report(file: Path, adapter: str | None, value: float, corpus: CorpusInfo = DEV) -> Path:
    """Write what a report of an evaluation has of two systems."""
    systems = []
    for name, sha256 in (("baseline", None), ("ours", adapter)):
        summary = {"n": 7, "metrics": {"acc_diag": {"mean": value}}}
        model = {"name": name, "adapter_sha256": sha256}
        systems.append({"name": name, "model": model, "summary": summary})
    file.write_text(json.dumps({"systems": systems, "corpus": vars(corpus)}))
    return file


def test_evaluations_are_merged_and_the_later_on_one_corpus_stays(
    capsys: pytest.CaptureFixture[str],
    finished: Path,
    tmp_path: Path,
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'train'")
    sha256 = adapter_sha256(finished / "adapter")
    for value, corpus in ((0.25, DEV), (0.75, TRAIN), (0.5, DEV)):
        file = report(tmp_path / "report.json", sha256, value, corpus)
        code, _, err = run(capsys, "card", finished, "--evaluation", file)
        assert code == 0, err
    assert run(capsys, "card", finished)[0] == 0
    text = (finished / "adapter" / "README.md").read_text()
    assert "| acc diag | 0.7500 |" in text
    assert "| acc diag | 0.5000 |" in text
    assert "0.2500" not in text
    (model,) = yaml.safe_load(text.split("---")[1])["model-index"]
    assert [one["dataset"]["type"] for one in model["results"]] == [TRAIN.id, DEV.id]
    assert "On 7 cases of mine" in text


@pytest.mark.parametrize("content", ["other adapter", "{}", "[]", '{"credentialed": true}'])
def test_what_measures_something_else_is_refused(
    capsys: pytest.CaptureFixture[str],
    finished: Path,
    tmp_path: Path,
    content: str,
) -> None:
    before = (finished / "adapter" / "README.md").read_text()
    file = tmp_path / "report.json"
    if content == "other adapter":
        report(file, OTHER, 0.5)
    else:
        file.write_text(content)
    code, _, err = run(capsys, "card", finished, "--evaluation", file)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert (finished / "adapter" / "README.md").read_text() == before
