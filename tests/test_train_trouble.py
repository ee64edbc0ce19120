"""Runs that come to grief: noticed, explained, and stopped with what was good; and what does not fit."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.numpy import load_file
from support.training import changes, environment, make_model, make_small_corpus

from dxtrace.errors import EngineError
from dxtrace.train import Prepared, load_recipe, prepare, read_metrics, train

pytest.importorskip("trl", reason="needs the extra 'train'")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1800)]

RECIPE = "smollm2-135m-cpu"

#: The first step changes nothing, the second ruins the adapter, the third shows it.
RUINOUS = ("learning_rate=1e30", "warmup=0.9", "steps=8", "save_every=1", "precision=fp32")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_corpus(tmp_path_factory.mktemp("trouble") / "corpus")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    return make_model(tmp_path_factory.mktemp("trouble") / "model", corpus)


def ready(model: Path, corpus: Path, *more: str) -> Prepared:
    sets = changes(model, corpus, "run.eval_cases=0", "data.limit=16", *more)
    return prepare(load_recipe(RECIPE, sets))


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run_with_the_last_good_adapter(
    model: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    outcome = train(ready(model, corpus, *RUINOUS), tmp_path / "run")
    assert outcome.state == "stopped early"
    assert outcome.problem is not None
    assert "no number" in outcome.problem and "learning_rate" in outcome.problem
    assert outcome.best_step < outcome.step < 8
    weights = load_file(outcome.adapter / "adapter_model.safetensors")
    assert all(abs(tensor).max() < 10 for tensor in weights.values())
    assert all(math.isfinite(row["loss"]) for row in read_metrics(tmp_path / "run"))


@pytest.mark.slow
def test_without_a_good_checkpoint_nothing_is_kept(
    model: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    late = ready(model, corpus, *RUINOUS, "save_every=50")
    with pytest.raises(EngineError, match="nothing good was saved"):
        train(late, tmp_path / "run")


def _watched(losses: list[float], scale: float | None = None) -> str | None:
    from dxtrace.train.callbacks import Watch

    watch = Watch(1e-3, "fp16")
    if scale is not None:
        watch.scaler = SimpleNamespace(get_scale=lambda: scale)
    control: Any = SimpleNamespace(should_training_stop=False)
    for step, loss in enumerate(losses, 1):
        watch.on_log(None, SimpleNamespace(global_step=step), control, {"token_loss": loss})
        if watch.problem:
            break
    assert control.should_training_stop == bool(watch.problem)
    return watch.problem


def test_a_loss_that_does_not_fall_is_noticed_and_one_that_does_is_not() -> None:
    assert "does not fall" in str(_watched([2.0] * 40))
    assert "does not fall" in str(_watched([2.0 + step / 50 for step in range(40)]))
    assert "shot up" in str(_watched([2.0, 1.8, 1.6, 9.0]))
    assert _watched([2.0 - step / 50 for step in range(40)]) is None
    assert _watched([2.0, 1.2, *([1.0, 1.1] * 60)]) is None


def test_float16_that_overflows_at_every_step_is_noticed() -> None:
    assert "float16 overflows" in str(_watched([2.0, 1.9], scale=2.0**-3))
    assert _watched([2.0, 1.9], scale=4096.0) is None


@pytest.mark.slow
def test_the_preflight_says_whether_it_fits_and_what_to_change(
    model: Path,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dxtrace.train import preflight

    run = ready(model, corpus, "batch=4", "accumulation=2")
    assert preflight.run_preflight(run).advice == "yes"
    memory = preflight.run_preflight(run).memory
    room = round((memory.total - memory.activations / 4) / 0.92)
    monkeypatch.setattr(preflight, "memory_of", lambda _device: room)
    advice = preflight.run_preflight(run).advice
    assert advice == "no; it does with run.recompute=true"
    monkeypatch.setattr(preflight, "memory_of", lambda _device: 1000)
    assert "smaller base" in preflight.run_preflight(run).advice


#: The memory that a run was said to take, and took, in a process of its own; however slow it is.
MEASURE = """
import json, sys
from pathlib import Path
from rich.console import Console
from dxtrace.train import load_recipe, prepare
from dxtrace.train.preflight import run_preflight
from dxtrace.train import session

session._TIMED_TOKENS = 1
ready = prepare(load_recipe(sys.argv[1], sys.argv[3:]))
timed = session.Session(ready, Path(sys.argv[2]), Console(quiet=True)).time_steps(10_000)
print(json.dumps([run_preflight(ready).memory.total, timed.peak]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("more", [("recompute=false",), ("recompute=true",)])
def test_the_memory_estimate_is_within_15_percent_of_what_is_measured(
    more: tuple[str, ...],
    corpus: Path,
    tmp_path: Path,
) -> None:
    model = make_model(tmp_path / "model", corpus, layers=8, width=256)
    sets = changes(model, corpus, "precision=fp32", "accumulation=1", "batch=1", *more)
    line = [sys.executable, "-W", "ignore", "-c", MEASURE, RECIPE, tmp_path, *sets]
    done = subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=900)
    assert done.returncode == 0, done.stderr
    said, taken = json.loads(done.stdout.splitlines()[-1])
    assert taken == pytest.approx(said, rel=0.15)
