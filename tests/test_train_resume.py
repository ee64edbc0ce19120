"""Runs that are killed, interrupted or finished, and what ``--resume`` makes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.training import changes, command, environment, losses, make_model, make_small_corpus

from dxtrace.errors import InputError
from dxtrace.train import load_recipe, prepare, train

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


def test_a_kill_loses_no_more_than_the_steps_since_the_last_checkpoint(
    tmp_path: Path,
    model: Path,
    corpus: Path,
) -> None:
    sets = [
        p
        for c in changes(model, corpus, "precision=fp32", "steps=8", "eval_every=50")
        for p in ("--set", c)
    ]
    sets += ["--set", "run.eval_cases=0"]
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    base = command("train", RECIPE, *sets, "--out")
    assert (
        subprocess.run(
            [*base, straight],
            env=environment(),
            capture_output=True,
            timeout=900,
        ).returncode
        == 0
    )
    process = subprocess.Popen([*base, killed], env=environment(), stderr=subprocess.DEVNULL)
    _wait_for(lambda: (killed / "checkpoints/checkpoint-4/trainer_state.json").exists(), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    again = subprocess.run(
        [*base, killed, "--resume"],
        env=environment(),
        capture_output=True,
        timeout=900,
    )
    assert again.returncode == 0, again.stderr
    assert losses(killed) == pytest.approx(losses(straight), abs=1e-4)


def test_a_signal_ends_a_run_with_a_checkpoint(tmp_path: Path, model: Path, corpus: Path) -> None:
    sets = [
        p
        for c in changes(model, corpus, "steps=400", "save_every=300", "eval_every=300")
        for p in ("--set", c)
    ]
    out = tmp_path / "run"
    process = subprocess.Popen(
        command("train", RECIPE, *sets, "--out", out),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    )
    _wait_for(lambda: len(losses(out)) > 2 if (out / "metrics.jsonl").exists() else False, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "interrupted at step" in said
    assert list((out / "checkpoints").glob("checkpoint-*/trainer_state.json"))


def test_a_finished_run_stays_as_it_is(
    tmp_path: Path,
    model: Path,
    corpus: Path,
) -> None:
    out = tmp_path / "run"
    prepared = prepare(load_recipe(RECIPE, changes(model, corpus, "precision=fp32")))
    assert train(prepared, out).state == "done"
    before = losses(out)
    weights = (out / "adapter/adapter_model.safetensors").read_bytes()
    assert train(prepared, out, resume=True).step == 4
    (out / "outcome.json").unlink()  # killed after its last step
    assert train(prepared, out, resume=True).state == "done"
    assert (out / "adapter/adapter_model.safetensors").read_bytes() == weights
    assert losses(out) == before


def test_a_run_may_be_told_to_end_sooner_and_nothing_else(
    tmp_path: Path,
    model: Path,
    corpus: Path,
) -> None:
    out = tmp_path / "run"
    longer = changes(model, corpus, "precision=fp32", "steps=8")
    assert train(prepare(load_recipe(RECIPE, longer)), out).step == 8
    (out / "outcome.json").unlink()
    for step in (6, 8):
        (out / "checkpoints" / f"checkpoint-{step}" / "trainer_state.json").unlink()
    with pytest.raises(InputError, match=r"optimiser\.learning_rate"):
        train(prepare(load_recipe(RECIPE, [*longer, "learning_rate=1e-5"])), out, resume=True)
    assert train(prepare(load_recipe(RECIPE, [*longer, "steps=5"])), out, resume=True).step == 5
    assert max(losses(out)) == 5


def _wait_for(happened: object, process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 900
    while not happened():  # type: ignore[operator]
        assert process.poll() is None, "the run ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.05)
