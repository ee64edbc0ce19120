"""Recipes, cards, sweeps and publishing: everything of training that loads no model."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dxtrace.chain import Chain, Span, Step
from dxtrace.errors import InputError, UnknownName
from dxtrace.provenance import CorpusInfo, Provenance, sha256_of
from dxtrace.train import check_publishable, load_recipe, recipe_names, write_card
from dxtrace.train.checkpoints import cut_metrics, is_whole, latest
from dxtrace.train.measured import Evaluation
from dxtrace.train.precision import Device, choose_precision
from dxtrace.train.recipe import Recipe, resolve, to_yaml
from dxtrace.train.sweep import parse_sweep

OPEN = Provenance(
    corpora=(CorpusInfo("teaching", "teaching-1", "ab", "Apache-2.0"),),
    base_model="owner/base",
    base_sha256="cd",
    seed=0,
)
CLOSED = Provenance(
    corpora=(CorpusInfo("direct", "direct-1", "ab", "PhysioNet", credentialed=True),),
)


def test_the_six_recipes_are_there_and_say_what_they_are_for() -> None:
    assert set(recipe_names()) >= {
        "card-llama-3.2-3b-t4",
        "llama-3.2-3b-t4",
        "llama-3.2-3b-16gb-lora",
        "smollm2-135m-cpu",
        "smollm2-135m-gpu",
        "llama-3.1-8b-multi-gpu",
    }
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert len(recipe.about) > 60


def test_the_cards_recipe_is_the_card() -> None:
    recipe = load_recipe("card-llama-3.2-3b-t4")
    assert recipe.base.model == "meta-llama/Llama-3.2-3B-Instruct"
    assert recipe.base.quantisation == "nf4"
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dropout) == (16, 32, 0.05)
    assert (recipe.optimiser.learning_rate, recipe.optimiser.epochs) == (3e-5, 3)
    assert (recipe.optimiser.batch, recipe.optimiser.accumulation, recipe.run.precision) == (
        1,
        8,
        "fp16",
    )


def test_a_change_may_leave_the_part_out_and_write_numbers_as_people_do() -> None:
    recipe = load_recipe(
        "smollm2-135m-cpu",
        ["learning_rate=5e-4", "lora.targets=[q_proj, v_proj]", "data.dev=null"],
    )
    assert recipe.optimiser.learning_rate == 5e-4
    assert recipe.lora.targets == ("q_proj", "v_proj")
    assert recipe.data.dev is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("learnin_rate=1", "did you mean 'learning_rate'"),
        ("optimiser.leaning_rate=1", "optimiser.learning_rate"),
        ("rank", "KEY=VALUE"),
        ("rank=sixteen", "lora.rank"),
        ("rank=0", "lora.rank"),
        ("precision=fp8", "run.precision"),
        ("rank=[", "not YAML"),
    ],
)
def test_a_wrong_change_says_where_and_what(change: str, says: str) -> None:
    with pytest.raises(InputError, match=r".") as caught:
        load_recipe("smollm2-135m-cpu", [change])
    assert says in str(caught.value)


def test_an_unknown_recipe_and_an_unknown_key_in_a_file_get_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="smollm2-135m-cpu"):
        load_recipe("smollm2-135m-cpus")
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nbase: {model: smollm2-135m}\noptimiser: {learningrate: 1}\n")
    with pytest.raises(UnknownName, match=r"mine\.yaml.*optimiser\.learning_rate"):
        load_recipe(file)
    file.write_text("name: [")
    with pytest.raises(InputError, match=r"mine\.yaml: not YAML"):
        load_recipe(file)


@given(
    st.builds(
        dict,
        learning_rate=st.floats(1e-8, 1),
        batch=st.integers(1, 64),
        beta2=st.floats(0.01, 0.99999),
        steps=st.none() | st.integers(1, 10**6),
    ),
)
def test_a_resolved_recipe_reads_back_the_same(optimiser: dict[str, object]) -> None:
    recipe = resolve({"name": "x", "base": {"model": "m"}, "optimiser": optimiser}, "here")
    assert resolve(yaml.safe_load(to_yaml(recipe)), "there") == recipe


def test_precision_follows_the_device_and_says_why() -> None:
    assert choose_precision("auto", Device("cuda", "Tesla T4", bf16=False)).name == "fp16"
    assert choose_precision("auto", Device("cuda", "A100", bf16=True)).name == "bf16"
    plain = choose_precision("auto", Device("cpu", "AVX2", bf16=False))
    assert plain.name == "fp32"
    assert "AMX" in plain.reason
    with pytest.raises(InputError, match="Tesla T4 has no bfloat16"):
        choose_precision("bf16", Device("cuda", "Tesla T4", bf16=False))


def test_sweeps_need_a_key_and_two_values() -> None:
    assert parse_sweep("learning_rate=5e-4, 1e-3") == ("learning_rate", ["5e-4", "1e-3"])
    for wrong in ("learning_rate", "learning_rate=1e-3", "=1,2"):
        with pytest.raises(InputError, match="a sweep is"):
            parse_sweep(wrong)


def _example() -> Chain:
    note = "Cough for 8 weeks, night sweats."
    step = Step(
        "Suspected Tuberculosis",
        "A long cough raises suspicion.",
        Span(note[:17], 0, 17, "chief_complaint"),
    )
    return Chain(
        "x",
        note,
        "Tuberculosis",
        "Tuberculosis",
        ("Suspected Tuberculosis", "Tuberculosis"),
        (step,),
    )


def _recipe() -> Recipe:
    return load_recipe("smollm2-135m-cpu")


def test_the_card_holds_what_people_look_for(tmp_path: Path) -> None:
    metrics = [{"step": 10, "loss": 2.0}, {"step": 20, "loss": 1.5, "dev_loss": 1.6}]
    text = write_card(
        tmp_path,
        _recipe(),
        OPEN,
        metrics,
        _example(),
        [Evaluation(measures={"category_accuracy": 0.87})],
    ).read_text("utf-8")
    header = yaml.safe_load(text.split("---")[1])
    assert header["library_name"] == "peft"
    assert header["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert header["license"] == "apache-2.0"
    assert header["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.87
    for needed in (
        "1.5000",
        "rank 16",
        "Not a medical device",
        "Cough for 8",
    ):
        assert needed in text


def test_no_example_of_credentialed_data_stands_in_a_card(tmp_path: Path) -> None:
    text = write_card(tmp_path, _recipe(), CLOSED, [], _example()).read_text("utf-8")
    assert "Cough for 8" not in text
    assert "PhysioNet" in text
    assert yaml.safe_load(text.split("---")[1])["license"] == "other"


def _adapter(folder: Path, provenance: Provenance | None) -> Path:
    for name in ("adapter_config.json", "adapter_model.safetensors", "README.md"):
        (folder / name).write_text("{}")
    if provenance:
        weights = sha256_of(folder / "adapter_model.safetensors")
        provenance = replace(provenance, weights_sha256=weights)
        (folder / "provenance.json").write_text(json.dumps(provenance.to_json()))
    return folder


def test_credentialed_adapters_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shared only on PhysioNet.*Agreement"):
        check_publishable(_adapter(tmp_path, CLOSED))


def test_an_adapter_without_provenance_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="provenance"):
        check_publishable(_adapter(tmp_path, None))


def test_an_open_adapter_would_be_published_without_what_else_lies_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("private")
    names = {file.name for file in check_publishable(_adapter(tmp_path, OPEN))}
    assert names == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "README.md",
        "provenance.json",
    }


def _checkpoint(folder: Path, step: int, whole: bool) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    save_file({"a": np.zeros(3, np.float32)}, path / "adapter_model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt"):
        with zipfile.ZipFile(path / name, "w") as archive:
            archive.writestr("data", "x" * 100)
    state = json.dumps({"global_step": step})
    (path / "trainer_state.json").write_text(state if whole else state[:5])
    return path


def test_a_half_written_checkpoint_is_passed_over_and_removed(tmp_path: Path) -> None:
    good, bad = _checkpoint(tmp_path, 8, True), _checkpoint(tmp_path, 10, False)
    assert is_whole(good)
    assert latest(tmp_path) == good
    assert not bad.exists()


@pytest.mark.parametrize("name", ["optimizer.pt", "adapter_model.safetensors"])
def test_a_checkpoint_with_half_a_file_is_passed_over(tmp_path: Path, name: str) -> None:
    good, bad = _checkpoint(tmp_path, 8, True), _checkpoint(tmp_path, 10, True)
    data = (bad / name).read_bytes()
    (bad / name).write_bytes(data[: len(data) - 9])
    assert latest(tmp_path) == good


def test_metrics_after_the_checkpoint_are_cut(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    cut_metrics(file, 2)
    assert file.read_text() == '{"step": 1}\n{"step": 2}\n'
