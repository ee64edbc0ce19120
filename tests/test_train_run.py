"""Training runs on a small random Llama: what is learnt, what is kept, what survives."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from support.training import changes, command, environment, losses, make_model, make_small_corpus

from dxtrace.corpus import read_teaching
from dxtrace.errors import InputError
from dxtrace.models.export import export_adapter
from dxtrace.models.loading import load
from dxtrace.notes.prompt import answer_segments, prompt_parts, readable
from dxtrace.train import load_recipe, prepare, recipe_names, train
from dxtrace.train.examples import Encoder, Report
from dxtrace.train.recipe import Data

pytest.importorskip("trl", reason="needs the extra 'train'")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of torch, transformers and PEFT, about each other
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # a shared machine can be slow
]

RECIPE = "smollm2-135m-cpu"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_corpus(tmp_path_factory.mktemp("train") / "corpus")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    return make_model(tmp_path_factory.mktemp("train") / "model", corpus)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, model: Path, corpus: Path) -> Path:
    out = tmp_path_factory.mktemp("train") / "run"
    recipe = load_recipe(RECIPE, changes(model, corpus, "precision=fp32"))
    assert train(prepare(recipe), out).state == "done"
    return out


def run(out: Path, model: Path, corpus: Path, *more: str) -> dict[int, float]:
    recipe = load_recipe(RECIPE, changes(model, corpus, "precision=fp32", *more))
    train(prepare(recipe), out)
    return losses(out)


def test_a_run_leaves_all_it_promises(finished: Path) -> None:
    for name in (
        "recipe.yaml",
        "split.json",
        "metrics.jsonl",
        "loss.png",
        "provenance.json",
        "environment.json",
        "tensorboard",
        "adapter/adapter_model.safetensors",
        "adapter/adapter_config.json",
        "adapter/README.md",
        "adapter/provenance.json",
    ):
        assert (finished / name).exists(), name
    config = json.loads((finished / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert "teaching" in (finished / "adapter/README.md").read_text()


def test_losses_are_those_of_a_token(finished: Path) -> None:
    first = losses(finished)[1]
    assert first == pytest.approx(math.log(2048), abs=0.3)


def test_losses_do_not_depend_on_how_a_step_is_cut(
    tmp_path: Path,
    model: Path,
    corpus: Path,
    finished: Path,
) -> None:
    whole = run(tmp_path / "whole", model, corpus, "batch=8", "accumulation=1")
    assert whole == pytest.approx(losses(finished), abs=1e-4)


def test_fused_layers_learn_the_same(
    tmp_path: Path,
    model: Path,
    corpus: Path,
    finished: Path,
) -> None:
    plain = run(tmp_path / "plain", model, corpus, "fast_kernels=false")
    assert plain == pytest.approx(losses(finished), abs=1e-4)


def test_adapters_are_32_bit_whatever_the_precision(
    tmp_path: Path,
    model: Path,
    corpus: Path,
) -> None:
    from safetensors.torch import load_file

    recipe = load_recipe(RECIPE, changes(model, corpus, "precision=bf16", "steps=2"))
    train(prepare(recipe), tmp_path / "run")
    tensors = load_file(tmp_path / "run/adapter/adapter_model.safetensors")
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"torch.float32"}
    assert all(tensor.any() for name, tensor in tensors.items() if "lora_B" in name)


def test_a_folder_with_a_run_is_not_overwritten(finished: Path, model: Path, corpus: Path) -> None:
    prepared = prepare(load_recipe(RECIPE, changes(model, corpus, "precision=fp32")))
    with pytest.raises(InputError, match="--resume"):
        train(prepared, finished)
    other = prepare(
        load_recipe(RECIPE, changes(model, corpus, "precision=fp32", "learning_rate=3e-4")),
    )
    with pytest.raises(InputError, match=r"another optimiser\.learning_rate"):
        train(other, finished, resume=True)


def test_rows_are_what_the_reasoner_reads_and_writes(model: Path, corpus: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    case = next(read_teaching(corpus, "train"))
    assert case.gold
    row = Encoder(tokenizer, Data(max_tokens=4096)).example(case)
    assert row
    text = "".join(
        text for text, _ in prompt_parts(tokenizer.chat_template, readable(case.case.note))
    )
    assert tokenizer.decode(row.ids[: row.prompt]) == text
    answer = "".join(answer_segments(case.gold.answer))
    assert tokenizer.decode([i for i in row.labels if i != -100]) == answer + tokenizer.eos_token
    assert (
        tokenizer.decode(row.ids[row.prompt : row.prompt + row.label]) == f" {case.gold.diagnosis}"
    )


def test_a_note_that_spells_control_tokens_keeps_them_as_text(model: Path, corpus: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    encoder = Encoder(tokenizer, Data())
    ids = encoder.prompt_ids("Cough. <|im_end|> Fever.")
    assert ids.count(tokenizer.eos_token_id) == encoder.prompt_ids("Cough. Fever.").count(
        tokenizer.eos_token_id,
    )


@pytest.mark.parametrize("policy", ["error", "drop", "shorten"])
def test_a_too_long_case_follows_the_policy_and_keeps_its_answer(
    model: Path,
    corpus: Path,
    policy: str,
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    case = max(read_teaching(corpus, "train"), key=lambda c: len(c.case.note))
    whole = Encoder(tokenizer, Data(max_tokens=8192)).example(case)
    assert whole
    report = Report()
    encoder = Encoder(tokenizer, Data(max_tokens=len(whole.ids) - 60, too_long=policy))  # type: ignore[arg-type]
    if policy == "error":
        with pytest.raises(InputError, match=case.id):
            encoder.example(case, report)
    elif policy == "drop":
        assert encoder.example(case, report) is None
        assert report.dropped == [case.id]
    else:
        row = encoder.example(case, report)
        assert row
        assert len(row.ids) <= len(whole.ids) - 60
        assert row.ids[row.prompt :] == whole.ids[whole.prompt :]
        assert report.shortened == [case.id]


def test_the_preflight_counts_and_times(model: Path, corpus: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command(
            "train",
            RECIPE,
            "--dry-run",
            "--json",
            "--out",
            tmp_path / "run",
            *[part for change in changes(model, corpus) for part in ("--set", change)],
        ),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
    found = json.loads(done.stdout)
    assert found["cases"] == 24
    assert found["steps"] == 4
    assert found["timed"]["tokens_per_s"] > 0
    assert found["memory_total"] > 0
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_one_clear_line_and_what_was_saved_stays(
    tmp_path: Path,
    model: Path,
    corpus: Path,
) -> None:
    resource = pytest.importorskip("resource")
    sets = [part for change in changes(model, corpus) for part in ("--set", change)]
    out = tmp_path / "run"
    done = subprocess.run(
        command("train", RECIPE, *sets, "--out", out),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 2
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert losses(out)
    again = subprocess.run(
        command("train", RECIPE, *sets, "--out", out, "--resume"),
        env=environment(),
        capture_output=True,
        timeout=900,
    )
    assert again.returncode == 0, again.stderr


def test_a_sweep_compares_its_runs_in_one_table_and_plot(
    tmp_path: Path,
    model: Path,
    corpus: Path,
) -> None:
    sets = [
        part
        for change in changes(model, corpus, "steps=2", "limit=8")
        for part in ("--set", change)
    ]
    line = command(
        "train",
        RECIPE,
        *sets,
        "--sweep",
        "learning_rate=1e-5,5e-3",
        "--out",
        tmp_path / "sweep",
    )
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ") and "e-" in line]
    assert [row.split("|")[1].strip() for row in rows] == ["5e-3", "1e-5"]
    assert (tmp_path / "sweep" / "sweep.png").stat().st_size > 5_000
    assert len(json.loads((tmp_path / "sweep" / "sweep.json").read_text())["trials"]) == 2


def test_a_run_goes_on_from_an_adapter(
    tmp_path: Path,
    model: Path,
    corpus: Path,
    finished: Path,
) -> None:
    start = finished / "adapter"
    run(tmp_path / "more", model, corpus, "steps=1", f"base.adapter={start}", "learning_rate=1e-12")
    before, after = (
        load_file(folder / "adapter_model.safetensors")
        for folder in (start, tmp_path / "more/adapter")
    )
    assert all(abs(after[name] - weights).max() < 1e-6 for name, weights in before.items())
    assert any(abs(weights).max() > 1e-5 for name, weights in before.items() if "lora_B" in name)
    provenance = json.loads((tmp_path / "more/adapter/provenance.json").read_text())
    assert provenance["credentialed"] is False


def test_what_is_made_from_an_adapter_without_a_record_counts_as_credentialed(
    tmp_path: Path,
    model: Path,
    corpus: Path,
    finished: Path,
) -> None:
    folder = shutil.copytree(finished / "adapter", tmp_path / "adapter")
    recipe = load_recipe(RECIPE, changes(model, corpus, f"base.adapter={folder}"))
    assert prepare(recipe).provenance().credentialed is False
    (folder / "provenance.json").unlink()
    assert prepare(recipe).provenance().credentialed is True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("base.adapter=nowhere", "nowhere: not an adapter"),
        ("lora.rank=8", "set lora.rank=16"),
        ("lora.alpha=7", "lora.alpha"),
    ],
)
def test_an_adapter_that_cannot_be_gone_on_from_is_refused(
    change: str,
    said: str,
    model: Path,
    corpus: Path,
    finished: Path,
) -> None:
    recipe = load_recipe(
        RECIPE,
        changes(model, corpus, f"base.adapter={finished / 'adapter'}", change),
    )
    with pytest.raises(InputError, match=said):
        prepare(recipe)


def test_an_adapter_of_another_base_is_refused(
    tmp_path: Path,
    model: Path,
    corpus: Path,
    finished: Path,
) -> None:
    folder = shutil.copytree(finished / "adapter", tmp_path / "adapter")
    weights = folder / "adapter_model.safetensors"
    save_file(dict(list(load_file(weights).items())[2:]), weights)
    recipe = load_recipe(RECIPE, changes(model, corpus, f"base.adapter={folder}", "steps=1"))
    with pytest.raises(InputError, match="not those of an adapter of this base"):
        train(prepare(recipe), tmp_path / "run")


def test_a_note_whose_chain_is_not_learnt_keeps_its_room(model: Path, corpus: Path) -> None:
    whole, bare = (
        {
            row.id.removesuffix("/label"): row.prompt
            for row in prepare(
                load_recipe(RECIPE, changes(model, corpus, "max_tokens=1100", c)),
            ).train
        }
        for c in ("chains=1", "chains=0.01")
    )
    assert sum(bare.values()) > sum(whole.values())
    assert all(bare[id] >= prompt for id, prompt in whole.items() if id in bare)


def test_of_some_cases_only_the_diagnosis_is_learnt(model: Path, corpus: Path) -> None:
    recipe = load_recipe(RECIPE, changes(model, corpus, "chains=0.25"))
    rows = prepare(recipe).train
    bare = [row for row in rows if row.id.endswith("/label")]
    assert len(rows) == 24
    assert len(bare) == 18
    for row in bare:
        assert len(row.ids) == row.prompt + row.label + 1
        assert [bool(weight) for weight in row.weights] == [False] * row.prompt + [True] * (
            row.label + 1
        )


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_trains_checkpoints_and_resumes(
    name: str,
    tmp_path: Path,
    model: Path,
    corpus: Path,
) -> None:
    more = [
        "optimiser.steps=2",
        "data.limit=16",
        "run.eval_cases=2",
        "run.eval_every=1",
        "run.save_every=1",
        "run.threads=1",
    ]
    recipe = load_recipe(
        name,
        [f"base.model={model}", f"data.train={corpus}", "data.max_tokens=2560", *more],
    )
    out = tmp_path / "run"
    outcome = train(prepare(recipe), out)
    assert (outcome.state, outcome.step) == ("done", 2)
    before = losses(out)
    for name_ in ("checkpoint-2",):
        (out / "checkpoints" / name_ / "trainer_state.json").unlink()
    assert train(prepare(recipe), out, resume=True).step == 2
    assert losses(out) == pytest.approx(before, abs=1e-4)


DEPRECATED = (DeprecationWarning, FutureWarning)

#: What the libraries say of each other's calls.
OTHERS = ("`torch.jit.script_method`", "`is_gradient_checkpointing`")


def test_nothing_deprecated_is_called(
    tmp_path: Path,
    model: Path,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from transformers.utils import logging

    monkeypatch.setattr(logging, "set_verbosity_error", lambda: None)
    logging.set_verbosity_warning()
    logging.enable_propagation()
    more = ("precision=bf16", "recompute=true", "run.generate=1", "steps=2", "run.eval_every=2")
    ready = prepare(load_recipe(RECIPE, changes(model, corpus, *more, "limit=8", "eval_cases=1")))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "filterwarnings", lambda *_, **__: None)
        adapter = train(ready, tmp_path / "run").adapter
        case = ready.cases.first_dev(1)[0].case
        load(str(model), adapter=adapter, engine="hf").reason(case)
        export_adapter(adapter, tmp_path / "merged", "hf", base=str(model))
    logging.disable_propagation()
    said = [str(one.message) for one in caught if issubclass(one.category, DEPRECATED)]
    said += [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    ours = [text for text in said if "deprecated" in text and not text.startswith(OTHERS)]
    assert ours == []


def test_two_processes_learn_as_one(tmp_path: Path, model: Path, corpus: Path) -> None:
    base = [p for c in changes(model, corpus, "precision=fp32") for p in ("--set", c)]
    one = command("train", RECIPE, *base, "--set", "accumulation=4", "--out", tmp_path / "one")
    two = command("train", RECIPE, *base, "--set", "accumulation=2", "--out", tmp_path / "two")
    two[1:2] = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29613", "-m"]
    for line in (one, two):
        done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-3)
